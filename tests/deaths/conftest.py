"""How a death is watched: the server's slots from outside, the process's end as an event, what is left.

A case starts a process in the environment of its `scene`, which takes a slot; then it ends it within
``with``::

    with scene.death("SIGKILL", "a query runs", pid):
        os.kill(pid, signal.SIGKILL)

At the end of the block the slot must be free within `LIMIT` seconds of the process's end, and stay free,
and neither a guardian nor an entry in the ledger may be left. The times of all cases are printed as a
table at the end of the run, and written to the file that ``SCIDB_MAGIC_DEATHS`` names.

The suite runs the quick rows of each table; all of them, and those thrice, with ``SCIDB_MAGIC_LONG``.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

import scidb_magic

LIMIT = 3.0
"""Seconds from a process's end to its slot's freedom, at most."""

SETTLE = 5.0
"""Seconds after that for the guardian to end."""

PATIENCE = 60.0
POLL = 0.005
GUARDIAN = "session/guardian.py"
PACKAGES = str(Path(scidb_magic.__file__).parents[1])

WHOLE = bool(os.environ.get("SCIDB_MAGIC_LONG"))
ROUNDS = 3
REPORT = os.environ.get("SCIDB_MAGIC_DEATHS")


def poll(condition: Callable[[], Any], seconds: float = PATIENCE) -> bool:
    """Whether the condition comes true in time; for what sends no event."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``@pytest.mark.rows(table)``: a case for each row; a row is an object with `name` and `quick`."""
    mark = metafunc.definition.get_closest_marker("rows")
    if mark is None:
        return
    rows = [row for row in mark.args[0] if WHOLE or row.quick]
    rounds = [
        (row, number) for number in range(ROUNDS if WHOLE else 1) for row in rows if row.quick or not number
    ]
    metafunc.parametrize(
        "row", [row for row, _ in rounds], ids=[f"{row.name}-{number}" for row, number in rounds]
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "rows(table): a case for each row")
    config.addinivalue_line("markers", "whole: only where all rows are run")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """``@pytest.mark.whole``: a test that is no row of a table, and not quick."""
    left_out = [item for item in items if not WHOLE and item.get_closest_marker("whole")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


# The server, from outside


class Server:
    """An embedded server, seen by the slots that are taken."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, endpoint: str, **arguments: str) -> str:
        """What shim answers."""
        query = urllib.parse.urlencode(arguments)
        with urllib.request.urlopen(f"{self.url}/{endpoint}?{query}", timeout=10) as answer:
            return str(answer.read().decode())

    @property
    def sids(self) -> list[str]:
        """The first characters of the sessions' ids in the taken slots."""
        lines = [line.replace(",", "").split() for line in self.ask("debug").splitlines()]
        return [words[3] for words in lines if words[5] == "0"]

    def until_taken(self, count: int) -> None:
        assert poll(lambda: len(self.sids) == count), f"{len(self.sids)} slots are taken, not {count}"

    def until_runs(self, text: str) -> None:
        """Wait until a query with `text` runs, as another session sees it."""
        sid = self.ask("new_session")

        def runs() -> bool:
            self.ask("execute_query", id=sid, query="project(list('queries'), query_string)", save="tsv")
            return text in self.ask("read_lines", id=sid, n="0")

        try:
            assert poll(runs), f"no query with {text!r} runs"
        finally:
            self.ask("release_session", id=sid)


# Processes


class End:
    """The end of a process, as an event: the time at which it was seen."""

    def __init__(self, pid: int) -> None:
        self.at: float | None = None
        # Before the end, for a number may be another process's later.
        self._process = psutil.Process(pid)
        self._descriptor = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        if self._descriptor is None:
            poll(self._gone, 10 * PATIENCE)
        else:
            select.select([self._descriptor], [], [])
            os.close(self._descriptor)
        self.at = time.monotonic()

    def _gone(self) -> bool:
        with contextlib.suppress(psutil.NoSuchProcess):
            return not self._process.is_running() or self._process.status() == psutil.STATUS_ZOMBIE
        return True

    def wait(self, seconds: float) -> bool:
        self._thread.join(seconds)
        return self.at is not None


@dataclass(frozen=True)
class Measured:
    """One death: seconds from the request, and from the process's end, to the slot's freedom."""

    way: str
    state: str
    end: float
    from_request: float
    from_end: float

    def __str__(self) -> str:
        return (
            f"{self.way:<34} {self.state:<34} {self.end:6.2f} {self.from_request:6.2f} {self.from_end:6.2f}"
        )


HEAD = f"{'way':<34} {'state':<34} {'end':>6} {'free':>6} {'after':>6}"
"""Seconds from the request to the process's end and to the slot's freedom, and between the two."""

_measured: list[Measured] = []


class Scene:
    """A server of its own and the processes of one case, which know each other by their environment."""

    def __init__(self, url: str, folder: Path) -> None:
        self.server = Server(url)
        self.folder = folder
        self.guarded = True
        # The guardian is nobody's child, and gets no SCIDB_ variable: by this one it is found.
        self._mark = str(folder / "state")
        path = os.pathsep.join(filter(None, [PACKAGES, os.environ.get("PYTHONPATH")]))
        own = {"XDG_STATE_HOME": self._mark, "HOME": str(folder), "PYTHONPATH": path}
        self.environment = {**os.environ, **own}

    def unguard(self) -> None:
        """Have no guardians: what frees a slot is the process itself."""
        self.guarded = False
        self.environment["SCIDB_MAGIC_GUARDIAN"] = "no"

    def family(self, word: str = "") -> list[psutil.Process]:
        """The living processes of the case with `word` in the command line."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                ours = process.environ().get("XDG_STATE_HOME") == self._mark
                alive = process.status() != psutil.STATUS_ZOMBIE
                if ours and alive and word in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def ledger(self) -> list[Path]:
        return list(self.folder.rglob("sessions/*.json"))

    def end(self, pid: int) -> End:
        """Watch for the end of a process that is still there."""
        return End(pid)

    @contextlib.contextmanager
    def death(
        self, way: str, state: str, pid: int, *, keeps: Iterable[str] = (), at_request: bool = False
    ) -> Iterator[End]:
        """Watch `pid` end within the block: nobody's slot but those of `keeps` is left.

        With `at_request` the slot must be free within `LIMIT` of the request, however long the end takes.
        """
        kept = sorted(keeps)
        before = self.server.sids
        assert len(before) == len(kept) + 1, f"the process holds no slot: {before}"
        self.check_left(len(before))
        end = End(pid)
        assert not end.wait(0), "the process has ended before its time"
        free: list[float] = []
        watch = threading.Thread(target=lambda: free.extend(self._until_left(kept)), daemon=True)
        asked = time.monotonic()
        watch.start()
        yield end
        assert end.wait(PATIENCE), "the process did not end"
        watch.join(PATIENCE)
        assert end.at is not None
        assert free, f"the slot was never freed: {self.server.sids}"
        _measured.append(Measured(way, state, end.at - asked, free[0] - asked, max(0.0, free[0] - end.at)))
        assert _measured[-1].from_end < LIMIT, _measured[-1]
        assert not at_request or _measured[-1].from_request < LIMIT, _measured[-1]
        self.check_left(len(kept))
        assert sorted(self.server.sids) == kept

    def check_left(self, count: int) -> None:
        """So many sessions have a guardian, and stand in the ledger, or soon will."""
        guards = count if self.guarded else 0
        assert poll(lambda: len(self.family(GUARDIAN)) == guards, SETTLE), f"not {guards} guardians"
        assert poll(lambda: len(self.ledger()) == count, SETTLE), f"ledger: {self.ledger()}"

    def _until_left(self, kept: list[str]) -> Iterator[float]:
        if poll(lambda: sorted(self.server.sids) == kept):
            yield time.monotonic()

    def end_all(self) -> None:
        """End what a case has left, by its pid."""
        for process in self.family():
            with contextlib.suppress(psutil.Error):
                process.kill()


@pytest.fixture
def scene(embedded_factory: Callable[..., Any], tmp_path: Path) -> Iterator[Scene]:
    """A server and room for processes; nothing of it lives on."""
    made = Scene(embedded_factory().url, tmp_path)
    yield made
    made.end_all()


# Kernels and programs


class Kernel:
    """A real kernel, spoken to as a notebook does.

    Parameters
    ----------
    client : BlockingKernelClient
        Connected to it.
    folder : Path
        For the signs that the kernel gives.
    manager : KernelManager, optional
        Where it is ours, and no server's.
    """

    def __init__(self, client: BlockingKernelClient, folder: Path, manager: KernelManager | None) -> None:
        self.client = client
        self._begun = folder / "begun"
        self.manager = manager
        self._cell = ""
        client.start_channels()
        assert poll(self._answers), "the kernel did not start"
        self.pid = int(self.run(f"import os; print(os.getpid())\n{NO_CORE}"))

    def _answers(self) -> bool:
        # A client without a manager takes a kernel that is slow to start for dead.
        with contextlib.suppress(RuntimeError):
            self.client.wait_for_ready(timeout=PATIENCE)
            return True
        return False

    def run(self, code: str) -> str:
        """Run a cell that does not fail; what it prints and displays."""
        printed: list[str] = []

        def output(message: dict[str, Any]) -> None:
            content = message["content"]
            printed.append(content.get("text", "") or content.get("data", {}).get("text/plain", ""))

        reply = self.client.execute_interactive(
            code, stop_on_error=False, allow_stdin=False, output_hook=output, timeout=PATIENCE
        )
        assert reply["content"]["status"] == "ok", reply["content"]
        return "".join(printed)

    def begin(self, code: str) -> None:
        """Send a cell, and wait until it runs."""
        # A file, for what is printed needs a thread to be sent, which not every cell lets run.
        sign = f"open({str(self._begun)!r}, 'w').close()"
        self._cell = self.client.execute(f"{sign}\n{code}", stop_on_error=False, allow_stdin=False)
        assert poll(self._begun.exists), "the cell did not begin"
        self._begun.unlink()

    @property
    def busy(self) -> bool:
        """Whether the cell that was begun still runs."""
        with contextlib.suppress(queue.Empty):
            while self._message(0) != "idle":
                pass
            return False
        return True

    def _message(self, seconds: float) -> str:
        """The next message of the cell that was begun: its type, or the state of the kernel."""
        while True:
            message = self.client.get_iopub_msg(timeout=seconds)
            if message["parent_header"].get("msg_id") == self._cell:
                return str(message["content"].get("execution_state", message["msg_type"]))


# A death by a signal of its own must not leave a memory image in the tests' folder.
NO_CORE = "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))"
TAKE = "%%scidb --no-fetch\nbuild(<x:int64>[i=0:9], i)"


@pytest.fixture
def start_kernel(scene: Scene) -> Iterator[Callable[..., Kernel]]:
    """Start a kernel, or take the one behind a client; it holds a slot, unless it is to stay bare."""
    started: list[Kernel] = []

    def start(client: BlockingKernelClient | None = None, *, bare: bool = False) -> Kernel:
        manager = None
        if client is None:
            manager = KernelManager(kernel_name="python3")
            manager.start_kernel(env=scene.environment, cwd=str(scene.folder))
            client = manager.client()
        kernel = Kernel(client, scene.folder, manager)
        started.append(kernel)
        if not bare:
            kernel.run(f"%load_ext scidb_magic\n%scidb connect {scene.server.url}")
            kernel.run(TAKE)
        return kernel

    yield start
    for kernel in started:
        kernel.client.stop_channels()
        if kernel.manager is not None:
            if kernel.manager.has_kernel:
                kernel.manager.shutdown_kernel(now=True)
            kernel.manager.cleanup_resources()


@pytest.fixture
def start_program(scene: Scene) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a Python program, given as text or file; its standard input and output are pipes."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str | Path, *arguments: str) -> subprocess.Popen[str]:
        path = Path(code) if isinstance(code, Path) else scene.folder / f"program{len(started)}.py"
        if isinstance(code, str):
            path.write_text(code)
        started.append(
            subprocess.Popen(
                [sys.executable, "-u", str(path), *arguments],
                env=scene.environment,
                cwd=scene.folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield start
    for program in started:
        with contextlib.suppress(OSError), program:
            program.kill()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The times of all deaths, the slowest release last."""
    lines = [HEAD, *(str(one) for one in sorted(_measured, key=lambda one: one.from_end))]
    if _measured and WHOLE:
        terminalreporter.section("deaths")
        terminalreporter.write_line("\n".join(lines))
    if _measured and REPORT:
        Path(REPORT).write_text("\n".join(lines) + "\n")
