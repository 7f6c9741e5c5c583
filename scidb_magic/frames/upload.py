"""Tables and arrays -> bytes for SciDB's ``input``, and the AFL that reads them.

What becomes what
    A table (see `tables`) or structured array of shape (n,) becomes one cell a row: its columns are
    attributes, its rows ``i = 0 … n-1``, unless some of its columns are named as the dimensions.
    The named levels of an index become the first columns; an unnamed index is left out. An n-d
    array of shape (a, b, …) becomes an n-d array with the dimensions ``i, j, …`` from 0, or as
    named, and one attribute, or as many as its dtype has fields. Types: see `values`.

How it gets there
    `encode` makes an `Upload`; its payload is sent to shim, which answers with a file name, and
    `array_query` or `load_statement` is the AFL expression that reads this file. Pure text and
    bytes: nothing here talks to a server.

Imports NumPy: import it when there is something to send.
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from scidb_magic.afl.literals import quote
from scidb_magic.errors import UploadError
from scidb_magic.frames import tables
from scidb_magic.frames.exact import Options, no_type, refuse
from scidb_magic.frames.values import column_of
from scidb_magic.wire import binary
from scidb_magic.wire.columns import VARIABLE_TYPES, Column, dtype_of
from scidb_magic.wire.schema import MAX_COORDINATE, Attribute, Dimension, Schema, distinct_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

COORDINATOR = -2
"""``input``'s instance that reads the file: the one that shim talks to, where shim keeps it."""

AXES = tuple(string.ascii_lowercase[8:])
"""Names of an n-d array's dimensions: i, j, k, … ."""

ROW = "i"
"""Dimension of an upload that has no other."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = {"and", "false", "fn", "in", "inf", "let", "nan", "not", "null", "or", "select", "true", "where"}
"""Names that AFL reads as something else (Keywords.cpp, Lexer.ll)."""


@dataclass(frozen=True, slots=True)
class Upload:
    """Data ready to be sent.

    Attributes
    ----------
    schema : Schema
        Of the file: one dimension over the rows, and the attributes in the file's order.
    format : str
        Binary format of the file, such as ``(int64,string null)``.
    payload : binary.Encoder
        The file. Shim takes no empty one: without rows it holds one row that the AFL leaves out.
    rows : int
    axes : tuple of Dimension
        Of the array that is to be made, where its dimensions are not the rows. Those named as
        attributes take their coordinates from them; else the rows are cells in row-major order.
    """

    schema: Schema
    format: str
    payload: binary.Encoder
    rows: int
    axes: tuple[Dimension, ...] = ()


def encode(
    data: Any,
    *,
    dims: Sequence[str] | None = None,
    chunks: Sequence[int] | None = None,
    round: bool = False,
) -> Upload:
    """Encode data.

    Parameters
    ----------
    data : pandas.DataFrame, pandas.Series, numpy.ndarray or what `tables` lists
        Masked arrays too; a masked value is missing.
    dims : sequence of str, optional
        Of a table: the columns, of integers, that become dimensions; their bounds are those of the
        data. Of an n-d array: names for its axes.
    chunks : sequence of int, optional
        Chunk lengths of the dimensions; else SciDB chooses.
    round : bool
        Round times to whole seconds, half up; else a fraction of a second is an error.

    Raises
    ------
    UploadError
        Naming the column and the first value that cannot be sent.
    """
    if isinstance(data, np.ndarray):
        options = Options(round)
        parts = _fields(data)
        if data.ndim > 1 or (data.ndim == 1 and data.dtype.names is None):
            return _encode_grid(data.shape, parts, dims, chunks, options)
        if data.ndim == 0:
            raise UploadError("A NumPy array without an axis cannot be sent: write its value in the AFL.")
    else:
        options = Options(round, nan_is_null=True)
        table, own = tables.parts_of(data)
        if own is not None and dims is not None and set(dims) != set(own):
            raise UploadError(f"The dimensions of these data are {', '.join(own)}: rename them in the data.")
        dims = own if dims is None else dims
        _check_names(name for name, _ in table)
        parts = dict(table)
    return _encode_table(parts, dims, chunks, options)


def load_statement(upload: Upload, file: str) -> str:
    """AFL expression of the uploaded rows, as a 1-D array.

    Parameters
    ----------
    upload : Upload
    file : str
        The server's name of the file, as shim answers it.
    """
    text = f"input({declared(upload.schema)}, {quote(file)}, {COORDINATOR}, {quote(upload.format)})"
    return text if upload.rows else f"filter({text}, false)"


def array_query(upload: Upload, file: str, into: str | None = None) -> str:
    """AFL expression of the data as the array that it is, with its own dimensions.

    What `load_statement` gives where the rows are the dimension; else that, redimensioned.

    Parameters
    ----------
    upload, file
        As `load_statement` takes them.
    into : str, optional
        Array or schema, in AFL, whose dimensions of the same names take the cells; else those of the data.
    """
    text = load_statement(upload, file)
    if not upload.axes:
        return text
    names = {axis.name for axis in upload.axes}
    if names.isdisjoint(a.name for a in upload.schema.attributes):
        text = f"apply({text}, {_coordinates(upload)})"
    return f"redimension({text}, {into or declared(array_schema(upload))})"


def rows_query(upload: Upload, file: str, into: str, dimension: str, first: int) -> str:
    """AFL expression of the rows as cells of the array `into`, from `first` on along its `dimension`."""
    row = distinct_names([*(a.name for a in upload.schema.attributes), dimension, "n"])[-1]
    renamed = replace(upload.schema.dimensions[0], name=row, chunk=None)
    text = load_statement(replace(upload, schema=replace(upload.schema, dimensions=(renamed,))), file)
    return f"redimension(apply({text}, {dimension}, {row} + {first}), {into})"


def array_schema(upload: Upload, *, open: bool = False) -> Schema:
    """Of the array that the data make; `open`: its dimensions have no end, and begin at 0 or before."""
    axes = upload.axes or upload.schema.dimensions
    names = {axis.name for axis in upload.axes}
    if open:
        axes = tuple(replace(axis, low=min(axis.low, 0), high=None) for axis in axes)
    return Schema(tuple(a for a in upload.schema.attributes if a.name not in names), axes)


def open_rows(upload: Upload) -> Upload:
    """The same, where the rows are the dimension with no upper bound to it: more can follow."""
    if upload.axes:
        return upload
    return replace(upload, schema=array_schema(upload, open=True))


def _encode_table(
    parts: dict[str, Any], dims: Sequence[str] | None, chunks: Sequence[int] | None, options: Options
) -> Upload:
    if not parts:
        raise UploadError("The data have no column: an array in SciDB has at least one attribute.")
    _check_names(parts)
    columns = [column_of(name, part, options) for name, part in parts.items()]
    rows = len(columns[0])
    if dims is None:
        (row,) = distinct_names([*parts, ROW])[-1:]
        (length,) = _lengths(chunks, 1)
        return _upload(columns, Dimension(row, 0, max(rows, 1) - 1, 0, length))
    dims = list(dims)
    if unknown := [name for name in dims if name not in parts]:
        raise UploadError(f"There is no column {unknown[0]!r} for a dimension, only {', '.join(parts)}.")
    if not dims or len(set(dims)) < len(dims) or len(dims) == len(columns):
        raise UploadError("dims=… names one or more columns, each once, and leaves one for an attribute.")
    columns = [_coordinate(c) if c.name in dims else c for c in columns]
    by_name = {column.name: column for column in columns}
    axes = tuple(
        _axis(by_name[name], length) for name, length in zip(dims, _lengths(chunks, len(dims)), strict=True)
    )
    (row,) = distinct_names([*parts, ROW])[-1:]
    return replace(_upload(columns, Dimension(row, 0, max(rows, 1) - 1)), axes=axes)


def _encode_grid(
    shape: tuple[int, ...],
    parts: dict[str, Any],
    dims: Sequence[str] | None,
    chunks: Sequence[int] | None,
    options: Options,
) -> Upload:
    names = list(AXES[: len(shape)] if dims is None else dims)
    if len(names) != len(shape):
        raise UploadError(f"An array of {len(shape)} axes takes so many names in dims=…, not {len(names)}.")
    _check_names([*parts, *names])
    columns = [column_of(name, part.reshape(-1), options) for name, part in parts.items()]
    axes = tuple(
        Dimension(name, 0, size - 1, 0, length)
        for name, size, length in zip(names, shape, _lengths(chunks, len(shape)), strict=True)
    )
    if len(shape) == 1:
        return _upload(columns, replace(axes[0], high=max(shape[0], 1) - 1))
    (row,) = distinct_names([*parts, *names, "n"])[-1:]
    cells = math.prod(shape)
    return replace(_upload(columns, Dimension(row, 0, max(cells, 1) - 1)), axes=axes)


def _upload(columns: list[Column], row: Dimension) -> Upload:
    rows = len(columns[0])
    attributes = tuple(Attribute(c.name, c.type, c.nullable) for c in columns)
    payload = binary.Encoder(columns if rows else [_one_row(c) for c in columns])
    return Upload(Schema(attributes, (row,)), binary.format_string(attributes), payload, rows)


def _one_row(column: Column) -> Column:
    import pyarrow as pa

    if column.type in VARIABLE_TYPES:
        values: Any = pa.array([b""], pa.large_binary())
    else:
        values = np.zeros(1, dtype_of(column.type))
    codes = None if column.codes is None else np.full(1, -1, np.int8)
    return replace(column, values=values, codes=codes)


def _fields(data: NDArray[Any]) -> dict[str, Any]:
    if data.dtype.names is None:
        return {tables.UNNAMED: data}
    for name in data.dtype.names:
        if data.dtype[name].shape:
            raise no_type(name, data.dtype[name])
    return {name: data[name] for name in data.dtype.names}


def _check_names(names: Iterable[Any]) -> None:
    seen = set()
    for name in names:
        if not isinstance(name, str) or _NAME.fullmatch(name) is None or name.lower() in _RESERVED:
            shown = repr(name) if isinstance(name, str) else f"The {type(name).__name__} {name}"
            raise UploadError(
                f"{shown} cannot be the name of an attribute or dimension in SciDB (letters, digits and"
                " _, no digit first, no word of AFL): rename it."
            )
        if name in seen:
            raise UploadError(f"Two attributes or dimensions would have the name {name!r}: rename one.")
        seen.add(name)


def _lengths(chunks: Sequence[int] | None, count: int) -> Sequence[int | None]:
    if chunks is None:
        return [None] * count
    if len(chunks) != count or any(not isinstance(c, (int, np.integer)) or c < 1 for c in chunks):
        raise UploadError(f"chunks=… takes {count} positive lengths, one for each dimension, not {chunks!r}.")
    return [int(length) for length in chunks]


def _coordinate(column: Column) -> Column:
    """A column of integers as coordinates, int64 not null."""
    values = column.values
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iu" or column.type == "char":
        raise UploadError(f"Column {column.name!r} is {column.type}: a dimension takes integers.")
    if column.missing is not None and column.missing.any():
        row = int(column.missing.argmax())
        raise UploadError(f"Column {column.name!r}, row {row}: a dimension takes no missing value.")
    outside = values > MAX_COORDINATE
    if values.dtype.kind == "i":
        outside |= values < -MAX_COORDINATE
    if outside.any():
        row = int(outside.argmax())
        raise refuse(column.name, row, int(values[row]), "is beyond SciDB's coordinates, 2**62 - 1")
    return Column(column.name, "int64", values.astype(np.int64))


def _axis(column: Column, chunk: int | None) -> Dimension:
    values = np.asarray(column.values)
    if not len(values):
        return Dimension(column.name, 0, None, 0, chunk)
    return Dimension(column.name, int(values.min()), int(values.max()), 0, chunk)


def _coordinates(upload: Upload) -> str:
    """Arguments of ``apply`` that turn the row's number into coordinates, last axis fastest."""
    row = upload.schema.dimensions[0].name
    sizes = [max(axis.length or 1, 1) for axis in upload.axes]
    terms = []
    for k, axis in enumerate(upload.axes):
        step = math.prod(sizes[k + 1 :])
        term = row if step == 1 else f"{row} / {step}"
        terms.append(f"{axis.name}, {term if k == 0 else f'{term} % {sizes[k]}'}")
    return ", ".join(terms)


def declared(schema: Schema) -> str:
    """A schema in AFL; chunk lengths only where they are given."""
    dimensions = "; ".join(
        str(d) if d.chunk is not None else f"{d.name}={d.low}:{'*' if d.high is None else d.high}"
        for d in schema.dimensions
    )
    return f"<{','.join(map(str, schema.attributes))}>[{dimensions}]"
