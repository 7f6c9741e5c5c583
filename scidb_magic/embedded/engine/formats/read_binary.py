"""Reads SciDB's binary format; `wire.binary` tells the format, `binary` writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from scidb_magic.embedded.engine.formats.assemble import in_order, table
from scidb_magic.embedded.engine.formats.binary import template
from scidb_magic.embedded.engine.formats.convert import converted
from scidb_magic.embedded.engine.formats.failures import Failure, import_failed
from scidb_magic.embedded.engine.formats.parse import Parsed
from scidb_magic.embedded.engine.formats.values import Values
from scidb_magic.errors import WireError
from scidb_magic.wire import binary
from scidb_magic.wire.columns import Column
from scidb_magic.wire.schema import Schema


def read(data: bytes, schema: Schema, format: str, *, source: Path | str) -> pa.Table:
    """Read the rows of a whole file.

    Parameters
    ----------
    data : bytes
    schema : Schema
        Of the cells; row k becomes the k-th cell. Types that differ from the format's are converted.
    format : str
        Format string.
    source : path
        For the error's text.

    Returns
    -------
    pyarrow.Table
        Columns d*, a*, m*.

    Raises
    ------
    EngineError
        ``FILE_IMPORT_FAILED``, ``ATTRIBUTES_MISMATCH``, ``UNSUPPORTED_FORMAT``, and see `converted`.
    """
    fields = template(format, schema, "IMPORT_ERROR")
    try:
        columns = binary.decode(data, fields)
    except WireError as error:
        failure = Failure(0, 0, len(data), "", str(error).rstrip("."))
        raise import_failed(failure, source, schema.name) from None
    parsed = []
    for k, (column, attribute) in enumerate(zip(columns, schema.attributes, strict=True)):
        values, reasons = converted(physical(column), _reasons(column), column.type, attribute.type)
        if values.null_count and not attribute.nullable:
            row = int(np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))[0])
            message = f"Assigning null to non-nullable attribute '{attribute.name}'"
            raise import_failed(Failure(row, k, 0, "", message), source, schema.name)
        parsed.append(Parsed(values, None if reasons is None else reasons.to_numpy(), {}))
    rows = len(columns[0]) if columns else 0
    return table(in_order(rows, schema, source), parsed)


def physical(column: Column) -> Values:
    """The column's values as in `relation.PHYSICAL`, null at the missing ones."""
    values: Any = column.values
    if isinstance(values, pa.Array):
        return values
    mask = None if column.missing is None else pa.array(column.missing)
    if column.type == "datetimetz":
        parts = [pa.array(np.ascontiguousarray(values[name])) for name in ("time", "offset")]
        return pa.StructArray.from_arrays(parts, ["time", "offset"], mask=mask)
    if column.type == "datetime":
        values = values.astype(np.int64)
    return pa.array(values, mask=column.missing)


def _reasons(column: Column) -> Values | None:
    """Missing reasons of 0…127; None where all are 0."""
    if column.codes is None or not (column.codes > 0).any():
        return None
    return pa.array(np.maximum(column.codes, 0).astype(np.uint8))
