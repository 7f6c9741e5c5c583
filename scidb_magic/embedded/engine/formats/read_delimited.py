"""Reads ``csv`` and ``tsv``: one record for each cell, in the order of the cells.

As CsvChunkLoader.cpp and ChunkLoader.cpp do: of a record with too many fields the others are passed over
(SciDB only warns), each field that lacks is an error, and what a field means is asked after its escapes are
undone, whether it stood in quotes or not: ``'null'`` is null where null is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scidb_magic.embedded.engine.formats import fields, parse
from scidb_magic.embedded.engine.formats.assemble import in_order, table
from scidb_magic.embedded.engine.formats.failures import Failure, check
from scidb_magic.embedded.engine.formats.names import Layout
from scidb_magic.embedded.engine.formats.values import BINARY, Texts
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import Schema

if TYPE_CHECKING:
    from numpy.typing import NDArray

CSV = parse.Dialect((b"null", rb"\N"), empty_is_null=True)
TSV = parse.Dialect((b"null", rb"\N"))

_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_TSV_ESCAPED = {b"t": b"\t", b"n": b"\n", b"r": b"\r", b"N": rb"\N"}
_BROKEN = r"(?:^|[^\\])(?:\\\\)*\\$"
"""A backslash that escapes nothing, at the end of a field of TSV."""


def read(data: bytes, schema: Schema, layout: Layout, *, max_errors: int, source: Path | str) -> pa.Table:
    """Read the whole text of a file.

    Parameters
    ----------
    data : bytes
    schema : Schema
        Of the cells; record number k becomes the k-th cell.
    layout : Layout
    max_errors : int
        So many fields may be wrong or lack; they become null, or a zero where null is not allowed.
    source : path
        For the error's text.

    Returns
    -------
    pyarrow.Table
        Columns d*, a*, m*.

    Raises
    ------
    EngineError
        ``FILE_IMPORT_FAILED``; ``MULTIDIMENSIONAL_ARRAY_NOT_ALLOWED``.
    """
    if len(schema.dimensions) != 1 and not schema.is_dataframe:
        raise EngineError(
            "IMPORT_ERROR",
            "MULTIDIMENSIONAL_ARRAY_NOT_ALLOWED",
            f"Data in format '{layout.name}' has no coordinates: load it into an array of one dimension"
            " and redimension that.",
        )
    if layout.labels:
        data = data[data.find(b"\n") + 1 :] if b"\n" in data else b""
    found = fields.split(data, layout)
    start, stop, quoted, failures = _records(found, len(schema.attributes), layout)
    dialect = TSV if layout.tabular else CSV
    columns = []
    for k, attribute in enumerate(schema.attributes):
        texts = fields.take(data, start[:, k], stop[:, k])
        wrong = dict.fromkeys(_broken(texts), "TSV parsing error") if layout.tabular else {}
        read = _unescaped(texts, quoted[:, k] if quoted.any() else None, found.quote)
        if wrong:
            read = pc.if_else(_mask(len(read), wrong), pa.scalar(None, BINARY), read)
        column = parse.column(read, None, attribute, dialect)
        columns.append(column)
        for row, message in (column.failed | wrong).items():
            offset = int(start[row, k])
            if offset >= 0:  # an absent field has been told already
                value = (read[row].as_py() or texts[row].as_py()).decode("utf-8", "replace")
                failures.append(Failure(row + 1, k, offset, value, message))
    check(failures, max_errors, source, schema.name)
    return table(in_order(len(start), schema, source), columns)


def _records(
    found: fields.Fields, width: int, layout: Layout
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], list[Failure]]:
    """Starts, stops and quotedness of the fields, shape (records, width); -1 where a field is absent."""
    last = np.flatnonzero(found.last)
    counts = np.diff(last, prepend=-1)
    if (counts == width).all():
        shape = (-1, width)
        return found.start.reshape(shape), found.stop.reshape(shape), found.quoted.reshape(shape), []
    record = np.repeat(np.arange(len(counts)), counts)
    number = np.arange(len(record)) - np.repeat(last - counts + 1, counts)
    fits = number < width
    start = np.full((len(counts), width), -1, np.int64)
    stop = np.full((len(counts), width), -1, np.int64)
    quoted = np.zeros((len(counts), width), np.bool_)
    for array, values in ((start, found.start), (stop, found.stop), (quoted, found.quoted)):
        array[record[fits], number[fits]] = values[fits]
    failures = []
    for row in np.flatnonzero(counts < width).tolist():
        end = int(found.stop[last[row]])
        position, offset = end + 1, end + (not layout.tabular)
        for column in range(int(counts[row]), width):
            message = f"Too few input record fields at position {position}, line {row + 1}, column {column}"
            failures.append(Failure(row + 1, column, offset, "", message))
    return start, stop, quoted, failures


def _mask(count: int, rows: Iterable[int]) -> Any:
    mask = np.zeros(count, np.bool_)
    mask[list(rows)] = True
    return pa.array(mask)


def _broken(texts: Texts) -> list[int]:
    if not _contains(texts, b"\\").any():
        return []
    found: Any = pc.match_substring_regex(texts, _BROKEN)
    rows: list[int] = np.flatnonzero(found.fill_null(False).to_numpy(zero_copy_only=False)).tolist()
    return rows


def _unescaped(texts: Texts, quoted: NDArray[np.bool_] | None, quote: bytes) -> Texts:
    """The texts without escapes; only those that have one are looked at. TSV has no quote."""
    escaped = _contains(texts, b"\\")
    if quoted is not None:
        escaped |= quoted & _contains(texts, quote)
    rows = np.flatnonzero(escaped)
    if not len(rows):
        return texts
    found = texts.take(pa.array(rows)).to_pylist()
    doubled = [False] * len(rows) if quoted is None else quoted[rows].tolist()
    mended = [_unescape(text, quote, twice) for text, twice in zip(found, doubled, strict=True)]
    return pc.replace_with_mask(texts, pa.array(escaped), pa.array(mended, BINARY))


def _contains(texts: Texts, mark: bytes) -> NDArray[np.bool_]:
    matches: Any = pc.match_substring(texts, mark.decode())
    found: NDArray[np.bool_] = matches.fill_null(False).to_numpy(zero_copy_only=False)
    return found


def _unescape(text: bytes, quote: bytes, doubled: bool) -> bytes:
    if not quote:
        return _ESCAPE.sub(lambda found: _TSV_ESCAPED.get(found[1], found[1]), text)
    twice = b"|%b(%b)" % (quote, quote) if doubled else b"|(?!)()"
    return re.sub(rb"\\(\\|%b)%b" % (quote, twice), lambda found: found[1] or found[2], text)
