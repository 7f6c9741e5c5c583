"""Slots: a fixed array, lazy reaping, one lock a session, cancel and release while a query runs."""

from __future__ import annotations

import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest

BUILD = "build(<a:int64>[i=0:4],i*10)"
# Minutes of work, if nothing cancels it.
SLOW = "aggregate(apply(build(<a:int64>[i=0:99999999999],i%7),b,sin(a)*cos(i)),sum(b))"


class Running:
    """A slow query, sent from another thread."""

    def __init__(self, wire: Any, sid: str, **more: Any) -> None:
        self.wire, self.sid = wire, sid
        self.answer: Any = None
        self.thread = threading.Thread(target=self._run, kwargs=more)
        self.thread.start()
        wire.wait_until_busy(sid)

    def _run(self, **more: Any) -> None:
        self.answer = self.wire.query(self.sid, SLOW, **more)

    def cancel(self) -> Any:
        while self.thread.is_alive():
            self.wire("/cancel", id=self.sid)
            self.thread.join(0.05)
        return self.answer


def test_fifty_slots_and_the_fifty_first(embedded_factory: Any, wire_to: Any) -> None:
    wire = wire_to(embedded_factory().url)
    with ThreadPoolExecutor(50) as pool:
        ids = [future.result() for future in [pool.submit(wire.session) for _ in range(50)]]
    assert len(set(ids)) == 50
    refused = wire("/new_session")
    assert (refused.status, refused.reason, refused.text) == (503, "ERROR", "Out of resources")
    with ThreadPoolExecutor(50) as pool:
        replies = list(pool.map(lambda number: wire.query(number, BUILD, save="csv"), ids))
    assert {reply.status for reply in replies} == {200}
    assert len({reply.text for reply in replies}) == 50, "query ids differ"
    assert wire("/release_session", id=ids[7]).status == 200
    assert re.fullmatch("[0-9a-z]{32}", wire.session()), "a freed slot is taken at once"
    assert wire("/new_session").status == 503


def test_listing(in_process: Any) -> None:
    wire = in_process(max_sessions=3).wire
    first, second = wire.session(), wire.session()
    wire("/release_session", id=first)
    listing = wire("/debug")
    expected = f"slot 0, sid NA, avail 1\nslot 1, sid {second[:6]}, avail 0\nslot 2, sid NA, avail 1\n"
    assert (listing.status, listing.text) == (200, expected)
    third = wire.session()
    assert wire("/debug").text.startswith(f"slot 0, sid {third[:6]}, avail 0\n"), "the first free slot"


def test_reaping_is_lazy_and_takes_the_first_old_one(in_process: Any) -> None:
    here = in_process(max_sessions=3, timeout=60.0)
    ids = [here.wire.session() for _ in range(3)]
    here.clock.now = 60.0
    assert here.wire("/new_session").status == 503, "exactly 60 s is not over 60 s"
    here.clock.now = 50.0
    assert here.wire.query(ids[0], BUILD).status == 200
    here.clock.now = 61.0
    taken = here.wire("/new_session")
    assert taken.status == 200
    assert here.wire("/debug").text.splitlines()[1] == f"slot 1, sid {taken.text[:6]}, avail 0"
    assert here.wire.query(ids[1], BUILD).text == "Session not found"
    assert here.wire("/release_session", id=ids[1]).status == 404
    assert here.wire.query(ids[0], BUILD).status == 200


def test_an_idle_session_lives_for_ever_while_slots_are_free(in_process: Any) -> None:
    here = in_process(max_sessions=2)
    old = here.wire.session()
    here.clock.now = 1e6
    here.wire.session()
    assert here.wire.query(old, BUILD).status == 200


def test_reaped_and_released_sessions_leave_no_files(in_process: Any, tmp_path: Any) -> None:
    here = in_process(max_sessions=1)
    first = here.wire.session()
    here.wire(f"/upload?id={first}", method="POST", body=b"abc")
    here.wire.query(first, BUILD, save="csv")
    assert len(list(tmp_path.glob("shim_*"))) == 2
    here.clock.now = 100.0
    second = here.wire.session()
    assert len(list(tmp_path.glob("shim_*"))) == 1
    here.wire("/release_session", id=second)
    assert list(tmp_path.glob("shim_*")) == []


def test_a_busy_session_is_not_reaped(in_process: Any) -> None:
    here = in_process(max_sessions=1)
    sid = here.wire.session()
    query = Running(here.wire, sid)
    here.clock.now = 3600.0
    assert here.wire("/new_session").status == 503
    assert query.cancel().status == 406
    assert here.wire("/new_session").status == 503, "the clock was set when the query ended"
    here.clock.now += 61.0
    assert here.wire("/new_session").status == 200


def test_time_out_under_60_seconds(embedded_factory: Any, wire_to: Any, wait_until: Any) -> None:
    wire = wire_to(embedded_factory("--max-sessions", "1", "--timeout", "0.2").url)
    old = wire.session()
    assert wire("/new_session").status == 503
    assert wait_until(lambda: wire("/new_session").status == 200)
    assert wire.query(old, BUILD).status == 404


def test_repeated_ids(embedded_factory: Any, wire_to: Any) -> None:
    def some_ids(server: Any) -> list[str]:
        wire = wire_to(server.url)
        return [wire.session() for _ in range(4)]

    first, second = (some_ids(embedded_factory("--repeat-ids")) for _ in range(2))
    assert first == second
    assert len(set(first)) == 4


def test_cancel_answers_while_the_query_runs(wire: Any, sid: str) -> None:
    query = Running(wire, sid)
    begin = time.monotonic()
    assert wire("/cancel", id=sid).status == 200
    assert time.monotonic() - begin < 1.0
    answer = query.cancel()
    assert answer.status == 406
    assert "SCIDB_LE_QUERY_CANCELLED" in answer.text
    assert wire.query(sid, BUILD, save="csv").status == 200, "the session goes on working"


def test_the_second_request_on_a_session_waits(wire: Any, sid: str) -> None:
    query = Running(wire, sid)
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(wire.query, sid, BUILD, save="csv")
        other = wire.session()
        assert wire.query(other, BUILD).status == 200, "other sessions do not wait"
        wire("/release_session", id=other)
        assert not second.done()
        wire("/cancel", id=sid)
        query.thread.join()
        assert second.result(30).status == 200
    assert query.answer.status == 406


def test_release_waits_for_the_query_which_gets_502(wire: Any) -> None:
    sid = wire.session()
    query = Running(wire, sid)
    with ThreadPoolExecutor(1) as pool:
        release = pool.submit(wire, "/release_session", id=sid)
        with pytest.raises(TimeoutError):
            _result(release, 0.3)
        wire("/cancel", id=sid)
        assert release.result(30).status == 200
    query.thread.join()
    assert query.answer.status == 502
    assert wire.query(sid, BUILD).status == 404


def _result(future: Any, seconds: float) -> Any:
    # On 3.10 the pool's TimeoutError is a class of its own.
    import concurrent.futures

    try:
        return future.result(seconds)
    except concurrent.futures.TimeoutError as error:
        raise TimeoutError from error


def test_a_client_that_gives_up_stops_nothing(wire: Any, sid: str, wait_until: Any) -> None:
    query = "aggregate(apply(build(<a:int64>[i=0:9999999],i%7),b,sin(a)*cos(i)),count(b))"
    target = f"/execute_query?id={sid}&save=csv&query={quote(query)}"
    with socket.create_connection(wire.address) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    # 410 until the query has begun; from then on the read waits for its end.
    assert wait_until(lambda: wire("/read_lines", id=sid, n=0).status == 200)
    assert wire("/read_lines", id=sid, n=0).text == "10000000\n"


def test_failures_of_the_engine_release_the_session_and_not_the_server(in_process: Any, caplog: Any) -> None:
    """A fake engine: the real one has no known way to fail like this."""

    class Broken:
        version = "19.11.5"
        refuses = False

        def session(self) -> Broken:
            if self.refuses:
                raise RuntimeError("no session today")
            return self

        def execute(self, text: str) -> str:
            raise RuntimeError(f"cannot {text}")

        def cancel(self) -> bool:
            return False

        def close(self) -> None:
            raise RuntimeError("not even that")

    engine = Broken()
    here = in_process(engine, max_sessions=1)
    for _ in range(3):
        sid = here.wire.session()
        reply = here.wire.query(sid, "x")
        assert (reply.status, reply.reason) == (500, "ERROR")
        assert reply.text == "Internal error of the embedded engine: RuntimeError"
        assert here.wire.slots_in_use() == 0
        assert here.wire.query(sid, "x").status == 404
    assert "cannot x" in caplog.text
    engine.refuses = True
    reply = here.wire("/new_session")
    assert (reply.status, reply.text) == (502, "SciDB connection failed")
    assert here.wire.slots_in_use() == 0
    Broken.close = lambda self: None  # type: ignore[method-assign]


def test_a_storm_of_cancels_never_meets_the_next_query(wire: Any, sid: str) -> None:
    """Also not a commit or a rollback, which would leave the session's transaction broken."""
    for _ in range(10):
        query = Running(wire, sid)
        while query.thread.is_alive():
            wire("/cancel", id=sid)
        assert query.answer.status == 406
        assert "SCIDB_LE_QUERY_CANCELLED" in query.answer.text
        assert [wire.query(sid, BUILD, save="csv").status for _ in range(3)] == [200, 200, 200]
