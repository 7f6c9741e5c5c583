"""Columns -> rows of SciDB's binary format, and whole bodies -> columns; `binary` is the way in.

Rows of fixed size are one structured NumPy array. In rows with a field of variable size all is put in
place column by column: fixed fields through an array that starts at every byte, strings by `kernels`.

Imports NumPy and pyarrow, so it is itself only imported when rows are there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scidb_magic.errors import WireError
from scidb_magic.wire.columns import FIXED_TYPES, PRESENT, Column
from scidb_magic.wire.decoder import Rows
from scidb_magic.wire.kernels import INTERPRETED, Kernels, kernels
from scidb_magic.wire.layout import CODE, LENGTH, everywhere, is_variable, row_dtype, wire_dtype
from scidb_magic.wire.texts import bytes_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scidb_magic.wire.binary import Field
    from scidb_magic.wire.kernels import Offsets

BLOCK_ROWS = 1 << 14
"""Rows encoded at a time: what they take stays in the processor's cache."""


def decode(body: memoryview, fields: Sequence[Field], partial: bool) -> list[Column]:
    """See `binary.decode`."""
    if len(fields) == 1 and _lies_as_array(fields[0]):
        count, rest = divmod(len(body), wire_dtype(fields[0]).itemsize)
        if partial or not rest:
            values: NDArray[Any] = np.ndarray((count,), wire_dtype(fields[0]), body)
            return [Column(fields[0].name, fields[0].type, values)]
    rows = Rows(fields, len(body))
    rows.feed(body)
    return rows.columns(partial)


class Encoded:
    """See `binary.Encoder`."""

    def __init__(self, columns: Sequence[Column], fields: Sequence[Field]) -> None:
        lengths = {len(column) for column in columns}
        if len(lengths) > 1:
            raise WireError(f"Columns of one length make rows, not of lengths {sorted(lengths)}.")
        for column, field in zip(columns, fields, strict=True):
            if column.codes is not None and not field.nullable and (column.codes != PRESENT).any():
                raise WireError(f"Column {column.name!r} misses a value, and its format does not allow null.")
        self._columns, self._fields = columns, fields
        self._rows = lengths.pop() if lengths else 0
        self._variable = any(map(is_variable, fields))
        self._size = sum(map(_encoded_size, columns, fields))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        loops = kernels(sum(c.values.nbytes for c in self._columns)) if self._variable else INTERPRETED
        for first in range(0, self._rows, BLOCK_ROWS):
            block = [column.take(slice(first, first + BLOCK_ROWS)) for column in self._columns]
            if self._variable:
                yield _variable_block(block, self._fields, first, loops)
            else:
                yield _fixed_block(block, self._fields, first)


def _lies_as_array(field: Field) -> bool:
    """Whether rows of this field alone are an array as they stand."""
    return field.type in FIXED_TYPES and field.type != "bool" and not field.nullable


def _fixed_block(columns: Sequence[Column], fields: Sequence[Field], first: int) -> bytes:
    cells = np.empty(len(columns[0]), row_dtype(fields))
    for k, (column, field) in enumerate(zip(columns, fields, strict=True)):
        if field.nullable:
            cells[f"m{k}"] = PRESENT if column.codes is None else column.codes
        cells[f"v{k}"] = _fixed_values(column, field, first)
    return cells.tobytes()


def _variable_block(columns: Sequence[Column], fields: Sequence[Field], first: int, loops: Kernels) -> bytes:
    texts = {
        k: bytes_of(column.values)
        for k, (column, field) in enumerate(zip(columns, fields, strict=True))
        if is_variable(field)
    }
    sizes = np.zeros(len(columns[0]), np.int64)
    for k, field in enumerate(fields):
        sizes += field.nullable
        sizes += _encoded_length(columns[k], texts[k][0]) + 4 if k in texts else wire_dtype(field).itemsize
    row_ends = np.cumsum(sizes)
    out = np.zeros(int(row_ends[-1]), np.uint8)
    position: Offsets = row_ends - sizes
    for k, (column, field) in enumerate(zip(columns, fields, strict=True)):
        if field.nullable:
            everywhere(out, CODE)[position] = PRESENT if column.codes is None else column.codes
            position = position + 1
        if k in texts:
            lengths, data = texts[k]
            encoded = _encoded_length(column, lengths)
            everywhere(out, LENGTH)[position] = encoded
            position = position + 4
            loops.scatter(data, lengths, out, position)
            position = position + encoded
        else:
            dtype = wire_dtype(field)
            everywhere(out, dtype)[position] = _fixed_values(column, field, first)
            position = position + dtype.itemsize
    return out.tobytes()


def _encoded_size(column: Column, field: Field) -> int:
    """Bytes of all rows of a column."""
    if not is_variable(field):
        return len(column) * (field.nullable + wire_dtype(field).itemsize)
    text = int(_encoded_length(column, bytes_of(column.values)[0]).sum())
    return len(column) * (field.nullable + LENGTH.itemsize) + text


def _encoded_length(column: Column, lengths: Offsets) -> Offsets:
    """Bytes after the length word: a string that is there closes with a NUL."""
    if column.type != "string":
        return lengths
    return lengths + (1 if column.missing is None else ~column.missing)


def _fixed_values(column: Column, field: Field, first: int) -> NDArray[Any]:
    if field.size is not None:
        lengths, data = bytes_of(column.values)
        if (lengths > field.size).any():
            row = int((lengths > field.size).argmax())
            raise WireError(
                f"Column {column.name!r}, row {first + row}: {lengths[row]} bytes in {field.size}."
            )
        out = np.zeros(len(lengths) * field.size, np.uint8)
        INTERPRETED.scatter(data, lengths, out, np.arange(len(lengths), dtype=np.int64) * field.size)
        return out.view(wire_dtype(field))
    values: Any = column.values
    missing = column.missing
    if missing is not None and missing.any():
        values = values.copy()
        values[missing] = np.zeros((), values.dtype)
    return values  # type: ignore[no-any-return]
