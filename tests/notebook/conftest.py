"""IPython as people have it: a shell in this process, and real kernels."""

from __future__ import annotations

import contextlib
import os
import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from traitlets.config import Config

from scidb_magic import api

TIMEOUT = 60.0


@dataclass
class Output:
    """What one cell put out."""

    texts: list[str] = field(default_factory=list)
    updates: list[str] = field(default_factory=list)
    htmls: list[str] = field(default_factory=list)
    streams: str = ""
    error: dict[str, Any] | None = None
    value: Any = None

    @property
    def text(self) -> str:
        return "\n".join([*self.texts, self.streams])

    @property
    def traceback(self) -> list[str]:
        assert self.error is not None, f"the cell did not fail: {self.text}"
        return list(self.error["traceback"])


class Shell:
    """An IPython shell in this process, as in a plain terminal."""

    def __init__(self) -> None:
        InteractiveShell.clear_instance()
        config = Config()
        config.HistoryManager.hist_file = ":memory:"
        config.HistoryManager.enabled = False
        self.ip = InteractiveShell.instance(config=config)

    def run(self, cell: str) -> Output:
        with capture_output() as captured:
            result = self.ip.run_cell(cell)
        out = Output(streams=captured.stdout + captured.stderr, value=result.result)
        for one in captured.outputs:
            out.texts.append(one.data.get("text/plain", ""))
            out.htmls.append(one.data.get("text/html", ""))
        failure = result.error_before_exec or result.error_in_exec
        if failure is not None:
            render = getattr(failure, "_render_traceback_", None)
            shown = render() if render else [repr(failure)]
            out.error = {"ename": type(failure).__name__, "evalue": str(failure), "traceback": shown}
        return out

    def __getitem__(self, name: str) -> Any:
        return self.ip.user_ns[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.ip.user_ns[name] = value


@pytest.fixture
def bare_shell() -> Iterator[Shell]:
    """A shell without the extension; what a test leaves of it is taken away."""
    shell = Shell()
    yield shell
    shell.ip.extension_manager.unload_extension("scidb_magic")
    api.forget()
    InteractiveShell.clear_instance()


@pytest.fixture
def shell(bare_shell: Shell, embedded: Any) -> Shell:
    """A shell with the extension, connected to the tests' server."""
    bare_shell.run("%load_ext scidb_magic")
    assert bare_shell.run(f"%scidb connect {embedded.url}").error is None
    return bare_shell


class Kernel:
    """A real kernel in a process of its own, spoken to as a notebook does."""

    def __init__(self, **environment: str) -> None:
        self.manager = KernelManager(kernel_name="python3")
        # On a slow machine the progress of a query would stand among the outputs that a test counts.
        slow = {"SCIDB_MAGIC_PROGRESS_AFTER": str(TIMEOUT)}
        self.manager.start_kernel(env={**os.environ, **slow, **environment})
        self.client: BlockingKernelClient = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=TIMEOUT)

    def run(self, code: str, answer: str | None = None) -> Output:
        """Run a cell to its end; `answer` is typed where it asks."""
        self.begin(code, answer is not None)
        return self.finish(answer)

    def begin(self, code: str, asks: bool = False) -> None:
        """Send a cell and wait for nothing."""
        # After an error a kernel aborts what is queued, and a cell sent at once may be among that: it
        # would never be heard of again.
        self._id = self.client.execute(code, allow_stdin=asks, stop_on_error=False)

    def finish(self, answer: str | None = None, until: Callable[[Output], bool] | None = None) -> Output:
        """The outputs of the cell that was begun, up to its end, or until `until` says so."""
        out = Output()
        while True:
            if answer is not None:
                with contextlib.suppress(queue.Empty):
                    self.client.get_stdin_msg(timeout=0.05)
                    self.client.input(answer)
                    answer = None
            try:
                message = self.client.get_iopub_msg(timeout=0.05 if answer is not None else TIMEOUT)
            except queue.Empty:
                assert answer is not None, f"the cell did not end: {out}"
                continue
            if message["parent_header"].get("msg_id") != self._id:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                out.streams += content["text"]
            elif kind in ("display_data", "execute_result"):
                out.texts.append(content["data"].get("text/plain", ""))
                out.htmls.append(content["data"].get("text/html", ""))
            elif kind == "update_display_data":
                out.updates.append(content["data"].get("text/plain", ""))
            elif kind == "error":
                out.error = content
            elif kind == "status" and content["execution_state"] == "idle":
                return out
            if until is not None and until(out):
                return out

    def shutdown(self) -> None:
        """End it as a notebook server does."""
        self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel()
        self.manager.cleanup_resources()


@pytest.fixture
def kernels() -> Iterator[Callable[..., Kernel]]:
    """Start kernels; all are shut down at the test's end."""
    started: list[Kernel] = []

    def start(**environment: str) -> Kernel:
        started.append(Kernel(**environment))
        return started[-1]

    yield start
    for kernel in started:
        kernel.shutdown()
