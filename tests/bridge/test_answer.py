"""SciDB-Py's forms of a result: its own code is the measure, but where that is known to be wrong."""

from __future__ import annotations

import struct
import warnings
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scidbpy

from scidb_magic.bridge import answer
from scidb_magic.wire.schema import Attribute

VALUES = {
    "bool": b"\x01",
    "char": b"a",
    "int8": struct.pack("<b", -3),
    "int16": struct.pack("<h", -300),
    "int32": struct.pack("<i", -70000),
    "int64": struct.pack("<q", 2**53 + 1),
    "uint8": b"\xff",
    "uint16": struct.pack("<H", 60000),
    "uint32": struct.pack("<I", 2**32 - 1),
    "uint64": struct.pack("<Q", 2**64 - 1),
    "float": struct.pack("<f", 1.5),
    "double": struct.pack("<d", 0.1),
    "datetime": struct.pack("<q", 1230768000),
    "datetimetz": struct.pack("<qq", 1230768000, -18000),
}
DATETIMES = ("datetime", "datetimetz")
WRONG_IN_SCIDBPY = {(type_, True, True, mixed) for type_ in DATETIMES for mixed in (True, False)}
"""Promoted times: read as nanoseconds beside a string (19.11.7), not possible alone (19.3.1)."""


def text(value: str) -> bytes:
    encoded = value.encode() + b"\0"
    return struct.pack("<I", len(encoded)) + encoded


def result(type_: str, nullable: bool, mixed: bool) -> tuple[list[Attribute], bytes]:
    """Two rows: a value, and, where that may be, a missing one with reason 5."""
    attributes = [Attribute("i", "int64", False), Attribute("x", type_, nullable)]
    cell = VALUES[type_]
    present, missing = (b"\xff" + cell, b"\x05" + bytes(len(cell))) if nullable else (cell, cell)
    first, second = struct.pack("<q", 1) + present, struct.pack("<q", 2) + missing
    if mixed:
        attributes += [Attribute("s", "string"), Attribute("b", "binary"), Attribute("n", "string", False)]
        first += b"\xff" + text("ä1") + b"\xff" + struct.pack("<I", 2) + b"\0a" + text("q")
        second += b"\x00" + bytes(4) + b"\x03" + bytes(4) + text("")
    return attributes, first + second


def by_scidbpy(attributes: list[Attribute], body: bytes, frame: bool, promote: bool) -> Any:
    schema = scidbpy.Schema(None, [scidbpy.Attribute(a.name, a.type, not a.nullable) for a in attributes])
    if not schema.is_fixsize():
        data = schema.frombytes(body, frame, promote)
        return pd.DataFrame.from_records(data) if frame else data
    data = np.frombuffer(body, schema.atts_dtype)
    if not frame:
        return data
    data = pd.DataFrame.from_records(data)
    if promote:
        schema.promote(data)
    return data


def by_us(attributes: list[Attribute], body: bytes, frame: bool, promote: bool) -> Any:
    if frame and promote:
        return answer.to_frame(body, attributes)
    cells = answer.to_array(body, attributes)
    return answer.as_frame(cells) if frame else cells


def seen(data: Any) -> list[Any]:
    if isinstance(data, np.ndarray):
        return [data.dtype.descr, [repr(cell) for cell in data.tolist()]]
    return [(name, str(data[name].dtype), [repr(value) for value in data[name]]) for name in data]


@pytest.mark.parametrize("type_", VALUES)
def test_every_form_is_scidbpys(type_: str) -> None:
    for nullable, mixed, frame, promote in product((True, False), repeat=4):
        if (type_, nullable, frame and promote, mixed) in WRONG_IN_SCIDBPY:
            continue
        attributes, body = result(type_, nullable, mixed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            theirs = seen(by_scidbpy(attributes, body, frame, promote))
            warnings.simplefilter("error", DeprecationWarning)
            ours = seen(by_us(attributes, body, frame, promote))
        assert ours == theirs, (nullable, mixed, frame, promote)


@pytest.mark.parametrize("mixed", [True, False])
@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("datetime", pd.Timestamp("2009-01-01")),
        ("datetimetz", pd.Timestamp("2009-01-01 05:00", tz="UTC")),
    ],
)
def test_promoted_times_are_right(type_: str, expected: pd.Timestamp, mixed: bool) -> None:
    attributes, body = result(type_, True, mixed)
    with pytest.warns(UserWarning, match="promoted"):
        column = answer.to_frame(body, attributes)["x"]
    if type_ == "datetimetz" and mixed:
        # SciDB-Py's form: local time and offset
        assert column[0]["time"] == np.datetime64("2009-01-01")
        assert column[0]["tz"] == np.timedelta64(-18000, "s")
        assert np.isnat(column[1]["time"])
    else:
        assert column[0] == expected
        assert pd.isna(column[1])


@pytest.mark.parametrize("mixed", [True, False])
def test_no_rows(mixed: bool) -> None:
    attributes, _ = result("int64", False, mixed)
    assert len(answer.to_array(b"", attributes)) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert list(answer.to_frame(b"", attributes)) == [a.name for a in attributes]


@pytest.mark.parametrize("mixed", [True, False])
def test_results_can_be_written_to(mixed: bool) -> None:
    attributes, body = result("int64", False, mixed)
    cells = answer.to_array(bytearray(body), attributes)
    cells["x"][0] = 7
    assert cells["x"].tolist() == [7, 2**53 + 1]


def test_text_that_is_not_utf8_keeps_its_bytes() -> None:
    body = struct.pack("<I", 3) + b"\xff\xfe\0"
    (value,) = answer.to_array(body, [Attribute("s", "string", False)])["s"]
    assert value.encode(errors="surrogateescape") == b"\xff\xfe"
