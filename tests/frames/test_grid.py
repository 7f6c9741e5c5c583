"""Columns as an xarray Dataset over the bounding box of their cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import xarray as xr

from scidb_magic.errors import ResultTooLarge
from scidb_magic.frames import grid
from scidb_magic.wire.columns import Column
from scidb_magic.wire.schema import Schema

SCHEMA = Schema.parse("A<v:int64>[x;y]")


def columns(x: list[int], y: list[int], *attributes: Column) -> list[Column]:
    return [
        Column("x", "int64", np.array(x, np.int64)),
        Column("y", "int64", np.array(y, np.int64)),
        *attributes,
    ]


def test_a_dense_result_in_any_order_of_cells() -> None:
    image = np.arange(12, dtype=np.int32).reshape(3, 4)
    x, y = np.indices(image.shape)
    order = np.random.default_rng(1).permutation(12)
    got = grid.to_xarray(
        columns(
            (x.ravel()[order] - 5).tolist(),
            (y.ravel()[order] + 7).tolist(),
            Column("v", "int32", image.ravel()[order]),
        ),
        SCHEMA,
    )
    assert isinstance(got, xr.Dataset)
    assert got["v"].dims == ("x", "y")
    assert got["v"].dtype == np.int32
    assert got.x.values.tolist() == [-5, -4, -3]
    np.testing.assert_array_equal(got["v"].values, image)
    assert got["v"].sel(x=-4, y=8).item() == 5
    assert got.attrs == {"scidb_schema": str(SCHEMA)}


def test_holes() -> None:
    schema = Schema.parse("<n:int64,big:int64 not null,f:float,t:datetime,s:string,b:bool>[x;y]")
    got = grid.to_xarray(
        columns(
            [0, 1],
            [0, 1],
            Column("n", "int64", np.array([1, 0]), np.array([-1, 0], np.int8)),
            Column("big", "int64", np.array([2**53 + 1, 2])),
            Column("f", "float", np.array([1.5, 2.5], np.float32)),
            Column("t", "datetime", np.array([1, 2], "M8[s]")),
            Column("s", "string", pa.array(["a", "b"], pa.large_string())),
            Column("b", "bool", np.array([True, False])),
        ),
        schema,
    )
    np.testing.assert_array_equal(got["n"].values, [[1, np.nan], [np.nan, np.nan]])
    big: Any = got["big"].values
    assert big.dtype == object
    assert big[0, 0] == 2**53 + 1
    assert got["f"].dtype == np.float32
    assert np.isnan(got["f"].values[0, 1])
    assert np.isnat(got["t"].values[0, 1])
    assert got["s"].values[1, 1] == "b"
    assert got["b"].values[0, 0] is True
    assert got["s"].isnull().values.tolist() == [[False, True], [True, False]]


def test_moments_are_utc() -> None:
    zoned = np.array([(3600, 3600)], [("time", "<i8"), ("offset", "<i8")])
    got = grid.to_xarray(
        [Column("x", "int64", np.array([4])), Column("z", "datetimetz", zoned)],
        Schema.parse("<z:datetimetz>[x]"),
    )
    assert got["z"].values.astype("M8[s]").tolist() == [np.datetime64(0, "s").item()]


def test_too_sparse() -> None:
    far = columns([0, 10**12], [3, 4], Column("v", "int64", np.zeros(2, np.int64)))
    with pytest.raises(ResultTooLarge, match=r"\[x=0:1000000000000, y=3:4\]") as caught:
        grid.to_xarray(far, SCHEMA)
    assert caught.value.size == 2 * (10**12 + 1)
    widest = columns([-(2**62) + 1, 2**62 - 1], [0, 0], Column("v", "int64", np.zeros(2, np.int64)))
    with pytest.raises(ResultTooLarge):
        grid.to_xarray(widest, SCHEMA)


def test_no_cells() -> None:
    got = grid.to_xarray(columns([], [], Column("v", "int64", np.zeros(0, np.int64))), SCHEMA)
    assert got["v"].shape == (0, 0)


def test_no_dimensions() -> None:
    got = grid.to_xarray([Column("row", "int64", np.array([5, 6]))], Schema.parse("<row:int64>"))
    assert got["row"].dims == ("row_1",)
    assert got["row"].values.tolist() == [5, 6]
