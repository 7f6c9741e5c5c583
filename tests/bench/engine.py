"""The engine beside the same work written by hand in DuckDB's SQL or on NumPy, whichever is faster.

Both sides begin with cells that DuckDB holds and end with the result in memory; in one process, with
DuckDB's own number of threads.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from scidb_magic.embedded.engine import Engine
from tests.bench.timing import alternating, table

Hand = Callable[[duckdb.DuckDBPyConnection], object]


@dataclass(frozen=True)
class Case:
    """One kind of work: AFL with what it needs, and the same by hand, each with what it needs."""

    name: str
    afl: Sequence[str]
    hand: Sequence[Hand]
    stored: str = ""
    held: str = ""


def sql(*statements: str) -> Hand:
    """Run statements, the last one's result as an Arrow table."""

    def run(connection: duckdb.DuckDBPyConnection) -> object:
        *before, last = statements
        for statement in before:
            connection.execute(statement)
        return (
            connection.sql(last).to_arrow_table() if last.startswith("SELECT") else connection.execute(last)
        )

    return run


def window_by_hand(connection: duckdb.DuckDBPyConnection) -> object:
    """Sums over 3 x 3 places of a full square, padded."""
    cells = connection.sql("SELECT d0, d1, a0 FROM grid").fetchnumpy()
    square = np.empty((1000, 1000))
    square[cells["d0"], cells["d1"]] = cells["a0"]
    padded = np.pad(square, 1)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    found = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    return pa.table({"d0": cells["d0"], "d1": cells["d1"], "a0": found[cells["d0"], cells["d1"]]})


def groups_by_hand(connection: duckdb.DuckDBPyConnection) -> object:
    cells = connection.sql("SELECT a0, a1 FROM many").fetchnumpy()
    return np.bincount(cells["a0"], weights=cells["a1"])


def fetched_by_hand(connection: duckdb.DuckDBPyConnection) -> object:
    result = connection.sql("SELECT d0, a0 FROM million ORDER BY d0").to_arrow_table()
    with pa.BufferOutputStream() as out, pa.ipc.new_stream(out, result.schema) as stream:
        stream.write_table(result)
        return out


def cases(folder: Path) -> list[Case]:
    many, million = 10_000_000, 1_000_000
    built = f"build(<v:double>[i=0:{many - 1}], i * 0.5)"
    keyed = f"apply(build(<k:int64>[i=0:{many - 1}], i % 1000), v, i * 0.5)"
    return [
        Case(
            "build and aggregate, 10 M",
            [f"aggregate({built}, sum(v), count(*))"],
            [
                sql(f"SELECT sum(i * 0.5e0), count(*) FROM range({many}) AS t(i)"),
                lambda _: (np.arange(many) * 0.5).sum(),
            ],
        ),
        Case(
            "redimension to 1,000 groups, 10 M",
            ["redimension(many, <s:double>[k=0:999], sum(v) as s)"],
            [sql("SELECT a0, sum(a1) FROM many GROUP BY a0"), groups_by_hand],
            stored=f"store({keyed}, many)",
            held=f"CREATE TABLE many AS SELECT i % 1000 AS a0, i * 0.5e0 AS a1 FROM range({many}) AS t(i)",
        ),
        Case(
            "store, 10 M",
            [f"store({built}, new)", "remove(new)"],
            [
                sql(
                    f"CREATE TABLE new AS SELECT i AS d0, i * 0.5e0 AS a0 FROM range({many}) AS t(i)",
                    "DROP TABLE new",
                )
            ],
        ),
        Case(
            "cross_join, 1 M × 1 M",
            ["cross_join(million as l, million as r, l.i, r.i)"],
            [sql("SELECT l.d0, l.a0, r.a0 FROM million AS l JOIN million AS r ON l.d0 = r.d0")],
            stored=f"store(build(<v:int64>[i=0:{million - 1}], i * 3), million)",
            held=f"CREATE TABLE million AS SELECT i AS d0, i * 3 AS a0 FROM range({million}) AS t(i)",
        ),
        Case(
            "window 3 × 3, 1 M",
            ["window(grid, 1, 1, 1, 1, sum(v))"],
            [window_by_hand],
            stored="store(build(<v:double>[i=0:999; j=0:999], i * j * 0.5), grid)",
            held="CREATE TABLE grid AS SELECT i AS d0, j AS d1, i * j * 0.5e0 AS a0"
            " FROM range(1000) AS t(i), range(1000) AS u(j)",
        ),
        Case(
            "fetch, 1 M",
            [f"aio_save(million, paths: '{folder / 'out'}', format: 'arrow')"],
            [fetched_by_hand],
        ),
    ]


def measure(rounds: int) -> None:
    """Print the table of ratios."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        engine, connection = Engine(None, scratch=folder), duckdb.connect()
        session = engine.session()
        for case in cases(folder):
            if case.stored:
                session.execute(case.stored)
                connection.execute(case.held)
            works = [lambda case=case: [session.execute(text) for text in case.afl]]
            works += [lambda hand=hand: hand(connection) for hand in case.hand]
            ours, *hands = alternating(works, rounds)
            rows.append(
                [case.name, f"{ours * 1e3:.0f}", f"{min(hands) * 1e3:.0f}", f"{ours / min(hands):.2f}"]
            )
        session.close()
        engine.close()
        connection.close()
    table("The engine", ["work", "AFL, ms", "by hand, ms", "AFL ÷ by hand"], rows)
