"""Columns as DataFrame, Arrow table and structured array: exact values and types."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from scidb_magic.errors import SettingError
from scidb_magic.frames import download
from scidb_magic.wire.columns import Column

CODES = np.array([-1, 0, 34], np.int8)
ZONED = [("time", "<i8"), ("offset", "<i8")]
INTEGERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
MOMENTS = np.array([(1234567890, 19800), (0, -28800), (0, 0)], ZONED)


def strings(*values: str | bytes | None, binary: bool = False) -> Any:
    return pa.array(values, pa.large_binary() if binary else pa.large_string())


def frame(*columns: Column, missing: str | None = None) -> pd.DataFrame:
    return download.to_dataframe(columns, missing=missing)


@pytest.mark.parametrize("type_", INTEGERS)
def test_integers_are_exact(type_: str) -> None:
    info = np.iinfo(type_)
    values = np.array([info.min, info.max, 0], type_)
    plain = frame(Column("v", type_, values))["v"]
    assert plain.dtype == type_
    assert plain.tolist() == [info.min, info.max, 0]
    nullable = frame(Column("v", type_, values, CODES[[0, 0, 1]]))["v"]
    assert str(nullable.dtype) == type_.replace("i", "I").replace("u", "U")
    assert nullable.tolist() == [info.min, info.max, pd.NA]


def test_no_integer_passes_through_a_float() -> None:
    odd = 2**53 + 1
    column = Column("v", "int64", np.array([odd, 0], np.int64), CODES[:2])
    assert frame(column)["v"][0] == odd
    assert download.to_arrow([column])["v"].to_pylist() == [odd, None]
    assert download.to_numpy([column])["v"].tolist() == [odd, None]


def test_booleans() -> None:
    values = np.array([True, False, False])
    assert frame(Column("v", "bool", values))["v"].dtype == "bool"
    nullable = frame(Column("v", "bool", values, CODES))["v"]
    assert nullable.dtype == "boolean"
    assert nullable.tolist() == [True, pd.NA, pd.NA]


@pytest.mark.parametrize(("type_", "dtype"), [("float", "float32"), ("double", "float64")])
def test_floats_have_nan_for_missing(type_: str, dtype: str) -> None:
    values = np.array([0.1, 0, -np.inf], dtype)
    column = Column("v", type_, values, np.array([-1, 0, -1], np.int8))
    got = frame(column)["v"]
    assert got.dtype == dtype
    np.testing.assert_array_equal(got.to_numpy(), np.array([0.1, np.nan, -np.inf], dtype))
    assert values[1] == 0, "the column itself is not written to"
    assert frame(Column("v", type_, values))["v"].dtype == dtype


def test_strings_and_letters() -> None:
    for column in (
        Column("v", "string", strings("é", None, ""), np.array([-1, 7, -1], np.int8)),
        Column("v", "char", np.array([65, 0, 0], np.uint8), np.array([-1, 7, -1], np.int8)),
    ):
        got = frame(column)["v"]
        assert got.dtype == pd.StringDtype("pyarrow")
        assert got[1] is pd.NA
        assert got[0] == {"string": "é", "char": "A"}[column.type]
        assert got[2] == {"string": "", "char": "\0"}[column.type]


def test_strings_that_are_not_utf8() -> None:
    column = Column(
        "v", "string", strings(b"\xff!", b"ok", None, binary=True), np.array([-1, -1, 0], np.int8)
    )
    got = frame(column)["v"]
    assert got.dtype == object
    assert got[0].encode(errors="surrogateescape") == b"\xff!"
    assert got[1:].tolist() == ["ok", None]
    assert download.to_arrow([column])["v"].to_pylist() == [b"\xff!", b"ok", None]
    assert download.to_numpy([column])["v"][0].encode(errors="surrogateescape") == b"\xff!"
    letters = Column("c", "char", np.array([233, 65], np.uint8))
    assert frame(letters)["c"].tolist() == ["\udce9", "A"]
    assert download.to_numpy([letters])["c"].tolist() == ["\udce9", "A"]


def test_times() -> None:
    values = np.array(["2009-02-13T23:31:30", 0, "9999-12-31T23:59:59"], "M8[s]")
    got = frame(Column("t", "datetime", values, np.array([-1, 3, -1], np.int8)))["t"]
    assert got.dtype == "datetime64[s]"
    assert [str(v) for v in got] == ["2009-02-13 23:31:30", "NaT", "9999-12-31 23:59:59"]
    assert frame(Column("t", "datetime", values))["t"].dtype == "datetime64[s]"


def test_zoned_times_are_moments_in_pandas_and_pairs_in_arrow() -> None:
    column = Column("z", "datetimetz", MOMENTS, np.array([-1, -1, 0], np.int8))
    got = frame(column)["z"]
    assert str(got.dtype) == "datetime64[s, UTC]"
    # 23:31:30 +05:30 and 00:00:00 -08:00
    assert [str(v) for v in got] == ["2009-02-13 18:01:30+00:00", "1970-01-01 08:00:00+00:00", "NaT"]
    table = download.to_arrow([column])
    first = table["z"][0].as_py()
    assert str(first["time"]) == "2009-02-13 23:31:30"
    assert first["offset"].total_seconds() == 19800
    assert table["z"][2].as_py() is None
    array = download.to_numpy([column])
    assert array["z"]["offset"][0] == np.timedelta64(19800, "s")


def test_bytes() -> None:
    column = Column("b", "binary", strings(b"\0\xff", None, binary=True), CODES[:2])
    got = frame(column)["b"]
    assert (got.dtype, got.tolist()) == (object, [b"\0\xff", None])
    assert download.to_arrow([column])["b"].type == pa.large_binary()


def test_missing_reasons_stand_behind_their_columns() -> None:
    columns = [
        Column("i", "int64", np.arange(3)),
        Column("a", "int8", np.zeros(3, np.int8), CODES),
        Column("a_missing", "double", np.zeros(3)),
        Column("s", "string", strings("x", None, None), CODES),
    ]
    got = frame(*columns, missing="codes")
    assert got.columns.tolist() == ["i", "a", "a_missing_1", "a_missing", "s", "s_missing"]
    assert got["a_missing_1"].dtype == "int8"
    assert got["a_missing_1"].tolist() == got["s_missing"].tolist() == [-1, 0, 34]
    table = download.to_arrow(columns, missing="codes")
    assert table.schema.names == got.columns.tolist()
    assert table["s_missing"].to_pylist() == [-1, 0, 34]
    assert frame(*columns).columns.tolist() == ["i", "a", "a_missing", "s"]
    with pytest.raises(SettingError, match="codes"):
        frame(*columns, missing="reasons")


def test_names_twice() -> None:
    columns = [Column("v", "int64", np.array([k])) for k in range(3)]
    assert frame(*columns).iloc[0].to_dict() == {"v": 0, "v_1": 1, "v_2": 2}
    assert download.to_arrow(columns).schema.names == ["v", "v_1", "v_2"]
    assert download.to_numpy(columns).dtype.names == ("v", "v_1", "v_2")


def test_arrow_says_what_may_be_null() -> None:
    table = download.to_arrow(
        [Column("i", "int64", np.arange(1)), Column("v", "int64", np.arange(1), CODES[:1])]
    )
    assert [field.nullable for field in table.schema] == [False, True]


def test_numpy_is_structured_and_masked_where_nullable() -> None:
    plain = download.to_numpy(
        [Column("i", "int64", np.arange(3)), Column("s", "string", strings("a", "b", "c"))]
    )
    assert not isinstance(plain, np.ma.MaskedArray)
    assert plain.shape == (3,)
    assert plain.tolist() == [(0, "a"), (1, "b"), (2, "c")]
    masked: Any = download.to_numpy(
        [Column("i", "int64", np.arange(3)), Column("v", "float", np.arange(3, dtype="f4"), CODES)]
    )
    assert masked.tolist() == [(0, 0.0), (1, None), (2, None)]
    assert masked.dtype == [("i", "<i8"), ("v", "<f4")]


def test_frames_are_the_users_to_write_into() -> None:
    """Columns may look into bytes that came from the network."""
    read_only = np.frombuffer(bytes(24), np.int64)
    flags = np.frombuffer(bytes(3), bool)
    got = frame(
        Column("a", "int64", read_only),
        Column("b", "int64", read_only, CODES),
        Column("c", "bool", flags, CODES),
        Column("d", "double", read_only.view("f8")),
    )
    for name in got:
        value = True if name == "c" else 1
        got.loc[0, name] = value
        assert got.loc[0, name] == value


def test_empty_results_keep_their_types() -> None:
    columns = [
        Column("a", "int64", np.zeros(0, np.int64), np.zeros(0, np.int8)),
        Column("s", "string", strings()),
        Column("t", "datetime", np.zeros(0, "M8[s]")),
    ]
    got = frame(*columns)
    assert got.shape == (0, 3)
    assert [str(t) for t in got.dtypes] == ["Int64", "string", "datetime64[s]"]
    assert download.to_arrow(columns).num_rows == 0
    assert download.to_numpy(columns).shape == (0,)
    assert frame().shape == (0, 0)
