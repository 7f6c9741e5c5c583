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
