"""What the tests share: real embedded servers, the recordings, a clean environment."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

READY_SECONDS = 60.0
CONFORMANCE = Path(__file__).resolve().parents[2] / "shared" / "conformance"


@dataclass
class Embedded:
    """A running ``python -m scidb_magic.embedded``."""

    url: str
    process: subprocess.Popen[str]
    http_auth: tuple[str, str] | None = None

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def stop(self) -> int:
        """End it as a user would; its exit status."""
        self.process.terminate()
        status = self.process.wait(20)
        if self.process.stdout:
            self.process.stdout.close()
        return status


EmbeddedFactory = Callable[..., Embedded]


def start_embedded(*options: str, http_auth: tuple[str, str] | None = None) -> Embedded:
    """Start a server with these options on a free port and wait for its ready line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "scidb_magic.embedded", "--port", "0", *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], READY_SECONDS)
    line = process.stdout.readline() if ready else ""
    if not line.strip():
        process.kill()
        process.wait()
        process.stdout.close()
        raise RuntimeError(f"the embedded server did not start (options: {options})")
    return Embedded(line.split()[-1], process, http_auth)


@pytest.fixture(scope="session")
def embedded() -> Iterator[Embedded]:
    """One server for all tests that leave no trace in it but arrays under names of their own."""
    server = start_embedded()
    yield server
    server.stop()


@pytest.fixture
def embedded_factory() -> Iterator[EmbeddedFactory]:
    """Start servers with options of one's own; all are stopped at the test's end."""
    servers: list[Embedded] = []

    def factory(*options: str, http_auth: tuple[str, str] | None = None) -> Embedded:
        if http_auth is not None:
            options = (*options, "--digest", ":".join(http_auth))
        servers.append(start_embedded(*options, http_auth=http_auth))
        return servers[-1]

    yield factory
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def conformance() -> Path:
    """The folder of the recordings of a real SciDB; in CI its absence is a failure."""
    folder = Path(os.environ.get("SCIDB_CONFORMANCE") or CONFORMANCE)
    if (folder / "wire.jsonl").is_file():
        return folder
    reason = f"no recordings in {folder}: set SCIDB_CONFORMANCE"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session", autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing of the developer's own settings, passwords or home gets into a test."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("SCIDB_", "XDG_", "JUPYTER_", "IPYTHON")) and name != "SCIDB_CONFORMANCE":
                patch.delenv(name)
        patch.setenv("HOME", str(home))
        # Matplotlib and IPython would otherwise look for their folders in a home that they cannot know.
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        patch.setenv("MPLCONFIGDIR", str(home / "matplotlib"))
        for proxy in ("http_proxy", "https_proxy", "all_proxy"):
            patch.delenv(proxy, raising=False)
            patch.delenv(proxy.upper(), raising=False)
        yield


@pytest.fixture(scope="session")
def long() -> bool:
    """Whether everything is asked for that takes longer than the gate has time (`.ci/long`)."""
    return bool(os.environ.get("SCIDB_MAGIC_LONG"))


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


@pytest.fixture(scope="session", autouse=True)
def scidbpy_suite(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sequence[subprocess.Popen[str]]]:
    """SciDB-Py's tests and doctests, each beside the other tests and on a server of its own."""
    if not any(item.name.startswith("test_scidbpy_") for item in request.session.items):
        yield ()
        return
    python = request.getfixturevalue("unmodified_python")
    folder = tmp_path_factory.mktemp("scidbpy")
    (folder / "conftest.py").write_text("arrow_enable = True\n")
    shutil.copy(Path(python).parents[1] / "src" / "tests" / "test_db.py", folder)
    chosen = [] if request.getfixturevalue("long") else ["-k", "not TestAdmin"]
    # The paths /tmp/pytest_9 and the like are written in its tests.
    servers = [start_embedded("--io-path", "/tmp") for _ in range(2)]
    commands = (
        (python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen, str(folder)),
        (python, str(Path(__file__).parent / "scidbpy_suite" / "doctests.py"), str(servers[1].port)),
    )
    processes = [
        subprocess.Popen(
            ("nice", *command),
            cwd=folder,
            env={**os.environ, "SCIDB_URL": f"http://localhost:{server.port}", "PYTEST_ADDOPTS": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for command, server in zip(commands, servers, strict=True)
    ]
    yield processes
    for process, server in zip(processes, servers, strict=True):
        process.kill()
        process.wait()
        server.stop()


@pytest.fixture(scope="session", autouse=True)
def mypy(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str] | None]:
    """The check of types, begun with the first test where it will be asked for: it takes a while."""
    if not any(item.name == "test_mypy_strict" for item in request.session.items):
        yield None
        return
    command = [sys.executable, "-m", "mypy", "--cache-dir=/dev/null"]
    root = Path(__file__).resolve().parents[1]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        yield process


@pytest.fixture(scope="session", autouse=True)
def signals_arrive() -> None:
    """A shell, or nohup, has what it starts in the background ignore these, and its children after it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., bool]:
    """``wait_until(condition, seconds=10)``: poll what sends no event, as a foreign process's end."""

    def wait(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    return wait
