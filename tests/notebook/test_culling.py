"""A real ``jupyter server`` that culls idle kernels: the status widget keeps none alive."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient

IDLE = 4
"""Seconds without a message after which a kernel is culled."""

OPTIONS = (
    "--no-browser",
    "--allow-root",
    "--port=0",
    "--IdentityProvider.token=t",
    f"--MappingKernelManager.cull_idle_timeout={IDLE}",
    "--MappingKernelManager.cull_interval=1",
    "--MappingKernelManager.cull_connected=True",
)


class Server:
    """A server with a short cull time, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.runtime = folder / "runtime"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jupyter_server", *OPTIONS],
            cwd=folder,
            env={**os.environ, "JUPYTER_RUNTIME_DIR": str(self.runtime)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @property
    def url(self) -> str | None:
        for file in self.runtime.glob("jpserver-*.json"):
            return str(json.loads(file.read_text() or "{}").get("url")) or None
        return None

    def ask(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, {"Authorization": "token t"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)


@pytest.fixture
def server(tmp_path: Path, wait_until: Callable[..., bool]) -> Iterator[Server]:
    found = Server(tmp_path)
    assert wait_until(lambda: found.url is not None, 60)
    yield found
    found.stop()


def begin(server: Server, code: str) -> str:
    """Start a kernel and run a cell in it; the kernel's id."""
    kernel = str(server.ask("api/kernels", {"name": "python3"})["id"])
    client = BlockingKernelClient(connection_file=str(server.runtime / f"kernel-{kernel}.json"))
    client.load_connection_file()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        reply = client.execute_interactive(textwrap.dedent(code), timeout=60, output_hook=lambda _: None)
    finally:
        client.stop_channels()
    assert reply["content"]["status"] == "ok", reply["content"]
    return kernel


def test_a_kernel_with_the_widget_is_culled_and_gives_its_slot_back(
    server: Server, embedded_factory: Callable[..., Any], wait_until: Callable[..., bool]
) -> None:
    shim = embedded_factory()
    kernel = begin(
        server,
        f"""
        %load_ext scidb_magic
        %scidb connect {shim.url}
        %scidb build(<v:int64>[i=0:9], i)
        %scidb
        from scidb_magic.notebook import status
        status.widget()._view_count = 1  # as a front end says that shows it
        """,
    )

    def slots_taken() -> int:
        with urllib.request.urlopen(f"{shim.url}/debug", timeout=10) as answer:
            return int(answer.read().decode().count("avail 0"))

    assert slots_taken() == 1
    assert wait_until(lambda: kernel not in [one["id"] for one in server.ask("api/kernels")], 8 * IDLE)
    assert wait_until(lambda: slots_taken() == 0, 3)
