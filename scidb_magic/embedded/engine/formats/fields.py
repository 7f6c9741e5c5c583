"""Splits delimited text into fields: where each begins and ends, before anything is read from it.

Text is split by NumPy at once, or by a regular expression where quotes stand in unusual places.

CSV (CsvParser.cpp over libcsv): a field in quotes may hold separators and line ends, doubled quotes, and
quotes after a backslash; blanks belong to a field; a line ends with a line feed or a carriage return,
empty lines are passed over. What the quotes are, the first one in the file says. Unlike libcsv a quote
after a backslash never ends a field, so that every string that ``save`` writes can be read.

TSV (TsvParser.cpp) has no quotes: each line feed ends a record, each tab a field; what stands behind a
carriage return or a zero byte in a line is passed over.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from scidb_magic.embedded.engine.formats.names import Layout
from scidb_magic.embedded.engine.formats.values import BINARY, Texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Offsets = NDArray[np.int64]
    Mask = NDArray[np.bool_]
    Spans = tuple[Offsets, Offsets, Mask, Mask]

NUL, LF, CR, BACKSLASH = 0, 10, 13, 92


@dataclass(frozen=True, slots=True)
class Fields:
    """All fields of a file, one after the other.

    Attributes
    ----------
    start, stop : numpy.ndarray of int64, shape (fields,)
        Byte offsets, without quotes.
    quoted : numpy.ndarray of bool, shape (fields,)
    last : numpy.ndarray of bool, shape (fields,)
        Whether the field ends its record.
    quote : bytes
        What the quoted stand in; empty in TSV.
    """

    start: Offsets
    stop: Offsets
    quoted: Mask
    last: Mask
    quote: bytes


def split(data: bytes, layout: Layout) -> Fields:
    """Split the whole text of a file."""
    raw = np.frombuffer(data, np.uint8)
    separator = layout.read_separator
    if layout.tabular:
        return Fields(*_split_tabs(raw, separator[0]), b"")
    quote = layout.quote or _guess_quote(data)
    marks = _quotes(raw, separator[0], quote[0])
    if marks is None:
        spans = _split_quoted(data, separator, quote)
    else:
        spans = _without_quotes(raw, split_plain(raw, separator[0], (LF, CR), marks), quote[0])
    return Fields(*_without_empty_lines(spans), quote)


def take(data: bytes, start: Offsets, stop: Offsets) -> Texts:
    """The texts ``data[start:stop]`` of ascending ranges; null where a start is -1."""
    present = start >= 0
    begin, end = start[present], stop[present]
    lengths = np.zeros(len(start), np.int64)
    lengths[present] = end - begin
    offsets: Any = np.zeros(len(start) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    # the k-th byte of a text lies as far behind its start as it lies behind its own first byte
    picked = np.arange(offsets[-1]) + np.repeat(begin - offsets[:-1][present], end - begin)
    taken: Any = np.frombuffer(data, np.uint8)[picked]
    validity = None
    if not present.all():
        validity = pa.py_buffer(np.packbits(present, bitorder="little").tobytes())
    return pa.Array.from_buffers(BINARY, len(start), [validity, pa.py_buffer(offsets), pa.py_buffer(taken)])


def _quotes(raw: NDArray[np.uint8], separator: int, quote: int) -> Offsets | None:
    """Places of the quotes that open and close, in turn; None where they do not enclose whole fields."""
    marks: Offsets = np.flatnonzero(raw == quote)
    escapes, here = np.zeros(len(marks), np.int64), marks - 1
    while (more := (here >= 0) & (raw[np.maximum(here, 0)] == BACKSLASH)).any():
        escapes += more
        here = np.where(more, here - 1, -1)
    marks = marks[escapes % 2 == 0]
    if len(marks) % 2:
        return None
    if not len(marks):
        return marks
    bounds = (separator, LF, CR)
    opening, closing = marks[::2], marks[1::2]
    # a doubled quote closes and opens again at once
    doubled = np.concatenate([[False], opening[1:] == closing[:-1] + 1, [False]])
    begins = (opening == 0) | np.isin(raw[opening - 1], bounds) | doubled[:-1]
    ends = (
        (closing == len(raw) - 1) | np.isin(raw[np.minimum(closing + 1, len(raw) - 1)], bounds) | doubled[1:]
    )
    return marks if begins.all() and ends.all() else None


def split_plain(
    raw: NDArray[np.uint8], separator: int, line_ends: tuple[int, ...], quotes: Offsets | None = None
) -> Spans:
    """Split at every separator and line end, but for those between `quotes`."""
    line_end = np.isin(raw, line_ends)
    stop = np.flatnonzero(line_end | (raw == separator))
    if quotes is not None and len(quotes):
        stop = stop[np.searchsorted(quotes, stop) % 2 == 0]
    last = line_end[stop]
    if len(raw) and not (len(stop) and last[-1] and stop[-1] == len(raw) - 1):
        stop, last = np.append(stop, len(raw)), np.append(last, True)
    start = np.concatenate([[0], stop[:-1] + 1]) if len(stop) else stop
    return start, stop, np.zeros(len(stop), np.bool_), last


def _split_tabs(raw: NDArray[np.uint8], separator: int) -> Spans:
    spans = split_plain(raw, separator, (LF, CR, NUL))
    early = np.flatnonzero((raw == CR) | (raw == NUL))
    if not len(early):
        return spans
    feeds = np.flatnonzero(raw == LF)
    start = spans[0]
    kept = _last_before(early, start) <= _last_before(feeds, start)
    return spans[0][kept], spans[1][kept], spans[2][kept], spans[3][kept]


def _last_before(places: Offsets, here: Offsets) -> Offsets:
    """The last of the ascending places before each, -1 where there is none."""
    return np.concatenate([[-1], places])[np.searchsorted(places, here)]


def _without_quotes(raw: NDArray[np.uint8], spans: Spans, quote: int) -> Spans:
    start, stop, _, last = spans
    quoted = start < stop
    quoted[quoted] = raw[start[quoted]] == quote
    return start + quoted, stop - quoted, quoted, last


def _split_quoted(data: bytes, separator: bytes, quote: bytes) -> Spans:
    mark, end = re.escape(quote), re.escape(separator)
    field = re.compile(
        rb"(?:%b((?:[^%b\\]|\\.|%b%b)*)(?:%b|\Z)|([^%b\r\n]*))(?:%b|(\r|\n|\Z))"
        % (mark, mark, mark, mark, mark, end, end),
        re.DOTALL,
    )
    start, stop, quoted, last = array("q"), array("q"), bytearray(), bytearray()
    for match in field.finditer(data):
        in_quotes = match.start(1) >= 0
        begin, finish = match.span(1 if in_quotes else 2)
        start.append(begin)
        stop.append(finish)
        quoted.append(in_quotes)
        last.append(match.start(3) >= 0)
    return (
        np.array(start, np.int64),
        np.array(stop, np.int64),
        np.frombuffer(bytes(quoted), np.bool_),
        np.frombuffer(bytes(last), np.bool_),
    )


def _guess_quote(data: bytes) -> bytes:
    found = re.search(rb"['\"]", data)
    return found[0] if found else b"'"


def _without_empty_lines(spans: Spans) -> Spans:
    start, stop, quoted, last = spans
    first = np.concatenate([[True], last[:-1]]) if len(last) else last
    kept = ~(first & last & (start == stop) & ~quoted)
    return start[kept], stop[kept], quoted[kept], last[kept]
