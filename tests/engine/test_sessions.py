"""Many sessions at once: snapshots, locks, cancelling, what runs, limits."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from scidb_magic.embedded.engine import Engine, EngineSession
from scidb_magic.errors import EngineError

SLOW = "consume(cross_join(build(<a:int64>[i=0:999999], i), build(<b:int64>[j=0:999999], j)))"


def text(session: EngineSession, query: str, out: Path) -> str:
    session.execute(f"save({query}, '{out}', 0, 'csv')")
    return out.read_text()


def running(engine: Engine, statement: str) -> bool:
    return any(query.text == statement for query in engine._queries.running())


def wait_until_running(engine: Engine, statement: str) -> None:
    waited = threading.Event()
    for _ in range(500):
        if running(engine, statement):
            return
        waited.wait(0.01)
    raise AssertionError("the query did not start")


def test_fifty_sessions_store_and_read_at_the_same_time(engine: Engine, scratch: Path) -> None:
    def work(number: int) -> str:
        session = engine.session()
        session.execute(f"store(build(<v:int64>[i=0:99], i+{number}), A{number})")
        found = text(session, f"aggregate(A{number}, sum(v))", scratch / f"out{number}")
        session.close()
        return found

    with ThreadPoolExecutor(50) as pool:
        found = list(pool.map(work, range(50)))
    assert found == [f"{4950 + 100 * number}\n" for number in range(50)]


def test_writers_of_one_array_take_turns(engine: Engine, scratch: Path) -> None:
    setup = engine.session()
    setup.execute("store(filter(build(<v:int64>[i=0:99], 0), false), Shared)")

    def work(number: int) -> None:
        session = engine.session()
        session.execute(f"insert(between(build(<v:int64>[i=0:99], 1), {number}, {number}), Shared)")
        session.close()

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(32)))
    assert text(setup, "aggregate(Shared, sum(v))", scratch / "out") == "32\n"
    assert text(setup, "aggregate(versions(Shared), count(*))", scratch / "out") == "33\n"


def test_readers_see_whole_versions_while_an_array_is_replaced(engine: Engine, scratch: Path) -> None:
    writer = engine.session()
    writer.execute("store(build(<v:int64>[i=0:999], 0), A)")
    ended = threading.Event()

    def write() -> None:
        for number in range(1, 20):
            writer.execute(f"store(build(<v:int64>[i=0:999], {number}), A)")
            writer.execute("remove_versions(A)")
        ended.set()

    thread = threading.Thread(target=write)
    thread.start()
    reader = engine.session()
    while not ended.is_set():
        low, high, count = text(reader, "aggregate(A, min(v), max(v), count(*))", scratch / "out").split(",")
        assert low == high
        assert count == "1000\n"
    thread.join()


def test_cancel_ends_the_query_and_the_session_goes_on(engine: Engine, scratch: Path) -> None:
    session = engine.session()
    assert session.cancel() is False
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(session.execute, SLOW)
        wait_until_running(engine, SLOW)
        assert session.cancel() is True
        with pytest.raises(EngineError) as caught:
            future.result(timeout=20)
    assert (caught.value.short, caught.value.long) == ("QPROC", "QUERY_CANCELLED")
    assert text(session, "build(<v:int64>[i=0:0], 1)", scratch / "out") == "1\n"


def test_a_query_that_waits_for_an_array_can_be_cancelled(engine: Engine) -> None:
    first, second = engine.session(), engine.session()
    slow = f"store({SLOW[8:-1]}, A)"
    waiting = "store(build(<v:int64>[i=0:0], 1), A)"
    with ThreadPoolExecutor(2) as pool:
        holding = pool.submit(first.execute, slow)
        wait_until_running(engine, slow)
        blocked = pool.submit(second.execute, waiting)
        wait_until_running(engine, waiting)
        assert second.cancel() is True
        with pytest.raises(EngineError) as caught:
            blocked.result(timeout=20)
        assert caught.value.long == "QUERY_CANCELLED"
        first.cancel()
        with pytest.raises(EngineError):
            holding.result(timeout=20)


def test_list_queries_shows_what_runs_and_cancel_takes_its_id(engine: Engine, scratch: Path) -> None:
    busy, other = engine.session(), engine.session()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(busy.execute, SLOW)
        wait_until_running(engine, SLOW)
        listed = text(other, "project(list('queries'), query_id, query_string)", scratch / "out")
        mine, itself = listed.splitlines()
        assert mine.endswith(f",'{SLOW}'")
        assert "list(\\'queries\\')" in itself
        other.execute(f"cancel({mine.split(',')[0]})")
        with pytest.raises(EngineError) as caught:
            future.result(timeout=20)
    assert caught.value.long == "QUERY_CANCELLED"
    with pytest.raises(EngineError):
        other.execute("cancel('0.1')")


def test_closing_a_session_ends_its_query(engine: Engine) -> None:
    session = engine.session()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(session.execute, SLOW)
        wait_until_running(engine, SLOW)
        session.close()
        with pytest.raises(EngineError):
            future.result(timeout=20)


def test_too_much_memory_is_an_error_and_not_the_end(make_engine, scratch: Path) -> None:
    engine = make_engine(memory_limit="60MB", temp_limit="1MB")
    session = engine.session()
    text_of_300_mb = f"build(<s:string>[i=0:4999999], '{'x' * 60}')"
    with pytest.raises(EngineError) as caught:
        session.execute(f"consume(aggregate({text_of_300_mb}, sum(s)))")
    assert caught.value.short == "NO_MEMORY"
    assert text(session, "build(<v:int64>[i=0:0], 1)", scratch / "out") == "1\n"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "COPY (SELECT 1) TO '/tmp/scidb_magic_escape.csv'",
        "ATTACH '/tmp/scidb_magic_escape.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '10TB'",
    ],
)
def test_sql_itself_reaches_nothing_outside(engine: Engine, sql: str) -> None:
    with pytest.raises(duckdb.Error):
        engine._storage.cursor().execute(sql)
    assert not Path("/tmp/scidb_magic_escape.csv").exists()


def test_ids_of_queries_ascend(engine: Engine) -> None:
    session = engine.session()
    ids = [int(session.execute("build(<v:int64>[i=0:0], 1)")) for _ in range(5)]
    assert ids == sorted(set(ids))
