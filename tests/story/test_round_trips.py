"""Frames up to a real server and down again: every type, nulls, nothing, extremes, exact."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scidb_magic.api import ManagedSession
from scidb_magic.session.layers import resolve


def _integers(dtype: str) -> st.SearchStrategy[int]:
    bounds = np.iinfo(dtype.lower())
    return st.integers(int(bounds.min), int(bounds.max))


CELLS: dict[str, st.SearchStrategy[Any]] = {
    **{
        name: _integers(name)
        for name in ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")
    },
    "boolean": st.booleans(),
    "float32": st.floats(width=32, allow_nan=False),
    "float64": st.floats(allow_nan=False),
    "string": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    "datetime64[s]": st.integers(-(2**40), 2**40).map(lambda n: np.datetime64(n, "s")),
}


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.integers(0, 6))
    kinds = draw(st.lists(st.sampled_from(list(CELLS)), min_size=1, max_size=5))
    columns = {}
    for k, kind in enumerate(kinds):
        values = draw(st.lists(st.none() | CELLS[kind], min_size=rows, max_size=rows))
        dtype: Any = pd.StringDtype("pyarrow") if kind == "string" else kind
        columns[f"c{k}"] = pd.Series(values, dtype=dtype)
    return pd.DataFrame(columns)


@pytest.fixture(scope="module")
def session(embedded: Any) -> Iterator[ManagedSession]:
    with ManagedSession(*resolve({"url": embedded.url})) as session:
        yield session
        session.close()


QUICK = settings(
    deadline=None,
    max_examples=40,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    database=None,
)
FORMATS = pytest.mark.parametrize("format", ["binary", "auto"])
"""The server that comes along saves Arrow, so ``auto`` is Arrow but for datetimetz."""


@FORMATS
@QUICK
@given(data=frames())
def test_frames_come_back_as_they_were(session: ManagedSession, format: str, data: pd.DataFrame) -> None:
    session.upload(data, "round_trip", mode="replace")
    got = session.fetch("scan(round_trip)", order=True, format=format)
    assert got.pop("i").tolist() == list(range(len(data)))
    got.attrs = {}
    pd.testing.assert_frame_equal(got, data, check_exact=True)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300)
ARROW: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    **{
        f"{sign}int{bits}": (getattr(pa, f"{sign}int{bits}")(), _integers(f"{sign}int{bits}"))
        for sign in ("", "u")
        for bits in (8, 16, 32, 64)
    },
    "bool": (pa.bool_(), st.booleans()),
    "float": (pa.float32(), st.floats(width=32)),
    "double": (pa.float64(), st.floats()),
    "string": (pa.large_string(), TEXT),
    "binary": (pa.large_binary(), st.binary(max_size=300)),
    "datetime": (pa.timestamp("s"), st.integers(-(2**40), 2**40)),
    "datetimetz": (pa.timestamp("s", tz="UTC"), st.integers(-(2**40), 2**40)),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(0, 6))
    kinds = draw(st.lists(st.sampled_from(list(ARROW)), min_size=1, max_size=5))
    columns = {}
    for k, kind in enumerate(kinds):
        type_, cells = ARROW[kind]
        columns[f"c{k}"] = pa.array(
            draw(st.lists(st.none() | cells, min_size=rows, max_size=rows)), type_, from_pandas=False
        )
    return pa.table(columns)


def same(one: Any, other: Any) -> bool:
    """Equal, of one sign, and NaN is NaN."""
    if isinstance(one, float) and isinstance(other, float):
        return repr(one) == repr(other)
    return type(one) is type(other) and bool(one == other)


def plain(column: pa.ChunkedArray) -> list[Any]:
    """Python's values; of times the seconds, in UTC."""
    if pa.types.is_struct(column.type):
        time, offset = (pc.struct_field(column, name).cast(pa.int64()) for name in ("time", "offset"))
        return pc.if_else(column.is_null(), None, pc.subtract(time, offset)).to_pylist()
    return (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()


@FORMATS
@QUICK
@given(data=tables())
def test_arrow_tables_come_back_as_they_were(session: ManagedSession, format: str, data: pa.Table) -> None:
    session.upload(data, "round_trip", mode="replace")
    got = session.fetch("scan(round_trip)", "arrow", order=True, format=format)
    assert got.column_names == ["i", *data.column_names]
    for name in data.column_names:
        sent, came = plain(data[name]), plain(got[name])
        assert len(sent) == len(came) and all(map(same, sent, came)), (name, data[name].type)


@FORMATS
@pytest.mark.parametrize("kind", ["i1", "u2", "i4", "i8", "u8", "f4", "f8", "?", "M8[s]"])
def test_grids_come_back_as_they_were(session: ManagedSession, format: str, kind: str) -> None:
    """Not null: no value of them is missing, NaN is one."""
    chance = np.random.default_rng(7)
    raw = chance.integers(0, 256, 4 * 3 * 2 * np.dtype(kind).itemsize, np.uint8)
    grid = (raw % 2 == 0).reshape(4, 3, 2) if kind == "?" else raw.view(kind).reshape(4, 3, 2)
    if kind == "M8[s]":
        grid = (grid.view("i8") % 2**40).view(kind)
    if kind == "f8":
        grid[0, 0] = [np.nan, -0.0]
        grid[1, 1] = [np.inf, -np.inf]
    session.upload(grid, "round_trip", mode="replace")
    back = session.fetch("scan(round_trip)", "xarray", format=format)
    assert dict(back.sizes) == {"i": 4, "j": 3, "k": 2}
    assert back["v"].dtype == grid.dtype
    assert back["v"].to_numpy().tobytes() == grid.tobytes()


@FORMATS
def test_datasets_come_back_as_they_were(session: ManagedSession, format: str) -> None:
    sent = xr.Dataset(
        {"t": (("y", "x"), [[1.5, np.nan], [-0.0, 4.0]]), "n": (("y", "x"), [[2**62, -1], [0, 7]])},
        coords={"y": [10, 20], "x": [-3, 5]},
    )
    session.upload(sent, "round_trip", mode="replace")
    back = session.fetch("scan(round_trip)", "xarray", format=format)
    picked = back.sel(y=[10, 20], x=[-3, 5])
    for name in sent.data_vars:
        np.testing.assert_array_equal(picked[name].to_numpy(), sent[name].to_numpy())
