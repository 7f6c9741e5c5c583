"""Readers: what a real SciDB read from the recorded files, and what the writers wrote."""

from __future__ import annotations

import io
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scidb_magic.embedded.engine import formats
from scidb_magic.embedded.engine.formats import fields, names
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import Schema


def rows(table: pa.Table) -> list[tuple[Any, ...]]:
    """Coordinates and values, without missing reasons."""
    columns = [name for name in table.column_names if not name.startswith("m")]
    return list(zip(*(table[name].to_pylist() for name in columns), strict=True))


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def read_text(text: str | bytes, schema: str, layout: str, **options: Any) -> pa.Table:
        path = tmp_path / "input"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return formats.read(path, Schema.parse(schema), layout, **options)

    return read_text


# What SciDB read from the recorded files (afl.jsonl: the scans after each load).


def recorded(folder: Path, name: str, schema: str, layout: str = "text") -> list[tuple[Any, ...]]:
    return rows(formats.read(folder / "data" / name, Schema.parse(schema), layout))


def test_one_extra_value_tells_whether_the_cell_exists(conformance: Path) -> None:
    path = conformance / "data" / "A_10.txt"
    table = formats.read(path, Schema.parse("A_10<x:double>[i=1:10:0:5]"), "text")
    assert rows(table) == [
        *[(1, 0), (2, None), (3, None), (5, 4), (6, None)],
        *[(7, None), (8, 7), (9, 8), (10, None)],
    ]
    assert table["m0"].to_pylist()[1:3] == [1, 2]


def test_cells_with_coordinates_in_chunks(conformance: Path) -> None:
    assert recorded(conformance, "teeth.txt", "t<val:int64>[x=0:*:0:2; y=0:*:0:2]") == [
        *[(0, 1, None), (1, 0, 0), (1, 1, 8), (1, 2, 14), (1, 3, 20), (2, 0, 3), (2, 1, 9)],
        *[(3, 1, 10), (4, 0, 5), (4, 1, 0), (5, 0, 6), (5, 1, None), (5, 3, 24)],
    ]


def test_chunks_follow_each_other(conformance: Path) -> None:
    cells = recorded(conformance, "mult1.txt", "m<a:double>[x=0:2:0:1; y=0:2:0:1]")
    assert cells == [(x, y, 3 * x + y + 1) for x in range(3) for y in range(3)]


def test_a_bracket_longer_than_the_chunk(conformance: Path) -> None:
    cells = recorded(conformance, "sort_nan_null_inf.txt", "S<I:int64,V:double>[Line=0:*:0:6]")
    assert [cell[:2] for cell in cells] == [(k, k) for k in range(15)]
    assert [cell[2] for cell in cells][:2] == [9, -math.inf]


def test_absent_values_are_null(conformance: Path) -> None:
    cells = recorded(conformance, "dates.txt", "d<dt:datetime,dt2:datetime>[i=0:*:0:100]")
    assert [cell[2] for cell in cells] == [None] * 6
    assert np.datetime64(cells[0][1], "s") == np.datetime64("2009-11-25T16:12:19")


def test_every_form_of_a_moment(conformance: Path) -> None:
    path = conformance / "data" / "timestamps.txt"
    schema = Schema.parse("timestamps<val:datetimetz>[x=0:10:0:10]")
    out = io.BytesIO()
    formats.write(formats.read(path, schema, "text"), schema, "csv+", out)
    steps = [
        line for line in (conformance / "afl.jsonl").read_text().splitlines() if '"other/timestamp"' in line
    ]
    expected = "0,'2001-12-15 21:26:33 -06:30'\\n1,'2001-12-15 21:26:33 -06:30'\\n"
    assert expected in steps[0]
    assert out.getvalue().decode().splitlines() == [
        *[f"{k},'2001-12-15 21:26:33 -06:30'" for k in (0, 1)],
        *[f"{k},'2011-12-15 21:26:33 -06:30'" for k in (2, 3, 4, 5)],
        "6,'1994-10-14 12:32:42 +12:30'",
        "7,'1999-03-03 09:01:01 -00:00'",
        "8,'2010-10-28 19:30:38 -04:00'",
        "9,null",
    ]


LOAD_TEST = "loadTest<attr_one:string NOT NULL,attr_two:int64>[i=0:*:0:5]"


@pytest.mark.parametrize("layout", ["csv", "tsv"])
def test_null_only_where_it_is_allowed(conformance: Path, layout: str) -> None:
    cells = recorded(conformance, f"negative_tests_input_005.{layout}", LOAD_TEST, layout)
    assert cells == [(0, "First", 10), (1, "Second", None), (2, "?0", 257), (3, "Fourth", 10)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "001.csv",
            "line 2, column 1, offset 16, value='?': Failed to parse string '?' as int64 (non-digits).",
        ),
        ("002.tsv", "value='?257': The integer '?257' is not a valid missing reason code."),
        ("003.csv", "value='?-1': Failed to parse string '?-1' as int64 (non-digits)."),
        ("004.tsv", "value='?null': Failed to parse string '?null' as int64 (non-digits)."),
        ("006.csv", "line 3, column 1, offset 25, value='': Too few input record fields at position 25"),
        ("007.csv", "line 3, column 1, offset 25, value='Third': Failed to parse string 'Third'"),
    ],
)
def test_what_is_wrong_as_scidb_says_it(conformance: Path, name: str, expected: str) -> None:
    with pytest.raises(EngineError) as caught:
        recorded(conformance, f"negative_tests_input_{name}", LOAD_TEST, name[-3:])
    assert (caught.value.short, caught.value.long) == ("IMPORT_ERROR", "FILE_IMPORT_FAILED")
    assert expected in caught.value.description


def test_a_chunk_outside(conformance: Path) -> None:
    with pytest.raises(EngineError, match=r"Chunk at \{-2\} is outside of array boundaries"):
        recorded(conformance, "negative_idx.txt", "A<a:int32>[x=0:3:0:2]")


# Array literals, as in the recorded scripts docscript/*.


@pytest.mark.parametrize(
    ("schema", "text", "expected"),
    [
        ("<p:double>[i=0:9]", "[7.1 44.85,(36.65)]", [(0, 7.1), (1, 44.85), (2, 36.65)]),
        ("<v:double>[i=0:2; j=0:2:0:6]", "[[1,(),()],[(),1,()],[],]", [(0, 0, 1), (1, 1, 1)]),
        ("<a:int64>[i=0:0; j=0:0; k=0:0; l=0:0]", "[[[[0]]]]", [(0, 0, 0, 0, 0)]),
        ("<s:string>[i=0:9]", """[(BAC), "a'b", 'q\\'u']""", [(0, "BAC"), (1, "a'b"), (2, "q'u")]),
        ("<s:string>[i=0:9]", """[null, "null", 'a\\\\n']""", [(0, None), (1, "null"), (2, "a\\n")]),
        ("<a:int64,b:int64 NOT NULL DEFAULT 7>[i=0:9]", "[(,3),(4,)]", [(0, None, 3), (1, 4, 7)]),
        ("<c:char>[i=0:9]", "[('a'),('\\n'),(?65)]", [(0, 97), (1, 10), (2, None)]),
        ("<b:bool>[i=0:9]", "[true,false,null]", [(0, True), (1, False), (2, None)]),
        ("<v:int64>[i=0:9:0:2]", "{4}[(1),(2)];[{7}(3)]", [(4, 1), (5, 2), (7, 3)]),
        ("<v:int64>[i=0:9]", "", []),
    ],
)  # fmt: skip
def test_array_literal(schema: str, text: str, expected: list[tuple[Any, ...]]) -> None:
    assert rows(formats.array_literal(text, Schema.parse(schema))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[1", "expected a cell"),
        ("(1)", "expected '['"),
        ("[(1)] x", "expected '['"),
        ("[(1,true,3)]", "3 values for 1 attributes"),
        ("[(x)]", "Failed to parse string 'x' as int8"),
        ("[(128)]", "Failed to parse string '128' as int8 (signed overflow)"),
        ("[(null)]", "Failed to parse string 'null' as int8 (non-digits)"),
        ("[1,2,3]", "Chunk at {2} is outside of array boundaries"),
        ("[(1,false)]", "told by true alone"),
        ("[(1)*3]", "cannot be there 3 times"),
        ("['a]", "expected a cell"),
        ("[{0,1}(1)]", "2 coordinates for 1 dimensions"),
        ("[{a}(1)]", "expected a coordinate"),
    ],
)
def test_wrong_array_literal(text: str, expected: str) -> None:
    with pytest.raises(EngineError) as caught:
        formats.array_literal(text, Schema.parse("<v:int8 NOT NULL>[i=0:1]"))
    assert caught.value.long == "FILE_IMPORT_FAILED"
    assert expected in caught.value.description


# Rules of CSV and TSV


@pytest.mark.parametrize(
    ("layout", "text", "expected"),
    [
        ("csv", "1,a\n2,b", [(1, "a"), (2, "b")]),
        ("csv", "1,a\r\n\r\n\n2,b\r\n", [(1, "a"), (2, "b")]),
        ("csv", " 1 ,  a b \n,\n \t, \n", [(1, "  a b "), (None, None), (None, " ")]),
        ("csv", "1,'a,\n''b'\n2, 'c'\n", [(1, "a,\n'b"), (2, " 'c'")]),
        ("csv", '1,a\\\\b\\"c"\n2,"d\\"e\\\\"\n', [(1, 'a\\b"c"'), (2, 'd"e\\')]),
        ("csv", "1,'a\n2,b\n", [(1, "a\n2,b\n")]),
        ("csv", "1,a,b,c\n2,d\n", [(1, "a"), (2, "d")]),
        ("csv", "0x1F,a\n -0X10 ,b\n+7,c\n", [(31, "a"), (-16, "b"), (7, "c")]),
        ("csv", "1,\ufeffa\n", [(1, "\ufeffa")]),
        ("csv", "1," + "x" * 100_000, [(1, "x" * 100_000)]),
        ("csv", '1,"a ""b"" c"\n2,"it\'s"\n', [(1, 'a "b" c'), (2, "it's")]),
        ("csv", "1,it's\n2,'x'y\n", [(1, "it's"), (2, "'x'y")]),
        ("csv", "?3,'?3'\nnull,'null'\n\\N,''\n", [(None, None), (None, None), (None, None)]),
        ("csv:l", "x,y\n1,a\n", [(1, "a")]),
        ("csv:p", "1|a,b\n", [(1, "a,b")]),
        ("csv:t", "1\ta b\n", [(1, "a b")]),
        ("tsv:c", "1,a b\n", [(1, "a b")]),
        ("tsv:p", "1|a b\n", [(1, "a b")]),
        ("CSV:xyz", "1,a b\n", [(1, "a b")]),
        ("csv:l", "'a\n1,b\n", [(1, "b")]),
        ("tsv", "1\ta\r\n2\tb\rc\td\n3\te", [(1, "a"), (2, "b"), (3, "e")]),
        ("tsv", "1\ta\\xb\\Nc\n2\t'q'\textra\n", [(1, "axb\\Nc"), (2, "'q'")]),
        ("tsv", "\tnull\n?1\t?1\n", [(0, None), (None, None)]),
        ("csv:d", "1,'a'\n2,\"b\"\n", [(1, "'a'"), (2, "b")]),
        ("tsv", "1\ta\\tb\\\\n\\n\n\\N\t\n", [(1, "a\tb\\n\n"), (None, "")]),
        ("tsv:l", "x\ty\n1\t'a'\n", [(1, "'a'")]),
        ("csv", "", []),
    ],
)
def test_delimited_text(read: Any, layout: str, text: str, expected: list[tuple[Any, ...]]) -> None:
    cells = rows(read(text, "<x:int64,y:string>[i=5:*]", layout))
    assert cells == [(5 + k, *values) for k, values in enumerate(expected)]


def test_reasons_are_kept(read: Any) -> None:
    table = read("1\n?0\n?127\n", "<x:int64>[i=0:*]", "csv")
    assert (table["a0"].to_pylist(), table["m0"].to_pylist()) == ([1, None, None], [0, 0, 127])


@pytest.mark.parametrize("layout", ["csv", "tsv"])
def test_records_have_no_coordinates(read: Any, layout: str) -> None:
    with pytest.raises(EngineError) as caught:
        read("1\n", "<x:int64>[i=0:1:0:2; j=1:3:0:2]", layout)
    assert caught.value.long == "MULTIDIMENSIONAL_ARRAY_NOT_ALLOWED"


def test_binary_fills_chunk_after_chunk(read: Any) -> None:
    cells = rows(read(bytes(range(6)), "<x:uint8>[i=0:1:0:2; j=1:3:0:2]", "(uint8)"))
    assert cells == [(0, 1, 0), (0, 2, 1), (1, 1, 2), (1, 2, 3), (0, 3, 4), (1, 3, 5)]


@pytest.mark.parametrize(
    ("type", "text", "expected"),
    [
        ("uint64", "-1", 2**64 - 1),
        ("uint8", "-1", "unsigned overflow"),
        ("int8", "0xFF", -1),
        ("int8", "-129", "signed underflow"),
        ("int64", "9223372036854775808", "signed overflow"),
        ("int32", "1.0", "non-digits"),
        ("int32", "1_0", "non-digits"),
        ("double", "1e400", "out of range"),
        ("double", "1e-400", "out of range"),
        ("double", "0x1p3", 8.0),
        ("double", " 2.5 ", 2.5),
        ("double", "-Infinity", -math.inf),
        ("double", "1_0", "not a number"),
        ("float", "1e39", "out of range"),
        ("bool", "true", True),
        ("bool", "True", "neither true nor false"),
        ("bool", "1", "neither true nor false"),
        ("char", "ab", ord("a")),
        ("char", "\\n", 10),
    ],
)
def test_literals_as_c_reads_them(read: Any, type: str, text: str, expected: object) -> None:
    schema = f"<x:{type}>[i=0:*]"
    if isinstance(expected, str):
        with pytest.raises(EngineError) as caught:
            read(text, schema, "csv")
        assert f"as {type} ({expected})" in caught.value.description
    else:
        assert read(text, schema, "csv")["a0"].to_pylist() == [expected]


@pytest.mark.parametrize(("layout", "expected"), [("tsv", 0), ("csv", 0)])
def test_blanks_are_zero_where_null_is_not_allowed(read: Any, layout: str, expected: int) -> None:
    assert read(" \n5\n", "<x:int64 NOT NULL>[i=0:*]", layout)["a0"].to_pylist() == [expected, 5]


def test_a_backslash_that_escapes_nothing(read: Any) -> None:
    with pytest.raises(EngineError, match=r"line 2, column 0.*TSV parsing error"):
        read("a\nb\\\tc\n", "<x:string,y:string>[i=0:*]", "tsv", max_errors=1)


def test_records_of_a_data_frame(read: Any) -> None:
    assert rows(read("a\nb\n", "<x:string>", "csv")) == [(0, 0, "a"), (0, 1, "b")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1\n2,b\n", "line 1, column 1"),
        ("x,a\n1\n", "line 1, column 0, offset 0, value='x'"),
    ],
)
def test_the_first_wrong_field_is_told(read: Any, text: str, expected: str) -> None:
    with pytest.raises(EngineError, match="Import from file") as caught:
        read(text, "<x:int64,y:string>[i=0:*]", "csv")
    assert expected in caught.value.description


def test_some_errors_may_be_passed_over(read: Any) -> None:
    text = "1,a\nx,b\n3\n4,d,e\n"
    schema = "<x:int64 NOT NULL,y:string NOT NULL DEFAULT 'q'>[i=0:*]"
    cells = rows(read(text, schema, "csv", max_errors=2))
    assert cells == [(0, 1, "a"), (1, 0, "b"), (2, 3, ""), (3, 4, "d")]
    with pytest.raises(EngineError, match=r"line 3, column 1.*more than 1 failures"):
        read(text, schema, "csv", max_errors=1)


def test_each_field_that_lacks_is_an_error(read: Any) -> None:
    schema = "<x:int64,y:int64,z:int64>[i=0:*]"
    assert rows(read("1\n", schema, "tsv", max_errors=2)) == [(0, 1, None, None)]
    with pytest.raises(EngineError, match="line 1, column 2"):
        read("1\n", schema, "tsv", max_errors=1)


def test_chunks_of_text_in_order(read: Any) -> None:
    text, schema = "{4}[1];{0}[2,3];{4}[4]", "<x:int64>[i=0:9:0:2]"
    for wrong in (text, "{0}[1];{0}[2]"):
        with pytest.raises(EngineError, match="twice or out of order"):
            read(wrong, schema, "text")
    with pytest.raises(EngineError, match=r"the cell at \{0\} is there twice"):
        read("[{0}(1),{0}(2)]", schema, "text")
    assert sorted(rows(read(text, schema, "text", strict=False))) == [(0, 2), (1, 3), (4, 4)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[1,2],[3,4],[5,6]]", [(0, 0, 1), (0, 1, 2), (1, 0, 3), (1, 1, 4), (0, 2, 5), (0, 3, 6)]),
        ("[[1],[2]]", [(0, 0, 1), (1, 0, 2)]),
        ("[[],[7]];[[(8)*2]]", [(1, 0, 7), (0, 2, 8), (0, 3, 8)]),
        ("[[]];[[5]]", [(0, 2, 5)]),
        ("[[1,],[,2]]", [(0, 0, 1), (1, 1, 2)]),
        ("{2,2}[[{3,3}(1)]]", [(3, 3, 1)]),
        ("[[{0,0}(1)],[{1,1}()]];[[{0,2}(3)]]", [(0, 0, 1), (0, 2, 3)]),
    ],
)
def test_chunks_of_text(read: Any, text: str, expected: list[tuple[int, ...]]) -> None:
    assert rows(read(text, "<v:int64>[i=0:3:0:2; j=0:3:0:2]", "text")) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{1,0}[[1]]", "no chunk begins there"),
        ("[[1,2,3]]", "expected ']'"),
        ("[[{0,0}(1),{3,3}(2)]]", "is not in the chunk {0,0}"),
        ("[1]", "expected '['"),
        ("{9,9}[[1]]", "outside of array boundaries"),
    ],
)
def test_text_that_does_not_fit_its_chunks(read: Any, text: str, expected: str) -> None:
    with pytest.raises(EngineError) as caught:
        read(text, "<v:int64>[i=0:3:0:2; j=0:3:0:2]", "text")
    assert expected in caught.value.description


def test_more_records_than_cells(read: Any) -> None:
    with pytest.raises(EngineError, match=r"Chunk at \{2\} is outside"):
        read("1\n2\n3\n", "<x:int64>[i=0:1]", "csv")


def test_moments_in_many_spellings(read: Any) -> None:
    text = "2011-12-15 21:26:33\n12/15/2011 21:26:33\n'15-DEC-2011 09.26.33 PM'\n?9\n2011-12-15\n"
    table = read(text, "<t:datetime>[i=0:*]", "csv")
    seconds = [
        None if t is None else np.datetime64(t, "s").item().isoformat(" ") for t in table["a0"].to_pylist()
    ]
    assert seconds == [*["2011-12-15 21:26:33"] * 3, None, "2011-12-15 00:00:00"]
    assert table["m0"].to_pylist() == [0, 0, 0, 9, 0]
    with pytest.raises(EngineError, match="line 2, column 0, offset 11, value='tomorrow'"):
        read("2011-12-15\ntomorrow\n", "<t:datetime>[i=0:*]", "csv")


def test_bytes_that_are_not_utf8(read: Any) -> None:
    with pytest.raises(EngineError, match=r"line 2, column 0.*UTF-8"):
        read(b"ok\n\xff\n", "<x:string>[i=0:*]", "csv")


# Binary


def test_binary_types_are_converted(read: Any) -> None:
    body = b"".join(
        [
            np.int8(-3).tobytes(),
            b"\xff",
            (3).to_bytes(4, "little") + b"42\0",
            b"xx",
            np.float64(2.9).tobytes(),
        ]
    )
    layout = "(int8, string null, skip(2), double)"
    assert rows(read(body, "<a:double,b:int64,c:int32>[i=0:*]", layout)) == [(0, -3.0, 42, 2)]


def test_binary_reasons_and_errors(read: Any) -> None:
    body = b"\x07" + bytes(8) + b"\xff" + np.int64(5).tobytes()
    table = read(body, "<a:int64>[i=0:*]", "(int64 null)")
    assert (table["a0"].to_pylist(), table["m0"].to_pylist()) == ([None, 5], [7, 0])
    for schema, layout, code in [
        ("<a:int64 NOT NULL>[i=0:*]", "(int64 null)", "FILE_IMPORT_FAILED"),
        ("<a:int64>[i=0:*]", "(int64)", "FILE_IMPORT_FAILED"),
        ("<a:int64>[i=0:*]", "(int64, int64)", "ATTRIBUTES_MISMATCH"),
        ("<a:int64>[i=0:*]", "(int65)", "UNSUPPORTED_FORMAT"),
        ("<a:datetime>[i=0:*]", "(bool)", "CANT_FIND_CONVERTER"),
    ]:
        with pytest.raises(EngineError) as caught:
            read(body, schema, layout)
        assert caught.value.long == code


@pytest.mark.parametrize("layout", ["dcsv", "csv+", "arrow", "sparse", "opaque"])
def test_what_cannot_be_read(read: Any, layout: str) -> None:
    with pytest.raises(EngineError) as caught:
        read("", "<a:int64>[i=0:*]", layout)
    assert caught.value.long == "UNSUPPORTED_FORMAT"


# What is written is read again.

SCHEMA = Schema.parse("t<s:string,x:int64,d:double,c:char,t:datetime,z:datetimetz,b:bool>[i=0:*:0:3]")
CELLS = st.tuples(
    st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.sampled_from([0.0, -1.5, 1e300, 1e-5, math.inf, -math.inf]),
    st.none() | st.integers(1, 127),
    st.none() | st.integers(-(2**35), 2**35),
    st.none() | st.tuples(st.integers(-(2**35), 2**35), st.integers(-14 * 60, 14 * 60)),
    st.none() | st.booleans(),
)


def table_of(cells: list[tuple[Any, ...]]) -> pa.Table:
    types = [pa.string(), pa.int64(), pa.float64(), pa.uint8(), pa.int64(), None, pa.bool_()]
    columns: list[list[Any]] = [list(column) for column in zip(*cells, strict=True)] or [[]] * 7
    columns[5] = [z and {"time": z[0], "offset": 60 * z[1]} for z in columns[5]]
    types[5] = pa.struct([("time", pa.int64()), ("offset", pa.int64())])
    made = {"d0": pa.array(range(len(cells)), pa.int64())}
    for k, (column, type_) in enumerate(zip(columns, types, strict=True)):
        made[f"a{k}"] = pa.array(column, type_)
    return pa.table(made)


def read_as_null(layout: str, text: str | None) -> bool:
    """Whether SciDB reads a string that it has written as null."""
    word = re.fullmatch(r"null|\\\\N|\?0*([0-9]+)", "null" if text is None else text)
    reason = word is not None and (word[1] is None or int(word[1]) < 128)
    return layout[:3] in ("csv", "tsv") and (reason or (text == "" and layout[:3] == "csv"))


@pytest.mark.parametrize("layout", ["csv", "csv:d", "csv:l", "tsv", "text", "dense", "sparse", "store"])
@settings(max_examples=60, deadline=None)
@given(cells=st.lists(CELLS, max_size=7))
def test_written_and_read_again(
    tmp_path_factory: pytest.TempPathFactory, layout: str, cells: list[tuple[Any, ...]]
) -> None:
    if layout == "csv:d":
        # A char stands between ' whatever quotes the option asks for, so that it cannot be read again.
        cells = [(*cell[:3], None, *cell[4:]) for cell in cells]
    table = table_of(cells)
    out = io.BytesIO()
    formats.write(table, SCHEMA, layout, out)
    path = tmp_path_factory.mktemp("formats") / "file"
    path.write_bytes(out.getvalue())
    again = formats.read(path, SCHEMA, "text" if layout in ("dense", "sparse") else layout)
    expected = [(i, None if read_as_null(layout, s) else s, *more) for i, s, *more in rows(table)]
    assert rows(again) == expected


@settings(max_examples=300, deadline=None)
@given(st.text("a1 ,'\"\\\n\r", max_size=20))
def test_both_ways_of_splitting_agree(text: str) -> None:
    data, layout = text.encode(), names.layout("csv:s")
    found = fields.split(data, layout)
    spans = fields._without_empty_lines(fields._split_quoted(data, b",", b"'"))
    assert [values.tolist() for values in spans] == [
        values.tolist() for values in (found.start, found.stop, found.quoted, found.last)
    ]
