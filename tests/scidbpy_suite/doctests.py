"""Run SciDB-Py's doctests against a server: ``python doctests.py PORT``; prints passed and attempted.

A program of its own, for the Python that has SciDB-Py 19.11.7. Its examples are written for port 8080.
"""

from __future__ import annotations

import doctest
import sys

import scidbpy
import scidbpy.db
import scidbpy.schema

# Two flags that SciDB-Py names and plain doctest does not know; Python 3 has nothing to do for them.
for flag in ("ALLOW_UNICODE", "ALLOW_BYTES"):
    doctest.register_optionflag(flag)


def main(port: str) -> None:
    passed = attempted = 0
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for module in (scidbpy, scidbpy.db, scidbpy.schema):
        for test in doctest.DocTestFinder().find(module):
            for example in test.examples:
                example.source = example.source.replace("localhost:8080", f"localhost:{port}")
                example.want = example.want.replace("localhost:8080", f"localhost:{port}")
            failed, tried = runner.run(test)
            passed, attempted = passed + tried - failed, attempted + tried
    print(f"doctests: {passed} of {attempted}")


main(sys.argv[1])
