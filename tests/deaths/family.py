"""A process with a session, and its children in every way that Python makes them: run by `test_forks`.

::

    python family.py URL WAY TASK

It prints a line for all that happens, and is led by lines on its standard input; its children, which
have no input of their own, by files that the test makes in the working folder.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import scidb_magic

SUM = "aggregate(build(<x:int64>[i=0:9], i), sum(x))"
ENDLESS = "aggregate(build(<x:int64>[i=0:99999999999], i % 7), sum(x))"


def say(*words: object) -> None:
    """One line, in one piece, for several processes write."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def await_file(name: str) -> None:
    """Wait until the test makes the file."""
    while not Path(name).exists():
        time.sleep(0.01)


def held() -> str:
    """The slots that this process holds, as the server calls them, after a query."""
    session = scidb_magic.current()
    assert int(session.fetch(SUM, as_="numpy")["x_sum"][0]) == 45
    return ",".join(slot.sid or "" for slot in session.slots() if slot.owner == "mine")


# What a child does


def look() -> None:
    """Nothing of its own: what is seen of the parent's session stays the parent's."""
    say("child", os.getpid(), scidb_magic.current().status().state)
    await_file("end")


def let_go() -> None:
    """Release and close what it has inherited, which is not its own."""
    session = scidb_magic.current()
    session.release()
    session.close()
    say("child", os.getpid(), session.status().state)
    await_file("end")


def query(url: str) -> None:
    """A session of its own."""
    scidb_magic.connect(url)
    say("child", os.getpid(), held(), held())
    await_file("end")


def query_long(url: str) -> None:
    """A query of its own that does not end."""
    scidb_magic.connect(url)
    say("child", os.getpid(), held(), held())
    scidb_magic.current().execute(ENDLESS)


def query_deaf(url: str) -> None:
    """A session of its own, and then what no handler in Python comes through to."""
    scidb_magic.connect(url)
    say("child", os.getpid(), held(), held())
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)


def _vanish() -> None:
    os._exit(0)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def _hang_up() -> None:
    os.kill(os.getpid(), signal.SIGHUP)


def _leave() -> None:
    sys.exit(0)


def _fail() -> None:
    raise RuntimeError("the child fails")


ALONE: dict[str, Callable[[], None]] = {"look": look, "let go": let_go}
WITH_THEIR_OWN: dict[str, Callable[[str], None]] = {"query": query, "long": query_long, "deaf": query_deaf}
ENDS: dict[str, Callable[[], None]] = {
    "return": lambda: None,
    "sys.exit": _leave,
    "an exception": _fail,
    "os._exit": _vanish,
    "SIGKILL": _kill,
    "SIGTERM": _terminate,
    "SIGHUP": _hang_up,
}


def child(url: str, task: str, end: str) -> None:
    """What runs in a child, in whatever way it was made."""
    if task in ALONE:
        ALONE[task]()
    else:
        WITH_THEIR_OWN[task](url)
    ENDS[end]()


# How a child is made: each returns what waits for its end, as the test tells it to


def forked(*work: str) -> Callable[[], object]:
    pid = os.fork()
    if pid == 0:
        # As a program that forks by hand ends its child: by the interpreter's own end.
        child(*work)
        sys.exit(0)
    return lambda: os.waitpid(pid, 0)


def forked_quickly(*work: str) -> Callable[[], object]:
    pid = os.fork()
    if pid == 0:
        try:
            child(*work)
        finally:
            os._exit(0)
    return lambda: os.waitpid(pid, 0)


def process(method: str) -> Callable[..., Callable[[], object]]:
    def start(*work: str) -> Callable[[], object]:
        made = multiprocessing.get_context(method).Process(target=child, args=work)  # type: ignore[attr-defined]
        made.start()
        return made.join  # type: ignore[no-any-return]

    return start


def pool(method: str, end: str) -> Callable[..., Callable[[], object]]:
    def start(*work: str) -> Callable[[], object]:
        made: Any = multiprocessing.get_context(method).Pool(1)
        made.apply_async(child, work)

        def finish() -> None:
            getattr(made, end)()
            made.join()

        return finish

    return start


def executor(method: str) -> Callable[..., Callable[[], object]]:
    def start(*work: str) -> Callable[[], object]:
        context: Any = multiprocessing.get_context(method)
        made = concurrent.futures.ProcessPoolExecutor(1, mp_context=context)
        made.submit(child, *work)
        return made.shutdown

    return start


def joblib(*work: str) -> Callable[[], object]:
    from joblib import Parallel, delayed
    from joblib.externals.loky import get_reusable_executor

    # Two jobs, for one alone would run in this very process; the second one has nothing to do.
    jobs = [delayed(child)(*work), delayed(int)(0)]
    thread = threading.Thread(target=lambda: Parallel(n_jobs=2)(jobs), daemon=True)
    thread.start()

    def finish() -> None:
        thread.join()
        get_reusable_executor().shutdown()

    return finish


WAYS: dict[str, Callable[..., Callable[[], object]]] = {
    "os.fork": forked,
    "os.fork, os._exit": forked_quickly,
    "Process, fork": process("fork"),
    "Process, spawn": process("spawn"),
    "Process, forkserver": process("forkserver"),
    "Pool, fork": pool("fork", "close"),
    "Pool, spawn": pool("spawn", "close"),
    "Pool, fork, terminate": pool("fork", "terminate"),
    "Pool, spawn, terminate": pool("spawn", "terminate"),
    "Pool, forkserver, terminate": pool("forkserver", "terminate"),
    "ProcessPoolExecutor, fork": executor("fork"),
    "ProcessPoolExecutor, spawn": executor("spawn"),
    "joblib": joblib,
}


def main(url: str, way: str, task: str, end: str) -> None:
    scidb_magic.connect(url)
    say("parent", os.getpid(), held())
    finish: Callable[[], object] = list
    for line in sys.stdin:
        if line == "child\n":
            finish = WAYS[way](url, task, end)
        elif line == "busy\n":
            threading.Thread(target=scidb_magic.current().execute, args=(ENDLESS,), daemon=True).start()
        elif line == "finish\n":
            finish()
            say("finished")
        else:
            say("parent", os.getpid(), held())


if __name__ == "__main__":
    main(*sys.argv[1:])
