"""Notebooks without a person (nbclient, nbconvert), and kernels that a Jupyter server looks after."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import nbformat
import pytest
from jupyter_client.blocking.client import BlockingKernelClient

ENDLESS = "aggregate(build(<x:int64>[i=0:99999999999], i % 7), sum(x))"
SWALLOW = "while True:\n    try:\n        time.sleep(0.1)\n    except KeyboardInterrupt:\n        pass"

# Runs


NBCLIENT = ("-c", "from nbclient.cli import main; main()")
NBCONVERT = ("-m", "nbconvert", "--to", "notebook", "--execute", "--output", "done.ipynb")
# The time-out counts for every cell, the first ones too.
RUNNERS = {
    "nbclient": (NBCLIENT, ("--allow-errors",), "--timeout=8"),
    "nbconvert": (NBCONVERT, ("--allow-errors",), "--ExecutePreprocessor.timeout=8"),
}

# The last thing that a notebook does before the test lets it go on.
HOLD = """
import os, time
print(os.getpid(), file=open('pid.tmp', 'w'), flush=True)
os.rename('pid.tmp', 'pid')
while not os.path.exists('go'):
    time.sleep(0.01)
"""


@dataclass(frozen=True)
class Run:
    """A notebook's run: its last cell, how it is run, and whether the runner says that it failed."""

    name: str
    runner: str
    cell: str = ""
    options: tuple[str, ...] = ()
    fails: bool = False
    signal: int | None = None
    quick: bool = False


def runs() -> Iterator[Run]:
    for runner, (_, allow, timeout) in RUNNERS.items():
        quick = runner == "nbconvert"
        yield Run(f"{runner}: to the end", runner)
        yield Run(f"{runner}: a failing cell", runner, "%scidb scan(nope)", fails=True, quick=quick)
        yield Run(f"{runner}: a failing cell, allowed", runner, "%scidb scan(nope)", allow)
        yield Run(f"{runner}: exit in a cell", runner, "exit")
        yield Run(f"{runner}: os._exit in a cell", runner, "os._exit(0)", fails=True)
        yield Run(f"{runner}: a cell's time-out", runner, "time.sleep(600)", (timeout,), fails=True)
        yield Run(f"{runner}: a query's time-out", runner, f"%scidb {ENDLESS}", (timeout,), fails=True)
        yield Run(
            f"{runner}: time-out, KeyboardInterrupt is swallowed", runner, SWALLOW, (timeout,), fails=True
        )
        for name in ("SIGINT", "SIGTERM", "SIGKILL"):
            number = getattr(signal, name)
            yield Run(f"{runner}: {name}", runner, "time.sleep(600)", fails=True, signal=number)


@pytest.mark.rows(list(runs()))
def test_no_slot_is_left_of_a_run(row: Run, scene: Any, wait_until: Callable[..., bool]) -> None:
    cells = [
        f"%load_ext scidb_magic\n%scidb connect {scene.server.url}",
        "%%scidb --no-fetch\nbuild(<x:int64>[i=0:9], i)",
        HOLD,
        row.cell,
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, scene.folder / "run.ipynb")
    with subprocess.Popen(
        [sys.executable, *RUNNERS[row.runner][0], *row.options, "run.ipynb"],
        env=scene.environment,
        cwd=scene.folder,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        assert wait_until((scene.folder / "pid").exists, 60)
        with scene.death(row.name, "", int((scene.folder / "pid").read_text())):
            (scene.folder / "go").touch()
            if row.signal is not None:
                process.send_signal(row.signal)
        assert (process.wait(60) != 0) == row.fails


# A Jupyter server


class JupyterServer:
    """A Jupyter server without a browser, spoken to by its REST interface."""

    TOKEN = "deaths"

    def __init__(self, scene: Any, *options: str) -> None:
        runtime = scene.folder / "runtime"
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyter_server", "--ServerApp.port=0", "--allow-root"),
                *(f"--IdentityProvider.token={self.TOKEN}", "--ServerApp.open_browser=False", *options),
            ],
            env={**scene.environment, "JUPYTER_RUNTIME_DIR": str(runtime)},
            cwd=scene.folder,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.runtime = runtime
        self.info = runtime / f"jpserver-{self.process.pid}.json"

    def ask(self, method: str, path: str) -> Any:
        url = json.loads(self.info.read_text())["url"]
        request = urllib.request.Request(
            f"{url}api/{path}", method=method, headers={"Authorization": f"token {self.TOKEN}"}, data=b"{}"
        )
        if method in ("GET", "DELETE"):
            request.data = None
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def client(self, kernel: str) -> BlockingKernelClient:
        """Connected to a kernel of the server."""
        client = BlockingKernelClient(connection_file=str(self.runtime / f"kernel-{kernel}.json"))
        client.load_connection_file()
        return client


@pytest.fixture
def jupyter(scene: Any, wait_until: Callable[..., bool]) -> Iterator[Callable[..., JupyterServer]]:
    """Start Jupyter servers."""
    started: list[JupyterServer] = []

    def start(*options: str) -> JupyterServer:
        started.append(JupyterServer(scene, *options))
        assert wait_until(started[-1].info.exists, 60)
        assert wait_until(lambda: answers(started[-1]), 60)
        return started[-1]

    yield start
    for server in started:
        server.process.kill()
        server.process.wait()


def answers(server: JupyterServer) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return server.ask("GET", "status") is not None
    return False


@dataclass(frozen=True)
class Served:
    """What happens to a Jupyter server's kernel, and what the kernel is doing.

    Attributes
    ----------
    act : callable
        Takes the server, the kernel's id and its pid.
    cell : str, optional
        That runs when it happens.
    kernels : int
        The server has afterwards; -1: the server is gone.
    """

    way: str
    act: Callable[[JupyterServer, str, int], object]
    state: str = "idle"
    cell: str = ""
    kernels: int = 0
    options: tuple[str, ...] = ()
    quick: bool = False

    @property
    def name(self) -> str:
        return f"{self.way}, {self.state}"


CULL = ("--MappingKernelManager.cull_idle_timeout=2", "--MappingKernelManager.cull_interval=1")
STATES = {"idle": "", "in a query": f"%scidb {ENDLESS}", "KeyboardInterrupt is swallowed": SWALLOW}
REST = {
    "REST: DELETE": (lambda server, kernel, pid: server.ask("DELETE", f"kernels/{kernel}"), 0),
    "REST: restart": (lambda server, kernel, pid: server.ask("POST", f"kernels/{kernel}/restart"), 1),
    "REST: shutdown of the server": (lambda server, kernel, pid: server.ask("POST", "shutdown"), -1),
    "the server's SIGTERM": (lambda server, kernel, pid: server.process.terminate(), -1),
    "the server's SIGKILL": (lambda server, kernel, pid: server.process.kill(), -1),
    "SIGKILL, and the server's restart": (lambda server, kernel, pid: os.kill(pid, signal.SIGKILL), 1),
}
QUICK = {("REST: DELETE", "in a query"), ("the server's SIGKILL", "idle")}
SERVED = [
    *(
        Served(way, act, state, cell, kernels, quick=(way, state) in QUICK)
        for way, (act, kernels) in REST.items()
        for state, cell in STATES.items()
    ),
    Served("culled", lambda server, kernel, pid: None, options=CULL),
]


@pytest.mark.rows(SERVED)
def test_no_slot_is_left_of_a_servers_kernel(
    row: Served,
    scene: Any,
    jupyter: Callable[..., JupyterServer],
    start_kernel: Callable[..., Any],
    wait_until: Callable[..., bool],
) -> None:
    server = jupyter(*row.options)
    number = server.ask("POST", "kernels")["id"]
    kernel = start_kernel(server.client(number))
    if row.cell:
        kernel.begin(f"import time\n{row.cell}")
        if row.state == "in a query":
            scene.server.until_runs("99999999999")
        assert kernel.busy
    with scene.death(row.way, row.state, kernel.pid):
        row.act(server, number, kernel.pid)
    if row.kernels < 0:
        server.process.wait(60)
    else:
        assert wait_until(lambda: len(server.ask("GET", "kernels")) == row.kernels)
