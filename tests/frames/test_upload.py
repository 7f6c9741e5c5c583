"""Uploads: exact values and types, refused values by name, and the AFL around them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scidb_magic.errors import UploadError
from scidb_magic.frames import download
from scidb_magic.frames.upload import Upload, array_query, encode, load_statement
from scidb_magic.wire import binary
from scidb_magic.wire.columns import Column

INTEGERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]


def columns(upload: Upload) -> list[Column]:
    return binary.decode(b"".join(upload.payload), upload.schema.attributes)


def back(data: Any, **options: Any) -> pd.DataFrame:
    """What a fetch of the uploaded rows would give."""
    return download.to_dataframe(columns(encode(data, **options)))


def types(data: Any, **options: Any) -> str:
    """The attributes, as SciDB spells them."""
    return ",".join(map(str, encode(data, **options).schema.attributes))


def series(values: Any, dtype: Any = None) -> pd.DataFrame:
    return pd.DataFrame({"v": pd.Series(values, dtype=dtype)})


@pytest.mark.parametrize("dtype", [*INTEGERS, "bool", "float32", "float64"])
def test_numpy_types_come_back_as_they_were(dtype: str) -> None:
    extremes = {"f": [0.1, -np.inf, 1e30], "b": [True, False, True]}
    kind = np.dtype(dtype).kind
    values = extremes.get(kind) or [np.iinfo(dtype).min, np.iinfo(dtype).max, 1]
    data = series(np.array(values, dtype))
    pd.testing.assert_frame_equal(back(data), data)


@pytest.mark.parametrize(
    "dtype", [name.replace("i", "I").replace("u", "U") for name in INTEGERS] + ["boolean"]
)
def test_pandas_nullable_types_come_back_as_they_were(dtype: str) -> None:
    values = [True, None, False] if dtype == "boolean" else [np.iinfo(dtype.lower()).max, None, 0]
    data = series(values, dtype)
    assert types(data).endswith(dtype.lower().replace("boolean", "bool"))
    pd.testing.assert_frame_equal(back(data), data)
    pd.testing.assert_frame_equal(back(data[:1]), data[:1])


@pytest.mark.parametrize(
    ("values", "dtype", "attribute"),
    [
        (["a", None, "é\n'", ""], object, "v:string"),
        (["a", None, "é\n'", ""], "string", "v:string"),
        (["a", None, "é\n'", ""], pd.StringDtype("python"), "v:string"),
        (["a", None, "é\n'", ""], pd.StringDtype("pyarrow"), "v:string"),
        (["a", None, "é\n'", ""], "category", "v:string"),
        ([None, None], object, "v:string"),
        ([b"a\0", None, b""], object, "v:binary"),
        ([True, None, False], object, "v:bool"),
        ([1, None, -(2**63)], object, "v:int64"),
        ([2**64 - 1, None, 0], object, "v:uint64"),
        ([1.5, None, 2], object, "v:double"),
        ([5, None, 7], "category", "v:int64"),
        ([1.5, None], "Float32", "v:float"),
        ([1, None], "Int64", "v:int64"),
    ],
)
def test_types_of_objects_and_extensions(values: list[Any], dtype: Any, attribute: str) -> None:
    data = series(values, dtype)
    assert types(data) == attribute
    got = [None if pd.isna(v) else v for v in back(data)["v"]]
    assert got == values


@pytest.mark.parametrize(
    ("arrow_type", "values", "attribute"),
    [
        ("int8[pyarrow]", [1, None], "v:int8"),
        ("uint64[pyarrow]", [2**64 - 1, None], "v:uint64"),
        ("float[pyarrow]", [1.5, None], "v:float"),
        ("double[pyarrow]", [1.5, None], "v:double"),
        ("bool[pyarrow]", [True, None], "v:bool"),
        ("string[pyarrow]", ["a", None], "v:string"),
        ("binary[pyarrow]", [b"a", None], "v:binary"),
    ],
)
def test_arrow_backed_columns(arrow_type: str, values: list[Any], attribute: str) -> None:
    data = series(values, arrow_type)
    assert types(data) == attribute
    assert [None if pd.isna(v) else v for v in back(data)["v"]] == values


def test_nullability_hangs_on_the_type_alone() -> None:
    assert types(series([1.5])) == "v:double"
    assert types(series([1])) == "v:int64 NOT NULL"
    assert types(series(["a"])) == "v:string"
    assert types(np.array(["a"])) == "v:string NOT NULL"
    assert types(np.array([1.5])) == "v:double NOT NULL"
    assert types(np.array([b"a"])) == "v:binary NOT NULL"


def test_nan_is_missing_to_pandas_and_a_number_to_numpy() -> None:
    codes = columns(encode(series([1.0, np.nan])))[0].codes
    assert codes is not None
    assert codes.tolist() == [-1, 0]
    assert np.isnan(back(np.array([1.0, np.nan]))["v"][1])


@pytest.mark.parametrize("unit", ["D", "h", "m", "s", "ms", "us", "ns"])
def test_times_of_any_unit(unit: str) -> None:
    values = np.array(["1969-12-31", "2024-02-29", "NaT"], f"M8[{unit}]")
    for data in (values, series(values)):
        got = back(data)["v"]
        assert got.dtype == "datetime64[s]"
        assert [str(v) for v in got] == ["1969-12-31 00:00:00", "2024-02-29 00:00:00", "NaT"]


def test_times_as_objects() -> None:
    first = dt.datetime(2024, 2, 29, 12, 30, 1)
    assert back(series([first, None], object))["v"][0] == first
    assert str(back(series([dt.date(1, 1, 1), None], object))["v"][0]) == "0001-01-01 00:00:00"
    arrow_dates = series([dt.date(2024, 2, 29), None], "date32[pyarrow]")
    assert str(back(arrow_dates)["v"][0]) == "2024-02-29 00:00:00"


def test_fractions_of_a_second() -> None:
    values = np.array([0, 1_500, -1, 2_499, -1_500], "i8").view("M8[ms]")
    with pytest.raises(UploadError, match=r"'v', row 1: 1970-01-01T00:00:01.500 .* round=True"):
        encode(series(values))
    seconds = columns(encode(values, round=True))[0].values
    assert isinstance(seconds, np.ndarray)
    assert seconds.view("i8").tolist() == [0, 2, 0, 2, -1]


def test_zoned_times() -> None:
    local = ["2024-01-01 00:00:00", "2024-07-01 00:00:00"]
    zoned = pd.to_datetime(pd.Series([*local, None])).dt.tz_localize("Europe/Paris")
    for data in (
        series(zoned),
        series(zoned.astype(object)),
        series(zoned.astype("timestamp[us, tz=Europe/Paris][pyarrow]")),
    ):
        assert types(data) == "v:datetimetz"
        column = columns(encode(data))[0]
        seconds: Any = column.values
        assert seconds["offset"].tolist() == [3600, 7200, 0]
        assert seconds["time"].view("M8[s]").astype(str).tolist()[:2] == [t.replace(" ", "T") for t in local]
        assert column.codes is not None and column.codes.tolist() == [-1, -1, 0]
    assert (back(series(zoned))["v"][:2] == zoned[:2]).all()
    # what to_numpy gives goes up as it came down
    array = download.to_numpy(columns(encode(series(zoned))))
    again: Any = columns(encode(array))[0].values
    assert again.tolist() == columns(encode(series(zoned)))[0].values.tolist()


def test_strings_that_are_not_utf8_go_back_as_they_came() -> None:
    text = b"\xff!".decode(errors="surrogateescape")
    for dtype in (object, pd.StringDtype("python")):
        assert columns(encode(series([text, None, "é"], dtype)))[0].values.to_pylist() == [
            b"\xff!",
            None,
            "é".encode(),
        ]


def test_masked_arrays() -> None:
    plain = np.ma.MaskedArray([1, 2], [False, True])
    assert types(plain) == "v:int64"
    assert back(plain)["v"].tolist() == [1, pd.NA]
    fields = np.ma.MaskedArray(
        np.array([(1, "ab", "o"), (2, "c", "p")], [("n", "i4"), ("s", "U3"), ("o", "O")]),
        [(True, False, False), (False, True, True)],
    )
    assert types(fields) == "n:int32,s:string,o:string"
    got = back(fields)
    assert got["n"].tolist() == [pd.NA, 2]
    assert got["s"].tolist() == ["ab", pd.NA]
    assert got["o"].tolist() == ["o", pd.NA]


def test_other_byte_orders_and_strides() -> None:
    assert back(np.array([1, 2], ">i4"))["v"].tolist() == [1, 2]
    assert back(np.array(["a", "é"], ">U2"))["v"].tolist() == ["a", "é"]
    assert back(np.arange(6)[::-2])["v"].tolist() == [5, 3, 1]
    assert back(np.arange(4, dtype="f2"))["v"].dtype == "float32"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([1, 2], "its item 0 is 1"),
        (np.array(1), "without an axis"),
        (pd.DataFrame(), "no column"),
        (pd.DataFrame({"a b": [1]}), "'a b' cannot be the name"),
        (pd.DataFrame({"1a": [1]}), "'1a' cannot be the name"),
        (pd.DataFrame({"Null": [1]}), "'Null' cannot be the name"),
        (pd.DataFrame({7: [1]}), "int64 7 cannot be the name"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "Two .* 'a'"),
        (pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])), "several levels"),
        (pd.DataFrame({"a": [1]}, index=pd.Index([5], name="a")), "Two .* 'a'"),
        (series([1, "x", 2], object), "'v', row 1: 'x'"),
        (series(["x", b"y"], object), "'v', row 1: b'y'"),
        (series([2**64], object), "'v', row 0: 18446744073709551616"),
        (series([-1, 2**63], object), "'v', row 1: 9223372036854775808"),
        (series([1j]), "'v': SciDB has no type for complex128"),
        (series(pd.to_timedelta([1])), "'v': SciDB has no type for timedelta64"),
        (series(pd.period_range("2024", periods=1)), r"'v', row 0: Period"),
        (series(pd.interval_range(0, 2)), r"'v', row 0: Interval"),
        (series([dt.timedelta(1)], object), "'v', row 0: datetime.timedelta"),
        (
            series([dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc)], object),
            "'v': these",
        ),
        (series([[1]], pd.ArrowDtype(pa.list_(pa.int64()))), "'v': SciDB has no type for list"),
        (np.zeros(1, [("a", "i4", (2,))]), "'a'"),
        (np.zeros((2, 2), [("i", "i4")]), "Two .* 'i'"),
        (np.zeros(1, "V3"), "'v': SciDB has no type"),
    ],
)
def test_what_cannot_be_sent(data: Any, message: str) -> None:
    with pytest.raises(UploadError, match=message):
        encode(data)


def test_indexes() -> None:
    data = pd.DataFrame({"v": [1.5, 2.5]}, index=pd.Index(["a", "b"], name="key"))
    assert types(data) == "key:string,v:double"
    levels = pd.DataFrame({"v": [1.5]}, index=pd.MultiIndex.from_tuples([(1, "x")], names=["n", None]))
    assert types(levels) == "n:int64 NOT NULL,v:double"
    assert types(series([1, 2])[1:]) == "v:int64 NOT NULL"
    assert types(pd.Series([1], name="w")) == "w:int64 NOT NULL"
    assert types(pd.Series([1])) == "v:int64 NOT NULL"
    # pandas makes a RangeIndex of some keys by itself: their values must not decide
    assert (
        types(pd.DataFrame({"k": [0, 1], "v": [2, 3]}).set_index("k")) == "k:int64 NOT NULL,v:int64 NOT NULL"
    )


def test_afl_of_a_table() -> None:
    upload = encode(pd.DataFrame({"a": [1, 2, 3], "s": ["x", "y", "z"]}))
    text = "input(<a:int64 NOT NULL,s:string>[i=0:2], '/tmp/f', -2, '(int64,string null)')"
    assert load_statement(upload, "/tmp/f") == array_query(upload, "/tmp/f") == text
    assert "'it\\'s'" in load_statement(upload, "it's")


def test_the_row_dimension_makes_way_for_a_column() -> None:
    assert "[i_1=0:1]" in load_statement(encode(pd.DataFrame({"i": [1, 2]})), "f")


def test_afl_of_a_table_with_dimensions() -> None:
    data = pd.DataFrame({"x": np.array([3, -1], "i4"), "v": [1.5, 2.5], "y": pd.array([7, 8], "UInt64")})
    upload = encode(data, dims=["y", "x"])
    assert array_query(upload, "f") == (
        "redimension(input(<x:int64 NOT NULL,v:double,y:int64 NOT NULL>[i=0:1], 'f', -2,"
        " '(int64,double null,int64)'), <v:double>[y=7:8; x=-1:3])"
    )
    chunked = array_query(encode(data, dims=["y", "x"], chunks=[10, 20]), "f")
    assert chunked.endswith("<v:double>[y=7:8:0:10; x=-1:3:0:20])")


def test_afl_of_an_array() -> None:
    upload = encode(np.zeros((2, 3, 4), "u1"))
    assert array_query(upload, "f") == (
        "redimension(apply(input(<v:uint8 NOT NULL>[n=0:23], 'f', -2, '(uint8)'),"
        " i, n / 12, j, n / 4 % 3, k, n % 4), <v:uint8 NOT NULL>[i=0:1; j=0:2; k=0:3])"
    )
    named = encode(np.zeros((2, 3)), dims=["n", "x"], chunks=[1, 3])
    assert array_query(named, "f") == (
        "redimension(apply(input(<v:double NOT NULL>[n_1=0:5], 'f', -2, '(double)'),"
        " n, n_1 / 3, x, n_1 % 3), <v:double NOT NULL>[n=0:1:0:1; x=0:2:0:3])"
    )
    assert array_query(encode(np.zeros(3)), "f") == "input(<v:double NOT NULL>[i=0:2], 'f', -2, '(double)')"


@pytest.mark.parametrize("shape", [(2, 3), (1, 1, 4), (3, 2, 2, 2)])
def test_the_rows_of_an_array_are_row_major(shape: tuple[int, ...]) -> None:
    """The coordinates that the AFL computes from the row are those of the value in it."""
    data = np.random.default_rng(0).integers(0, 99, shape)
    upload = encode(data)
    values = columns(upload)[0].values
    arguments = array_query(upload, "f").split("), <")[0].split("'(int64)'), ")[1].split(", ")
    for n in range(data.size):
        place = tuple(eval(term.replace("/", "//"), {"n": n}) for term in arguments[1::2])
        assert data[place] == values[n]


def test_nothing_to_send_is_still_a_file_and_an_array() -> None:
    data = pd.DataFrame({"x": np.zeros(0, int), "s": pd.Series([], dtype="string"), "v": np.zeros(0)})
    upload = encode(data)
    assert upload.rows == 0
    assert len(upload.payload) == 8 + 1 + 5 + 1 + 8
    assert len(columns(upload)[0]) == 1
    assert load_statement(upload, "f") == (
        "filter(input(<x:int64 NOT NULL,s:string,v:double>[i=0:0], 'f', -2,"
        " '(int64,string null,double null)'), false)"
    )
    assert array_query(encode(data, dims=["x"]), "f").endswith(", false), <s:string,v:double>[x=0:*])")
    empty = array_query(encode(np.zeros((0, 4))), "f")
    assert "[n=0:0]" in empty
    assert empty.endswith("i, n / 4, j, n % 4), <v:double NOT NULL>[i=0:-1; j=0:3])")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dims": ["nope"]}, "no column 'nope'"),
        ({"dims": []}, "one or more"),
        ({"dims": ["x", "x"]}, "each once"),
        ({"dims": ["x", "v", "h", "u"]}, "leaves one"),
        ({"dims": ["v"]}, "'v' is double: a dimension takes integers"),
        ({"dims": ["h"]}, "'h', row 1: a dimension takes no missing value"),
        ({"dims": ["u"]}, "'u', row 0: 9223372036854775808"),
        ({"dims": ["x"], "chunks": [1, 2]}, "chunks"),
        ({"dims": ["x"], "chunks": [0]}, "chunks"),
    ],
)
def test_dimensions_that_cannot_be(options: dict[str, Any], message: str) -> None:
    data = pd.DataFrame(
        {"x": [1, 2], "v": [1.5, 2.5], "h": pd.array([1, None], "Int64"), "u": np.array([2**63, 0], "u8")}
    )
    with pytest.raises(UploadError, match=message):
        encode(data, **options)
    with pytest.raises(UploadError, match="2 axes"):
        encode(np.zeros((2, 2)), dims=["x"])


CELLS = {
    "string": st.text(st.characters(exclude_categories=["Cs"])),
    "Int64": st.integers(-(2**63), 2**63 - 1),
    "boolean": st.booleans(),
    "datetime64[s]": st.integers(-(2**40), 2**40).map(lambda n: np.datetime64(n, "s")),
    "float64": st.floats(allow_nan=False),
}


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.integers(0, 5))
    kinds = draw(st.lists(st.sampled_from(list(CELLS)), min_size=1, max_size=4))
    return pd.DataFrame(
        {
            f"c{k}": pd.Series(
                draw(st.lists(st.one_of(st.none(), CELLS[kind]), min_size=rows, max_size=rows)),
                dtype=pd.StringDtype("pyarrow") if kind == "string" else kind,
            )
            for k, kind in enumerate(kinds)
        }
    )


@settings(deadline=None, max_examples=200)
@given(frames())
def test_frames_come_back_as_they_were(data: pd.DataFrame) -> None:
    got = back(data)[: len(data)]
    pd.testing.assert_frame_equal(got, data, check_exact=True)


@pytest.mark.parametrize("value", [2**53 + 1, 10**400, -(2**53) - 1])
def test_integers_among_floats_lose_no_digit(value: int) -> None:
    with pytest.raises(UploadError, match=r"row 0: .* is no double"):
        encode(pd.DataFrame({"v": pd.Series([value, 0.5], dtype=object)}))
    assert encode([{"v": 2**53}, {"v": 0.5}]).schema.attributes[0].type == "double"


def test_what_arrow_or_pandas_cannot_make_of_a_column_is_told() -> None:

    moments = pa.array([0], pa.timestamp("s", tz="Mars/Olympus"))
    with pytest.raises(UploadError, match="no time zone 'Mars/Olympus'"):
        encode(pa.table({"t": moments}))
    half_day = pa.array([43_200_000], pa.date64())
    assert encode(pa.table({"t": half_day})).rows == 1
    odd = np.array([("\udce4",)], [("c", "U1")])
    assert b"".join(encode(odd).payload) == b"\x02\x00\x00\x00\xe4\x00"
