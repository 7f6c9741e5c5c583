"""Whatever a query is doing, a cancel ends it at once, and the session goes on."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scidb_magic.embedded.engine import Engine
from scidb_magic.errors import EngineError

SECONDS = 2.0
"""A query has to end within this; 0.2 s on a machine that has time (see the closing notes for figures)."""

MANY = "build(<v:int64>[i=0:1999999], i)"
ENDLESS = f"cross_join({MANY}, build(<w:int64>[k=0:99999], k))"

KINDS = {
    "a join": f"aggregate({ENDLESS}, sum(w))",
    "consume": f"consume({ENDLESS})",
    "sort": f"sort({ENDLESS}, w)",
    "store": f"store({ENDLESS}, B)",
    "a long window": f"window({MANY}, 100000, 100000, stdev(v))",
    "a dense window": "window(build(<v:double>[i=0:999; j=0:999], i), 9,9,9,9, stdev(v), var(v), avg(v))",
    "redimension": f"redimension({ENDLESS}, <n:uint64>[v=0:*], count(*) as n)",
    "a decomposition": "gesvd(build(<v:double>[i=0:2999; j=0:2999], sin(i * j)), 'left')",
    "reading a file": "consume(input(<a:string,b:string>[i=0:*], '{folder}/lines', 0, 'csv'))",
    "writing csv": f"save({ENDLESS}, '{{folder}}/out', 0, 'csv+')",
    "writing bytes": f"save({ENDLESS}, '{{folder}}/out', 0, '(int64 null, int64 null)')",
}


@pytest.fixture(scope="module")
def lines() -> str:
    return "some text,more of it\n" * 2_000_000


@pytest.mark.parametrize("kind", KINDS)
def test_a_cancel_ends_it(engine: Engine, scratch: Path, wait_until, kind: str, lines: str) -> None:
    if kind == "reading a file":
        (scratch / "lines").write_text(lines)
    query = KINDS[kind].format(folder=scratch)
    session, looking = engine.session(), engine.session()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(session.execute, query)
        listed = f"save(filter(list('queries'), query_id <> ''), '{scratch}/queries', 0, 'csv')"

        def runs() -> bool:
            looking.execute(listed)
            return (scratch / "queries").read_text().count("\n") > 1

        assert wait_until(runs)
        future_done = future.done()
        start = time.monotonic()
        assert session.cancel() is not future_done
        with pytest.raises(EngineError) as caught:
            future.result(timeout=60)
    assert caught.value.long == "QUERY_CANCELLED"
    assert time.monotonic() - start < SECONDS
    session.execute(f"save(build(<v:int64>[i=0:1], i), '{scratch}/out', 0, 'csv')")
    assert (scratch / "out").read_text() == "0\n1\n"
    session.close()
    looking.close()
