"""Frames up to a real server and down again: every type, nulls, nothing, extremes, exact."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scidb_magic.api import ManagedSession
from scidb_magic.session.settings import resolve


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


@settings(
    deadline=None,
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
)
@given(frames())
def test_frames_come_back_as_they_were(session: ManagedSession, data: pd.DataFrame) -> None:
    session.upload(data, "round_trip", mode="replace")
    got = session.fetch("scan(round_trip)").sort_values("i").reset_index(drop=True)
    assert got.pop("i").tolist() == list(range(len(data)))
    got.attrs = {}
    pd.testing.assert_frame_equal(got, data, check_exact=True)
