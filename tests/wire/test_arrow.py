"""Arrow streams: the recorded ones, and round trips."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from scidb_magic.errors import WireError
from scidb_magic.wire import arrow, binary
from scidb_magic.wire.columns import Column
from scidb_magic.wire.schema import Attribute, Schema

LETTERS = Schema.parse("<c:char,n:int64 not null>[i]")


def stream_of(columns: list[Column]) -> bytes:
    """Columns as an Arrow stream like aio_save's, in the order given."""
    arrays = [arrow.to_array(column) for column in columns]
    narrow = [a.cast(pa.string()) if pa.types.is_large_string(a.type) else a for a in arrays]
    batch = pa.record_batch(narrow, names=[column.name for column in columns])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def cells(columns: list[Column]) -> list[tuple[Any, ...]]:
    """Rows of values, None where missing, in an order of their own; NaN as text, to be equal to itself."""
    lists = [arrow.to_array(column).to_pylist() for column in columns]
    return sorted((tuple(row) for row in zip(*lists, strict=True)), key=repr)


def test_every_recorded_stream_is_its_binary(conformance: Path) -> None:
    """Instances send in their own order, so rows are compared as sets."""
    compared = 0
    for line in (conformance / "wire.jsonl").read_text().splitlines():
        vector = json.loads(line)
        fields = binary.parse_format(vector["binary"]["format"])
        schema = Schema.parse(vector["schema"].split("\t")[0])
        # the format asked for null also where the attribute has none
        attributes = tuple(
            replace(a, nullable=f.nullable) for a, f in zip(schema.attributes, fields, strict=True)
        )
        schema = replace(schema, attributes=attributes)
        expected = binary.decode(base64.b64decode(vector["binary"]["base64"]), attributes)
        for kind in ("arrow", "arrow_atts_only"):
            if "base64" not in vector[kind]:
                assert "datetimetz" in vector["name"]
                continue
            columns = arrow.decode(base64.b64decode(vector[kind]["base64"]), schema)
            dimensions = len(schema.dimensions) if kind == "arrow" else 0
            assert [c.name for c in columns] == [
                *(d.name for d in schema.dimensions[:dimensions]),
                *(a.name for a in attributes),
            ]
            assert [c.nullable for c in columns[dimensions:]] == [a.nullable for a in attributes]
            assert repr(cells(columns[dimensions:])) == repr(cells(expected)), vector["name"]
            compared += 1
    assert compared == 80


def test_recorded_coordinates(conformance: Path) -> None:
    for line in (conformance / "wire.jsonl").read_text().splitlines():
        vector = json.loads(line)
        if vector["name"] == "sparse 2d":
            schema = Schema.parse(vector["schema"].split("\t")[0])
            columns = arrow.decode(base64.b64decode(vector["arrow"]["base64"]), schema)
            expected = {tuple(map(int, row.split(","))) for row in vector["text"]["csv+"].splitlines()}
            assert set(cells(columns)) == expected
            return
    pytest.fail("the recording is gone")


def test_letters() -> None:
    column = Column("c", "char", np.array([97, 0, 0, 10], np.uint8), np.array([-1, 3, -1, -1], np.int8))
    array = arrow.to_array(column)
    assert array.type == pa.large_string()
    assert array.to_pylist() == ["a", None, "\0", "\n"]
    back = arrow.from_array(array, Attribute("c", "char"))
    assert back.values.tolist() == [97, 0, 0, 10]
    assert back.codes is not None and back.codes.tolist() == [-1, 0, -1, -1]
    beyond = arrow.to_array(Column("c", "char", np.array([233, 65], np.uint8)))
    assert (beyond.type, beyond.to_pylist()) == (pa.large_binary(), [b"\xe9", b"A"])


def test_what_cannot_be_read() -> None:
    whole = stream_of([Column("v", "int64", np.arange(3))])
    with pytest.raises(WireError, match="not a whole Arrow stream"):
        arrow.decode(whole[:50], Schema.parse("<v:int64>[i]"))
    with pytest.raises(WireError, match="1 columns, its schema 2 attributes and 1 dimensions"):
        arrow.decode(whole, LETTERS)
    with pytest.raises(WireError, match="'v' is int64, not datetimetz"):
        arrow.decode(whole, Schema.parse("<v:datetimetz>[i]"))
    holed = Column("v", "int64", np.zeros(1, np.int64), np.zeros(1, np.int8))
    with pytest.raises(WireError, match="not nullable"):
        arrow.decode(stream_of([holed]), Schema.parse("<v:int64 not null>[i]"))


def test_datetimetz_round_trip() -> None:
    values = np.array([(10, 3600), (0, 0)], [("time", "<i8"), ("offset", "<i8")])
    column = Column("z", "datetimetz", values, np.array([-1, 0], np.int8))
    array = arrow.to_array(column)
    assert str(array.type) == "struct<time: timestamp[s], offset: duration[s]>"
    assert array[1].as_py() is None
    back = arrow.from_array(array, Attribute("z", "datetimetz"))
    assert back.values.tolist() == [(10, 3600), (0, 0)]
    assert back.codes is not None and back.codes.tolist() == [-1, 0]


STRINGS = [Column("s", "string", pa.array(["one", "twenty-two"], pa.large_string()))]
OF_STRINGS = Schema.parse("<s:string>[i]")


@pytest.mark.parametrize("offset", [5, 600, 10**8, -1, -(2**31), 2**31 - 1])
def test_an_offset_that_leads_elsewhere_is_found(offset: int) -> None:
    stream = bytearray(stream_of(STRINGS))
    good = np.array([0, 3, 13], "<i4").tobytes()
    place = bytes(stream).index(good)
    stream[place + 4 : place + 8] = np.array([offset], "<i8").astype("<i4").tobytes()
    if offset == 5:
        (column,) = arrow.decode(bytes(stream), OF_STRINGS)
        assert column.values.to_pylist() == ["onetw", "enty-two"]
        return
    with pytest.raises(WireError, match=r"^The result is not a whole Arrow stream\.$"):
        arrow.decode(bytes(stream), OF_STRINGS)


def test_a_stream_cut_off_anywhere_is_told() -> None:
    stream = stream_of(STRINGS)
    told = 0
    for end in range(len(stream) - 8):
        try:
            (column,) = arrow.decode(stream[:end], OF_STRINGS)
        except WireError:
            told += 1
        else:
            assert len(column) == 0, "between two messages a stream may end"
    assert told > len(stream) - 100


def test_a_packed_stream_is_refused() -> None:
    sink = pa.BufferOutputStream()
    batch = pa.record_batch([pa.array(np.zeros(1_000_000, np.int64))], names=["v"])
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    with pytest.raises(WireError):
        arrow.decode(sink.getvalue().to_pybytes(), Schema.parse("<v:int64>[i]"))


@pytest.mark.parametrize("values", [pa.array(["1"]), pa.array([1.5]), pa.array([2**40]), pa.array([[1]])])
def test_values_of_another_type_are_not_converted(values: Any) -> None:
    with pytest.raises(WireError, match="not int32"):
        arrow.from_array(values, Attribute("v", "int32"))
