"""Writes the Arrow stream of ``aio_save(…, format:'arrow')``.

Attributes come first, then, unless only attributes are wanted, the dimensions. Every field may be null
and says nothing more; missing reasons are lost.

===========  =================
SciDB        Arrow
===========  =================
char         ``string``
string       ``string``
datetime     ``timestamp[s]``
binary       ``binary``
datetimetz   not supported
others       of the same name
===========  =================
"""

from __future__ import annotations

from typing import Any, BinaryIO

import pyarrow as pa

from scidb_magic.embedded.engine.formats.batches import Batched
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import Schema

BATCH = 1 << 17
"""Cells of one record batch."""

ARROW_TYPES: dict[str, pa.DataType] = {
    "bool": pa.bool_(),
    "char": pa.string(),
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "uint8": pa.uint8(),
    "uint16": pa.uint16(),
    "uint32": pa.uint32(),
    "uint64": pa.uint64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "datetime": pa.timestamp("s"),
    "binary": pa.binary(),
}

_LETTERS = pa.array([bytes([byte]) for byte in range(256)], pa.binary()).view(pa.string())
"""One-letter strings; from 128 on not UTF-8, as in SciDB."""


def write(table: Batched, schema: Schema, out: BinaryIO, *, atts_only: bool = True) -> None:
    """Write the cells of `table`, in its order.

    Raises
    ------
    EngineError
        ``ILLEGAL_OPERATION`` for a datetimetz attribute.
    """
    columns = [(a.name, a.type, f"a{k}") for k, a in enumerate(schema.attributes)]
    if not atts_only:
        columns += [(d.name, "int64", f"d{k}") for k, d in enumerate(schema.dimensions)]
    fields = []
    for name, type_, _ in columns:
        if type_ not in ARROW_TYPES:
            raise EngineError(
                "ARRAY_WRITER",
                "ILLEGAL_OPERATION",
                f"Illegal operation: Type {type_} not supported in arrow format.",
            )
        fields.append(pa.field(name, ARROW_TYPES[type_]))
    stream = pa.schema(fields)
    sink: Any = out
    with pa.ipc.new_stream(sink, stream) as writer:
        for batch in table.to_batches(max_chunksize=BATCH):
            if batch.num_rows:
                arrays = [_as_arrow(batch.column(column), type_) for _, type_, column in columns]
                writer.write_batch(pa.record_batch(arrays, schema=stream))


def _as_arrow(values: Any, type: str) -> Any:
    if type == "char":
        return _LETTERS.take(values)
    return values.cast(ARROW_TYPES[type])
