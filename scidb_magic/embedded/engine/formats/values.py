r"""Text of the values of one column, whole columns at a time (TypeSystem.cpp, ValueToString).

===================  =======================================================================
bool                 ``true``, ``false``
integers             decimal
double, float        ``%.15g``, ``%.6g``; ``nan``, ``inf``, ``-inf``, ``-0``
string               in quotes, with a backslash before quote and backslash
char                 in ``'…'`` whatever the quote of strings, with ``\0 \n \r \t \f \' \\`` escaped;
                     in TSV both without quotes, with ``\t \n \r \\`` escaped
datetime             ``2014-07-01 00:00:00`` in UTC, in quotes but in TSV
datetimetz           local time and `` +hh:mm``; an offset of 0 prints as ``-00:00``
null                 the layout's text of null, or ``?n`` with the missing reason n from 1 on
===================  =======================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scidb_magic.embedded.engine.formats.names import Layout
from scidb_magic.wire.schema import Schema

Texts = Any
"""An Arrow array of ``large_binary``."""

Values = Any
"""An Arrow array of a physical type."""

BINARY = pa.large_binary()

_TSV_ESCAPES = ((b"\\", rb"\\"), (b"\t", rb"\t"), (b"\n", rb"\n"), (b"\r", rb"\r"))


def _chars(escapes: dict[bytes, bytes], quote: bytes) -> Texts:
    letters = [bytes([byte]) for byte in range(256)]
    return pa.array([quote + escapes.get(letter, letter) + quote for letter in letters], BINARY)


_TSV_CHARS = _chars(dict(_TSV_ESCAPES), b"")
_QUOTED_CHARS = _chars(
    {**dict(_TSV_ESCAPES), b"\0": rb"\0", b"\f": rb"\f", b"'": rb"\'"},
    b"'",
)


def coordinate_texts(batch: pa.RecordBatch, schema: Schema) -> list[Texts]:
    """Text of each dimension's coordinates, shape (rows,) each."""
    return [_text(batch.column(f"d{k}")) for k in range(len(schema.dimensions))]


def attribute_texts(batch: pa.RecordBatch, schema: Schema, layout: Layout) -> list[Texts]:
    """Text of each attribute's values, shape (rows,) each, nothing missing in them."""
    names = set(batch.schema.names)
    return [
        value_texts(
            batch.column(f"a{k}"),
            batch.column(f"m{k}") if f"m{k}" in names else None,
            attribute.type,
            layout,
        )
        for k, attribute in enumerate(schema.attributes)
    ]


def value_texts(values: Values, codes: Values | None, type: str, layout: Layout) -> Texts:
    """Text of `values`; null at the missing ones becomes the text of their reason.

    Parameters
    ----------
    values : pyarrow.Array
        Physical type as in `relation.PHYSICAL`.
    codes : pyarrow.Array, optional
        Missing reasons; None or null is 0.
    type : str
        SciDB's type.
    layout : Layout
    """
    quote = b"'" if layout.quote is None else layout.quote
    texts = _RENDERERS.get(type, _opaque)(values, quote)
    if not texts.null_count:
        return texts
    if codes is None:
        return texts.fill_null(layout.null)
    reasons = pa.array([layout.null, *(b"?%d" % n for n in range(1, 128))], BINARY)
    return pc.coalesce(texts, reasons.take(codes.fill_null(0)))


def joined(parts: list[Texts | bytes], separator: bytes = b"") -> Texts:
    """The parts of each row one after the other; bytes stand in every row."""
    scalars = [pa.scalar(part, BINARY) if isinstance(part, bytes) else part for part in parts]
    return pc.binary_join_element_wise(*scalars, pa.scalar(separator, BINARY))


def raw_bytes(texts: Texts) -> memoryview:
    """All bytes of an array without nulls, one value after the other."""
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return memoryview(b"")
    bounds = np.frombuffer(offsets, np.int64)
    return memoryview(data)[bounds[texts.offset] : bounds[texts.offset + len(texts)]]


def _text(values: Values) -> Texts:
    return values.cast(pa.large_string()).cast(BINARY)


def _plain(values: Values, _quote: bytes) -> Texts:
    return _text(values)


def _float(format: str) -> Callable[[Values, bytes], Texts]:
    def render(values: Values, _quote: bytes) -> Texts:
        listed = values.to_pylist()
        # Arrow prints the shortest text that reads back, SciDB a fixed number of digits
        texts = [None if value is None else format % value for value in listed]
        return pa.array(texts, pa.large_string()).cast(BINARY)

    return render


def _string(values: Values, quote: bytes) -> Texts:
    texts = values.cast(BINARY)
    if not quote:
        for found, escaped in _TSV_ESCAPES:
            texts = pc.replace_substring(texts, found, escaped)
        return texts
    for found in (b"\\", quote):
        texts = pc.replace_substring(texts, found, b"\\" + found)
    return _quoted(texts, quote)


def _char(values: Values, quote: bytes) -> Texts:
    return (_QUOTED_CHARS if quote else _TSV_CHARS).take(values)


def _datetime(values: Values, quote: bytes) -> Texts:
    return _quoted(_text(values.cast(pa.timestamp("s"))), quote)


def _datetimetz(values: Values, quote: bytes) -> Texts:
    time, offset = (pc.struct_field(values, name) for name in ("time", "offset"))
    minutes = pc.divide(pc.abs(offset), 60)
    hours = pc.divide(minutes, 60)
    sign = pc.if_else(pc.greater(offset, pa.scalar(0)), pa.scalar(b" +", BINARY), pa.scalar(b" -", BINARY))
    zone = [sign, _two_digits(hours), b":", _two_digits(pc.subtract(minutes, pc.multiply(hours, 60)))]
    return _quoted(joined([_text(time.cast(pa.timestamp("s"))), *zone]), quote)


def _two_digits(numbers: Values) -> Texts:
    return pc.utf8_lpad(numbers.cast(pa.large_string()), 2, "0").cast(BINARY)


def _quoted(texts: Texts, quote: bytes) -> Texts:
    return joined([quote, texts, quote]) if quote else texts


def _opaque(values: Values, _quote: bytes) -> Texts:
    """Bytes have no text: only that there are some is told."""
    return pc.if_else(values.is_valid(), pa.scalar(b"<binary>", BINARY), pa.scalar(None, BINARY))


_RENDERERS: dict[str, Callable[[Values, bytes], Texts]] = {
    **dict.fromkeys(("bool", "int8", "int16", "int32", "int64"), _plain),
    **dict.fromkeys(("uint8", "uint16", "uint32", "uint64"), _plain),
    "double": _float("%.15g"),
    "float": _float("%.6g"),
    "string": _string,
    "char": _char,
    "datetime": _datetime,
    "datetimetz": _datetimetz,
}
