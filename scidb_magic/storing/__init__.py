"""Data into arrays.

=============  =====================================================
`arrays`       one frame -> the statements that store it
`loading`      many files -> one array, one after the other
`remote`       the same for files on the server's disks
`journal`      which files are in, across kernels
`report`       what became of each file
=============  =====================================================
"""
