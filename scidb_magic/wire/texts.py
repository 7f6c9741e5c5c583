"""Arrow's arrays of strings and bytes, and the buffers they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from scidb_magic.wire.kernels import Bytes, Offsets


def as_text(values: pa.Array[Any]) -> pa.Array[Any]:
    """``large_binary`` as ``large_string``, or as it is where some value is not UTF-8."""
    try:
        return values.cast(pa.large_string())
    except pa.ArrowInvalid:
        return values


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
