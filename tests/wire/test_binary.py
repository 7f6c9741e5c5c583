"""SciDB's binary format, against the recordings and against a naive reading of the format's text."""

from __future__ import annotations

import base64
import json
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial as partial_of
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scidb_magic.errors import WireError
from scidb_magic.wire import arrow, binary, decoder, kernels
from scidb_magic.wire.columns import Column, dtype_of
from scidb_magic.wire.schema import Attribute


@pytest.fixture(scope="module", autouse=True, params=["interpreted", "compiled"])
def loops(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test of this file runs with either kind of loops."""
    if request.param == "compiled":
        pytest.importorskip("numba")
        assert kernels.compiled() is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "WORTH_LOADING", 0 if request.param == "compiled" else 1 << 62)
        yield


PACKED = {
    "bool": "?",
    "char": "B",
    "int8": "b",
    "int16": "<h",
    "int32": "<i",
    "int64": "<q",
    "uint8": "B",
    "uint16": "<H",
    "uint32": "<I",
    "uint64": "<Q",
    "float": "<f",
    "double": "<d",
    "datetime": "<q",
    "datetimetz": "<qq",
}


def values_of(type_: str) -> st.SearchStrategy[Any]:
    """Python values of a SciDB type; a whole pack for datetimetz."""
    if type_ == "bool":
        return st.booleans()
    if type_ in ("float", "double"):
        return st.floats(width=32 if type_ == "float" else 64)
    if type_ == "string":
        return st.text(st.characters(exclude_categories=["Cs"])).map(str.encode)
    if type_ == "binary":
        return st.binary()
    if type_ == "datetimetz":
        bounds = st.integers(-(2**63), 2**63 - 1)
        return st.tuples(bounds, bounds)
    if type_ == "datetime":
        return st.integers(-(2**63), 2**63 - 1)
    info = np.iinfo(dtype_of(type_))
    return st.integers(int(info.min), int(info.max))


@dataclass(frozen=True)
class Rows:
    """Attributes, and rows of cells; a missing cell is ``("missing", code)``."""

    attributes: list[Attribute]
    cells: list[list[Any]]


@st.composite
def some_rows(draw: st.DrawFn) -> Rows:
    types = draw(st.lists(st.sampled_from([*PACKED, "string", "binary"]), min_size=1, max_size=5))
    attributes = [Attribute(f"a{k}", t, draw(st.booleans())) for k, t in enumerate(types)]
    reason = st.integers(0, 127).map(lambda code: ("missing", code))
    row = st.tuples(
        *(st.one_of(values_of(a.type), reason) if a.nullable else values_of(a.type) for a in attributes)
    )
    return Rows(attributes, [list(cells) for cells in draw(st.lists(row, max_size=6))])


def is_missing(cell: Any) -> bool:
    return isinstance(cell, tuple) and cell[0] == "missing"


def written_cell(cell: Any, attribute: Attribute) -> bytes:
    """One cell as the format's description says, nothing clever."""
    head = b""
    if attribute.nullable:
        head = bytes([cell[1] if is_missing(cell) else 255])
    if attribute.type in ("string", "binary"):
        body = b"" if is_missing(cell) else cell + b"\0" * (attribute.type == "string")
        return head + struct.pack("<I", len(body)) + body
    code = PACKED[attribute.type]
    if is_missing(cell):
        return head + bytes(struct.calcsize(code))
    return head + struct.pack(code, *(cell if isinstance(cell, tuple) else (cell,)))


def written(rows: Rows) -> bytes:
    return b"".join(
        written_cell(cell, a) for row in rows.cells for cell, a in zip(row, rows.attributes, strict=True)
    )


def pythonic(column: Column) -> list[Any]:
    """A column as the cells of `Rows`."""
    if column.type in ("string", "binary"):
        values: list[Any] = column.values.cast(pa.large_binary()).to_pylist()
    elif column.type == "datetime":
        values = column.values.view("i8").tolist()
    else:
        values = column.values.tolist()
    codes = [-1] * len(values) if column.codes is None else column.codes.tolist()
    return [v if code == -1 else ("missing", code) for v, code in zip(values, codes, strict=True)]


@settings(deadline=None, max_examples=300)
@given(some_rows())
def test_decode_and_encode_are_the_format(rows: Rows) -> None:
    body = written(rows)
    columns = binary.decode(body, rows.attributes)
    for k, column in enumerate(columns):
        # NaN is not equal to itself, but its text is
        assert repr(pythonic(column)) == repr([row[k] for row in rows.cells])
        assert (column.name, column.type) == (rows.attributes[k].name, rows.attributes[k].type)
        assert column.nullable is rows.attributes[k].nullable
    assert binary.encode(columns) == body


@settings(deadline=None, max_examples=200)
@given(some_rows(), st.integers(0, 200))
def test_a_body_cut_off_anywhere(rows: Rows, cut: int) -> None:
    body = written(rows)
    body = body[: max(0, len(body) - cut)]
    ends = [len(written(Rows(rows.attributes, rows.cells[:n]))) for n in range(len(rows.cells) + 1)]
    whole = max(n for n, end in enumerate(ends) if end <= len(body))
    assert len(binary.decode(body, rows.attributes, partial=True)[0]) == whole
    if ends[whole] != len(body):
        with pytest.raises(WireError, match="within a row"):
            binary.decode(body, rows.attributes)


def outcome(work: Callable[[], list[Column]]) -> Any:
    """What decoding gives, to be compared: the text of an error, or names, types and cells."""
    try:
        columns = work()
    except WireError as error:
        return str(error)
    return [
        (
            c.name,
            c.type,
            repr(pythonic(c)),
            c.nullable,
            str(getattr(c.values, "dtype", None) or c.values.type),
        )
        for c in columns
    ]


def in_pieces(body: bytes, attributes: Any, cuts: list[int], size: int | None, partial: bool) -> list[Column]:
    rows = binary.Decoder(attributes, size=size)
    edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    for start, stop in pairwise(edges):
        rows.feed(memoryview(body)[start:stop])
    return rows.columns(partial=partial)


@settings(deadline=None, max_examples=300)
@given(
    some_rows(),
    st.lists(st.integers(0, 1 << 30), max_size=8),
    st.integers(0, 30),
    st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(0, 255)), max_size=2),
    st.booleans(),
    st.booleans(),
    st.sampled_from([1, 7, 1 << 16]),
)
def test_any_pieces_are_the_whole(
    rows: Rows,
    cuts: list[int],
    lost: int,
    spoilt: list[tuple[int, int]],
    sized: bool,
    partial: bool,
    held: int,
) -> None:
    """Also bodies cut off or with wrong bytes, and the errors."""
    body = bytearray(written(rows))
    body = body[: max(0, len(body) - lost)]
    for position, byte in spoilt:
        if body:
            body[position % len(body)] = byte
    whole = bytes(body)
    expected = outcome(partial_of(binary.decode, whole, rows.attributes, partial=partial))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoder, "HELD", held)
        patch.setattr(decoder, "BLOCK", 32)
        patch.setattr(decoder, "BLOCK_ROWS", 3)
        size = len(whole) if sized else None
        assert outcome(partial_of(in_pieces, whole, rows.attributes, cuts, size, partial)) == expected


def test_a_long_result_in_pieces() -> None:
    """Over many blocks and segments, with a row longer than any block."""
    rng = np.random.default_rng(4)
    texts = ["x" * int(n) for n in rng.integers(0, 40, 60_000)]
    texts[30_000] = "y" * 3_000_000
    codes = np.where(rng.random(60_000) < 0.1, 5, -1).astype(np.int8)
    values: Any = pa.array(texts, pa.large_string(), mask=codes != -1)
    numbers = np.where(codes == -1, rng.integers(-(2**60), 2**60, 60_000), 0)
    columns = [
        Column("i", "int64", np.arange(60_000)),
        Column("s", "string", values, codes),
        Column("n", "int64", numbers, codes),
    ]
    body = binary.encode(columns)
    attributes = [Attribute(c.name, c.type, c.nullable) for c in columns]
    for size in (None, len(body)):
        found = in_pieces(body, attributes, list(range(0, len(body), 100_003)), size, False)
        assert found[1].values.equals(values)
        for before, after in zip(columns, found, strict=True):
            assert (pythonic(before), after.nullable) == (pythonic(after), before.nullable)
    fixed = [columns[0], columns[2]]
    body = binary.encode(fixed)
    for size in (None, len(body), len(body) // 3):
        found = in_pieces(body, [attributes[0], attributes[2]], [17, 70_001, 70_002], size, False)
        assert list(map(pythonic, found)) == list(map(pythonic, fixed))


def test_numba_that_does_not_work_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scidb_magic.wire.compiled", None)
    monkeypatch.setattr(kernels, "WORTH_LOADING", 0)
    monkeypatch.setattr(kernels, "compiled", kernels.compiled.__wrapped__)
    assert kernels.kernels(1) is kernels.INTERPRETED


def vectors(conformance: Path) -> list[dict[str, Any]]:
    lines = (conformance / "wire.jsonl").read_text().splitlines()
    return [vector for vector in map(json.loads, lines) if "base64" in vector["binary"]]


def test_every_recorded_body_comes_back_to_the_byte(conformance: Path) -> None:
    recorded = vectors(conformance)
    assert len(recorded) == 42
    for vector in recorded:
        body = base64.b64decode(vector["binary"]["base64"])
        columns = binary.decode(body, binary.parse_format(vector["binary"]["format"]))
        assert binary.encode(columns) == body, vector["name"]


def test_recorded_values_and_reasons(conformance: Path) -> None:
    """Values and reasons as the recorded text of the same query shows them."""
    shown = 0
    for vector in vectors(conformance):
        text = vector["text"].get("csv+")
        fields = binary.parse_format(vector["binary"]["format"])
        if len(fields) != 1 or fields[0].type not in ("int8", "int64", "uint64", "bool") or not text:
            continue
        column = binary.decode(base64.b64decode(vector["binary"]["base64"]), fields)[0]
        cells = [
            {-1: str(value).lower(), 0: "null"}.get(code, f"?{code}")
            for value, code in zip(
                column.values.tolist(),
                [-1] * len(column) if column.codes is None else column.codes.tolist(),
                strict=True,
            )
        ]
        assert cells == [line.rpartition(",")[2] for line in text.splitlines()], vector["name"]
        shown += 1
    assert shown >= 10


def test_datetimetz_is_local_time_and_offset(conformance: Path) -> None:
    """The recorded text '2009-02-13 23:31:30 +05:30' fixes what the two numbers mean."""
    vector = next(v for v in vectors(conformance) if v["name"] == "datetimetz not null")
    assert vector["text"]["csv+"].splitlines()[0] == "0,'2009-02-13 23:31:30 +05:30'"
    column = binary.decode(
        base64.b64decode(vector["binary"]["base64"]), [Attribute("z", "datetimetz", False)]
    )[0]
    array = arrow.to_array(column)
    assert str(array[0].as_py()["time"]) == "2009-02-13 23:31:30"
    assert array[0].as_py()["offset"].total_seconds() == 5.5 * 3600


@pytest.mark.parametrize("value", [b"\xff\xfe", "é".encode("latin-1"), b"ok\xc3"])
def test_strings_that_are_not_utf8_stay_as_bytes(value: bytes) -> None:
    attribute = Attribute("s", "string", nullable=False)
    body = written(Rows([attribute], [[b"plain"], [value]]))
    column = binary.decode(body, [attribute])[0]
    assert column.values.type == pa.large_binary()
    assert column.values.to_pylist() == [b"plain", value]
    assert binary.encode([column]) == body


def test_what_columns_look_like() -> None:
    attributes = [Attribute("t", "datetime"), Attribute("s", "string"), Attribute("c", "char", False)]
    body = written(Rows(attributes, [[1234567890, b"x", 65], [("missing", 5), ("missing", 7), 0]]))
    t, s, c = binary.decode(body, attributes)
    assert t.values.dtype == "datetime64[s]"
    assert t.values.astype(str).tolist() == ["2009-02-13T23:31:30", "1970-01-01T00:00:00"]
    assert t.codes is not None and t.codes.tolist() == [-1, 5]
    assert t.missing is not None and t.missing.tolist() == [False, True]
    assert s.values.type == pa.large_string() and s.values.to_pylist() == ["x", None]
    assert c.values.dtype == np.uint8 and c.codes is None and c.missing is None


def test_take() -> None:
    attributes = [Attribute("v", "int8"), Attribute("s", "string", False)]
    columns = binary.decode(
        written(Rows(attributes, [[1, b"a"], [("missing", 3), b"b"], [2, b"c"]])), attributes
    )
    for index, expected in ((slice(1, 3), [1, 2]), (np.array([2, 0]), [2, 0])):
        assert [pythonic(c.take(index)) for c in columns] == [
            [cells[k] for k in expected] for cells in map(pythonic, columns)
        ]


def test_values_at_missing_cells_are_zero_whatever_came() -> None:
    column = binary.decode(b"\x07\xff\xff", [Attribute("v", "int16")])[0]
    assert column.values.tolist() == [0]
    assert binary.encode([column]) == b"\x07\x00\x00"


def test_fixed_sizes_and_skip() -> None:
    fields = binary.parse_format("(string(4), skip(2), binary(2) null, skip, skip null, int8)")
    row = b"ab\0\0" + b"??" + b"\xffxy" + b"\3\0\0\0abc" + b"\x05\0\0\0\0" + b"\x2a"
    full = b"abcd" + b"??" + b"\x09\0\0" + b"\0\0\0\0" + b"\xff\1\0\0\0z" + b"\x2b"
    text, blob, number = binary.decode(row + full, fields)
    assert text.values.to_pylist() == ["ab", "abcd"]
    assert blob.values.to_pylist() == [b"xy", None]
    assert blob.codes is not None and blob.codes.tolist() == [-1, 9]
    assert number.values.tolist() == [42, 43]


def test_fixed_sizes_alone() -> None:
    fields = binary.parse_format("(string(4),int8)")
    columns = binary.decode(b"ab\0\0\1" + b"\0\0\0\0\2" + b"wxyz\3", fields)
    assert columns[0].values.to_pylist() == ["ab", "", "wxyz"]
    assert binary.encode(columns, fields) == b"ab\0\0\1" + b"\0\0\0\0\2" + b"wxyz\3"
    with pytest.raises(WireError, match="row 2: 4 bytes in 3"):
        binary.encode(columns, binary.parse_format("(string(3),int8)"))


def test_slices_and_short_strings_encode() -> None:
    values: Any = pa.array(["no", "yes", None, "ü"]).slice(1)
    column = Column("s", "string", values, np.array([-1, 4, -1], np.int8))
    assert binary.encode([column]) == b"\xff\4\0\0\0yes\0" + b"\4\0\0\0\0" + b"\xff\3\0\0\0\xc3\xbc\0"


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("(int64)", [("int64", False, None)]),
        ("( int64 null , string not null )", [("int64", True, None), ("string", False, None)]),
        (
            "(Double NULL,string(5),skip(3) null)",
            [("double", True, None), ("string", False, 5), ("skip", True, 3)],
        ),
    ],
)
def test_format_strings(text: str, fields: list[tuple[str, bool, int | None]]) -> None:
    assert [(f.type, f.nullable, f.size) for f in binary.parse_format(text)] == fields


@pytest.mark.parametrize(
    "text", ["int64", "(int64", "()", "(int65)", "(int64(3))", "(string(0))", "(int64;int8)"]
)
def test_what_is_no_format(text: str) -> None:
    with pytest.raises(WireError):
        binary.parse_format(text)


def test_format_string() -> None:
    attributes = [Attribute("a", "int64", nullable=False), Attribute("b", "string")]
    assert binary.format_string(attributes) == "(int64,string null)"


def test_broken_bodies() -> None:
    with pytest.raises(WireError, match="no missing reason"):
        binary.decode(b"\x80\x00", [Attribute("v", "int8")])
    with pytest.raises(WireError, match="no missing reason"):
        binary.decode(b"\x80\x00\x00\x00\x00", [Attribute("v", "string")])
    with pytest.raises(WireError, match="within a row"):
        binary.decode(b"\xff\xff\xff\xffabc", [Attribute("v", "string", nullable=False)])
    with pytest.raises(WireError, match="misses a value"):
        column = Column("v", "int8", np.zeros(1, np.int8), np.zeros(1, np.int8))
        binary.encode([column], [binary.Field("v", "int8")])
    with pytest.raises(WireError, match="lengths"):
        binary.encode([Column("a", "int8", np.zeros(1, np.int8)), Column("b", "int8", np.zeros(2, np.int8))])


def test_nothing() -> None:
    assert binary.decode(b"", []) == []
    assert binary.encode([]) == b""
    for type_ in ("int8", "string"):
        (column,) = binary.decode(b"", [Attribute("v", type_)])
        assert len(column) == 0
        assert binary.encode([column]) == b""


@pytest.mark.parametrize("piece", [1 << 16, 1 << 18, 1 << 24])
def test_a_row_longer_than_many_pieces(piece: int) -> None:
    long = bytes(range(1, 251)) * 20_000
    columns = [
        Column("a", "int64", np.array([7, 8, 9])),
        Column("s", "binary", pa.array([b"x", long, b""], pa.large_binary())),
        Column("t", "binary", pa.array([long, b"y", long], pa.large_binary())),
    ]
    body = memoryview(binary.encode(columns))
    sink = binary.Decoder([Attribute(c.name, c.type, nullable=False) for c in columns], size=len(body))
    for start in range(0, len(body), piece):
        sink.feed(body[start : start + piece])
    numbers, first, second = sink.columns()
    assert numbers.values.tolist() == [7, 8, 9]
    assert first.values.to_pylist() == [b"x", long, b""]
    assert second.values.to_pylist() == [long, b"y", long]


def test_a_length_that_nothing_follows() -> None:
    sink = binary.Decoder([Attribute("s", "string", nullable=False)], size=100)
    sink.feed(b"\xff\xff\xff\x7f" + b"x" * 1000)
    with pytest.raises(WireError, match="within a row"):
        sink.columns()
