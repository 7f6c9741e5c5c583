"""Data into arrays.

=============  =====================================================
`arrays`       one frame -> the statements that store it
`loading`      many files -> one array, one after the other
`journal`      which files are in, across kernels
=============  =====================================================
"""
