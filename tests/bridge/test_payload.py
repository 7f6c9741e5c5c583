"""`upload_data` as bytes: those of SciDB-Py, but where they are known to be wrong."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scidbpy

from scidb_magic.bridge.payload import prepare
from scidb_magic.errors import UploadError

parse = scidbpy.Schema.fromstring


def maybe(dtype: Any) -> list[Any]:
    """SciDB-Py's NumPy type of a nullable attribute."""
    return [("null", "u1"), ("val", dtype)]


TZ = [("time", "M8[s]"), ("tz", "m8[s]")]


@pytest.mark.parametrize(
    ("data", "schema"),
    [
        *((np.array([1, 0, 1], dtype), None) for dtype in "? i1 i2 i4 i8 u1 u2 u4 u8 f4 f8 M8[s] S1".split()),
        (np.arange(6).reshape(2, 3), None),
        (np.arange(6)[::-2], None),
        (np.array([(1, 2.5)], [("a", "i4"), ("b", "f8")]), None),
        (np.array([((255, 1),), ((3, 0),)], [("a", maybe("i8"))]), None),
        (np.array([((255, b"a"),)], [("c", maybe("S1"))]), None),
        (np.array([((np.datetime64("2009-01-01"), -18000),)], [("t", TZ)]), None),
        (np.array([((255, (np.datetime64("2009-01-01"), -18000)),)], [("t", maybe(TZ))]), None),
        (np.array(["a", "bb", ""]), None),
        (np.array([b"\0a", b""], object), "<b:binary not null>[i]"),
        (np.array([((255, 1), "x"), ((3, 0), "yy")], [("a", maybe("i8")), ("b", object)]),
         "<a:int64,b:string not null>[i]"),
    ],
)  # fmt: skip
def test_bytes_are_scidbpys(data: Any, schema: str | None) -> None:
    theirs = parse(schema) if schema else scidbpy.Schema.fromdtype(data.dtype)
    sent = prepare(data, parse(schema) if schema else None)
    assert sent.content == (data.tobytes() if theirs.is_fixsize() else theirs.tobytes(data))
    assert (sent.schema, sent.format) == (str(theirs), theirs.atts_fmt_scidb)


@pytest.mark.parametrize(
    ("data", "schema", "content"),
    [
        (np.array(["ä"]), None, b"\x03\0\0\0\xc3\xa4\0"),
        (np.array([b"ab"]), None, b"\x03\0\0\0ab\0"),
        (np.array(["2009-01-01"], "M8[ns]"), None, struct.pack("<q", 1230768000)),
        (np.array([1], ">i4"), None, b"\x01\0\0\0"),
        (np.array([1, 2]), "<x:int32 not null>[i]", struct.pack("<ii", 1, 2)),
        (np.array([1, 2]), "<x:double>[i]", struct.pack("<BdBd", 255, 1, 255, 2)),
        (np.array([7], object), "<x:int64 not null>[i]", struct.pack("<q", 7)),
        (np.array(["a", None], object), "<x:string>[i]", b"\xff\x02\0\0\0a\0\0\0\0\0\0"),
        (np.array([(1, (255, "x")), (2, (4, ""))], [("a", "i8"), ("b", maybe(object))]),
         "<a:int64 not null,b:string>[i]",
         struct.pack("<q", 1) + b"\xff\x02\0\0\0x\0" + struct.pack("<q", 2) + b"\x04\0\0\0\0"),
    ],
)  # fmt: skip
def test_bytes_that_scidbpy_gets_wrong_or_refuses(data: Any, schema: str | None, content: bytes) -> None:
    assert prepare(data, parse(schema) if schema else None).content == content


def test_a_format_in_the_query_has_no_byte_for_null() -> None:
    """``input(…, '{fn}', 0, '(int64)')`` with a nullable schema: plain memory, as SciDB-Py sends."""
    assert prepare(np.arange(2), parse("<x:int64>[i]"), described=False).content == struct.pack("<qq", 0, 1)
    text = prepare(np.array(["a"]), parse("<x:string>[i]"), described=False)
    assert text.content == b"\x02\0\0\0a\0"
    coded = np.array([(0, 5)], maybe("i8")).view([("x", maybe("i8"))])
    assert prepare(coded, parse("<x:int64>[i]"), described=False).content == struct.pack("<Bq", 0, 0)


@pytest.mark.parametrize(
    ("data", "schema", "complaint"),
    [
        (np.array([1, 2**40]), "<x:int32 not null>[i]", "'x', row 1: 1099511627776 does not fit int32"),
        (np.array([0.5]), "<x:int64 not null>[i]", "'x', row 0: 0.5 does not fit int64"),
        (np.array([-1]), "<x:uint8 not null>[i]", "'x', row 0: -1 does not fit uint8"),
        (np.array([-1]), "<x:uint64 not null>[i]", "'x', row 0: -1 does not fit uint64"),
        (np.array([200], np.uint8), "<x:int8 not null>[i]", "'x', row 0: 200 does not fit int8"),
        (
            np.array([2**63], np.uint64),
            "<x:int64 not null>[i]",
            "9223372036854775808 does not fit int64",
        ),
        (np.array([2**63 - 1]), "<x:double not null>[i]", "row 0: 9223372036854775807 does not fit double"),
        (np.array(["ab"]), "<x:char not null>[i]", "'x', row 0: 'ab' is no char"),
        (np.array(["ä"]), "<x:char not null>[i]", "'x', row 0: 'ä' is no char"),
        (np.array(["a"]), "<x:int64 not null>[i]", "does not make a int64"),
        (np.array(["a", None], object), "<x:string not null>[i]", "'x', row 1"),
        (np.array(["NaT"], "M8[s]"), None, "'x', row 0"),
        (np.array(["2009-01-01T00:00:00.5"], "M8[ms]"), None, "whole seconds"),
        (np.array([(1, 2)], "i8,i8"), "<x:int64>[i]", "1 attributes and the array 2 fields"),
        (np.array([1], "m8[s]"), None, "timedelta64"),
        (pd.DataFrame({"x": []}), None, "no row"),
        (object(), None, "object"),
    ],
)
def test_what_cannot_be_sent_is_named(data: Any, schema: str | None, complaint: str) -> None:
    with pytest.raises(UploadError, match=complaint):
        prepare(data, parse(schema) if schema else None)


def test_an_unknown_dtype_asks_for_a_schema() -> None:
    with (
        pytest.warns(UserWarning, match="upload_schema"),
        pytest.raises(UploadError, match="give an upload_schema"),
    ):
        prepare(np.array([object()], object))


@pytest.mark.parametrize("data", [b"ab", bytearray(b"ab"), io.BytesIO(b"ab"), io.StringIO("ab")])
def test_bytes_and_files_go_as_they_are(data: Any) -> None:
    sent = prepare(data)
    assert (sent.content, sent.schema, sent.format) == (b"ab", None, None)


def test_frames_may_stand_for_arrays() -> None:
    sent = prepare(pd.DataFrame({"a": [1, 2], "s": ["x", None]}))
    assert sent.schema is not None
    assert parse(sent.schema).atts_fmt_scidb.replace(", ", ",") == sent.format == "(int64,string null)"
    assert sent.content == struct.pack("<q", 1) + b"\xff\x02\0\0\0x\0" + struct.pack("<q", 2) + bytes(5)


def test_chars_are_bytes_and_may_be_missing() -> None:
    data = np.array(["a", None, "", b"z"], object)
    sent = prepare(data, parse("<x:char>[i]"))
    assert bytes(sent.content) == b"\xffa" + b"\x00\x00" + b"\xff\x00" + b"\xffz"
