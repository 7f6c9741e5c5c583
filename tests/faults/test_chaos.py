"""Statements by the hundred through a proxy with every fault by chance: nothing twice, nothing lost, no lie.

Each change goes into an array of its own, so that ``versions`` tells how often it was made; each read has
an answer that is known beforehand. The client's word on each statement is compared with what the server
has at the end, and with the proxy's log. All is drawn from a seed, which a failure prints.
"""

from __future__ import annotations

import logging
import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fault_proxy import Asked, Kind, Weather

from scidb_magic.errors import QueryError, QueryOutcomeUnknown, ResultLost, ScidbMagicError
from scidb_magic.shim.client import ShimClient

LONG = bool(os.environ.get("SCIDB_MAGIC_LONG"))
SEEDS = range(1, 21) if LONG else [20241]
STATEMENTS = 500
RATE = 0.02
"""Of each of ten kinds of fault, for every request: one request in five meets one."""

RENAMED = {b"glance%28": b"project%28", b"keep%28": b"store%28"}
"""Operators that the client does not know, so that it must take them for changes."""

DOUBTFUL = {Kind.RESET_BEFORE, Kind.RESET_AFTER, Kind.TRUNCATE_HEAD, Kind.TRUNCATE_BODY}
"""After these a client cannot know whether its request was carried out. Nor after a 502 or a foreign page."""
AMBIGUOUS_ANSWERS = {200, 502}

STATEMENT_ENDPOINTS = {"execute_query", "upload", "read_lines"}


@dataclass
class Told:
    """One statement: what was asked, what the client said of it, what the proxy saw."""

    number: int
    kind: str
    name: str
    error: BaseException | None = None
    wrong: str = ""
    log: list[Asked] = field(default_factory=list)
    versions: int = 0

    @property
    def word(self) -> str:
        """What the client said: done, or not done, or that nobody knows."""
        if self.error is None:
            return "done"
        ran = getattr(self.error, "ran", None)
        return {True: "done", False: "not done", None: "unknown"}[ran]

    def __str__(self) -> str:
        lines = [f"statement {self.number}, {self.kind} {self.name}: {self.word}, {self.versions} times"]
        lines += [f"  {type(self.error).__name__}: {self.error}"] if self.error else []
        return "\n".join([*lines, *(f"  {asked}" for asked in self.log)])


class Run:
    """One seeded run of statements on a session that sees only the proxy."""

    def __init__(self, seed: int, session: Any, proxy: Any, direct: Any) -> None:
        self.chance = random.Random(seed)
        self.session = session
        self.proxy = proxy
        self.direct = direct
        self.told: list[Told] = []

    def statement(self, number: int) -> None:
        """Draw one statement, run it, and note what came of it."""
        kind = self.chance.choices(list(KINDS), [weight for weight, _ in KINDS.values()])[0]
        told = Told(number, kind, f"chaos_{number}")
        mark = self.proxy.mark()
        try:
            told.wrong = KINDS[kind][1](self, told.name)
        except Exception as error:  # foreign ones too: they are looked for
            told.error = error
        told.log = self.proxy.since(mark)
        self.told.append(told)

    def read(self, name: str) -> str:
        size = self.chance.choice([1, 10, 1000, 50_000])
        factor = self.chance.randrange(1, 1000)
        frame = self.session.fetch(f"build(<x:int64>[i=0:{size - 1}], i * {factor})")
        return _difference(frame, {"i": np.arange(size), "x": np.arange(size) * factor})

    def read_text(self, name: str) -> str:
        word = f"{name}-ä-{self.chance.randrange(10**6)}"
        frame = self.session.fetch(f"build(<s:string>[i=0:99], '{word}')")
        return _difference(frame, {"i": np.arange(100), "s": [word] * 100})

    def read_sum(self, name: str) -> str:
        size = self.chance.randrange(1, 10_000)
        frame = self.session.fetch(f"aggregate(build(<x:int64>[i=1:{size}], i), sum(x) as s)")
        return _difference(frame, {"s": [size * (size + 1) // 2]})

    def read_stored(self, name: str) -> str:
        stored = [told for told in self.told if told.kind in ("store", "keep") and told.word == "done"]
        if not stored:
            return self.read(name)
        other = self.chance.choice(stored)
        frame = self.session.fetch(f"scan({other.name})")
        return _difference(frame, {"i": np.arange(100), "x": np.arange(100) * other.number})

    def glance(self, name: str) -> str:
        factor = self.chance.randrange(1, 1000)
        frame = self.session.fetch(f"glance(build(<x:int64>[i=0:999], i * {factor}), x)")
        return _difference(frame, {"i": np.arange(1000), "x": np.arange(1000) * factor})

    def store(self, name: str) -> str:
        number = name.rpartition("_")[2]
        self.session.execute(f"store(build(<x:int64>[i=0:99], i * {number}), {name})")
        return ""

    def keep(self, name: str) -> str:
        number = name.rpartition("_")[2]
        self.session.execute(f"keep(build(<x:int64>[i=0:99], i * {number}), {name})")
        return ""

    def insert(self, name: str) -> str:
        with self.direct:
            self.direct.execute(f"create array {name} <x:int64>[i=0:9]")
        self.session.execute(f"insert(build(<x:int64>[i=0:9], i), {name})")
        return ""

    def upload(self, name: str) -> str:
        rows = self.chance.choice([5, 500, 20_000])
        self.session.upload(pd.DataFrame({"x": np.arange(rows)}), name)
        return ""

    def attach(self, name: str) -> str:
        values = [self.chance.randrange(10**9) for _ in range(200)]
        attached = self.session.attach(pd.DataFrame({"x": values}))
        frame = self.session.fetch(attached.text, attachments=(attached,))
        return _difference(frame, {"x": values})

    def release(self, name: str) -> str:
        self.session.release()
        return ""


KINDS: dict[str, tuple[int, Callable[[Run, str], str]]] = {
    "read": (20, Run.read),
    "text": (8, Run.read_text),
    "sum": (8, Run.read_sum),
    "stored": (10, Run.read_stored),
    "glance": (6, Run.glance),
    "store": (20, Run.store),
    "keep": (6, Run.keep),
    "insert": (8, Run.insert),
    "upload": (6, Run.upload),
    "attach": (6, Run.attach),
    "release": (2, Run.release),
}
"""Weight and maker of each kind of statement."""
CHANGES = {"store", "keep", "insert", "upload"}
READS = {"read", "text", "sum", "stored", "attach"}


def _difference(frame: pd.DataFrame, expected: dict[str, Any]) -> str:
    """Empty where the frame holds what it should."""
    for name, values in expected.items():
        if len(frame) != len(values) or not (frame[name].to_numpy() == np.asarray(values)).all():
            return f"{name} is {frame[name].tolist()[:5]} … of {len(frame)}, not {list(values)[:5]} …"
    return ""


def _versions(direct: Any) -> Counter[str]:
    """How often each array was stored."""
    with direct:
        listed = direct.fetch("list('arrays', true)")["name"]
    return Counter(name.partition("@")[0] for name in listed if "@" in name)


def _may_doubt(told: Told) -> bool:
    """Whether the answer to the statement's own query was lost, or was none of shim's."""
    return any(
        asked.endpoint == "execute_query"
        and not asked.query.startswith("show(")
        and (asked.fault.kind in DOUBTFUL or asked.fault.status in AMBIGUOUS_ANSWERS)
        for asked in told.log
    )


def _was_cut(told: Told) -> bool:
    """Whether a 406 came without the text that says why, as to the look whether an array is there."""
    cut = (Kind.TRUNCATE_HEAD, Kind.TRUNCATE_BODY)
    return any(asked.status == 406 and asked.fault.kind in cut for asked in told.log)


def _problems(run: Run) -> dict[str, list[Told]]:
    """Everything that must not be, each with its statements."""
    changes = [told for told in run.told if told.kind in CHANGES]
    return {
        "a foreign exception": [t for t in run.told if t.error and not isinstance(t.error, ScidbMagicError)],
        "a wrong read": [t for t in run.told if t.wrong],
        "made twice": [t for t in changes if t.versions > 1],
        "lost": [t for t in changes if t.word == "done" and t.versions != 1],
        "made, though it was said not to be": [t for t in changes if t.word == "not done" and t.versions],
        "unknown without a reason": [
            t for t in changes if isinstance(t.error, QueryOutcomeUnknown) and not _may_doubt(t)
        ],
        "unknown, but not said so": [
            t for t in changes if t.word == "unknown" and not isinstance(t.error, QueryOutcomeUnknown)
        ],
        "a read that is in doubt or lost": [
            t for t in run.told if t.kind in READS and isinstance(t.error, QueryOutcomeUnknown | ResultLost)
        ],
        "refused, though SciDB refused nothing": [
            t for t in run.told if isinstance(t.error, QueryError) and not _was_cut(t)
        ],
    }  # fmt: skip


def _two_at_once(log: list[Asked]) -> list[Asked]:
    """Statements on a session after one on a younger session: two were in use."""
    order: dict[str, int] = {}
    newest, found = -1, []
    for asked in log:
        if asked.endpoint in STATEMENT_ENDPOINTS and asked.sid:
            age = order.setdefault(asked.sid, len(order))
            if age < newest:
                found.append(asked)
            newest = max(newest, age)
    return found


def _unexplained(log: list[Asked], left: list[str], shuts: list[int]) -> list[str]:
    """Of the sessions left at the server those with which nothing went wrong that would explain it."""
    found = []
    for prefix in left:
        own = [asked for asked in log if asked.sid.startswith(prefix)]
        hurt = any(asked.fault.kind not in (Kind.PASS, Kind.DELAY) for asked in own)
        if not hurt and not any(own[0].number <= number <= own[-1].number + 1 for number in shuts):
            found.append(prefix)
    return found


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
def test_chaos(
    seed: int,
    server: Any,
    proxied: Any,
    make: Any,
    taken: Any,
    wait_until: Callable[..., bool],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    proxy = proxied(server, renamed=RENAMED)
    direct = make(server.url, guardian=False)
    with direct:
        for name in direct.fetch("list('arrays')")["name"]:
            direct.execute(f"remove({name})")
    others = set(taken(server.url))
    proxy.follow(Weather(seed, RATE))
    session = make(proxy.url, connect_wait=20.0)
    run = Run(seed, session, proxy, direct)
    most = 0
    for number in range(STATEMENTS):
        run.statement(number)
        held = set(taken(server.url)) - others
        # What was given up cannot be listed: it is at least not ours any more.
        most = max(most, len(held) - session.status().abandoned)
    proxy.follow({})
    session.release()
    stored = _versions(direct)
    for told in run.told:
        told.versions = stored[told.name]

    problems = {what: found for what, found in _problems(run).items() if found}
    report = "\n".join(
        f"## {what}: {len(found)}\n" + "\n".join(str(told) for told in found[:3])
        for what, found in problems.items()
    )
    assert not problems, f"seed {seed}\n{report}"
    assert _two_at_once(proxy.log) == [], f"seed {seed}"
    assert most <= 1, f"seed {seed}"

    def left() -> list[str]:
        return [sid for sid in taken(server.url) if sid not in others]

    wait_until(lambda: len(left()) <= session.status().abandoned, 3)
    assert len(left()) <= session.status().abandoned, f"seed {seed}"
    shuts = [asked.number for asked in proxy.log if asked.fault.kind is Kind.SHUT]
    assert _unexplained(proxy.log, left(), shuts) == [], f"seed {seed}"
    print(f"seed {seed}: {summary(run, proxy)}")
    # The run has to have been one: every fault was met, and most statements came through all the same.
    assert {asked.fault.kind for asked in proxy.log} == set(Kind)
    assert sum(told.error is None for told in run.told) > 0.7 * STATEMENTS
    said = "\n".join([caplog.text, *session.notices, *(f"{told.error!r} {told.error}" for told in run.told)])
    shown = [asked for asked in proxy.log if asked.sid and asked.sid in said]
    assert shown == [], f"seed {seed}: a session id was shown"


def summary(run: Run, proxy: Any) -> str:
    """The numbers of a run, in a line."""
    words = Counter(told.word for told in run.told if told.kind in CHANGES)
    errors = Counter(type(told.error).__name__ for told in run.told if told.error)
    unknown = [told for told in run.told if isinstance(told.error, QueryOutcomeUnknown)]
    faults = sum(asked.fault.kind is not Kind.PASS for asked in proxy.log)
    return (
        f"{len(run.told)} statements, {len(proxy.log)} requests, {faults} faults; changes {dict(words)};"
        f" errors {dict(errors)}; of the unknown {sum(told.versions for told in unknown)} were made;"
        f" {run.session.status().replays} sent again, {run.session.status().abandoned} abandoned"
    )


def test_the_weather_is_the_same_for_a_seed() -> None:
    asked = [Asked(number, 1, "GET", "version", "", "", "") for number in range(500)]
    one, other, another = (Weather(seed, RATE) for seed in (7, 7, 8))
    first = [one(request) for request in asked]
    assert first == [other(request) for request in asked] != [another(request) for request in asked]


def test_the_server_is_asked_past_the_proxy(server: Any, taken: Any) -> None:
    """What the counting rests on: a slot is seen as soon as it is taken, and no more once it is free."""
    client = ShimClient(server.url)
    sid = client.new_session()
    assert sid[:6] in taken(server.url)
    client.release_session(sid)
    assert sid[:6] not in taken(server.url)
