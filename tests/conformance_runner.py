"""Compares a server with the recorded answers of a real SciDB.

::

    python tests/conformance_runner.py [--url URL] [--recordings DIR] [--only NAME]... [--first] [--quiet]

Prints four numbers, each as passed / all: rows equal, schemas equal, errors equal, whole scripts equal; then
what differs. The rules are those of the recordings' README. Without a URL an embedded server is started and
ended again; any shim will do, but its arrays are REMOVED.

The second half of the recordings, every format of 42 results, is run by `test_conformance.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scidb_magic.errors import WireError
from scidb_magic.wire.schema import Schema

RECORDINGS = Path(__file__).resolve().parents[2] / "shared" / "conformance"

FIRST_OPERATORS = frozenset(
    "create_array build store insert scan remove apply filter project aggregate between limit cross_join"
    " redimension window cast load input save show list help versions dimensions attributes cancel"
    " load_library op_count".split()
)
"""Operators and macros of the engine's first part."""

KINDS = ("rows", "schema", "error")


@dataclass(frozen=True)
class Answer:
    """What a statement gave: HTTP status, and the result or SciDB's error text."""

    status: int
    body: bytes = b""

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class Verdict:
    """One comparison; `kind` is rows, schema, error, or run: a statement that just has to work."""

    kind: str
    equal: bool
    script: str
    query: str
    expected: str
    got: str


class Client:
    """Shim's protocol, as little of it as is needed."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.sid = self._get("/new_session").text.strip()

    def run(self, query: str, save: str | None = None, **more: Any) -> Answer:
        """Execute a statement; with `save`, read its result."""
        options = {"save": save, **more} if save else more
        answer = self._get("/execute_query", id=self.sid, query=query, **options)
        if answer.status != 200 or save is None:
            return answer
        binary = save.startswith("(") or save == "arrow"
        return self._get("/read_bytes" if binary else "/read_lines", id=self.sid, n=0)

    def schema(self, query: str) -> Answer:
        """What ``show`` tells of a query."""
        quoted = query.replace("\\", "\\\\").replace("'", "\\'")
        return self.run(f"show('{quoted}', 'afl')", "tsv")

    def remove_arrays(self) -> None:
        """Empty the database."""
        for name in self.run("project(list(), name)", "tsv").text.split():
            self.run(f"remove({name})")

    def close(self) -> None:
        self._get("/release_session", id=self.sid)

    def _get(self, endpoint: str, **parameters: Any) -> Answer:
        query = urllib.parse.urlencode(parameters, encoding="utf-8", errors="surrogateescape")
        try:
            with urllib.request.urlopen(f"{self.url}{endpoint}?{query}", timeout=300) as response:
                return Answer(response.status, response.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read())


@contextmanager
def embedded_server(*options: str) -> Iterator[str]:
    """Start an embedded server; its URL."""
    command = [sys.executable, "-m", "scidb_magic.embedded", "--port", "0", *options]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def scripts(folder: Path) -> list[dict[str, Any]]:
    """The recorded scripts, with the places of their files put in."""
    text = (folder / "afl.jsonl").read_text(encoding="utf-8")
    return [json.loads(line.replace("${DATA}", str(folder / "data"))) for line in text.splitlines()]


def run_script(client: Client, script: dict[str, Any]) -> list[Verdict]:
    """Run one script on an empty database and compare every step."""
    client.remove_arrays()
    verdicts: list[Verdict] = []
    chunks_fixed = True
    for step in script["steps"]:
        called = operators_of(step["query"])
        # the chunk lengths that redimension chooses depend on the data and stay with what is stored
        chunks_fixed = chunks_fixed and "redimension" not in called
        if not any(name.startswith("_") for name in called):  # those are SciDB's internal ones
            verdicts += run_step(client, script["test"], step, chunks_fixed=chunks_fixed)
    return verdicts


def run_step(
    client: Client, script: str, step: dict[str, Any], *, chunks_fixed: bool = True
) -> Iterator[Verdict]:
    query, save = step["query"], step["save"]

    def verdict(kind: str, equal: bool, expected: str, got: str) -> Verdict:
        return Verdict(kind, equal, script, query, expected, got)

    if "schema" in step:
        shown = client.schema(query)
        equal = same_schema(step["schema"], shown, chunks_fixed=chunks_fixed)
        yield verdict("schema", equal, step["schema"], shown.text)
    answer = client.run(query, save)
    if step["status"] != 200:
        wanted, got = error_code(step["body"]), error_code(answer.text)
        yield verdict("error", (step["status"], wanted) == (answer.status, got), wanted, got)
    elif save is None:
        yield verdict("run", answer.status == 200, "200", f"{answer.status} {error_code(answer.text)}")
    else:
        equal = answer.status == 200 and same_rows(step["body"], answer.text, step.get("schema"))
        yield verdict("rows", equal, step["body"], answer.text)


def same_rows(expected: str, got: str, schema: str | None) -> bool:
    """Whether two texts in ``csv+`` are equal; in any order where SciDB's own order is the instances'."""
    if expected == got:
        return True
    rows = expected.splitlines(keepends=True)
    return sorted(rows) == sorted(got.splitlines(keepends=True)) and not _in_order(rows, schema)


def same_schema(expected: str, answer: Answer, *, chunks_fixed: bool = True) -> bool:
    """Whether attributes, dimensions and bounds are equal, and chunk lengths where they are fixed.

    Names of arrays and distributions do not count.
    """
    if answer.status != 200:
        return False
    shown, printed = expected.partition("\t")[0], answer.text.partition("\t")[0]
    if shown == printed:  # also what is no schema: a statement without a result shows `not empty <> []`
        return True
    try:
        wanted, got = (_outline(Schema.parse(text), chunks_fixed) for text in (shown, printed))
        return wanted == got
    except WireError:
        return False


def error_code(text: str) -> str:
    found = re.search(r"SCIDB_LE_\w+", text)
    return found[0] if found else text.strip().partition("\n")[0]


def operators_of(query: str) -> frozenset[str]:
    """Names that are called in a query, without those in strings, and ``create_array`` for the statement."""
    bare = re.sub(r"'(\\.|[^'])*'", "''", query, flags=re.DOTALL)
    called = {name.lower() for name in re.findall(r"\b([A-Za-z_]\w*)\s*\(", bare)}
    if re.match(r"\s*create\b", bare, re.IGNORECASE):
        called.add("create_array")
    return frozenset(called)


def counts(verdicts: Iterable[Verdict]) -> dict[str, tuple[int, int]]:
    """Kind, or ``scripts`` -> (passed, all)."""
    passed, total = Counter[str](), Counter[str]()
    whole: dict[str, bool] = {}
    for verdict in verdicts:
        total[verdict.kind] += 1
        passed[verdict.kind] += verdict.equal
        whole[verdict.script] = whole.get(verdict.script, True) and verdict.equal
    numbers = {kind: (passed[kind], total[kind]) for kind in KINDS}
    return {**numbers, "scripts": (sum(whole.values()), len(whole))}


def report(verdicts: list[Verdict], write: Callable[[str], object], *, quiet: bool = False) -> None:
    numbers = counts(verdicts)
    names = {"rows": "rows", "schema": "schemas", "error": "errors", "scripts": "whole scripts"}
    write("".join(f"{names[kind]} equal: {a} / {b}\n" for kind, (a, b) in numbers.items()))
    if quiet:
        return
    for verdict in verdicts:
        if not verdict.equal:
            write(f"\n{verdict.script} · {verdict.kind}\n  {verdict.query}\n")
            write(f"  expected {_short(verdict.expected)}\n  got      {_short(verdict.got)}\n")


def _outline(schema: Schema, with_chunks: bool) -> tuple[Any, ...]:
    return (
        schema.emptyable,
        [(a.name, a.type, a.nullable) for a in schema.attributes],
        [(d.name, d.aliases, d.low, d.high, d.overlap) for d in schema.dimensions],
        [d.chunk for d in schema.dimensions if with_chunks],
    )


def _in_order(rows: list[str], schema: str | None) -> bool:
    """Whether rows stand in SciDB's order: by chunk, and by coordinates in a chunk."""
    if schema is None:
        return True
    dimensions = Schema.parse(schema.partition("\t")[0]).dimensions
    keys = []
    for row in rows:
        found = re.match(r"-?\d+" + r",(-?\d+)" * (len(dimensions) - 1), row)
        if found is None:
            return True
        at = [int(text) for text in found[0].split(",")]
        chunks = [(x - d.low) // d.chunk if d.chunk else 0 for x, d in zip(at, dimensions, strict=True)]
        keys.append((chunks, at))
    return keys == sorted(keys)


def _short(text: str, width: int = 300) -> str:
    return repr(text if len(text) <= width else f"{text[:width]}…")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--url", help="a shim; ALL its arrays are removed")
    parser.add_argument("--recordings", type=Path, default=os.environ.get("SCIDB_CONFORMANCE") or RECORDINGS)
    parser.add_argument("--only", action="append", help="only scripts with this in their name")
    parser.add_argument(
        "--first", action="store_true", help="only statements of the engine's first operators"
    )
    parser.add_argument("--quiet", action="store_true", help="only the numbers")
    options = parser.parse_args()
    folder = Path(options.recordings).resolve()
    chosen = [
        s for s in scripts(folder) if not options.only or any(name in s["test"] for name in options.only)
    ]
    if options.url:
        verdicts = run_all(options.url, chosen)
    else:
        with embedded_server("--io-path", str(folder / "data")) as url:
            verdicts = run_all(url, chosen)
    if options.first:
        verdicts = first_part(verdicts, all_operators(folder))
    report(verdicts, sys.stdout.write, quiet=options.quiet)
    return 0


def run_all(url: str, chosen: Iterable[dict[str, Any]]) -> list[Verdict]:
    client = Client(url)
    try:
        return [verdict for script in chosen for verdict in run_script(client, script)]
    finally:
        client.close()


def all_operators(folder: Path) -> frozenset[str]:
    """Operators and macros of the recorded server."""
    names: set[str] = set()
    for line in (folder / "catalog.jsonl").read_text(encoding="utf-8").splitlines():
        listed = json.loads(line)
        if listed.get("body") and listed["query"] in ("list('operators')", "list('macros')"):
            names |= {row.split("\t")[1] for row in listed["body"].splitlines()}
    return frozenset(names)


def first_part(verdicts: Iterable[Verdict], known: frozenset[str]) -> list[Verdict]:
    """Those that use only `FIRST_OPERATORS`, up to the first change in their script that uses others."""
    chosen, ended = [], set()
    for verdict in verdicts:
        if operators_of(verdict.query) & known <= FIRST_OPERATORS:
            if verdict.script not in ended:
                chosen.append(verdict)
        elif verdict.kind == "run":
            ended.add(verdict.script)
    return chosen


if __name__ == "__main__":
    sys.exit(main())
