"""The workers: what is sent, and what of the answers is wrong.

Every worker has a seed and a session of its own, so that one of them can be run again by itself.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from scidb_magic.embedded.engine.operators import OPERATORS
from scidb_magic.embedded.engine.operators.operator import Effect
from scidb_magic.errors import ScidbMagicError
from scidb_magic.wire.schema import Schema

from .breaking import broken
from .target import SECRET, Reply, Target
from .traffic import Traffic
from .values import FORMATS, SQL
from .writer import LONGEST, Writer

PATIENCE = 2.0
"""Seconds after which a query is cancelled."""

_ERROR = re.compile(
    r"User(Query)?Exception in file: .*\nError id: scidb::SCIDB_SE_\w+::SCIDB_LE_\w+\nError description: .*\S"
    r"|SystemException in file: .*\nError id: scidb::SCIDB_SE_\w+::SCIDB_LE_\w+\nError description: .*\S"
)
_LEAK = re.compile(
    r"DuckDB|UNKNOWN_ERROR|Internal error of|Traceback|Binder Error|Catalog Error|Parser Error"
)
_KNOWN = ("The start of substr is not within the string.", "The embedded server keeps strings as UTF-8")
"""Texts of an ``UNKNOWN_ERROR`` that are meant."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An answer that must not be.

    Attributes
    ----------
    kind : str
        What is wrong, the same for all of one cause.
    what : str
        How to see it again.
    """

    kind: str
    what: str


@dataclass
class Report:
    """What the workers saw."""

    statuses: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    slowest: float = 0.0

    def note(self, kind: str, what: str) -> None:
        self.findings.append(Finding(kind, what))

    def summary(self) -> str:
        """Statuses, then one example of each kind of finding."""
        kinds: dict[str, list[Finding]] = {}
        for finding in self.findings:
            kinds.setdefault(finding.kind, []).append(finding)
        lines = [", ".join(f"{status}: {count}" for status, count in self.statuses.most_common())]
        for kind, found in sorted(kinds.items(), key=lambda each: -len(each[1])):
            found.sort(key=lambda each: len(each.what))
            lines.append(f"{len(found)} times {kind}")
            lines += [f"    {each.what[:9000]}" for each in found[: 20 if "cancelled" in kind else 1]]
        return "\n".join(lines)


Worker = Callable[[Target, int, int, Report], None]


def shoot(target: Target, worker: Worker, *, seed: int, count: int, workers: int) -> Report:
    """Run workers with the seeds ``seed``, ``seed + 1`` …, `count` shots altogether."""
    report = Report()
    shares = [count // workers + (number < count % workers) for number in range(workers)]

    def run(number: int) -> None:
        try:
            worker(target, seed + number, shares[number], report)
        except Exception as error:
            report.note(f"a worker ended: {error!r}", f"seed {seed + number}")

    threads = [threading.Thread(target=run, args=(number,)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return report


# Queries


def queries(target: Target, seed: int, count: int, report: Report) -> None:
    """Send queries in one session, then see that it still works."""
    random = Random(seed)
    writer = Writer(random, f"w{seed % 1000}_")
    sid = target.get("/new_session").text
    for number in range(count):
        query = writer.statement()
        sent: str | bytes = query
        if random.random() < 0.25:
            sent = broken(random, query.encode("utf-8", "surrogatepass"))
        status = _query(target, sid, sent, _parameters(random), report, f"seed {seed} query {number}", writer)
        if target.process.poll() is not None:
            report.note("the server is gone", f"seed {seed} query {number}: {sent!r}")
            return
        if status in (404, 500):
            sid = target.get("/new_session").text
    answer = target.query(sid, "build(<a:int64>[i=0:4],i*10)", "csv+")
    read = target.get("/read_lines", {"id": sid, "n": "0"})
    if (answer.status, read.body) != (200, b"0,0\n1,10\n2,20\n3,30\n4,40\n"):
        report.note("the session does not work any more", f"seed {seed}: {answer} {read}")
    for name in writer.mine:
        target.query(sid, f"remove({name})")
    target.get("/release_session", {"id": sid})


def _parameters(random: Random) -> dict[str, str]:
    """How the result is to be saved, if at all."""
    chance = random.random()
    if chance < 0.6:
        return {}
    if chance < 0.9:
        return {"save": random.choice(("csv+", "csv", "tsv", "text", "dense", "arrow"))}
    if chance < 0.95:
        return {"save": random.choice(FORMATS + SQL)}
    if chance < 0.97:
        return {
            "save": "arrow",
            "atts_only": random.choice("01x"),
            "result_size_limit": random.choice(("0", "1", "-1", "x")),
        }
    return {"prefix": random.choice(("set_namespace('public')", "scan(fz_grid);", ";;", "'", *SQL))}


def _query(
    target: Target,
    sid: str,
    query: str | bytes,
    more: dict[str, str],
    report: Report,
    where: str,
    writer: Writer,
) -> int:
    """Send one query and judge the answer; its status."""
    sent: str | bytes = _filled(query, target)
    begin = time.monotonic()
    try:
        reply, cancelled = target.execute({"id": sid, "query": sent, **more}, PATIENCE)
    except TimeoutError:
        report.note("a query could not be cancelled", f"{where}: {query!r} {more}\n{target.stacks()}")
        raise
    report.slowest = max(report.slowest, time.monotonic() - begin)
    report.statuses[f"{reply.status}{' cancelled' if cancelled else ''}"] += 1
    for kind in _complaints(reply):
        report.note(kind, f"{where}: {query!r} {more}\n    {reply.text[:1500]}")
    if found := re.search("SCIDB_LE_(\\w+)", reply.text):
        report.codes[found[1]] += 1
    if reply.status != 200:
        return reply.status
    if more.get("save") and writer.random.random() < 0.3:
        kind_of = "bytes" if more["save"].startswith(("(", "arrow")) else "lines"
        read = target.get(f"/read_{kind_of}", {"id": sid, "n": "0"})
        if read.status != 200 or SECRET in read.text:
            report.note(f"a read answers {read.status}", f"{where}: {query!r} {more}\n    {read.text[:500]}")
    if isinstance(query, str) and len(query) < LONGEST and writer.random.random() < 0.1:
        _learn(target, sid, query, report, where, writer)
    return reply.status


def _learn(target: Target, sid: str, query: str, report: Report, where: str, writer: Writer) -> None:
    """Ask for the schema of a query that ran; the writer then makes others of it."""
    escaped = query.replace("\\", "\\\\").replace("'", "\\'")
    shown = target.query(sid, f"show('{escaped}','afl')", "tsv")
    for kind in _complaints(shown):
        report.note(f"show: {kind}", f"{where}: {query!r}\n    {shown.text[:1500]}")
    if shown.status != 200 or not _reads(query):
        return
    text = target.get("/read_lines", {"id": sid, "n": "0"}).text.split("\t")[0]
    try:
        schema = Schema.parse(text)
    except ScidbMagicError as error:
        report.note(f"a schema cannot be read: {error}", f"{where}: {query!r} {text!r}")
        return
    cells = 1
    for dimension in schema.dimensions:
        cells *= 100 if dimension.high is None else dimension.high - dimension.low + 1
    if schema.dimensions and cells < 3000:
        writer.learn(query, schema)


def _reads(query: str) -> bool:
    """Whether a query changes nothing and has a result."""
    operator = OPERATORS.get(query.partition("(")[0])
    return operator is not None and operator.effect is Effect.READ


def _filled(query: str | bytes, target: Target) -> str | bytes:
    """With the places of this server put in."""
    for template, place in target.places.items():
        if isinstance(query, str):
            query = query.replace(template, place)
        else:
            query = query.replace(template.encode(), place.encode())
    return query


def _complaints(reply: Reply) -> list[str]:
    """What is wrong with an answer to ``/execute_query``."""
    text = reply.text
    wrong = []
    if reply.status == 200:
        if not text.isdecimal():
            wrong.append("200 without a query id")
    elif reply.status != 406:
        wrong.append(f"status {reply.status} {_shape(text)}")
    elif not _ERROR.match(text):
        wrong.append(f"an error without SciDB's form {_shape(text)}")
    elif _LEAK.search(_description(text)) and not any(known in text for known in _KNOWN):
        wrong.append(f"a leak: {_shape(text)}")
    if reply.headers.get("content-length") != str(len(reply.body)):
        wrong.append("a wrong Content-Length")
    if SECRET in text:
        wrong.append("the secret")
    return wrong


def _description(text: str) -> str:
    """Code and description of an error, without the query that stands below."""
    return "\n".join(text.split("\n")[1:3])


def _shape(text: str) -> str:
    """An error with all that differs from query to query taken out."""
    lines = text.split("\n")
    line = lines[2] if len(lines) > 2 else text[:200]
    return re.sub(r"\d+", "9", re.sub(r"'[^']*'|\"[^\"]*\"", "…", line))[:160]


# Requests


def requests(target: Target, seed: int, count: int, report: Report) -> None:
    """Send requests of every kind; whatever sessions they get are released."""
    traffic = Traffic(Random(seed), target)
    for number in range(count):
        kind, status, complaint = traffic.shot()
        report.statuses[f"{kind} {status}"] += 1
        if complaint:
            report.note(f"{kind}: {complaint[0]}", f"seed {seed} request {number}: {complaint[1]}")
        if target.process.poll() is not None:
            report.note("the server is gone", f"seed {seed} request {number}")
            return
    traffic.end()
