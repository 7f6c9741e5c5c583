"""Writes SciDB's binary format; `wire.binary` tells the format, `read_binary` reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scidb_magic.embedded.engine.formats.batches import Batched
from scidb_magic.embedded.engine.formats.convert import converted
from scidb_magic.errors import EngineError, WireError
from scidb_magic.wire import binary
from scidb_magic.wire.binary import Field
from scidb_magic.wire.columns import PRESENT, VARIABLE_TYPES, Column, dtype_of
from scidb_magic.wire.schema import Schema

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH = 1 << 17
"""Cells that are encoded at a time."""


def template(format: str, schema: Schema, short: str) -> tuple[Field, ...]:
    """The fields of a format string, checked against the attributes of `schema`.

    Raises
    ------
    EngineError
        With `short`: ``UNSUPPORTED_FORMAT`` for what is no format string, ``ATTRIBUTES_MISMATCH``
        where it has not one field for each attribute.
    """
    try:
        fields = binary.parse_format(format)
    except WireError as error:
        raise EngineError(short, "UNSUPPORTED_FORMAT", f"Unsupported format '{format}'. {error}") from None
    wanted = sum(field.type != binary.SKIP for field in fields)
    if wanted != len(schema.attributes):
        raise EngineError(
            short,
            "ATTRIBUTES_MISMATCH",
            f"The format '{format}' has {wanted} fields for {len(schema.attributes)} attributes.",
        )
    return fields


def write(table: Batched, schema: Schema, format: str, out: BinaryIO) -> None:
    """Write the cells of `table`, in its order.

    Raises
    ------
    EngineError
        See `template`; ``ASSIGNING_NULL_TO_NON_NULLABLE`` where a field without ``null`` meets one.
    """
    fields = template(format, schema, "ARRAY_WRITER")
    written = [_padding(field) if field.type == binary.SKIP else field for field in fields]
    for batch in table.to_batches(max_chunksize=BATCH):
        if batch.num_rows:
            try:
                out.write(binary.encode(_columns(batch, schema, fields), written))
            except WireError as error:
                description = f"Illegal operation: {error}"
                raise EngineError("ARRAY_WRITER", "ILLEGAL_OPERATION", description) from None


def _columns(batch: pa.RecordBatch, schema: Schema, fields: Sequence[Field]) -> list[Column]:
    """One column for each field, a skipped one full of zero bytes."""
    columns = []
    attributes = iter(enumerate(schema.attributes))
    for field in fields:
        if field.type == binary.SKIP:
            columns.append(Column(field.name, "binary", pa.array([b""] * batch.num_rows, pa.large_binary())))
            continue
        k, attribute = next(attributes)
        values = batch.column(f"a{k}")
        if values.null_count and not field.nullable:
            raise EngineError(
                "ARRAY_WRITER",
                "ASSIGNING_NULL_TO_NON_NULLABLE",
                f"Assigning null to the field '{field.type}' of attribute '{attribute.name}', "
                "which does not allow it.",
            )
        codes = batch.column(f"m{k}") if f"m{k}" in batch.schema.names else None
        values, codes = converted(values, codes, attribute.type, field.type)
        columns.append(column(attribute.name, field.type, values, codes))
    return columns


def _padding(field: Field) -> Field:
    return Field(field.name, "binary", field.nullable, field.size)


def column(name: str, type: str, values: Any, codes: Any) -> Column:
    """A `Column` of the physical values of `relation.PHYSICAL` and their missing reasons (None: all 0)."""
    missing = values.is_null().to_numpy(zero_copy_only=False)
    reasons: NDArray[np.int8] | None = None
    if missing.any():
        zeros = np.zeros(len(values), np.int8)
        given = zeros if codes is None else codes.fill_null(0).to_numpy().astype(np.int8)
        reasons = np.where(missing, given, np.int8(PRESENT)).astype(np.int8)
    return Column(name, type, _wire_values(type, values), reasons)


def _wire_values(type: str, values: Any) -> Any:
    if type in VARIABLE_TYPES:
        return values.cast(pa.large_binary() if type == "binary" else pa.large_string())
    if type == "datetimetz":
        out = np.zeros(len(values), dtype_of(type))
        for name in ("time", "offset"):
            out[name] = pc.struct_field(values, name).fill_null(0).to_numpy()
        return out
    filled = values.fill_null(False if type == "bool" else 0).to_numpy(zero_copy_only=False)
    return filled.astype("int64").view(dtype_of(type)) if type == "datetime" else filled
