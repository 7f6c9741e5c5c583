"""SciDB-Py 19.11.7's own tests and doctests, unmodified, against the embedded server.

Its source is downloaded (`.ci/scidbpy-19.11.7`) and no part of this project. It lacks the ``conftest.py``
that its tests import from. A real SciDB passes 930 tests without ``TestAdmin``, 931 with it, and 149 of the
157 examples: the others want TLS on port 8083 or Python 2.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

DOCTESTS = Path(__file__).parent / "doctests.py"


def said_by(server: Any, *command: str, folder: Path) -> str:
    """What a run against a server said, its end last."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "SCIDB_URL": f"http://localhost:{server.port}", "PYTEST_ADDOPTS": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def test_scidbpy_tests(
    unmodified_python: str,
    embedded_factory: Any,
    tmp_path: Path,
    long: bool,
    tell: Callable[[str], None],
) -> None:
    (tmp_path / "conftest.py").write_text("arrow_enable = True\n")
    shutil.copy(Path(unmodified_python).parents[1] / "src" / "tests" / "test_db.py", tmp_path)
    chosen = [] if long else ["-k", "not TestAdmin"]
    told = said_by(
        # Paths as /tmp/pytest_9 are written in its tests.
        embedded_factory("--io-path", "/tmp"),
        unmodified_python,
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen),
        folder=tmp_path,
    )
    end = told.rstrip().splitlines()[-1].strip("= ")
    tell(f"SciDB-Py 19.11.7: {end}")
    assert re.match(r"931 passed" if long else r"930 passed, 1 deselected", end), told
    assert "failed" not in end, told


def test_scidbpy_doctests(
    unmodified_python: str, embedded_factory: Any, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    server = embedded_factory()
    told = said_by(server, unmodified_python, str(DOCTESTS), str(server.port), folder=tmp_path)
    numbers = re.search(r"doctests: (\d+) of (\d+)", told)
    assert numbers is not None, told
    tell(f"SciDB-Py 19.11.7: {numbers[0]}")
    assert int(numbers[1]) >= 149, told
    assert int(numbers[2]) == 157
