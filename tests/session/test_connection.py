"""The managed session against the embedded server: one slot, renewed unseen, given back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest

from scidb_magic import api
from scidb_magic.api import ManagedSession
from scidb_magic.errors import (
    QueryError,
    ResultTooLarge,
    ScidbMagicError,
    SessionClosed,
    ShimUnreachable,
    SlotsExhausted,
)
from scidb_magic.session.layers import resolve
from scidb_magic.shim.client import ShimClient

LONG = "aggregate(build(<x:int64>[i=0:99999999999], i % 7), sum(x))"


def taken(url: str) -> int:
    return (ShimClient(url).debug() or "").count("avail 0")


def running(client: ShimClient, sid: str) -> str:
    client.execute_query(sid, "project(list('queries'), query_string)", save="tsv")
    return client.read_lines(sid).decode()


def lose(session: ManagedSession, url: str) -> None:
    """What shim does when it reaps the session's slot."""
    sid = session.connection._keeper.sid
    assert sid is not None
    ShimClient(url).release_session(sid)


def test_takes_a_slot_at_the_first_query_and_gives_it_back(embedded_factory: Any, make: Any) -> None:
    url = embedded_factory().url
    session = make(url)
    assert (taken(url), session.status().state) == (0, "unconnected")
    assert session.fetch("build(<x:int64>[i=0:2], i)")["x"].tolist() == [0, 1, 2]
    session.fetch("build(<x:int64>[i=0:2], i)")
    assert (taken(url), session.status().state) == (1, "idle")
    session.release()
    assert (taken(url), session.status().state) == (0, "released")
    session.execute("store(build(<x:int64>[i=0:2], i), taken_again)")
    assert taken(url) == 1
    assert [slot.owner for slot in session.slots()].count("mine") == 1


def test_a_dropped_session_is_renewed_with_one_line(
    embedded_factory: Any, make: Any, notices: list[str]
) -> None:
    url = embedded_factory().url
    session = make(url)
    session.execute("store(build(<x:int64>[i=0:2], i), A)")
    lose(session, url)
    assert len(session.fetch("scan(A)")) == 3
    lose(session, url)
    session.execute("store(build(<x:int64>[i=0:2], -i), A)")
    assert session.fetch("versions(A)")["version_id"].tolist() == [1, 2]
    assert len(notices) == 2 and "took a new one" in notices[0]
    assert (session.status().replays, taken(url)) == (2, 1)


def test_a_question_aside_that_finds_the_session_gone_leaves_the_line_to_the_next_statement(
    embedded_factory: Any, make: Any, notices: list[str]
) -> None:
    url = embedded_factory().url
    session = make(url)
    session.execute("store(build(<x:int64>[i=0:2], i), A)")
    lose(session, url)
    assert session.connection.aside("list('types')") is None
    assert notices == []
    assert len(session.fetch("scan(A)")) == 3
    assert len(notices) == 1 and "took a new one" in notices[0]
    assert taken(url) == 1


def test_a_question_aside_that_is_interrupted_leaves_the_session_usable(
    embedded_factory: Any, make: Any, wait_until: Any
) -> None:
    url = embedded_factory().url
    session = make(url)
    session.execute("store(build(<x:int64>[i=0:2], i), A)")
    held = session.connection._keeper.session
    client = ShimClient(url)
    watcher = client.new_session()

    def interrupt() -> None:
        wait_until(lambda: LONG in running(client, watcher))
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        session.connection.aside(LONG)
    assert held is not None and held.proof is None
    assert len(session.fetch("scan(A)")) == 3
    assert session.connection._keeper.session is held


def test_retry_never(embedded_factory: Any, make: Any) -> None:
    url = embedded_factory().url
    session = make(url)
    session.fetch("build(<x:int64>[i=0:2], i)")
    lose(session, url)
    with pytest.raises(ScidbMagicError):
        session.fetch("build(<x:int64>[i=0:2], i)", retry="never")
    assert session.status().replays == 0


def test_restarted_server_never_sees_the_old_id(embedded_factory: Any, make: Any) -> None:
    first = embedded_factory("--repeat-ids")
    session = make(first.url, connect_wait=0.2)
    session.fetch("build(<x:int64>[i=0:2], i)")
    old = session.connection._keeper.sid
    first.process.kill()
    first.process.wait()
    with pytest.raises(ScidbMagicError):
        session.fetch("build(<x:int64>[i=0:2], i)")
    assert session.status().state == "unreachable"
    second = embedded_factory("--repeat-ids", "--port", str(first.port))
    stranger = ShimClient(second.url).new_session()
    assert stranger == old
    assert len(session.fetch("build(<x:int64>[i=0:2], i)")) == 3
    assert session.connection._keeper.sid != stranger
    session.release()
    assert taken(second.url) == 1
    assert session.status().abandoned == 1


def test_full_server_is_reported_at_once_and_waited_for(
    embedded_factory: Any, make: Any, notices: list[str]
) -> None:
    url = embedded_factory("--max-sessions", "1").url
    holder = make(url)
    holder.fetch("build(<x:int64>[i=0:2], i)")
    with pytest.raises(SlotsExhausted, match="1 of 1 slots are taken"):
        make(url, slot_wait=0.1).fetch("build(<x:int64>[i=0:2], i)")
    session = make(url, slot_wait=30)
    told = threading.Event()
    session.notify = lambda line: (notices.append(line), told.set())
    threading.Thread(target=lambda: told.wait(20) and holder.release()).start()
    assert len(session.fetch("build(<x:int64>[i=0:2], i)")) == 3
    assert "no free slot" in notices[-1] and "Waiting" in notices[-1]


def test_a_notice_that_cannot_be_shown_does_no_harm(embedded_factory: Any, make: Any) -> None:
    url = embedded_factory().url
    session = make(url)
    session.fetch("build(<x:int64>[i=0:2], i)")

    def broken(line: str) -> None:
        raise OSError(line)

    session.notify = broken
    lose(session, url)
    assert len(session.fetch("build(<x:int64>[i=0:2], i)")) == 3
    assert session.status().state == "idle"


def test_retry_takes_three_words(embedded: Any, make: Any) -> None:
    with pytest.raises(ScidbMagicError, match="one of safe, never, always"):
        make(embedded.url).fetch("build(<x:int64>[i=0:2], i)", retry="sometimes")


def test_an_error_is_not_its_own_cause(embedded: Any, make: Any) -> None:
    with pytest.raises(QueryError) as caught:
        make(embedded.url).fetch("scan(nope)")
    assert caught.value.__cause__ is None


def test_reconnect_takes_another_slot(embedded_factory: Any, make: Any) -> None:
    url = embedded_factory().url
    session = make(url)
    session.fetch("build(<x:int64>[i=0:2], i)")
    before = session.slots()[0].sid
    session.reconnect()
    assert (taken(url), session.status().queries, session.status().state) == (1, 1, "idle")
    assert session.slots()[0].sid != before


def test_second_thread_waits_for_the_first(embedded: Any, make: Any) -> None:
    session = make(embedded.url)
    results: list[int] = []

    def work(size: int) -> None:
        results.append(len(session.fetch(f"build(<x:int64>[i=1:{size}], i)")))

    threads = [threading.Thread(target=work, args=(size,)) for size in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == list(range(1, 9))
    assert session.status().queries == 8


def test_cancel_from_another_thread(embedded_factory: Any, make: Any) -> None:
    url = embedded_factory().url
    session = make(url)
    session.fetch("build(<x:int64>[i=0:2], i)")
    sid = session.connection._keeper.sid
    failures: list[BaseException] = []

    def work() -> None:
        try:
            session.fetch(LONG)
        except QueryError as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while not session.cancel():
        thread.join(0.01)
    while thread.is_alive():  # the first cancel can come between two requests of the fetch
        session.cancel()
        thread.join(0.05)
    assert [error.code for error in failures] == ["SCIDB_LE_QUERY_CANCELLED"]
    assert len(session.fetch("build(<x:int64>[i=0:2], i)")) == 3
    assert session.connection._keeper.sid == sid


def test_too_large_a_result_is_not_downloaded(embedded: Any, make: Any) -> None:
    session = make(embedded.url, max_result_bytes=100)
    with pytest.raises(ResultTooLarge, match="max_result_bytes is 100") as caught:
        session.fetch("build(<x:int64 not null>[i=0:99], i)", format="binary")
    assert (caught.value.size, caught.value.limit) == (1600, 100)
    with pytest.raises(ResultTooLarge, match="max_result_bytes is 100") as caught:
        session.fetch("build(<x:int64 not null>[i=0:99], i)", format="arrow")
    assert caught.value.size > 1600


def test_error_points_into_the_users_text(embedded: Any, make: Any) -> None:
    session = make(embedded.url)
    text = "-- look\nproject(build(<x:int64>[i=0:2], i), x, nope)"
    with pytest.raises(QueryError) as caught:
        session.fetch(text)
    error = caught.value
    assert error.statement[error.position :].startswith("nope)")
    assert "shim_output_buf" not in str(error) + error.body


def test_names_that_occur_twice(embedded: Any, make: Any) -> None:
    session = make(embedded.url)
    frame = session.fetch("cross_join(build(<v:int64>[i=0:1], 5) as a, build(<v:int64>[i=0:1], 7) as b)")
    assert list(frame.columns) == ["i", "i_1", "v", "v_1"]
    assert frame["v"].tolist() == [5] * 4 and frame["v_1"].tolist() == [7] * 4


def test_preview_says_when_there_is_more(embedded: Any, make: Any) -> None:
    session = make(embedded.url)
    look = session.preview("build(<x:int64>[i=0:99], i)", 10)
    assert (len(look.data), look.complete) == (10, False)
    assert look.data["i"].is_monotonic_increasing
    assert session.preview("build(<x:int64>[i=0:9], i)", 10).complete
    assert session.preview("aggregate(build(<x:int64>[i=0:9], i), sum(x))", 10).data.iloc[0, 1] == 45


def test_closed_session_takes_no_slot(embedded_factory: Any, make: Any) -> None:
    url = embedded_factory().url
    session = make(url)
    session.close()
    with pytest.raises(SessionClosed):
        session.fetch("build(<x:int64>[i=0:2], i)")
    assert taken(url) == 0


def test_a_forked_child_takes_its_own_slot(embedded_factory: Any, make: Any) -> None:
    url = embedded_factory().url
    session = make(url)
    session.fetch("build(<x:int64>[i=0:2], i)")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        rows = len(session.fetch("build(<x:int64>[i=0:4], i)"))
        os.write(write, f"{rows} {taken(url)}".encode())
        session.release()
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 100) == b"5 2"
    assert taken(url) == 1
    assert len(session.fetch("build(<x:int64>[i=0:2], i)")) == 3
    assert session.status().replays == 0


SCRIPT = """
import scidb_magic, signal, sys
session = scidb_magic.connect({url!r})
session.fetch("build(<x:int64>[i=0:2], i)")
print("ready", flush=True)
{end}
"""


@pytest.mark.parametrize(
    ("end", "send", "code"),
    [
        ("", None, 0),
        ("raise ValueError", None, 1),
        ("signal.pause()", signal.SIGTERM, -signal.SIGTERM),
        (f"session.fetch({LONG!r})", signal.SIGTERM, -signal.SIGTERM),
        ("signal.pause()", signal.SIGINT, -signal.SIGINT),
    ],
)
def test_a_script_that_ends_leaves_no_slot(
    embedded_factory: Any, end: str, send: signal.Signals | None, code: int
) -> None:
    url = embedded_factory().url
    command = [sys.executable, "-c", SCRIPT.format(url=url, end=end)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as script:
        assert script.stdout is not None and script.stdout.readline() == "ready\n"
        if send is not None:
            script.send_signal(send)
    assert script.returncode in (code, 130 if send == signal.SIGINT else code)
    assert taken(url) == 0


def test_an_ignored_sigterm_closes_nothing(embedded_factory: Any) -> None:
    url = embedded_factory().url
    code = "import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    end = "os.kill(os.getpid(), signal.SIGTERM); print(len(session.fetch('build(<x:int64>[i=0:2], i)')))"
    command = [sys.executable, "-c", code + SCRIPT.format(url=url, end=end)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "ready\n3\n"
    assert taken(url) == 0


def test_a_former_sigterm_handler_still_runs(embedded_factory: Any) -> None:
    url = embedded_factory().url
    code = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
    command = [sys.executable, "-c", code + SCRIPT.format(url=url, end="signal.pause()")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as script:
        assert script.stdout is not None and script.stdout.readline() == "ready\n"
        script.terminate()
    assert script.returncode == 7
    assert taken(url) == 0


def test_first_interrupt_cancels_and_keeps_the_session(embedded_factory: Any) -> None:
    url = embedded_factory().url
    end = f"""
from scidb_magic.errors import QueryInterrupted
try:
    session.fetch({LONG!r})
except QueryInterrupted as stop:
    print(stop, flush=True)
print(len(session.fetch("build(<x:int64>[i=0:2], i)")), session.status().replays, flush=True)
"""
    command = [sys.executable, "-c", SCRIPT.format(url=url, end=end)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as script:
        assert script.stdout is not None and script.stdout.readline() == "ready\n"
        while "aggregate(build" not in running_queries(url):
            pass
        script.send_signal(signal.SIGINT)
        assert "cancelled on the server" in script.stdout.readline()
        assert script.stdout.readline() == "3 0\n"
    assert taken(url) == 0


def running_queries(url: str) -> str:
    """What runs on the server now, as another session sees it."""
    with ManagedSession(*resolve({"url": url})) as other:
        return other.connection.text("list('queries')")


def test_operators_that_only_read_can_be_named(embedded: Any, make: Any) -> None:
    connection = make(embedded.url).connection
    assert connection.changes("my_op(filter(A, x > 1))")
    connection = make(embedded.url, read_operators="other_op, My_Op").connection
    assert not connection.changes("my_op(filter(A, x > 1))")
    assert connection.changes("my_op(stream(A, 'cat'))")


def test_a_statement_inside_another_is_refused(embedded_factory: Any, make: Any) -> None:
    url = embedded_factory().url
    session = make(url)
    caught: list[ScidbMagicError] = []

    def inside(line: str) -> None:
        try:
            session.fetch("build(<x:int64>[i=0:2], i)")
        except ScidbMagicError as error:
            caught.append(error)

    session.fetch("build(<x:int64>[i=0:2], i)")
    session.notify = inside
    lose(session, url)
    assert len(session.fetch("build(<x:int64>[i=0:2], i)")) == 3
    assert "runs just now" in str(caught[0])


def test_the_last_one_out_gives_the_slot_back(embedded_factory: Any, make: Any) -> None:
    url = embedded_factory().url
    session = make(url)
    inside, leave = threading.Event(), threading.Event()
    sizes: list[int] = []

    def work() -> None:
        with session:
            sizes.append(len(session.fetch("build(<x:int64>[i=0:2], i)")))
            inside.set()
            leave.wait(20)
            sizes.append(len(session.fetch("build(<x:int64>[i=0:2], i)")))

    thread = threading.Thread(target=work)
    thread.start()
    assert inside.wait(20)
    with session:
        session.fetch("build(<x:int64>[i=0:2], i)")
    assert taken(url) == 1
    leave.set()
    thread.join(20)
    assert (sizes, taken(url), session.status().replays) == ([3, 3], 0, 0)


def test_a_namespace_that_there_is_not_leaves_the_session_usable(embedded: Any, make: Any) -> None:
    session = make(embedded.url)
    with pytest.raises(QueryError, match="set_namespace"):
        session.fetch("build(<x:int64>[i=0:2], i)", namespace="elsewhere")
    assert len(session.fetch("build(<x:int64>[i=0:2], i)")) == 3


def test_a_refusing_server_is_waited_for(embedded_factory: Any, make: Any, notices: list[str]) -> None:
    first = embedded_factory()
    port = first.port
    first.stop()
    session = make(first.url, connect_wait=60)
    told = threading.Event()
    session.notify = lambda line: (notices.append(line), told.set())
    starter = threading.Thread(target=lambda: told.wait(30) and embedded_factory("--port", str(port)))
    starter.start()
    assert len(session.fetch("build(<x:int64>[i=0:2], i)")) == 3
    starter.join()
    assert len(notices) == 1 and "Trying for up to 60 s" in notices[0]


def test_a_server_that_is_not_there_is_named(make: Any, embedded_factory: Any) -> None:
    gone = embedded_factory()
    gone.stop()
    session = make(gone.url, connect_wait=0.3)
    with pytest.raises(ShimUnreachable) as caught:
        session.fetch("build(<x:int64>[i=0:2], i)")
    assert gone.url in str(caught.value)
    assert (caught.value.reason, caught.value.ran) == ("refused", False)
    assert session.status().state == "unreachable"


def test_a_closed_shared_session_is_replaced(embedded_factory: Any) -> None:
    url = embedded_factory().url
    first = api.connect(url)
    first.fetch("build(<x:int64>[i=0:2], i)")
    first.close()
    try:
        assert api.connect(url) is not first
        assert len(api.current().fetch("build(<x:int64>[i=0:2], i)")) == 3
        assert taken(url) == 1
    finally:
        api.forget()
    assert taken(url) == 0


def test_a_process_that_is_ending_takes_no_slot(embedded_factory: Any) -> None:
    url = embedded_factory().url
    end = f"""
from scidb_magic.session import lifecycle
lifecycle.closing()
try:
    scidb_magic.connect({url!r}, connect_wait=1).fetch("build(<x:int64>[i=0:2], i)")
except scidb_magic.errors.SessionClosed as error:
    print(error)
"""
    command = [sys.executable, "-c", SCRIPT.format(url=url, end=end)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "ready\nThe process is ending: no new query is taken.\n", done.stderr
    assert taken(url) == 0


def test_to_ask_for_slots_starts_no_server(make: Any) -> None:
    session = make("embedded:")
    assert session.slots() == []
    assert session.release_orphans() == (0, 0)
    assert session.connection._keeper.endpoint._client is None


def test_arrays_that_ended_with_their_server_are_told(make: Any, notices: list[str]) -> None:
    session = make("embedded:")
    session.execute("store(build(<v:int64>[i=0:1], i), A)")
    session.release()
    session.connection._keeper.endpoint.close(5)
    with pytest.raises(QueryError):
        session.fetch("scan(A)")
    assert [line for line in notices if "its arrays are gone" in line]
