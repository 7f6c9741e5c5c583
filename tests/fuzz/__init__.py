"""Hostile input: queries and requests made from a seed, sent to a real server.

    values.py    values, file names and texts that have broken others
    writer.py    queries that are mostly right, from the engine's own tables of operators and functions
    breaking.py  what is done to a right query to make it wrong
    traffic.py   requests that are no HTTP, or too much of it
    target.py    the server under fire, and what must still be true of it afterwards
    shooting.py  the workers: send, judge, note what is wrong
    __main__.py  ``python -m tests.fuzz``: any seed, any number

A new operator or function is fuzzed as soon as it stands in its table.
"""
