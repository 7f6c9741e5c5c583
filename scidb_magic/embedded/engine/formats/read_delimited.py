"""Reads ``csv`` and ``tsv``: one record for each cell, in the order of the cells."""

from __future__ import annotations

import re
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
from scidb_magic.wire.schema import Schema

if TYPE_CHECKING:
    from numpy.typing import NDArray

CSV = parse.Dialect((b"null", rb"\N"), empty_is_null=True)
TSV = parse.Dialect((b"null", rb"\N"))

_TSV_ESCAPE = re.compile(rb"\\([tnr\\])")
_TSV_ESCAPED = {b"t": b"\t", b"n": b"\n", b"r": b"\r", b"\\": b"\\"}


def read(data: bytes, schema: Schema, layout: Layout, *, max_errors: int, source: Path | str) -> pa.Table:
    """Read the whole text of a file.

    Parameters
    ----------
    data : bytes
    schema : Schema
        Of the cells; record number k becomes the k-th cell.
    layout : Layout
    max_errors : int
        So many fields may be wrong; they become null, or a zero where null is not allowed.
    source : path
        For the error's text.

    Returns
    -------
    pyarrow.Table
        Columns d*, a*, m*.

    Raises
    ------
    EngineError
        ``FILE_IMPORT_FAILED``
    """
    found = fields.split(data, layout)
    width = len(schema.attributes)
    start, stop, quoted, failures = _records(found, width, layout)
    dialect = TSV if layout.tabular else CSV
    columns = []
    for k, attribute in enumerate(schema.attributes):
        texts = fields.take(data, start[:, k], stop[:, k])
        in_quotes = quoted[:, k] if quoted.any() else None
        texts = _unescaped(texts, in_quotes, found.quote)
        column = parse.column(texts, in_quotes, attribute, dialect)
        columns.append(column)
        for row, message in column.failed.items():
            offset = int(start[row, k])
            if offset >= 0:  # an absent field has been told already
                value = texts[row].as_py().decode("utf-8", "replace")
                failures.append(Failure(row + 1 + layout.labels, k, offset, value, message))
    check(failures, max_errors, source, schema.name)
    return table(in_order(len(start), schema, source), columns)


def _records(
    found: fields.Fields, width: int, layout: Layout
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], list[Failure]]:
    """Starts, stops and quotedness of the fields, shape (records, width); -1 where a field is absent."""
    last = np.flatnonzero(found.last)
    counts = np.diff(last, prepend=-1)
    if (counts == width).all():
        skipped = int(layout.labels) * width
        shape = (-1, width)
        start, stop = found.start[skipped:].reshape(shape), found.stop[skipped:].reshape(shape)
        return start, stop, found.quoted[skipped:].reshape(shape), []
    record = np.repeat(np.arange(len(counts)), counts)
    number = np.arange(len(record)) - np.repeat(last - counts + 1, counts)
    fits = number < width
    start = np.full((len(counts), width), -1, np.int64)
    stop = np.full((len(counts), width), -1, np.int64)
    quoted = np.zeros((len(counts), width), np.bool_)
    for array, values in ((start, found.start), (stop, found.stop), (quoted, found.quoted)):
        array[record[fits], number[fits]] = values[fits]
    failures = []
    for row in np.flatnonzero(counts != width).tolist():
        if row < layout.labels:
            continue
        line, column = row + 1, min(int(counts[row]), width)
        offset = int(found.stop[last[row]]) + 1
        much = "few" if counts[row] < width else "many"
        message = f"Too {much} input record fields at position {offset}, line {line}, column {column}"
        failures.append(Failure(line, column, offset, "", message))
    skipped = int(layout.labels)
    return start[skipped:], stop[skipped:], quoted[skipped:], failures


def _unescaped(texts: Texts, quoted: NDArray[np.bool_] | None, quote: bytes) -> Texts:
    """The texts without escapes; only those that have one are looked at. TSV has no quote."""
    escaped = _contains(texts, b"\\")
    if quote:
        if quoted is None:
            return texts
        escaped = quoted & (escaped | _contains(texts, quote))
    rows = np.flatnonzero(escaped)
    if not len(rows):
        return texts
    mended = [_unescape(text, quote) for text in texts.take(pa.array(rows)).to_pylist()]
    return pc.replace_with_mask(texts, pa.array(escaped), pa.array(mended, BINARY))


def _contains(texts: Texts, mark: bytes) -> NDArray[np.bool_]:
    matches: Any = pc.match_substring(texts, mark.decode())
    found: NDArray[np.bool_] = matches.fill_null(False).to_numpy(zero_copy_only=False)
    return found


def _unescape(text: bytes, quote: bytes) -> bytes:
    if not quote:
        return _TSV_ESCAPE.sub(lambda found: _TSV_ESCAPED[found[1]], text)
    return re.sub(rb"\\(\\|%b)|%b(%b)" % (quote, quote, quote), lambda found: found[1] or found[2], text)
