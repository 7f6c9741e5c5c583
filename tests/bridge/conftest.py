"""Both versions of SciDB-Py that are served, in processes of their own; managed sessions.

19.3.1 is what pip installs beside current pandas. 19.11.7 pins an old pyarrow, so it lives in a venv of
its own (Python 3.10 or 3.11, ``pip install scidb-py==19.11.7 'numpy<2'``), whose interpreter the variable
``SCIDBPY_19_11_7`` names: `.ci/run` makes it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scidb_magic.api import ManagedSession
from scidb_magic.session.layers import resolve

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


@pytest.fixture
def make_session() -> Iterator[Callable[..., ManagedSession]]:
    """A managed session on a server; closed at the test's end."""
    made: list[ManagedSession] = []

    def make(url: str, **settings: Any) -> ManagedSession:
        made.append(ManagedSession(*resolve({"url": url, **settings}), notify=lambda _: None))
        return made[-1]

    yield make
    for session in made:
        session.close()


@pytest.fixture
def session(embedded: Any, make_session: Callable[..., ManagedSession]) -> ManagedSession:
    return make_session(embedded.url)


@pytest.fixture
def lose() -> Callable[[ManagedSession], None]:
    """What shim does when it reaps the session's slot."""

    def lose(session: ManagedSession) -> None:
        keeper = session.connection._keeper
        client, sid = keeper.endpoint._client, keeper.sid
        assert client is not None
        assert sid is not None
        client.release_session(sid)

    return lose
