"""Uploads into the arrays of a real server: modes, fits and refusals."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scidb_magic.api import ManagedSession
from scidb_magic.errors import QueryError, ShimUnreachable, UploadError
from scidb_magic.session.connection import Connection


@pytest.fixture
def session(make: Callable[..., ManagedSession], embedded: Any) -> ManagedSession:
    return make(embedded.url)


def frame(*values: int) -> pd.DataFrame:
    return pd.DataFrame({"v": values, "s": [f"<{v}>" for v in values]})


def cells(session: ManagedSession, name: str) -> list[tuple[Any, ...]]:
    return sorted(session.fetch(f"scan({name})").itertuples(index=False, name=None))


def test_a_name_that_is_taken(session: ManagedSession) -> None:
    session.upload(frame(1), "taken", mode="replace")
    for mode in ("create", "temp"):
        with pytest.raises(UploadError, match="'taken' already"):
            session.upload(frame(2), "taken", mode=mode)
    session.upload(frame(3, 4), "taken", mode="replace")
    assert cells(session, "taken") == [(0, 3, "<3>"), (1, 4, "<4>")]
    with pytest.raises(UploadError, match="create, replace, append, temp"):
        session.upload(frame(2), "taken", mode="add")


def test_rows_go_behind_the_last_one(session: ManagedSession) -> None:
    for part in (frame(1, 2), frame(), frame(3).astype(frame(1).dtypes)):
        session.upload(part.astype(frame(1).dtypes), "rows", mode="append")
    # columns are told apart by their names
    session.upload(frame(4)[["s", "v"]], "rows", mode="append")
    assert cells(session, "rows") == [(k, k + 1, f"<{k + 1}>") for k in range(4)]


def test_rows_go_behind_those_of_an_upload_that_was_made_otherwise(session: ManagedSession) -> None:
    session.upload(frame().astype(frame(1).dtypes), "late")
    session.upload(frame(5), "late", mode="append")
    session.upload(np.array([1.5]), "plain")
    session.upload(np.array([2.5, np.nan]), "plain", mode="append")
    assert cells(session, "late") == [(0, 5, "<5>")]
    assert [c[1] for c in cells(session, "plain")][:2] == [1.5, 2.5]
    session.execute("store(build(<v:int64 not null>[n=-3:-2], n), bounded)")
    with pytest.raises(UploadError, match="ends at n=-2, and 1 more rows would reach to -1"):
        session.upload(np.array([1]), "bounded", mode="append")


def test_cells_go_where_they_belong(session: ManagedSession) -> None:
    first = pd.DataFrame({"x": [0, 5], "y": [1, 2], "v": [1.0, 2.0]})
    session.upload(first, "cells", dims=["x", "y"], mode="append")
    second = pd.DataFrame({"x": [5, 900], "y": [2, 7], "v": [20.0, None]})
    session.upload(second, "cells", dims=["y", "x"], mode="append")
    got = session.fetch("scan(cells)").sort_values("x")
    assert got[["x", "y"]].to_numpy().tolist() == [[0, 1], [5, 2], [900, 7]]
    assert got["v"].fillna(-1).tolist() == [1.0, 20.0, -1]
    with pytest.raises(UploadError, match="'x' goes from -1 to -1, and there is room from 0 to"):
        session.upload(first.assign(x=[-1, -1], y=[1, 2]), "cells", dims=["x", "y"], mode="append")
    session.upload(np.array([[1, 2], [3, 4]]), "grid")
    session.upload(np.array([[9]]), "grid", mode="append")
    assert [c[2] for c in cells(session, "grid")] == [9, 2, 3, 4]


@pytest.mark.parametrize(
    ("data", "dims", "message"),
    [
        (pd.DataFrame({"v": [1]}), None, "the data have no 's'"),
        (frame(1).assign(w=1), None, "it has no attribute 'w'"),
        (frame(1).assign(v=1.5), None, "'v' is int64 there and double in the data"),
        (frame(1).astype({"v": "Int64"}), None, "'v' takes no missing value there"),
        (frame(1).assign(x=1), ["x"], "the dimensions there are i"),
    ],
)
def test_data_that_do_not_fit(session: ManagedSession, data: Any, dims: Any, message: str) -> None:
    session.upload(frame(7), "fit", mode="replace")
    with pytest.raises(UploadError, match=f"'fit': {message}"):
        session.upload(data, "fit", dims=dims, mode="append")
    assert cells(session, "fit") == [(0, 7, "<7>")]


def test_rows_do_not_go_into_a_grid(session: ManagedSession) -> None:
    session.upload(np.zeros((2, 2)), "flat", mode="replace")
    with pytest.raises(UploadError, match=r"2 dimensions; dims=\['i', 'j'\]"):
        session.upload(pd.DataFrame({"v": [1.5]}), "flat", mode="append")


def test_temporary_arrays(session: ManagedSession) -> None:
    session.upload(frame(1, 2), "brief", mode="temp")
    session.upload(np.array([[1, 2], [3, 4]]), "brief_grid", mode="temp")
    listed = session.fetch("list('arrays')").set_index("name")["temporary"]
    assert listed["brief"] and listed["brief_grid"]
    assert cells(session, "brief") == [(0, 1, "<1>"), (1, 2, "<2>")]
    assert [c[2] for c in cells(session, "brief_grid")] == [1, 2, 3, 4]


def test_new_data_are_not_lost_where_the_old_ones_are(
    session: ManagedSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.upload(frame(1), "replaced", mode="replace")
    notices: list[str] = []
    session.notify = notices.append
    execute = Connection.execute

    def broken(self: Connection, afl: str, **how: Any) -> str:
        if afl.startswith("rename"):
            raise ShimUnreachable("No answer.")
        return execute(self, afl, **how)

    with monkeypatch.context() as patch, pytest.raises(ShimUnreachable):
        patch.setattr(Connection, "execute", broken)
        session.upload(frame(2), "replaced", mode="replace")
    (rename,) = re.findall(r"rename\(.*?\)", notices[0])
    session.execute(rename)
    assert cells(session, "replaced") == [(0, 2, "<2>")]


def test_an_array_that_may_not_be_removed_stays_alone(
    session: ManagedSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.upload(frame(1), "guarded", mode="replace")
    execute = Connection.execute

    def refused(self: Connection, afl: str, **how: Any) -> str:
        if afl == "remove(guarded)":
            raise QueryError("SCIDB_LE_PERMISSION_DENIED", "No.")
        return execute(self, afl, **how)

    with monkeypatch.context() as patch, pytest.raises(QueryError):
        patch.setattr(Connection, "execute", refused)
        session.upload(frame(2), "guarded", mode="replace")
    names = session.fetch("list('arrays')")["name"]
    assert [name for name in names if name.startswith("guarded")] == ["guarded"]
