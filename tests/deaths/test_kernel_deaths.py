"""Every way a kernel can end, in every state that it can be in: no slot is left."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil
import pytest

ENDLESS = "aggregate(build(<x:int64>[i=0:99999999999], i % 7), sum(x))"

GRACE = 2.5
"""Seconds after which who asked a process to end kills it, as container runtimes and supervisors do."""


@dataclass(frozen=True)
class State:
    """What a kernel is doing.

    Attributes
    ----------
    code : str
        A cell that brings the state about.
    busy : bool
        The cell does not end by itself.
    deaf : str
        To what the kernel cannot react: "signals", or "all" where no thread gets the GIL either.
    burns : bool
        It takes the processor's time.
    stays : bool
        The interpreter cannot end by itself: it waits for a thread.
    """

    name: str
    code: str
    busy: bool = False
    deaf: str = ""
    burns: bool = False
    stays: bool = False


IDLE = State("idle", "")
QUERY = State("a query runs", f"%scidb {ENDLESS}", busy=True)
SWALLOW = State(
    "KeyboardInterrupt is swallowed",
    """
import time
while True:
    try:
        time.sleep(0.1)
    except KeyboardInterrupt:
        pass
""",
    busy=True,
)
POOL = State(
    "a live Pool",
    "import multiprocessing\n"
    "pool = multiprocessing.get_context('fork').Pool(2)\n"
    "assert pool.map(abs, [-1, -2]) == [1, 2]",
)
WITHOUT_GIL = State(
    "in a C call without the GIL",
    "import hashlib; hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)",
    busy=True,
    deaf="signals",
    burns=True,
)
WITH_GIL = State(
    "in a C call with the GIL",
    "import itertools; any(itertools.repeat(0))",
    busy=True,
    deaf="all",
    burns=True,
)
# Holds the GIL too, but lets signals in.
REGEX = State("in a regex", "import re; re.match(r'(a+)+$', 'a' * 40 + 'b')", busy=True, burns=True)
STATES = (
    IDLE,
    QUERY,
    State("busy in Python", "while True: pass", busy=True, burns=True),
    State("in time.sleep", "import time; time.sleep(600)", busy=True),
    SWALLOW,
    REGEX,
    WITHOUT_GIL,
    WITH_GIL,
    State("a live child", "import subprocess\nchild = subprocess.Popen(['sleep', '600'])"),
    State(
        "a zombie child",
        "import os, subprocess\n"
        "child = subprocess.Popen(['true'])\n"
        "os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)",
    ),
    POOL,
    State(
        "a busy Pool",
        "import multiprocessing, time\n"
        "pool = multiprocessing.get_context('fork').Pool(2)\n"
        "jobs = [pool.apply_async(time.sleep, (600,)) for _ in range(2)]",
    ),
    State(
        "a thread that is no daemon",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()",
        stays=True,
    ),
    State(
        "a job of a ThreadPoolExecutor",
        "import concurrent.futures, time\n"
        "job = concurrent.futures.ThreadPoolExecutor(1).submit(time.sleep, 600)",
        stays=True,
    ),
)


# Ways


@dataclass(frozen=True)
class Way:
    """How a kernel ends.

    Attributes
    ----------
    act : callable
        Ends the kernel; for one that is asked to end, it need not come to that.
    requested : bool
        By a shutdown request, which the kernel hears in a thread of its own.
    signal : int, optional
        That is sent, and may be handled.
    inside : bool
        By a cell, which needs an idle kernel.
    polite : bool
        The interpreter ends by itself.
    """

    name: str
    act: Callable[[Any], object]
    requested: bool = False
    signal: int | None = None
    inside: bool = False
    polite: bool = False


def _signalled(number: int) -> Callable[[Any], object]:
    return lambda kernel: os.kill(kernel.pid, number)


def _cell(code: str) -> Callable[[Any], object]:
    return lambda kernel: kernel.client.execute(code)


SHUTDOWN = Way("shutdown", lambda kernel: kernel.manager.shutdown_kernel(), requested=True)
RESTART = Way("restart", lambda kernel: kernel.manager.restart_kernel(), requested=True)
REQUEST = Way("bare shutdown_request", lambda kernel: kernel.manager.request_shutdown(), requested=True)
SIGTERM = Way("SIGTERM", _signalled(signal.SIGTERM), signal=signal.SIGTERM)
SIGKILL = Way("SIGKILL", _signalled(signal.SIGKILL))
GROUP = Way("SIGKILL of the group", lambda kernel: os.killpg(kernel.pid, signal.SIGKILL))
EXIT = Way("exit", _cell("exit"), inside=True, polite=True)
WAYS = (
    SHUTDOWN,
    RESTART,
    REQUEST,
    Way("restart now", lambda kernel: kernel.manager.restart_kernel(now=True)),
    Way("shutdown now", lambda kernel: kernel.manager.shutdown_kernel(now=True)),
    SIGTERM,
    Way("SIGHUP", _signalled(signal.SIGHUP), signal=signal.SIGHUP),
    SIGKILL,
    GROUP,
    Way("os._exit", _cell("os._exit(0)"), inside=True),
    Way("os.abort", _cell("os.abort()"), inside=True),
    Way("segmentation fault", _cell("import ctypes; ctypes.string_at(0)"), inside=True),
    EXIT,
    Way("quit", _cell("quit()"), inside=True, polite=True),
)


@dataclass(frozen=True)
class Row:
    way: Way
    state: State
    guarded: bool = True

    @property
    def name(self) -> str:
        return f"{self.way.name}, {self.state.name}{'' if self.guarded else ', no guardian'}"

    @property
    def quick(self) -> bool:
        return self.guarded and (self.way, self.state) in QUICK

    @property
    def heard(self) -> bool:
        """Whether the kernel itself gives the slot back, when it is asked."""
        if self.way.requested:
            return self.state.deaf != "all" and (self.way, self.state) != (REQUEST, REGEX)
        return self.way.signal is not None and not self.state.deaf


QUICK = {
    (SHUTDOWN, IDLE),
    (RESTART, QUERY),
    (REQUEST, SWALLOW),
    (SIGTERM, QUERY),
    (SIGKILL, QUERY),
    (GROUP, POOL),
    (EXIT, IDLE),
}
MATRIX = [Row(way, state) for way in WAYS for state in STATES if not (way.inside and state.busy)]
# What the guardian would hide: that the kernel gives the slot back by itself, wherever it can.
MATRIX += [
    Row(row.way, row.state, guarded=False)
    for row in MATRIX
    if row.heard or (row.way.polite and not row.state.stays)
]


@pytest.mark.rows(MATRIX)
def test_no_slot_is_left(
    row: Row, scene: Any, start_kernel: Callable[[], Any], wait_until: Callable[..., bool]
) -> None:
    if not row.guarded:
        scene.unguard()
    kernel = start_kernel()
    enter(row.state, kernel, scene, wait_until)
    process = kernel.manager.provisioner.process
    with scene.death(row.way.name, row.name.partition(", ")[2], kernel.pid, at_request=row.heard) as end:
        row.way.act(kernel)
        by_itself = end.wait(GRACE)
        if not by_itself:
            process.kill()
    if row.way.signal and row.heard:
        assert process.wait() == -row.way.signal
    if row.way.polite and not row.state.stays:
        assert by_itself


def enter(state: State, kernel: Any, scene: Any, wait_until: Callable[..., bool]) -> None:
    """Bring the kernel into the state, and make sure that it is in it."""
    if not state.busy:
        kernel.run(state.code)
        return
    process = psutil.Process(kernel.pid)
    kernel.begin(state.code)
    if state is QUERY:
        scene.server.until_runs("99999999999")
    if state.burns:
        burnt = process.cpu_times().user
        assert wait_until(lambda: process.cpu_times().user > burnt + 0.1)
    assert kernel.busy
