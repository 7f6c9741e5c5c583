"""SIGTERM and SIGHUP where the program has handlers of its own: they run, and what they decide counts."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

ENDLESS = "aggregate(build(<x:int64>[i=0:99999999999], i % 7), sum(x))"

PROGRAM = """
import os, signal, sys
import scidb_magic
from scidb_magic.errors import ScidbMagicError

SIGNAL = getattr(signal, sys.argv[2])
def say(*words):
    print(*words, flush=True)
def mine():
    return [slot.sid for slot in session.slots() if slot.owner == "mine"]
def live(number, frame):
    say("handled")
def leave(number, frame):
    say("handled")
    sys.exit(7)
def vanish(number, frame):
    say("handled")
    os._exit(7)
def hand_on(number, frame):
    say("handled")
    former(number, frame)
{before}
session = scidb_magic.connect(sys.argv[1])
session.execute("build(<x:int64>[i=0:9], i)")
{after}
for line in sys.stdin:
    if line == "query\\n":
        try:
            say("begin")
            session.execute({endless!r})
        except ScidbMagicError as error:
            say(type(error).__name__)
    else:
        say(session.fetch("aggregate(build(<x:int64>[i=0:9], i), sum(x))", as_="numpy")["x_sum"][0], *mine())
"""


@dataclass(frozen=True)
class Row:
    """A handler that is set before or after the session takes its slot, and what becomes of the process."""

    name: str
    before: str = ""
    after: str = ""
    status: int | None = None
    handled: bool = True
    quick: bool = False


SET = "signal.signal(SIGNAL, {})"
ENDING = [
    Row("the former one leaves", SET.format("leave"), status=7, quick=True),
    Row("the former one vanishes", SET.format("vanish"), status=7),
    Row("a later one leaves", after=SET.format("leave"), status=7),
    Row("a later one vanishes", after=SET.format("vanish"), status=7),
    Row("a later one hands on", after="former = " + SET.format("hand_on")),
    Row(
        "a later one hands on, and is handed on to",
        SET.format("leave"),
        after="former = "
        + SET.format("hand_on")
        + "\nsession.release()\nsession.execute('build(<x:int64>[i=0:9], i)')",
        status=7,
        quick=True,
    ),
    Row("default", SET.format("signal.SIG_DFL"), handled=False),
]
LIVING = [
    Row("the former one lives on", SET.format("live"), quick=True),
    Row("a later one lives on", after=SET.format("live")),
    Row("the former one ignores", SET.format("signal.SIG_IGN"), handled=False, quick=True),
    Row("a later one ignores", after=SET.format("signal.SIG_IGN"), handled=False),
]
SIGNALS = pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.whole)],
    ids=lambda number: number.name,
)


class Program:
    """The program, spoken to by lines."""

    def __init__(self, row: Row, number: signal.Signals, start: Callable[..., Any], scene: Any) -> None:
        code = PROGRAM.format(before=row.before, after=row.after, endless=ENDLESS)
        self.process = start(code, scene.server.url, number.name)
        self.url = scene.server.url

    def query(self) -> str:
        """Run a query; the session's id."""
        self.say("sum")
        answer, sid = self.hear().split()
        assert answer == "45"
        return sid

    def say(self, line: str) -> None:
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        return str(self.process.stdout.readline()).rstrip("\n")


@SIGNALS
@pytest.mark.rows(ENDING)
def test_a_handler_that_ends_the_process_runs(
    row: Row, number: signal.Signals, scene: Any, start_program: Callable[..., Any]
) -> None:
    program = Program(row, number, start_program, scene)
    program.query()
    with scene.death(f"script: {number.name}", row.name, program.process.pid):
        program.process.send_signal(number)
        assert not row.handled or program.hear() == "handled"
    assert program.process.wait() == (-number if row.status is None else row.status)


@SIGNALS
@pytest.mark.rows(LIVING)
def test_a_session_goes_on_with_a_process_that_goes_on(
    row: Row, number: signal.Signals, scene: Any, start_program: Callable[..., Any]
) -> None:
    program = Program(row, number, start_program, scene)
    before = program.query()
    for _ in range(2):
        program.process.send_signal(number)
        assert not row.handled or program.hear() == "handled"
        sid = program.query()
        assert scene.server.sids == [sid]
    # Who never hears of the signal has no reason to give the slot back.
    assert (sid == before) or row.before == SET.format("live")
    with scene.death("script: SIGKILL", f"{number.name}: {row.name}", program.process.pid):
        program.process.kill()


@SIGNALS
def test_a_query_is_cancelled_by_a_handler_that_lives_on(
    number: signal.Signals, scene: Any, start_program: Callable[..., Any]
) -> None:
    program = Program(LIVING[0], number, start_program, scene)
    program.query()
    program.say("query")
    assert program.hear() == "begin"
    scene.server.until_runs("99999999999")
    program.process.send_signal(number)
    assert program.hear() == "handled"
    assert program.hear() in ("QueryError", "SessionClosed")
    sid = program.query()
    assert scene.server.sids == [sid]
    with scene.death(
        f"script: {number.name}, then the last line", "a query was cancelled", program.process.pid
    ):
        program.process.stdin.close()
    assert program.process.wait() == 0
