"""Both versions of SciDB-Py that are served, in processes of their own.

19.3.1 is what pip installs beside current pandas. 19.11.7 pins an old pyarrow, so it lives in a venv of
its own (Python 3.10 or 3.11, ``pip install scidb-py==19.11.7 'numpy<2'``), whose interpreter the variable
``SCIDBPY_19_11_7`` names: `.ci/run` makes it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

Run = Callable[..., str]


def run_python(python: str, code: str, *arguments: str, path: tuple[Path, ...] = ()) -> str:
    """Standard output of `code`; a failure shows what the process said."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(map(str, path)))
    done = subprocess.run(
        [python, "-c", code, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def unmodified_python() -> str:
    """The interpreter of the venv with SciDB-Py 19.11.7 and all that it was made for."""
    python = os.environ.get("SCIDBPY_19_11_7")
    if python:
        return python
    reason = "SCIDBPY_19_11_7 names no interpreter that has scidb-py 19.11.7"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(params=["19.3.1", "19.11.7"])
def run_beside(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Run code in this Python with its current NumPy, and with one version of SciDB-Py."""
    path: tuple[Path, ...] = (ROOT,)
    if request.param == "19.11.7":
        python = request.getfixturevalue("unmodified_python")
        folder = run_python(
            python, "from importlib.util import find_spec; print(find_spec('scidbpy').origin)"
        )
        (tmp_path / "scidbpy").symlink_to(Path(folder.strip()).parent)
        path = (ROOT, tmp_path)

    def run(code: str, *arguments: str) -> str:
        return run_python(sys.executable, code, *arguments, path=path)

    return run
