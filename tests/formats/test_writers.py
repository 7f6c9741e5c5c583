"""Every writer against what a real SciDB wrote of the same result."""

from __future__ import annotations

import base64
import io
from typing import Any

import pyarrow as pa
import pytest

from scidb_magic.embedded.engine import formats
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import Schema


def written(table: pa.Table, schema: Schema, format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    formats.write(table, schema, format, out, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    "format",
    ["csv", "csv+", "csv:l", "csv+:l", "tsv", "tsv+", "tsv+:l", "dcsv", "dense", "sparse", "text"],
)
def test_text_formats_as_recorded(results: list[Any], format: str) -> None:
    compared = 0
    for result in results:
        expected = result.line["text"].get(format)
        if expected is None:
            continue
        name = result.line["name"]
        assert written(result.table, result.schema, format).decode() == expected, name
        compared += 1
    assert compared >= 41


def test_binary_as_recorded(results: list[Any]) -> None:
    for result in results:
        got = written(result.table, result.schema, result.line["binary"]["format"])
        assert got == result.body, result.line["name"]


@pytest.mark.parametrize(("key", "atts_only"), [("arrow", False), ("arrow_atts_only", True)])
def test_arrow_as_recorded(results: list[Any], key: str, atts_only: bool) -> None:
    refused = 0
    for result in results:
        recorded = result.line[key]
        if recorded["status"] != 200:
            with pytest.raises(EngineError) as caught:
                written(result.table, result.schema, "arrow", atts_only=atts_only)
            assert f"{caught.value.short}::SCIDB_LE_{caught.value.long}" in recorded["body"]
            refused += 1
            continue
        body = written(result.table, result.schema, "arrow", atts_only=atts_only)
        expected = pa.ipc.open_stream(base64.b64decode(recorded["base64"])).read_all()
        got = pa.ipc.open_stream(body).read_all()
        assert got.schema.equals(expected.schema), result.line["name"]
        order = [(name, "ascending") for name in ("i", "j") if name in expected.schema.names]
        if order:  # aio_save writes in the order of the instances
            got, expected = got.sort_by(order), expected.sort_by(order)
            assert repr(got.to_pylist()) == repr(expected.to_pylist()), result.line["name"]
        else:
            assert sorted(map(repr, got.to_pylist())) == sorted(map(repr, expected.to_pylist()))
    assert refused == 2


# Rules that the recordings do not show (reference/scidb-semantics.md (c)).

CELLS = pa.table(
    {
        "d0": pa.array([0, 0], pa.int64()),
        "d1": pa.array([0, 1], pa.int64()),
        "a0": pa.array(['it\'s "so"', None]),
        "a1": pa.array([None, 5], pa.int64()),
        "m1": pa.array([9, None], pa.uint8()),
    }
)


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ("csv", "'it\\'s \"so\"',?9\nnull,5\n"),
        ("csv:d", '"it\'s \\"so\\"",?9\nnull,5\n'),
        ("csv+:ldE", 'i,j,s,x\n0,0,"it\'s \\"so\\"",?9\n0,1,,5\n'),
        ("csv:N", "'it\\'s \"so\"',?9\n\\N,5\n"),
        ("csv:?", "'it\\'s \"so\"',?9\n?0,5\n"),
        ("csv:p", "'it\\'s \"so\"',?9\nnull,5\n"),
        ("csv:NEx", "'it\\'s \"so\"',?9\n\\N,5\n"),
        ("CSV:ENds", '"it\'s \\"so\\"",?9\n,5\n'),
        ("tsv:n", 'it\'s "so"\t?9\nnull\t5\n'),
    ],
)
def test_options(layout: str, expected: str) -> None:
    schema = Schema.parse("<s:string,x:int64>[i=0:1; j=0:1]")
    assert written(CELLS, schema, layout).decode() == expected


@pytest.mark.parametrize(
    ("layout", "expected"),
    [("csv+", "'it\\'s \"so\"',?9\nnull,5\n"), ("dcsv", "s,x\n'it\\'s \"so\"',?9\nnull,5\n")],
)
def test_a_data_frame_has_no_coordinates(layout: str, expected: str) -> None:
    assert written(CELLS, Schema.parse("<s:string,x:int64>"), layout).decode() == expected


@pytest.mark.parametrize("layout", ["lcsv+", "opaque", "arrow:l", "nonsense", ""])
def test_formats_that_do_not_exist(layout: str) -> None:
    with pytest.raises(EngineError) as caught:
        written(CELLS, Schema.parse("<s:string,x:int64>[i=0:1; j=0:1]"), layout)
    assert caught.value.long == "UNSUPPORTED_FORMAT"


def one_dimension(*cells: int) -> pa.Table:
    return pa.table({"d0": pa.array(cells, pa.int64()), "a0": pa.array(cells, pa.int64())})


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ("text", "{4}[(4),(5)];[(),(7)];{10}[(10)]\n"),
        ("dense", "{4}[(4),(5)];[(),(7)];{10}[(10)]\n"),
        ("sparse", "{4}[{4}(4),{5}(5)];{7}[{7}(7)];{10}[{10}(10)]\n"),
        ("store", "{4}[(4),(5)];{6}[(),(7)];{10}[(10)]\n"),
    ],
)
def test_a_chunk_that_was_not_due_tells_its_place(layout: str, expected: str) -> None:
    schema = Schema.parse("<x:int64>[i=0:10:0:2]")
    assert written(one_dimension(4, 5, 7, 10), schema, layout).decode() == expected


def test_text_writes_a_chunk_sparse_up_to_a_tenth() -> None:
    schema = Schema.parse("<x:int64>[i=0:39:0:20]")
    assert written(one_dimension(1, 2, 21, 22, 23), schema, "text") == (
        b"[{1}(1),{2}(2)];[(),(21),(22),(23)" + b",()" * 16 + b"]\n"
    )


def test_an_empty_result_keeps_its_brackets() -> None:
    schema = Schema.parse("<s:string,x:int64>[i=0:1; j=0:1]")
    assert written(CELLS.slice(0, 0), schema, "text") == b"[[]]\n"


def test_a_chunk_too_large_to_be_written_cell_by_cell() -> None:
    with pytest.raises(EngineError, match="too large"):
        written(one_dimension(1), Schema.parse("<x:int64>[i=0:*:0:1000000000000]"), "dense")


def test_binary_in_other_types() -> None:
    table = pa.table({"d0": pa.array([0, 1], pa.int64()), "a0": pa.array([300, None], pa.int64())})
    schema = Schema.parse("<x:int64>[i=0:1]")
    assert written(table, schema, "(int8 null, skip(2))") == b"\xff\x2c\0\0" + b"\0\0\0\0"
    assert written(table, schema, "(string null)") == b"\xff\x04\0\0\x00300\0" + b"\0\0\0\0\0"


@pytest.mark.parametrize(
    ("layout", "code"),
    [
        ("(int64)", "ASSIGNING_NULL_TO_NON_NULLABLE"),
        ("(int64 null, int64)", "ATTRIBUTES_MISMATCH"),
        ("(int65)", "UNSUPPORTED_FORMAT"),
        ("(datetimetz null)", "CANT_FIND_CONVERTER"),
    ],
)
def test_binary_formats_that_do_not_fit(layout: str, code: str) -> None:
    table = pa.table({"d0": pa.array([0], pa.int64()), "a0": pa.array([None], pa.int64())})
    with pytest.raises(EngineError) as caught:
        written(table, Schema.parse("<x:int64>[i=0:0]"), layout)
    assert caught.value.long == code
