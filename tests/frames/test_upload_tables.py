"""Uploads of Arrow tables, lists of dicts, xarray objects and files: types, values and refusals."""

from __future__ import annotations

import datetime as dt
import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import xarray as xr
from pyarrow import parquet

from scidb_magic.errors import UploadError
from scidb_magic.frames import download
from scidb_magic.frames.upload import array_query, encode
from scidb_magic.wire import binary


def back(data: Any, **options: Any) -> dict[str, list[Any]]:
    """What a fetch of the uploaded rows would give, None where a value is missing."""
    upload = encode(data, **options)
    frame = download.to_dataframe(binary.decode(b"".join(upload.payload), upload.schema.attributes))
    return {
        name: [None if pd.isna(v) else v for v in frame[name].astype(object)][: upload.rows] for name in frame
    }


def types(data: Any, **options: Any) -> str:
    return ",".join(map(str, encode(data, **options).schema.attributes))


TABLE = pa.table(
    {
        "n": pa.chunked_array([[1, None], [2**62]], pa.int64()),
        "u": pa.array([2**64 - 1, 0, None], pa.uint64()),
        "f": pa.array([1.5, float("nan"), None], pa.float64()),
        "s": pa.array(["é", "", None]),
        "b": pa.array([b"\0", b"", None]),
        "t": pa.array([True, False, None]),
        "c": pa.array(["x", None, "x"]).dictionary_encode(),
        "d": pa.array([dt.date(2024, 2, 29), None, None]),
    }
)
TABLE_TYPES = "n:int64,u:uint64,f:double,s:string,b:binary,t:bool,c:string,d:datetime"


@pytest.mark.parametrize("data", [TABLE, TABLE.combine_chunks().to_batches()[0]])
def test_arrow_tables(data: Any) -> None:
    assert types(data) == TABLE_TYPES
    got = back(data)
    assert got["n"] == [1, None, 2**62]
    assert got["u"] == [2**64 - 1, 0, None]
    assert (got["s"], got["b"]) == (["é", "", None], [b"\0", b"", None])
    assert (got["t"], got["c"]) == ([True, False, None], ["x", None, "x"])
    assert got["d"] == [pd.Timestamp("2024-02-29"), None, None]


def test_arrow_arrays() -> None:
    assert back(pa.array([1, None], pa.int8())) == {"v": [1, None]}
    assert types(pa.chunked_array([["a"], ["b"]])) == "v:string"
    zoned = pa.array(
        [dt.datetime(2024, 7, 1, tzinfo=dt.timezone.utc), None], pa.timestamp("us", "Asia/Tokyo")
    )
    assert types(zoned) == "v:datetimetz"


def test_no_row_is_no_cell() -> None:
    upload = encode(TABLE[:0])
    assert upload.rows == 0
    assert types(TABLE[:0]) == TABLE_TYPES


def test_lists_of_dicts() -> None:
    rows = [{"a": 1, "s": "x"}, {"s": None, "b": True}, {"a": 2**60 + 1}]
    assert types(rows) == "a:int64,s:string,b:bool"
    assert back(rows) == {"a": [1, None, 2**60 + 1], "s": ["x", None, None], "b": [None, True, None]}


CUBE = xr.Dataset(
    {"v": (("y", "x"), [[1.5, np.nan, 3.0], [4.0, 5.0, 6.0]]), "n": (("x", "y"), np.arange(6).reshape(3, 2))},
    coords={"x": [-5, 7, 9]},
)


def test_xarray_datasets() -> None:
    assert types(CUBE) == "y:int64 NOT NULL,x:int64 NOT NULL,v:double,n:int64 NOT NULL"
    assert array_query(encode(CUBE), "f").endswith("<v:double,n:int64 NOT NULL>[y=0:1; x=-5:9])")
    assert back(CUBE) == {
        "y": [0, 0, 0, 1, 1, 1],
        "x": [-5, 7, 9, -5, 7, 9],
        "v": [1.5, None, 3.0, 4.0, 5.0, 6.0],
        "n": [0, 2, 4, 1, 3, 5],
    }
    assert array_query(encode(CUBE, dims=["x", "y"], chunks=[4, 2]), "f").endswith("[x=-5:9:0:4; y=0:1:0:2])")


def test_xarray_arrays() -> None:
    assert types(xr.DataArray([True, False], dims="k")) == "k:int64 NOT NULL,v:bool NOT NULL"
    named = xr.DataArray([["a"]], dims=("i", "j"), name="w")
    assert array_query(encode(named), "f").endswith("[i=0:0; j=0:0])")
    assert encode(xr.DataArray(np.zeros((0, 2)), dims=("i", "j"))).rows == 0


CSV = 'n,x,s,b,t,empty\n1,1.5,"a\nb",true,2024-02-29 12:00:00,\n,,,false,,\n'


def test_text_files(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(CSV)
    (tmp_path / "a.TSV").write_text(CSV.replace(",", "\t"))
    with gzip.open(tmp_path / "a.csv.gz", "wt") as file:
        file.write(CSV)
    for name in ("a.csv", "a.TSV", "a.csv.gz"):
        for source in (tmp_path / name, str(tmp_path / name)):
            assert types(source) == "n:int64,x:double,s:string,b:bool,t:datetime,empty:string", name
            got = back(source)
            assert (got["n"], got["x"], got["s"]) == ([1, None], [1.5, None], ["a\nb", ""]), name
    with (tmp_path / "a.csv").open("rb") as opened:
        assert back(opened)["n"] == [1, None]


def test_parquet_files(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(TABLE, path)
    assert types(path) == TABLE_TYPES
    with path.open("rb") as file:
        assert back(file)["n"] == [1, None, 2**62]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xlsx", b"", r"a.xlsx' does not end like .* read, \.csv, \.tsv, \.parquet"),
        ("a", b"", "does not end like"),
        ("a.csv", b"", r"a.csv' cannot be read: Empty CSV"),
        ("a.csv", b"a,b\n1,2\n3\n", r"a.csv' cannot be read: .*Expected 2 columns, got 1"),
        ("a.csv", b"a,a\n1,2\n", "Two .* 'a'"),
        ("a.csv", b"a b\n1\n", "'a b' cannot be the name"),
        ("a.csv", b"t\n2024-01-01 00:00:00\n2024-01-01 00:00:00.25\n", "'t', row 1: .*00.25.* round=True"),
        ("a.parquet", b"PAR1", "a.parquet' cannot be read"),
        ("missing.csv", None, "missing.csv' cannot be read"),
    ],
)
def test_files_that_cannot_be_sent(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UploadError, match=message):
        encode(tmp_path / name)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (object(), "not object"),
        ([], "no column"),
        ([{"a": 1}, 2], "its item 1 is 2"),
        ([{"a": 1}, {"a": "x"}], "'a', row 1: 'x'"),
        (pa.table({"l": [[1]]}), "'l': SciDB has no type for list"),
        (io.BytesIO(b"a\n1\n"), "a file without a name"),
        (xr.DataArray(1.0), "at least one"),
        (xr.Dataset({"a": ("x", [1]), "b": ("y", [1])}), r"'b' has the dimensions \('y',\)"),
        (xr.DataArray([1], dims="x", coords={"x": ["p"]}), r"Coordinate 'x' is .*U1.* drop_vars\('x'\)"),
        (xr.DataArray([1], dims="x", coords={"z": 5}), "Coordinate 'z' is no dimension"),
        (xr.DataArray([1, 2], dims="x", coords={"x": [3, 3]}), "Coordinate 'x' has 3 more than once"),
        (xr.DataArray([1], dims="a b"), "'a b' cannot be the name"),
    ],
)
def test_tables_that_cannot_be_sent(data: Any, message: str) -> None:
    with pytest.raises(UploadError, match=message):
        encode(data)


def test_dimensions_of_labelled_data_are_their_own() -> None:
    with pytest.raises(UploadError, match="dimensions of these data are y, x"):
        encode(CUBE, dims=["v"])
