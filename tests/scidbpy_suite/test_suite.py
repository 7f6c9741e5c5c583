"""SciDB-Py 19.11.7's own tests and doctests, unmodified, against the embedded server.

Its source is downloaded (`.ci/scidbpy-19.11.7`) and no part of this project. It lacks the ``conftest.py``
that its tests import from. The runs begin with the first test of all (tests/conftest.py), since they take
a minute; a real SciDB passes 930 tests without ``TestAdmin``, 931 with it, and 149 of the 157 examples:
the others want TLS on port 8083 or Python 2.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence

import pytest


def said(process: subprocess.Popen[str], capsys: pytest.CaptureFixture[str]) -> str:
    told, _ = process.communicate()
    with capsys.disabled():
        print(f"\nSciDB-Py 19.11.7, {told.rstrip().splitlines()[-1].strip('= ')}")
    return told


def test_scidbpy_tests(
    scidbpy_suite: Sequence[subprocess.Popen[str]], long: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    tests, _ = scidbpy_suite
    told = said(tests, capsys)
    passed = re.search(r"(\d+) passed", told)
    assert passed is not None, told
    assert int(passed[1]) == (931 if long else 930), told
    assert tests.returncode == 0, told


def test_scidbpy_doctests(
    scidbpy_suite: Sequence[subprocess.Popen[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    _, doctests = scidbpy_suite
    told = said(doctests, capsys)
    numbers = re.search(r"doctests: (\d+) of (\d+)", told)
    assert numbers is not None, told
    assert int(numbers[1]) >= 149, told
    assert int(numbers[2]) == 157
