"""Results of a real SciDB as the tables that the engine hands to a writer."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from scidb_magic.wire import binary
from scidb_magic.wire.columns import Column
from scidb_magic.wire.schema import Schema

PHYSICAL = {"datetime": pa.int64(), "string": pa.string(), "binary": pa.binary()}


@dataclass(frozen=True)
class Recorded:
    """One line of wire.jsonl: the result in every format, and as a table."""

    line: dict[str, Any]
    schema: Schema
    table: pa.Table

    @property
    def body(self) -> bytes:
        return base64.b64decode(self.line["binary"]["base64"])


def table_of(coordinates: list[list[int]], columns: list[Column]) -> pa.Table:
    """Columns d*, a*, m* as DuckDB gives them."""
    made = {f"d{k}": pa.array(along, pa.int64()) for k, along in enumerate(coordinates)}
    for k, column in enumerate(columns):
        missing = None if column.codes is None else column.codes != -1
        values = column.values
        if column.type == "datetimetz":
            parts = [pa.array(np.ascontiguousarray(values[name])) for name in ("time", "offset")]
            mask = None if missing is None else pa.array(missing)
            values = pa.StructArray.from_arrays(parts, ["time", "offset"], mask=mask)
        elif column.type == "datetime":
            values = pa.array(values.astype(np.int64), mask=missing)
        elif isinstance(values, np.ndarray):
            values = pa.array(values, mask=missing)
        made[f"a{k}"] = values.cast(PHYSICAL.get(column.type, values.type))
        if column.codes is not None:
            made[f"m{k}"] = pa.array(np.where(missing, column.codes, 0).astype(np.uint8), mask=~missing)
    return pa.table(made)


def recorded(folder: Path) -> Iterator[Recorded]:
    for text in (folder / "wire.jsonl").read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        schema = Schema.parse(line["schema"].partition("\t")[0])
        # the format says which attributes may be null, the body follows the format
        fields = binary.parse_format(line["binary"]["format"])
        columns = binary.decode(base64.b64decode(line["binary"]["base64"]), fields)
        rank = len(schema.dimensions)
        rows = [row.split("\t")[:rank] for row in line["text"]["tsv+"].splitlines()]
        coordinates = [[int(row[k]) for row in rows] for k in range(rank)]
        yield Recorded(line, schema, table_of(coordinates, columns))


@pytest.fixture(scope="session")
def results(conformance: Path) -> list[Recorded]:
    return list(recorded(conformance))
