"""Formats of ``save``, ``input`` and of the array literals of ``build``.

A module for each kind: `delimited` (csv, tsv, dcsv), `bracketed` (text, dense, sparse, store), `binary` and
`arrow` write; `read_delimited`, `read_text` and `read_binary` read; `literal` reads array literals.
`values` turns columns into text, `parse` text into columns. Imports NumPy and pyarrow, as the whole
engine does.

Tables have the columns of a `relation`: ``d*`` coordinates, ``a*`` values, ``m*`` missing reasons. What
is read has an ``m{k}`` only where some reason is not 0.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from scidb_magic.embedded.engine.formats import (
    arrow,
    binary,
    bracketed,
    delimited,
    names,
    read_binary,
    read_delimited,
    read_text,
)
from scidb_magic.embedded.engine.formats.batches import Batched, Batches
from scidb_magic.embedded.engine.formats.literal import array_literal
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import Schema

__all__ = ["Batches", "array_literal", "is_by_rows", "read", "write"]

READABLE = ("binary", "csv", "tsv", "text", "store")


def is_by_rows(format: str) -> bool:
    """Whether `write` takes cells in batches, one after the other; else it needs the whole table."""
    return names.layout(format).name not in names.BRACKETED


def write(table: Batched, schema: Schema, format: str, out: BinaryIO, *, atts_only: bool = True) -> None:
    """Write the cells of a result as ``save`` does.

    Parameters
    ----------
    table : pyarrow.Table or Batches
        Columns d*, a*, m*; cells in SciDB's order.
    schema : Schema
    format : str
        A name with options, such as ``csv+:l``, or a binary format string.
    out : binary file
    atts_only : bool
        For arrow: without the dimensions.

    Raises
    ------
    EngineError
        ``UNSUPPORTED_FORMAT``, ``ATTRIBUTES_MISMATCH``, ``ASSIGNING_NULL_TO_NON_NULLABLE``,
        ``ILLEGAL_OPERATION`` (datetimetz as Arrow).
    """
    layout = names.layout(format)
    if layout.name == "binary":
        binary.write(table, schema, format, out)
    elif layout.name == names.ARROW:
        arrow.write(table, schema, out, atts_only=atts_only)
    elif isinstance(table, pa.Table) and layout.name in names.BRACKETED:
        bracketed.write(table, schema, layout, out)
    else:
        delimited.write(table, schema, layout, out)


def read(
    path: Path | None, schema: Schema, format: str, *, max_errors: int = 0, strict: bool = True
) -> pa.Table:
    """Read a file as ``input`` does.

    Parameters
    ----------
    path : Path, optional
        None for an empty file.
    schema : Schema
        Of the cells that are read.
    format : str
        ``csv``, ``tsv`` (with options), ``text``, ``store``, empty for ``text``, or a binary format string.
    max_errors : int
        So many values may be wrong; they become null, or a zero where null is not allowed.
    strict : bool
        Text: chunks must come in row-major order, and no cell twice.

    Returns
    -------
    pyarrow.Table
        Columns d*, a*, and m* where some missing reason is not 0.

    Raises
    ------
    EngineError
        ``FILE_IMPORT_FAILED``, ``CANT_OPEN_FILE``, ``UNSUPPORTED_FORMAT``, ``ATTRIBUTES_MISMATCH``.
    """
    layout = names.layout(format or "text")
    try:
        data = b"" if path is None else path.read_bytes()
    except OSError as error:
        raise EngineError(
            "EXECUTION", "CANT_OPEN_FILE", f"Cannot open file '{path}': {error.strerror}."
        ) from None
    source = path or ""
    if layout.name == "binary":
        return read_binary.read(data, schema, format, source=source)
    if layout.name not in READABLE:
        raise names.unsupported(format)
    if layout.name in ("text", "store"):
        text = data.decode("utf-8", "surrogateescape")
        return read_text.read(text, schema, max_errors=max_errors, strict=strict, source=source)
    return read_delimited.read(data, schema, layout, max_errors=max_errors, source=source)
