"""One fault at a time, in each phase, for each kind of statement, through the proxy to a real server.

What the server did, the proxy's log tells; what is in the arrays, a second session that needs no proxy.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from fault_proxy import (
    BAD_GATEWAY,
    BAD_REQUEST,
    CLOSED_BODY,
    CLOSED_HEAD,
    DELAY,
    DENIED,
    EXPIRE,
    FAILURE,
    NO_ANSWER,
    PAGE,
    PASS,
    RESET_AFTER,
    RESET_BEFORE,
    TOO_LARGE,
    TRUNCATE_BODY,
    TRUNCATE_HEAD,
    UNAVAILABLE,
    Asked,
    Fault,
    Kind,
    shut,
)

from scidb_magic.errors import (
    AuthenticationFailed,
    BadRequest,
    NotShim,
    QueryError,
    QueryOutcomeUnknown,
    RequestTooLong,
    ResultLost,
    ScidbMagicError,
    ServerFailure,
    ShimUnreachable,
)
from scidb_magic.shim.client import ShimClient

ROWS = 2000
READ = f"build(<x:int64>[i=0:{ROWS - 1}], i * 3)"
RENAMED = {b"glance%28": b"project%28", b"keep%28": b"store%28"}
"""Two operators that the client has never heard of: one that reads, one that changes."""

REFUSED = shut(0.4)
CUTS = [Fault(Kind.TRUNCATE_HEAD, share=share / 12, abrupt=False) for share in range(12)]
"""The answer's head closed in the middle, wherever: it can look like a whole one that says less."""
SAME = (RESET_BEFORE, RESET_AFTER, TRUNCATE_HEAD, CLOSED_HEAD, NO_ANSWER, TRUNCATE_BODY, CLOSED_BODY)
"""Faults of the network after which the session lives on."""

_names = (f"scripted_{number}" for number in itertools.count())


@pytest.fixture
def proxy(server: Any, proxied: Any) -> Any:
    return proxied(server, renamed=RENAMED)


@pytest.fixture
def session(proxy: Any, make: Any) -> Any:
    """A session that has its slot and a proof of it."""
    session = make(proxy.url, connect_wait=20.0, guardian=False, format="binary")
    assert session.fetch("build(<x:int64>[i=0:2], i)")["x"].tolist() == [0, 1, 2]
    return session


@pytest.fixture(scope="module")
def direct(server: Any) -> Any:
    """Looks into the server past every proxy."""
    from scidb_magic.api import ManagedSession
    from scidb_magic.session.layers import resolve

    with ManagedSession(*resolve({"url": server.url})) as session:
        yield session


def versions(direct: Any, name: str) -> int:
    """How often an array was stored."""
    try:
        return len(direct.fetch(f"versions({name})"))
    except QueryError as error:
        assert error.code == "SCIDB_LE_ARRAY_DOESNT_EXIST"
        return 0


def befall(proxy: Any, place: tuple[str, int], fault: Fault) -> None:
    """Have `fault` meet the request at `place`; a refusal is made by shutting the door before it."""
    if fault is not REFUSED:
        proxy.follow({place: fault})
    elif place[1] == 1 and place[0] != "read_bytes":
        proxy.shut(fault.seconds)
    else:
        former = {("execute_query", 2): ("read_lines", 1), ("read_bytes", 1): ("execute_query", 2)}
        proxy.follow({former.get(place, (place[0], place[1] - 1)): fault})


def is_right(frame: pd.DataFrame) -> bool:
    return frame["x"].tolist() == [number * 3 for number in range(ROWS)]


def executions(proxy: Any, mark: int, text: str) -> int:
    """How often the server ran a query with `text` in it; to ask for its schema is not to run it."""
    found = [asked.query for asked in proxy.since(mark) if asked.executed and text in asked.query]
    return sum(not query.startswith("show(") for query in found)


# Phase: execute

LIVES = (REFUSED, TRUNCATE_BODY, CLOSED_BODY, DELAY, EXPIRE, UNAVAILABLE)
"""A change surely did not run, or surely ran: no doubt is left."""
DOUBTS = (
    *((RESET_BEFORE, 0), (RESET_AFTER, 1), (TRUNCATE_HEAD, 1), (NO_ANSWER, 1)),
    *((BAD_GATEWAY, 0), (FAILURE, 0), (PAGE, 0)),
)
"""It may have run, and how often it did."""
REFUSALS = ((DENIED, AuthenticationFailed), (BAD_REQUEST, BadRequest), (TOO_LARGE, RequestTooLong))


@pytest.mark.parametrize("fault", [*LIVES, *(fault for fault, _ in DOUBTS)], ids=str)
@pytest.mark.parametrize("place", [("execute_query", 1), ("execute_query", 2)], ids=["show", "query"])
def test_a_read_is_sent_again(proxy: Any, session: Any, place: tuple[str, int], fault: Fault) -> None:
    befall(proxy, place, fault)
    assert is_right(session.fetch(READ))
    assert session.status().state == "idle"


@pytest.mark.parametrize("fault", LIVES, ids=str)
@pytest.mark.parametrize("store", ["store", "keep"])
def test_a_change_beyond_doubt_is_made_once(
    proxy: Any, session: Any, direct: Any, store: str, fault: Fault
) -> None:
    name = next(_names)
    befall(proxy, ("execute_query", 1), fault)
    session.execute(f"{store}({READ}, {name})")
    assert versions(direct, name) == 1
    assert is_right(direct.fetch(f"scan({name})"))


@pytest.mark.parametrize(("fault", "times"), DOUBTS, ids=[str(fault) for fault, _ in DOUBTS])
@pytest.mark.parametrize("store", ["store", "keep"])
def test_a_change_in_doubt_is_not_sent_again(
    proxy: Any, session: Any, direct: Any, store: str, fault: Fault, times: int
) -> None:
    name = next(_names)
    befall(proxy, ("execute_query", 1), fault)
    with pytest.raises(QueryOutcomeUnknown) as caught:
        session.execute(f"{store}({READ}, {name})")
    assert f"{store}(build(" in str(caught.value) and "versions(" in str(caught.value)
    assert caught.value.statement == f"{store}({READ}, {name})"
    assert (caught.value.ran, versions(direct, name)) == (None, times)
    assert is_right(session.fetch(READ))


def test_a_change_whose_answer_has_half_a_head(proxy: Any, session: Any, direct: Any) -> None:
    """A status 200 that came is proof enough: shim says it after the query's end."""
    for fault in CUTS:
        name = next(_names)
        befall(proxy, ("execute_query", 1), fault)
        try:
            session.execute(f"store({READ}, {name})")
        except QueryOutcomeUnknown as error:
            assert error.ran is None
        assert versions(direct, name) == 1, fault
        assert is_right(session.fetch(READ)), fault


@pytest.mark.parametrize(("fault", "kind"), REFUSALS, ids=[str(fault) for fault, _ in REFUSALS])
@pytest.mark.parametrize("store", ["store", "keep"])
def test_what_is_refused_did_not_run(
    proxy: Any, session: Any, direct: Any, store: str, fault: Fault, kind: type[ScidbMagicError]
) -> None:
    name = next(_names)
    befall(proxy, ("execute_query", 1), fault)
    with pytest.raises(kind) as caught:
        session.execute(f"{store}({READ}, {name})")
    assert (caught.value.ran, versions(direct, name), session.status().replays) == (False, 0, 0)
    assert is_right(session.fetch(READ))


def test_retry_always_sends_a_change_in_doubt_again(proxy: Any, session: Any, direct: Any) -> None:
    name = next(_names)
    befall(proxy, ("execute_query", 1), RESET_AFTER)
    session.execute(f"store({READ}, {name})", retry="always")
    assert versions(direct, name) == 2


@pytest.mark.parametrize("fault", [EXPIRE, REFUSED, RESET_AFTER], ids=str)
def test_retry_never_sends_nothing_again(proxy: Any, session: Any, fault: Fault) -> None:
    befall(proxy, ("execute_query", 1), fault)
    with pytest.raises(ScidbMagicError):
        session.fetch(READ, retry="never")
    assert session.status().replays == 0


def test_a_statement_that_met_two_losses_gives_up_in_words(proxy: Any, session: Any) -> None:
    proxy.follow(lambda asked: RESET_AFTER if asked.endpoint == "execute_query" else PASS)
    with pytest.raises(ShimUnreachable) as caught:
        session.fetch(READ)
    assert caught.value.ran is False  # only the query for the schema was sent
    proxy.follow({})
    assert is_right(session.fetch(READ))


# Phase: read

RESUMED = (*SAME, DELAY, UNAVAILABLE, BAD_GATEWAY, PAGE)
"""With the size known, the rest is asked for; before that, only where the id is beyond doubt."""
GONE = (EXPIRE, FAILURE, REFUSED)
READS = [SCHEMA, SIZE, CELLS] = [("read_lines", 1), ("read_bytes", 1), ("read_bytes", 2)]
READ_IDS = ["schema", "size", "cells"]


@pytest.mark.parametrize("fault", [*RESUMED, *GONE], ids=str)
@pytest.mark.parametrize("place", READS, ids=READ_IDS)
def test_a_result_comes_whole(proxy: Any, session: Any, place: tuple[str, int], fault: Fault) -> None:
    befall(proxy, place, fault)
    mark = proxy.mark()
    assert is_right(session.fetch(READ))
    ran = executions(proxy, mark, "project(")
    most = 2 if place == SIZE or (fault in GONE and place != SCHEMA) else 1
    assert 1 <= ran <= most, proxy.told(mark)


@pytest.mark.parametrize("fault", [*RESUMED, *GONE], ids=str)
@pytest.mark.parametrize("place", [("execute_query", 2), CELLS], ids=["probe", "cells"])
def test_a_result_comes_whole_as_arrow(proxy: Any, make: Any, place: tuple[str, int], fault: Fault) -> None:
    session = make(proxy.url, connect_wait=20.0, guardian=False)
    befall(proxy, place, fault)
    assert is_right(session.fetch(READ))
    assert not any("project(" in asked.query for asked in proxy.log)


@pytest.mark.parametrize("place", [*READS, ("execute_query", 2)], ids=[*READ_IDS, "query"])
def test_half_a_head_is_no_result(proxy: Any, session: Any, place: tuple[str, int]) -> None:
    for fault in CUTS:
        befall(proxy, place, fault)
        assert is_right(session.fetch(READ)), fault


@pytest.mark.parametrize("fault", RESUMED, ids=str)
@pytest.mark.parametrize("place", READS, ids=READ_IDS)
def test_a_result_of_an_unknown_operator_is_read_without_running_it_again(
    proxy: Any, session: Any, place: tuple[str, int], fault: Fault
) -> None:
    befall(proxy, place, fault)
    mark = proxy.mark()
    try:
        assert is_right(session.fetch(f"glance({READ}, x)"))
    except ResultLost as error:
        # Until the size was told there is nothing that would prove the session ours after a reset.
        assert (place, error.ran) == (SIZE, True)
    assert executions(proxy, mark, "glance(") == 1, proxy.told(mark)


def test_half_a_head_of_a_result_that_cannot_be_had_again(proxy: Any, session: Any) -> None:
    """What a cut head does not say is not said otherwise: the output is still the one that was announced."""
    for fault in CUTS:
        befall(proxy, CELLS, fault)
        mark = proxy.mark()
        assert is_right(session.fetch(f"glance({READ}, x)")), fault
        assert executions(proxy, mark, "glance(") == 1, proxy.told(mark)


@pytest.mark.parametrize("fault", GONE, ids=str)
@pytest.mark.parametrize("place", READS[1:], ids=READ_IDS[1:])
def test_a_lost_result_of_an_unknown_operator_is_said(
    proxy: Any, session: Any, place: tuple[str, int], fault: Fault
) -> None:
    befall(proxy, place, fault)
    mark = proxy.mark()
    with pytest.raises(ResultLost, match="glance") as caught:
        session.fetch(f"glance({READ}, x)")
    assert caught.value.ran is True
    assert executions(proxy, mark, "glance(") == 1, proxy.told(mark)


@pytest.mark.parametrize("fault", [TRUNCATE_BODY, CLOSED_BODY], ids=str)
def test_a_broken_download_goes_on_where_it_stopped(proxy: Any, session: Any, fault: Fault) -> None:
    cuts = 5
    broken = iter([fault] * cuts)

    def plan(asked: Asked) -> Fault:
        return next(broken, PASS) if (asked.endpoint, asked.method) == ("read_bytes", "GET") else PASS

    proxy.follow(plan)
    mark = proxy.mark()
    big = "build(<x:int64 not null>[i=0:199999], i * 7)"
    assert session.fetch(big)["x"].tolist() == [number * 7 for number in range(200_000)]
    ranges = [a.range for a in proxy.since(mark) if (a.endpoint, a.method) == ("read_bytes", "GET")]
    starts = [int(text.removeprefix("bytes=").partition("-")[0]) for text in ranges if text]
    # The first one asks for all; each of the others for what is missing, and never past the end.
    assert (len(ranges), ranges[0], len(starts)) == (cuts + 1, "", cuts)
    assert starts == sorted(set(starts)) and starts[0] > 0
    assert {text.partition("-")[2] for text in ranges if text} == {str(200_000 * 16 - 1)}
    assert sum(asked.executed for asked in proxy.since(mark)) == 2, proxy.told(mark)


def test_a_broken_download_is_not_mixed_with_another_result(server: Any, proxy: Any, session: Any) -> None:
    def plan(asked: Asked) -> Fault:
        if (asked.endpoint, asked.nth) != ("read_bytes", 2):
            return PASS
        return TRUNCATE_BODY

    proxy.follow(plan)
    mark = proxy.mark()
    proxy.on_fault = lambda asked: ShimClient(server.url).execute_query(
        asked.sid, "build(<x:int64>[i=0:9999], -1)", save="(int64 null)"
    )
    assert is_right(session.fetch(READ))
    assert executions(proxy, mark, "project(") == 2, proxy.told(mark)


# Phase: upload

FRAME = pd.DataFrame({"x": [number * 3 for number in range(ROWS)], "name": ["ü" * 5] * ROWS})


def test_half_a_head_is_no_file(proxy: Any, session: Any, direct: Any) -> None:
    for fault in CUTS:
        name = next(_names)
        befall(proxy, ("upload", 1), fault)
        session.upload(FRAME, name)
        assert direct.fetch(f"scan({name})")["x"].tolist() == FRAME["x"].tolist(), fault


@pytest.mark.parametrize(
    "fault", [*SAME, REFUSED, DELAY, EXPIRE, UNAVAILABLE, BAD_GATEWAY, FAILURE, PAGE], ids=str
)
def test_data_are_sent_again(proxy: Any, session: Any, direct: Any, fault: Fault) -> None:
    name = next(_names)
    attached = session.attach(FRAME)
    befall(proxy, ("upload", 1), fault)
    mark = proxy.mark()
    session.execute(f"store({attached.text}, {name})", attachments=(attached,))
    assert versions(direct, name) == 1
    stored = direct.fetch(f"scan({name})")
    assert stored["x"].tolist() == FRAME["x"].tolist() and stored["name"].tolist() == FRAME["name"].tolist()
    uploads = sum(asked.endpoint == "upload" for asked in proxy.since(mark))
    assert uploads == (1 if fault in (DELAY, REFUSED) else 2), proxy.told(mark)


@pytest.mark.parametrize("fault", [EXPIRE, REFUSED, UNAVAILABLE], ids=str)
def test_data_of_a_lost_session_are_sent_again_before_their_statement(
    proxy: Any, session: Any, direct: Any, fault: Fault
) -> None:
    name = next(_names)
    attached = session.attach(FRAME)
    place = ("upload", 1) if fault is REFUSED else ("execute_query", 1)
    proxy.follow({place: fault})
    mark = proxy.mark()
    session.execute(f"store({attached.text}, {name})", attachments=(attached,))
    assert versions(direct, name) == 1
    assert direct.fetch(f"scan({name})")["x"].tolist() == FRAME["x"].tolist()
    endpoints = [asked.endpoint for asked in proxy.since(mark)]
    assert endpoints.count("upload") == 2 and endpoints[-2:] == ["upload", "execute_query"]


@pytest.mark.parametrize(("fault", "kind"), REFUSALS, ids=[str(fault) for fault, _ in REFUSALS])
def test_data_that_are_refused(
    proxy: Any, session: Any, direct: Any, fault: Fault, kind: type[ScidbMagicError]
) -> None:
    name = next(_names)
    befall(proxy, ("upload", 1), fault)
    with pytest.raises(kind) as caught:
        session.upload(FRAME, name)
    assert (caught.value.ran, versions(direct, name)) == (False, 0)


def test_an_upload_whose_look_failed_did_not_run(proxy: Any, session: Any, direct: Any) -> None:
    """It looks first whether the array is there; where that fails, there is no doubt about the rest."""
    name = next(_names)
    proxy.follow(lambda asked: RESET_AFTER if asked.endpoint == "execute_query" else PASS)
    with pytest.raises(ShimUnreachable) as caught:
        session.upload(FRAME, name)
    assert (caught.value.ran, versions(direct, name)) == (False, 0)


@pytest.mark.parametrize(
    "place", [("upload", 1), ("upload", 2), *(("execute_query", number) for number in range(1, 6))], ids=str
)
@pytest.mark.parametrize("fault", [RESET_AFTER, RESET_BEFORE, EXPIRE, BAD_GATEWAY], ids=str)
def test_several_frames_of_a_statement(
    proxy: Any, session: Any, direct: Any, place: tuple[str, int], fault: Fault
) -> None:
    """The first is stored and removed again, whatever befalls it; no array stays."""
    left, right = session.attach(FRAME), session.attach(pd.DataFrame({"y": [1, 2]}))
    proxy.follow({place: fault})
    frame = session.fetch(f"cross_join({left.text} as l, {right.text} as r)", attachments=(left, right))
    assert sorted(frame["x"]) == sorted([*FRAME["x"], *FRAME["x"]])
    assert sorted(frame["y"]) == [1] * ROWS + [2] * ROWS
    session.fetch("build(<x:int64>[i=0:0], i)")
    assert not [name for name in direct.fetch("list('arrays')")["name"] if "upload" in name]


# Phase: new_session


def test_half_a_head_is_no_session(proxy: Any, session: Any) -> None:
    for fault in CUTS:
        session.release()
        befall(proxy, ("new_session", 1), fault)
        assert is_right(session.fetch(READ)), fault


def test_half_a_head_shows_no_secret(proxy: Any, make: Any, caplog: pytest.LogCaptureFixture) -> None:
    """What the libraries below have to say of it goes to a log, with the URL of the request."""
    caplog.set_level(logging.DEBUG)
    session = make(proxy.url, connect_wait=20.0, guardian=False, user="anna", password="hunter2secret")
    for place in (("new_session", 1), ("execute_query", 2), ("read_bytes", 2)):
        for fault in CUTS:
            session.release()
            befall(proxy, place, fault)
            assert is_right(session.fetch(READ))
    assert "hunter2secret" not in caplog.text
    assert [asked for asked in proxy.log if asked.sid and asked.sid in caplog.text] == []


@pytest.mark.parametrize("fault", [*SAME, REFUSED, DELAY, BAD_GATEWAY, UNAVAILABLE], ids=str)
def test_a_slot_is_asked_for_again(proxy: Any, make: Any, fault: Fault) -> None:
    session = make(proxy.url, connect_wait=20.0, guardian=False)
    befall(proxy, ("new_session", 1), fault)
    assert is_right(session.fetch(READ))
    assert session.status().state == "idle"


@pytest.mark.parametrize(
    ("fault", "kind"), [(DENIED, AuthenticationFailed), (FAILURE, ServerFailure), (PAGE, NotShim)], ids=str
)
def test_a_slot_that_is_refused(proxy: Any, make: Any, fault: Fault, kind: type[ScidbMagicError]) -> None:
    session = make(proxy.url, connect_wait=20.0, guardian=False)
    befall(proxy, ("new_session", 1), fault)
    with pytest.raises(kind) as caught:
        session.fetch(READ)
    assert caught.value.ran is False
    assert sum(asked.endpoint == "new_session" for asked in proxy.log) == 1
    assert is_right(session.fetch(READ))


@pytest.mark.parametrize("warm", [False, True], ids=["first query", "later query"])
def test_refused_for_too_long(proxy: Any, make: Any, warm: bool) -> None:
    session = make(proxy.url, connect_wait=1.5, guardian=False)
    if warm:
        session.fetch(READ)
    proxy.shut()
    began = time.monotonic()
    with pytest.raises(ShimUnreachable) as caught:
        session.fetch(READ)
    assert 1.0 < time.monotonic() - began < 10.0
    assert proxy.url in str(caught.value) and "refused" in str(caught.value)
    assert (caught.value.reason, caught.value.ran) == ("refused", False)
    assert session.status().state == "unreachable"
    assert any(f"127.0.0.1:{proxy.port}" in notice for notice in session.notices)
    proxy.open()
    assert is_right(session.fetch(READ))


def test_a_change_waits_for_a_server_that_restarts(proxy: Any, session: Any, direct: Any) -> None:
    name = next(_names)
    proxy.shut(2.5)
    session.execute(f"store({READ}, {name})")
    assert versions(direct, name) == 1
    assert session.status().abandoned == 1
    # One while it waits, one when it goes on.
    assert len(session.notices) <= 2 and f"127.0.0.1:{proxy.port}" in session.notices[0]


# Phase: release


@pytest.mark.parametrize("fault", [*SAME, REFUSED, DELAY, EXPIRE, UNAVAILABLE], ids=str)
def test_a_slot_comes_free(
    server: Any,
    proxy: Any,
    session: Any,
    taken: Callable[[str], list[str]],
    wait_until: Callable[..., bool],
    fault: Fault,
) -> None:
    held = next(slot.sid for slot in session.slots() if slot.owner == "mine")
    assert held in taken(server.url)
    befall(proxy, ("release_session", 1), fault)
    session.release()
    freed = wait_until(lambda: held not in taken(server.url), 3)
    # After a refusal the id may be a stranger's: that one is left to shim, and counted.
    assert (freed, session.status().abandoned) == ((False, 1) if fault is REFUSED else (True, 0))
    assert is_right(session.fetch(READ))


def test_a_release_that_is_not_answered_in_time(
    server: Any, proxy: Any, session: Any, taken: Callable[[str], list[str]], wait_until: Callable[..., bool]
) -> None:
    """Nobody waits for it, and no second slot is taken before the first is free."""
    held = next(slot.sid for slot in session.slots() if slot.owner == "mine")
    late = Fault(Kind.DELAY, seconds=4.0)
    proxy.follow(lambda asked: late if asked.endpoint == "release_session" else PASS)
    began = time.monotonic()
    session.release()
    assert time.monotonic() - began < 2.5
    assert held in taken(server.url)
    mark = proxy.mark()
    assert is_right(session.fetch(READ))
    assert time.monotonic() - began > 3.0
    assert wait_until(lambda: held not in taken(server.url), 3)
    assert [asked.endpoint for asked in proxy.since(mark)].count("new_session") == 1


def test_the_proxy_does_what_it_says(server: Any, proxy: Any) -> None:
    """The instrument itself: the port is kept, the log is true, nothing that passes is changed."""
    client = ShimClient(proxy.url)
    assert client.version() == ShimClient(server.url).version()
    proxy.shut()
    with pytest.raises(ShimUnreachable) as refused:
        client.version()
    proxy.open()
    assert (refused.value.reason, client.version()) == ("refused", ShimClient(server.url).version())
    for fault, reason in ((RESET_BEFORE, "reset"), (RESET_AFTER, "reset"), (TRUNCATE_BODY, "half")):
        proxy.follow({("version", 1): fault})
        with pytest.raises(ShimUnreachable) as caught:
            client.version()
        assert caught.value.reason == reason
    assert [asked.status for asked in proxy.log] == [200, 200, 0, 200, 200]
    assert [asked.fault.kind for asked in proxy.log[2:]] == [
        Kind.RESET_BEFORE,
        Kind.RESET_AFTER,
        Kind.TRUNCATE_BODY,
    ]
