"""Rows of SciDB's binary format <-> columns; the format is told in `binary`, which is the way in.

Rows of fixed size are one structured NumPy view. In rows with a field of variable size a Python
loop finds where each such field ends, and all else is done by NumPy on whole columns: fixed fields
through an array that starts at every byte, strings by one mask over the bytes.

Imports NumPy and pyarrow, so it is itself only imported when rows are there.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from scidb_magic.errors import WireError
from scidb_magic.wire.columns import PRESENT, VARIABLE_TYPES, Column, dtype_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scidb_magic.wire.binary import Field

    Bytes = NDArray[np.uint8]
    Offsets = NDArray[np.int64]

_LENGTH = np.dtype("<u4")
_CODE = np.dtype("i1")


def decode(body: memoryview, fields: Sequence[Field], partial: bool) -> list[Column]:
    """See `binary.decode`."""
    if not fields:
        return []
    if any(map(_is_variable, fields)):
        return _decode_variable(body, fields, partial)
    row = _row_dtype(fields)
    count, rest = divmod(len(body), row.itemsize)
    if rest and not partial:
        raise WireError(f"The result ends within a row: {rest} of {row.itemsize} bytes after row {count}.")
    cells: NDArray[Any] = np.ndarray((count,), row, body)
    return [
        _fixed_column(field, cells[f"v{k}"], cells[f"m{k}"] if field.nullable else None)
        for k, field in enumerate(fields)
        if field.type != "skip"
    ]


def encode(columns: Sequence[Column], fields: Sequence[Field]) -> bytes:
    """See `binary.encode`."""
    if not columns:
        return b""
    lengths = {len(column) for column in columns}
    if len(lengths) > 1:
        raise WireError(f"Columns of one length make rows, not of lengths {sorted(lengths)}.")
    for column, field in zip(columns, fields, strict=True):
        if column.codes is not None and not field.nullable and (column.codes != PRESENT).any():
            raise WireError(f"Column {column.name!r} misses a value, and its format does not allow null.")
    if any(map(_is_variable, fields)):
        return _encode_variable(columns, fields)
    cells = np.zeros(len(columns[0]), _row_dtype(fields))
    for k, (column, field) in enumerate(zip(columns, fields, strict=True)):
        if field.nullable:
            cells[f"m{k}"] = _codes(column)
        cells[f"v{k}"] = _fixed_values(column, field)
    return cells.tobytes()


def _is_variable(field: Field) -> bool:
    return field.size is None and field.type in (*VARIABLE_TYPES, "skip")


def _wire_dtype(field: Field) -> np.dtype[Any]:
    """How a field of fixed size lies in a row."""
    if field.size is not None:
        return np.dtype((np.void, field.size))
    return np.dtype("u1") if field.type == "bool" else dtype_of(field.type)


def _row_dtype(fields: Sequence[Field]) -> np.dtype[Any]:
    parts: list[tuple[str, np.dtype[Any]]] = []
    for k, field in enumerate(fields):
        if field.nullable:
            parts.append((f"m{k}", _CODE))
        parts.append((f"v{k}", _wire_dtype(field)))
    return np.dtype(parts)


def _everywhere(body: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """An array with one element of `dtype` starting at each byte of `body`, shape (len - size + 1,)."""
    return np.ndarray((max(0, len(body) - dtype.itemsize + 1),), dtype, body, strides=(1,))


# decode


def _decode_variable(body: memoryview, fields: Sequence[Field], partial: bool) -> list[Column]:
    ends = _walk(body, fields, partial)
    raw = np.asarray(body)
    columns = []
    variables = 0  # of this row, passed so far
    position: Offsets = ends[:, 0]
    for field in fields:
        codes = None
        if field.nullable:
            codes, position = _everywhere(body, _CODE)[position], position + 1
        if _is_variable(field):
            variables += 1
            start, position = position + _LENGTH.itemsize, ends[:, variables]
            if field.type != "skip":
                # the closing NUL of a string is not part of its value
                stop = np.maximum(start, position - 1) if field.type == "string" else position
                columns.append(_variable_column(field, raw, start, stop, codes))
            continue
        dtype = _wire_dtype(field)
        values, position = _everywhere(body, dtype)[position], position + dtype.itemsize
        if field.type != "skip":
            columns.append(_fixed_column(field, values, codes))
    return columns


def _walk(body: memoryview, fields: Sequence[Field], partial: bool) -> Offsets:
    """Offsets of each row's start and of the ends of its variable fields, shape (rows, 1 + variables)."""
    gaps, fixed = [], 0
    for field in fields:
        fixed += field.nullable
        if _is_variable(field):
            gaps.append(fixed)
            fixed = 0
        else:
            fixed += _wire_dtype(field).itemsize
    ends, length_at = array("q"), struct.Struct("<I").unpack_from
    append = ends.append
    position, size = 0, len(body)
    try:
        while position < size:
            append(position)
            for gap in gaps:
                position += gap
                position += 4 + length_at(body, position)[0]
                append(position)
            position += fixed
    except struct.error:
        position = size + 1
    rows = len(ends) // (1 + len(gaps))
    if position > size:
        rows -= len(ends) % (1 + len(gaps)) == 0
        if not partial:
            raise WireError(f"The result of {size} bytes ends within a row, after {rows} whole rows.")
    return np.asarray(ends)[: rows * (1 + len(gaps))].reshape(rows, 1 + len(gaps))


def _checked(field: Field, codes: NDArray[np.int8]) -> NDArray[np.int8]:
    codes = np.ascontiguousarray(codes)
    if (codes < PRESENT).any():
        raise WireError(f"Column {field.name!r} has a byte in front of a value that is no missing reason.")
    return codes


def _fixed_column(field: Field, values: NDArray[Any], codes: NDArray[np.int8] | None) -> Column:
    if field.size is not None:
        raw = np.ascontiguousarray(values).view(np.uint8)
        start = np.arange(len(values), dtype=np.int64) * field.size
        length: NDArray[Any] = np.full(len(values), field.size, np.int64)
        if field.type == "string":
            zeros = raw.reshape(-1, field.size) == 0
            length = np.where(zeros.any(axis=1), zeros.argmax(axis=1), length)
        return _variable_column(field, raw, start, start + length, codes)
    if field.type == "bool":
        values = values != 0
    values = np.ascontiguousarray(values)
    if codes is None:
        return Column(field.name, field.type, values)
    codes = _checked(field, codes)
    missing = codes != PRESENT
    if missing.any():
        values = values if values.flags.writeable else values.copy()
        values[missing] = np.zeros((), values.dtype)
    return Column(field.name, field.type, values, codes)


def _variable_column(
    field: Field, raw: Bytes, start: Offsets, stop: Offsets, codes: NDArray[np.int8] | None
) -> Column:
    """Column of the byte ranges ``raw[start:stop]``, which go upwards."""
    validity, nulls = None, 0
    if codes is not None:
        codes = _checked(field, codes)
        missing = codes != PRESENT
        nulls = int(missing.sum())
        if nulls:
            validity = pa.py_buffer(np.packbits(~missing, bitorder="little").tobytes())
            stop = np.where(missing, start, stop)
    offsets: Any = np.zeros(len(start) + 1, np.int64)
    np.cumsum(stop - start, out=offsets[1:])
    data: Any = raw[_ranges(len(raw), start, stop)]
    buffers = [validity, pa.py_buffer(offsets), pa.py_buffer(data)]
    values: pa.Array[Any] = pa.Array.from_buffers(pa.large_binary(), len(start), buffers, nulls)
    return Column(field.name, field.type, as_text(values) if field.type == "string" else values, codes)


def _ranges(size: int, start: Offsets, stop: Offsets) -> NDArray[np.bool_]:
    """Mask over `size` bytes, true in each range ``[start, stop)``; ranges do not overlap."""
    some = stop > start
    edges = np.zeros(size + 1, np.int8)
    edges[start[some]] += 1
    edges[stop[some]] -= 1
    return np.cumsum(edges[:-1], dtype=np.int8).view(np.bool_)


def as_text(values: pa.Array[Any]) -> pa.Array[Any]:
    """``large_binary`` as ``large_string``, or as it is where some value is not UTF-8."""
    try:
        return values.cast(pa.large_string())
    except pa.ArrowInvalid:
        return values


# encode


def _encode_variable(columns: Sequence[Column], fields: Sequence[Field]) -> bytes:
    texts = {
        k: bytes_of(column.values)
        for k, (column, field) in enumerate(zip(columns, fields, strict=True))
        if _is_variable(field)
    }
    rows = len(columns[0])
    sizes = np.zeros(rows, np.int64)
    for k, field in enumerate(fields):
        sizes += field.nullable
        sizes += _encoded_length(columns[k], texts[k][0]) + 4 if k in texts else _wire_dtype(field).itemsize
    row_ends = np.cumsum(sizes)
    out = np.zeros(int(row_ends[-1]) if rows else 0, np.uint8)
    position: Offsets = row_ends - sizes
    for k, (column, field) in enumerate(zip(columns, fields, strict=True)):
        if field.nullable:
            _everywhere(out, _CODE)[position] = _codes(column)
            position = position + 1
        if k in texts:
            lengths, data = texts[k]
            encoded = _encoded_length(column, lengths)
            _everywhere(out, _LENGTH)[position] = encoded
            position = position + 4
            out[_ranges(len(out), position, position + lengths)] = data
            position = position + encoded
        else:
            dtype = _wire_dtype(field)
            _everywhere(out, dtype)[position] = _fixed_values(column, field)
            position = position + dtype.itemsize
    return out.tobytes()


def _encoded_length(column: Column, lengths: Offsets) -> Offsets:
    """Bytes after the length word: a string that is there closes with a NUL."""
    if column.type != "string":
        return lengths
    return lengths + (1 if column.missing is None else ~column.missing)


def _codes(column: Column) -> NDArray[np.int8]:
    return np.full(len(column), PRESENT, np.int8) if column.codes is None else column.codes


def _fixed_values(column: Column, field: Field) -> NDArray[Any]:
    if field.size is not None:
        lengths, data = bytes_of(column.values)
        if (lengths > field.size).any():
            row = int((lengths > field.size).argmax())
            raise WireError(f"Column {column.name!r}, row {row}: {lengths[row]} bytes in {field.size}.")
        out = np.zeros(len(lengths) * field.size, np.uint8)
        start = np.arange(len(lengths), dtype=np.int64) * field.size
        out[_ranges(len(out), start, start + lengths)] = data
        return out.view(_wire_dtype(field))
    values: Any = column.values
    if column.missing is not None and column.missing.any():
        values = values.copy()
        values[column.missing] = np.zeros((), values.dtype)
    return values  # type: ignore[no-any-return]


def bytes_of(values: Any) -> tuple[Offsets, Bytes]:
    """Length of each value in bytes, shape (n,), and all bytes one after the other; missing is empty."""
    if pa.types.is_string(values.type):
        values = values.cast(pa.large_string())
    values = values.cast(pa.large_binary()).fill_null(b"")
    _, offset_buffer, data_buffer = values.buffers()
    if not len(values):
        return np.zeros(0, np.int64), np.zeros(0, np.uint8)
    offsets = np.frombuffer(offset_buffer, np.int64)[values.offset : values.offset + len(values) + 1]
    data = np.frombuffer(data_buffer, np.uint8) if data_buffer is not None else np.zeros(0, np.uint8)
    return np.diff(offsets), data[offsets[0] : offsets[-1]]
