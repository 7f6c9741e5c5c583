"""SciDB-Py on the managed session."""
