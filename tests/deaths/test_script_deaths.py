"""A plain Python script and a terminal IPython, and every way that they can end."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pexpect
import pytest

ENDLESS = "aggregate(build(<x:int64>[i=0:99999999999], i % 7), sum(x))"

BEGIN = f"""
import ctypes, os, resource, signal, sys, threading, time
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
import scidb_magic
ENDLESS = {ENDLESS!r}
session = scidb_magic.connect(sys.argv[1])
session.execute("build(<x:int64>[i=0:9], i)")
"""


@dataclass(frozen=True)
class State:
    """What a script does when it ends: code that prints first."""

    name: str
    code: str
    queries: bool = False


WAITING = State("waiting", "print('now'); sys.stdin.readline()")
QUERY = State("in a query", "print('now'); session.execute(ENDLESS)", queries=True)
BUSY = State("busy", "print('now')\nwhile True: pass")
JOINING = State(
    "waiting for a thread",
    "thread = threading.Thread(target=time.sleep, args=(600,)); thread.start()\nprint('now'); thread.join()",
)
QUERY_BESIDE = State(
    "a thread is in a query",
    "threading.Thread(target=session.execute, args=(ENDLESS,), daemon=True).start()\n"
    "print('now'); sys.stdin.readline()",
    queries=True,
)


@dataclass(frozen=True)
class Row:
    """A script that ends by `code`, or by a signal; and the status that its end should have."""

    way: str
    state: State
    code: str = ""
    signal: int | None = None
    status: int = 0
    guarded: bool = True
    quick: bool = False

    @property
    def name(self) -> str:
        return f"{self.way}, {self.state.name}{'' if self.guarded else ', no guardian'}"


INSIDE = {
    "the last line": ("", 0),
    "an exception": ("1 / 0", 1),
    "sys.exit": ("sys.exit(3)", 3),
    "os._exit": ("os._exit(4)", 4),
    "os.abort": ("os.abort()", -signal.SIGABRT),
    "segmentation fault": ("ctypes.string_at(0)", -signal.SIGSEGV),
    "no more processor time": (
        "resource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True: pass",
        -signal.SIGKILL,
    ),
    "another program in its place": ("os.execvp('true', ['true'])", 0),
}
SIGNALS = ("SIGTERM", "SIGHUP", "SIGINT", "SIGKILL", "SIGQUIT", "SIGUSR1")
QUICK = {("the last line", WAITING), ("SIGHUP", QUERY), ("SIGINT", QUERY), ("SIGKILL", WAITING)}


def rows() -> Iterator[Row]:
    for way, (code, status) in INSIDE.items():
        for state in (WAITING, QUERY_BESIDE):
            yield Row(way, state, code, None, status, quick=(way, state) in QUICK)
    for way in SIGNALS:
        number = getattr(signal, way)
        for state in (WAITING, QUERY, BUSY, JOINING, QUERY_BESIDE):
            # An interrupted interpreter waits for its threads before it ends.
            if (way, state) == ("SIGINT", JOINING):
                continue
            # The interpreter itself ends so for KeyboardInterrupt, but not for what is derived from it.
            status = 1 if (way, state) == ("SIGINT", QUERY) else -number
            yield Row(way, state, "", number, status, quick=(way, state) in QUICK)


HEARD = ("the last line", "an exception", "sys.exit", "SIGTERM", "SIGHUP", "SIGINT")
"""After these the script itself gives the slot back; the guardian would hide that it did not."""

MATRIX = list(rows())
MATRIX += [replace(row, guarded=False, quick=False) for row in MATRIX if row.way in HEARD]


@pytest.mark.rows(MATRIX)
def test_no_slot_is_left_of_a_script(row: Row, scene: Any, start_program: Callable[..., Any]) -> None:
    if not row.guarded:
        scene.unguard()
    script = start_program(f"{BEGIN}{row.state.code}\n{row.code}", scene.server.url)
    assert script.stdout.readline() == "now\n"
    if row.state.queries:
        scene.server.until_runs("99999999999")
    with scene.death(f"script: {row.way}", row.name.partition(", ")[2], script.pid):
        if row.signal is not None:
            script.send_signal(row.signal)
        else:
            script.stdin.write("\n")
            script.stdin.flush()
    assert script.wait() == row.status


# A terminal


@dataclass(frozen=True)
class Terminal:
    """How a terminal IPython ends, idle or in a query."""

    name: str
    act: Callable[[pexpect.spawn], object]
    in_query: bool = False
    quick: bool = False


def _line(code: str) -> Callable[[pexpect.spawn], object]:
    return lambda terminal: terminal.sendline(code)


def _signal(number: int) -> Callable[[pexpect.spawn], object]:
    return lambda terminal: os.kill(terminal.pid, number)


def _close(terminal: pexpect.spawn) -> None:
    """Close the terminal's window: the system sends SIGHUP."""
    os.close(terminal.child_fd)


TERMINALS = [
    Terminal("exit", _line("exit")),
    Terminal("quit()", _line("quit()")),
    Terminal("end of input", lambda terminal: terminal.sendeof(), quick=True),
    Terminal("os._exit", _line("import os; os._exit(1)")),
    *(
        Terminal(f"{name}{', in a query' if in_query else ''}", act, in_query)
        for in_query in (False, True)
        for name, act in {
            "window closed": _close,
            "SIGHUP": _signal(signal.SIGHUP),
            "SIGTERM": _signal(signal.SIGTERM),
            "SIGKILL": _signal(signal.SIGKILL),
        }.items()
    ),
]


@pytest.mark.rows(TERMINALS)
def test_no_slot_is_left_of_a_terminal(row: Terminal, scene: Any) -> None:
    command = ["-m", "IPython", "--no-banner", "--no-confirm-exit", "--colors=nocolor", "--simple-prompt"]
    terminal = pexpect.spawn(
        sys.executable, command, env=scene.environment, cwd=str(scene.folder), timeout=60, encoding="utf-8"
    )
    for line in (
        "%load_ext scidb_magic",
        f"%scidb connect {scene.server.url}",
        "%scidb build(<x:int64>[i=0:9], i)",
    ):
        terminal.expect(r"In \[\d+\]: ")
        terminal.sendline(line)
    terminal.expect(r"In \[\d+\]: ")
    if row.in_query:
        terminal.sendline(f"%scidb {ENDLESS}")
        scene.server.until_runs("99999999999")
    with scene.death(
        f"IPython: {row.name.partition(',')[0]}", "in a query" if row.in_query else "idle", terminal.pid
    ) as end:
        row.act(terminal)
        assert end.wait(10)
    if row.act is _close:
        terminal.closed = True
