"""``session.db``: SciDB-Py on the managed session, against the embedded server."""

from __future__ import annotations

import gc
import io
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests
import scidbpy

from scidb_magic.api import ManagedSession
from scidb_magic.errors import (
    AuthenticationFailed,
    QueryError,
    ResultTooLarge,
    ScidbMagicError,
    ShimUnreachable,
)
from scidb_magic.session.connection import Connection
from scidb_magic.shim.client import ShimClient

pytestmark = pytest.mark.filterwarnings("ignore:.*promoted for null support:UserWarning")

ROOT = Path(__file__).parents[2]
BIG = "build(<x:int64>[i=0:199999], i)"
LONG = f"aggregate(cross_join({BIG} as a, {BIG} as b), sum(a.x))"

Lose = Callable[[ManagedSession], None]
Make = Callable[..., ManagedSession]


@pytest.fixture
def db(session: ManagedSession) -> Any:
    return session.db


@pytest.fixture
def name(session: ManagedSession) -> Iterator[str]:
    """Of an array that the test may make."""
    name = f"bridge_{secrets.token_hex(4)}"
    yield name
    if name in dir(session.db.arrays):
        session.db.remove(name)


def taken(url: str) -> int:
    return (ShimClient(url).debug() or "").count("avail 0")


def test_it_is_a_scidbpy_db_and_asks_for_nothing(embedded_factory: Any, make_session: Make) -> None:
    url = embedded_factory().url
    session = make_session(url)
    db = session.db
    assert isinstance(db, scidbpy.db.DB)
    assert db is session.db
    assert (repr(db), f"scidb_url         = {url}" in str(db)) == (f"<ManagedDB on {url}>", True)
    assert not hasattr(db, "_repr_html_")
    assert (taken(url), session.status().state) == (0, "unconnected")
    assert db.build("<x:int64>[i=0:1]", "i")[:]["x"].tolist() == [0, 1]
    assert taken(url) == 1
    del db
    gc.collect()
    assert session.db.iquery_readlines("build(<x:int64>[i=0:1], i)") == ["0", "1"]
    assert taken(url) == 1


def test_store_and_fetch(db: Any, name: str) -> None:
    array = db.build("<x:int64 not null>[i=0:2]", "i * i").apply("y", "double(x) / 2").store(name)
    assert type(array) is scidbpy.Array
    expected = pd.DataFrame({"i": [0, 1, 2], "x": [0, 1, 4], "y": [0.0, 0.5, 2.0]})
    pd.testing.assert_frame_equal(array[:], expected)
    pd.testing.assert_frame_equal(getattr(db.arrays, name)[:], expected)
    pd.testing.assert_frame_equal(db.arrays[name].head(2), expected[:2])
    assert dir(array) == ["i", "x", "y"]
    assert name in dir(db.arrays)
    assert array.schema().name.partition("@")[0] == name
    assert db.aggregate(array, "sum(x) as s")[:]["s"].tolist() == [5]


def test_names_are_listed_and_completed(db: Any) -> None:
    names = dir(db)
    assert {"build", "apply", "cross_join", "iquery", "arrays", "load"} <= set(names)
    assert names == sorted(names)
    assert "cross_join" in dir(db.build("<x:int64>[i=0:1]", "i"))
    with pytest.raises(AttributeError, match="no_such_operator"):
        _ = db.no_such_operator
    with pytest.raises(AttributeError, match="no_such_operator"):
        _ = db.build("<x:int64>[i=0:1]", "i").no_such_operator
    db.load_library("limit")
    assert "limit" in db.operators


def test_every_form_of_a_result(db: Any) -> None:
    query = "apply(build(<x:int64 not null>[i=3:4], i), s, 'ä')"
    assert db.iquery(query) is None
    assert db.iquery(query, fetch=True).to_numpy().tolist() == [[3, 3, "ä"], [4, 4, "ä"]]
    assert db.iquery(query, True, atts_only=True).to_numpy().tolist() == [[3, "ä"], [4, "ä"]]
    cells = db.iquery(query, fetch=True, as_dataframe=False)
    assert cells.tolist() == [(3, 3, "ä"), (4, 4, "ä")]
    pairs = db.iquery("build(<x:int64>[i=0:1], i)", fetch=True, dataframe_promo=False)["x"]
    assert [tuple(pair) for pair in pairs] == [(255, 0), (255, 1)]
    assert db.iquery_readlines(query) == [["3", "ä"], ["4", "ä"]]
    text = "<x:int64 not null, s:string not null>[i=3:4]"
    for schema in (text, scidbpy.Schema.fromstring(text)):
        assert db.iquery(query, fetch=True, schema=schema)["x"].tolist() == [3, 4]


def test_arrow(db: Any) -> None:
    query = "apply(build(<x:int64 not null>[i=3:4], i), s, 'ä')"
    frame = db.iquery(query, fetch=True, use_arrow=True)
    assert (list(frame), frame.to_numpy().tolist()) == (["i", "x", "s"], [[3, 3, "ä"], [4, 4, "ä"]])
    assert list(db.iquery(query, fetch=True, use_arrow=True, atts_only=True)) == ["x", "s"]
    stream = db.iquery(query, fetch=True, use_arrow=True, use_arrow_stream=True)
    assert stream.schema.names == ["x", "s", "i"]
    db.use_arrow = True
    assert list(db.build("<x:int64>[i=0:1]", "i")[:]) == ["i", "x"]


def test_names_that_occur_twice(db: Any) -> None:
    one = "build(<x:int64 not null>[i=0:1], i)"
    frame = db.iquery(f"cross_join({one} as a, {one} as b)", fetch=True)
    assert list(frame) == ["i", "i_1", "x", "x_1"]
    assert frame.to_numpy().tolist() == [[0, 0, 0, 0], [0, 1, 0, 1], [1, 0, 1, 0], [1, 1, 1, 1]]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (np.arange(3, 6), [3, 4, 5]),
        (np.array(["ä", "", "b"]), ["ä", "", "b"]),
        (np.array([2.5, -1.0]), [2.5, -1.0]),
        (np.array(["2009-01-01"], "M8[ns]"), [pd.Timestamp("2009-01-01")]),
    ],
)
def test_upload(db: Any, name: str, data: Any, expected: list[Any]) -> None:
    assert db.input(upload_data=data)[:]["x"].tolist() == expected
    query = "input({sch}, '{fn}', 0, '{fmt}')"
    assert db.iquery(query, fetch=True, upload_data=data)["x"].tolist() == expected
    assert db.input(upload_data=data).store(name)[:]["x"].tolist() == expected
    assert db.load(name, upload_data=data)[:]["x"].tolist() == expected


def test_upload_of_bytes_files_and_frames(db: Any) -> None:
    query = "input(<x:int64 not null>[i], '{fn}', 0, '(int64)')"
    for data in (np.arange(2).tobytes(), io.BytesIO(np.arange(2).tobytes())):
        assert db.iquery(query, fetch=True, upload_data=data)["x"].tolist() == [0, 1]
    frame = pd.DataFrame({"x": [1, 2], "s": ["ä", "b"]})
    assert db.input(upload_data=frame)[:].to_numpy().tolist() == [[0, 1, "ä"], [1, 2, "b"]]
    with pytest.warns(UserWarning, match="fn"):
        db.iquery("build(<x:int64>[i=0:1], i)", upload_data=b"unused")


def test_errors_are_ours_and_those_that_scidbpy_raises(db: Any) -> None:
    attempts: list[Callable[[], Any]] = [
        lambda: db.iquery("scan(nope)"),
        lambda: db.arrays.nope[:],
        lambda: db.remove("nope"),
        lambda: db.iquery_readlines("scan(nope)"),
        lambda: scidbpy.iquery(db, "scan(nope)", fetch=True),
    ]
    for attempt in attempts:
        with pytest.raises(QueryError) as caught:
            attempt()
        error: Any = caught.value
        assert isinstance(error, requests.HTTPError)
        assert error.code == "SCIDB_LE_ARRAY_DOESNT_EXIST"
        assert error.response.status_code == 406
        assert "SCIDB_LE_ARRAY_DOESNT_EXIST" in error.response.text
        assert str(error) == "Query processor error. Array 'public.nope' does not exist."
    with pytest.raises(QueryError) as caught:
        db.iquery("apply(build(<x:int64>[i=0:1], i), y, nope)", fetch=True)
    error = caught.value
    assert error.position is not None
    assert error.statement[error.position :].startswith("nope")


def test_an_upload_shows_no_path_in_an_error(db: Any) -> None:
    with pytest.raises(QueryError) as caught:
        db.iquery("input(<x:int64>[i], '{fn}', 0, '(nope)')", fetch=True, upload_data=b"12345678")
    shown = str(caught.value) + caught.value.body + caught.value.statement + repr(caught.value.response)
    assert "shim_input" not in shown
    assert "/tmp" not in shown


def test_nobody_there(make_session: Make, embedded_factory: Any) -> None:
    server = embedded_factory()
    db = make_session(server.url, connect_wait=0.5).db
    server.stop()
    with pytest.raises(ShimUnreachable) as caught:
        db.iquery("list()")
    assert isinstance(caught.value, requests.ConnectionError)


def test_it_keeps_no_credential(embedded_factory: Any, make_session: Make) -> None:
    server = embedded_factory(http_auth=("ann", "ge-heim"))
    db = make_session(server.url, http_user="ann", http_password="ge-heim").db
    assert db.build("<x:int64>[i=0:1]", "i")[:]["x"].tolist() == [0, 1]
    shown = [repr(db), str(db), repr(db.arrays), repr(db.build("<x:int64>[i=0:1]", "i")), repr(tuple(db))]
    shown += [repr(value) for value in vars(db).values()]
    assert not [text for text in shown if "ge-heim" in text]
    with pytest.raises(AuthenticationFailed) as caught:
        make_session(server.url, http_user="ann", http_password="falsch").db.iquery("list()")
    assert isinstance(caught.value, requests.HTTPError)


def test_it_neither_takes_nor_releases_a_session(db: Any, session: ManagedSession) -> None:
    db.iquery("list()")
    for endpoint in (scidbpy.db.Shim.new_session, scidbpy.db.Shim.release_session):
        with pytest.raises(ScidbMagicError, match="managed session"):
            db._shim(endpoint)
    assert session.status().state == "idle"


def test_a_lost_session_is_renewed_under_it(embedded_factory: Any, make_session: Make, lose: Lose) -> None:
    url = embedded_factory().url
    session = make_session(url)
    db = session.db
    uploaded = db.input(upload_data=np.array(["ä", "b"]))
    assert uploaded[:]["x"].tolist() == ["ä", "b"]
    steps: list[Callable[[], Any]] = [
        lambda: uploaded[:]["x"].tolist(),
        lambda: uploaded.store("kept")[:]["x"].tolist(),
        lambda: scidbpy.iquery(db, "scan(kept)", fetch=True)["x"].tolist(),
        lambda: db.iquery("scan(kept)", fetch=True, use_arrow=True)["x"].tolist(),
        lambda: db.iquery_readlines("scan(kept)"),
    ]
    for number, step in enumerate(steps, start=1):
        lose(session)
        assert step() == ["ä", "b"]
        assert (session.status().replays, taken(url)) == (number, 1)
    lose(session)
    assert dir(db.arrays) == ["kept"]


def test_scidbpys_own_function_takes_it_too(db: Any) -> None:
    query = "input({sch}, '{fn}', 0, '{fmt}')"
    frame = scidbpy.iquery(db, query, fetch=True, upload_data=np.arange(2))
    assert frame.to_numpy().tolist() == [[0, 0], [1, 1]]
    assert scidbpy.iquery(db, "build(<x:int64>[i=0:1], i)") is None


def test_many_threads_share_one_slot(embedded_factory: Any, make_session: Make) -> None:
    url = embedded_factory().url
    db = make_session(url).db
    wrong: list[Any] = []
    start = threading.Barrier(6)

    def work(number: int) -> None:
        start.wait()
        for round_ in range(4):
            data = np.arange(5) + 100 * number + round_
            ask = scidbpy.iquery if round_ % 2 else type(db).iquery
            got = ask(db, "input({sch}, '{fn}', 0, '{fmt}')", fetch=True, upload_data=data)["x"].tolist()
            if got != data.tolist():
                wrong.append((number, round_, got))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert taken(url) == 1


def test_temporary_arrays_go_with_their_object(db: Any, name: str) -> None:
    array = db.build("<x:int64>[i=0:1]", "i").store()
    kept = db.build("<x:int64>[i=0:1]", "i").store(gc=False)
    named = db.build("<x:int64>[i=0:1]", "i").store(name, gc=True)
    names = [str(array), str(kept), str(named)]
    assert set(names) <= set(dir(db.arrays))
    del array, named
    assert [there in dir(db.arrays) for there in names] == [False, True, False]
    db.remove(kept)
    temporary = db.build("<x:int64>[i=0:1]", "i").store(name, temp=True)
    assert temporary[:]["x"].tolist() == [0, 1]


def test_collecting_an_array_waits_for_no_query(
    session: ManagedSession, wait_until: Callable[..., bool]
) -> None:
    db = session.db
    array = db.build("<x:int64>[i=0:1]", "i").store()
    name = str(array)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            db.iquery(LONG, fetch=True)
        except QueryError as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert wait_until(lambda: session.connection.busy)
    del array
    assert thread.is_alive()
    assert wait_until(lambda: session.cancel() or not thread.is_alive())
    thread.join(30)
    assert not thread.is_alive()
    assert [error.code for error in failed] == ["SCIDB_LE_QUERY_CANCELLED"]
    assert name not in dir(db.arrays)


@pytest.mark.parametrize(
    ("ending", "left"),
    [
        ("", []),
        ("sys.exit(3)", []),
        ("1 / 0", []),
        ("session.close()", []),
        ("kept = db.build('<x:int64>[i=0:1]', 'i').store('stays')", ["stays"]),
    ],
)
def test_the_end_of_the_process_removes_them(
    embedded_factory: Any, make_session: Make, ending: str, left: list[str]
) -> None:
    url = embedded_factory().url
    code = f"""
import sys
import scidb_magic
session = scidb_magic.connect({url!r})
db = session.db
array = db.build('<x:int64>[i=0:1]', 'i').store()
assert dir(db.arrays) == [str(array)]
{ending}
"""
    ran = run_script(code)
    assert ("Error" in ran) == (ending == "1 / 0"), ran
    assert taken(url) == 0
    assert dir(make_session(url).db.arrays) == left


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_leaves_its_parents_arrays(embedded_factory: Any) -> None:
    code = f"""
import os, sys, warnings
import scidb_magic
warnings.simplefilter("ignore")
db = scidb_magic.connect({embedded_factory().url!r}).db
array = db.build('<x:int64>[i=0:1]', 'i').store()
child = os.fork()
if child == 0:
    own = db.build('<x:int64>[i=0:1]', 'i').store()
    names = dir(db.arrays)
    del array
    assert dir(db.arrays) == names and len(names) == 2
    sys.exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert dir(db.arrays) == [str(array)]
assert array[:]["x"].tolist() == [0, 1]
print("both")
"""
    assert run_script(code).strip().endswith("both")


def run_script(code: str) -> str:
    """Both outputs of a process."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_namespaces_are_the_dbs_own(db: Any, session: ManagedSession) -> None:
    db.iquery("set_namespace('elsewhere')")
    assert db.namespace == "elsewhere"
    assert session.status().namespace is None
    with pytest.raises(QueryError):
        # the embedded server, like SciDB's Community Edition, has one namespace
        db.iquery("list()")
    db.iquery("set_namespace('public')")
    assert db.build("<x:int64>[i=0:1]", "i")[:]["x"].tolist() == [0, 1]


def test_comments_and_semicolons_do_no_harm(db: Any) -> None:
    assert db.iquery("-- a look\nbuild(<x:int64>[i=0:1], i); -- done", fetch=True)["x"].tolist() == [0, 1]
    with pytest.raises(ScidbMagicError, match="One AFL statement"):
        db.iquery("list(); list()")


def test_its_namespace_is_the_sessions_until_it_is_set(db: Any) -> None:
    connection = db._connection
    former = connection.settings
    connection.adopt(replace(former, namespace="ns1"))
    assert db.namespace == "ns1"
    connection.adopt(former)
    assert db.namespace is None


def test_a_text_result_over_the_limit_is_refused(db: Any) -> None:
    connection = db._connection
    former = connection.settings
    connection.adopt(replace(former, max_result_bytes=100_000))
    try:
        with pytest.raises(ResultTooLarge):
            db.iquery_readlines("build(<v:int64>[i=0:999999], i)")
        assert db.iquery_readlines("build(<v:int64>[i=0:1], i)") == ["0", "1"]
    finally:
        connection.adopt(former)


def test_an_array_that_could_not_be_removed_is_removed_later(
    db: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = db.build("<v:int64>[i=0:1]", "i").store()
    name = str(array)
    execute = Connection.execute

    def broken(self: Connection, afl: str, **how: Any) -> str:
        if afl.startswith("remove"):
            raise ShimUnreachable("No answer.")
        return execute(self, afl, **how)

    del array
    gc.collect()
    with monkeypatch.context() as patch:
        patch.setattr(Connection, "execute", broken)
        assert name in db.iquery_readlines("project(list('arrays'), name)")
    assert name not in db.iquery_readlines("project(list('arrays'), name)")
