"""What an interrupt ends, and what it says of the statement."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from scidb_magic import errors
from scidb_magic.session.interrupt import interruptible
from scidb_magic.shim.client import ShimClient


def interrupted(work: Callable[[], Any], cancel: Callable[[], bool] = lambda: True) -> Any:
    """`work` in the main thread of the tests, interrupted once it has begun."""
    begun = threading.Event()

    def begin() -> Any:
        begun.set()
        return work()

    def interrupt() -> None:
        begun.wait()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(errors.QueryInterrupted) as caught:
        interruptible(begin, cancel, lambda: False)
    return caught.value


@pytest.fixture
def cancelled() -> threading.Event:
    return threading.Event()


def failing(cancelled: threading.Event, error: Exception) -> Callable[[], Any]:
    def work() -> None:
        cancelled.wait(20)
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "words", "ran"),
    [
        (errors.QueryError("SCIDB_LE_QUERY_CANCELLED", "x"), "was cancelled on the server", False),
        (errors.QueryOutcomeUnknown("The connection broke: nobody knows."), "nobody knows", None),
        (errors.SessionClosed("Before it had a slot."), "Before it had a slot", False),
    ],
)
def test_what_became_of_it(
    cancelled: threading.Event, error: Exception, words: str, ran: bool | None
) -> None:
    told = interrupted(failing(cancelled, error), lambda: cancelled.set() or True)
    assert words in str(told)
    assert told.ran is ran


def test_an_end_that_came_first_is_told(cancelled: threading.Event) -> None:
    told = interrupted(lambda: cancelled.wait(20), lambda: cancelled.set() or True)
    assert "already ended" in str(told) and told.ran is True


def test_nobody_waits_where_the_server_is_not_at_it(cancelled: threading.Event) -> None:
    told = interrupted(lambda: cancelled.wait(20), lambda: False)
    assert "nothing was running" in str(told) and told.ran is False
    cancelled.set()


SCRIPT = """
import sys, scidb_magic
from scidb_magic.errors import QueryInterrupted
session = scidb_magic.connect(sys.argv[1])
session.notify = lambda line: print("waiting", flush=True)
try:
    session.fetch("build(<x:int64>[i=0:2], i)")
except QueryInterrupted as error:
    print(error.ran, flush=True)
sys.stdin.readline()
print(len(session.fetch("build(<x:int64>[i=0:2], i)")), flush=True)
"""


LONG = "aggregate(build(<x:int64>[i=0:99999999999], i % 7), sum(x))"

REPLAYED = """
import sys, scidb_magic
from scidb_magic.errors import QueryInterrupted
session = scidb_magic.connect(sys.argv[1])
session.connection.on_change = lambda: print(session.status().state, flush=True)
try:
    session.execute(sys.argv[2])
except QueryInterrupted as error:
    print(error.ran, error, flush=True)
"""


def test_an_interrupt_between_two_attempts_knows_of_the_first(
    embedded_factory: Any, wait_until: Callable[..., bool]
) -> None:
    server = embedded_factory()
    client = ShimClient(server.url)
    watcher = client.new_session()
    with subprocess.Popen(
        [sys.executable, "-c", REPLAYED, server.url, LONG], stdout=subprocess.PIPE, text=True
    ) as script:
        assert script.stdout is not None

        def runs() -> bool:
            client.execute_query(watcher, "project(list('queries'), query_string)", save="tsv")
            return LONG.encode() in client.read_lines(watcher)

        assert wait_until(runs)
        server.process.kill()
        assert "reconnecting\n" in iter(script.stdout.readline, "")
        script.send_signal(signal.SIGINT)
        told = next(line for line in script.stdout if "Interrupted" in line)
        assert told.startswith("None ") and "an attempt before may have run" in told


def test_an_interrupt_ends_the_wait_for_a_slot(embedded_factory: Any) -> None:
    url = embedded_factory("--max-sessions", "1").url
    client = ShimClient(url)
    holder = client.new_session()
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as script:
        assert script.stdin is not None and script.stdout is not None
        assert script.stdout.readline() == "waiting\n"
        script.send_signal(signal.SIGINT)
        assert script.stdout.readline() == "False\n"
        client.release_session(holder)
        script.stdin.write("\n")
        script.stdin.flush()
        assert script.stdout.readline() == "3\n"
    assert (client.debug() or "").count("avail 0") == 0
