"""Columns that grow while rows come in: values of fixed size, byte ranges, missing reasons.

Memory comes in segments, so that what was written never moves before the end, and goes segment by
segment while the one array is made: at no time is a column there twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from scidb_magic.errors import WireError
from scidb_magic.wire.columns import PRESENT, Column
from scidb_magic.wire.layout import CODE, wire_dtype
from scidb_magic.wire.texts import as_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scidb_magic.wire.binary import Field
    from scidb_magic.wire.kernels import Kernels, Offsets

SMALLEST, LARGEST = 1 << 12, 1 << 26
"""Bytes of a segment; the largest are above what an allocator keeps for itself after they are given back."""


class Pile:
    """An array that grows.

    Parameters
    ----------
    dtype : numpy.dtype
    length : int, optional
        How many elements there will be, if that is known.
    """

    def __init__(self, dtype: np.dtype[Any], length: int | None = None) -> None:
        self._dtype = dtype
        self._full: list[NDArray[Any]] = []
        self._segment = np.empty(SMALLEST // dtype.itemsize if length is None else length, dtype)
        self._filled = 0

    def room(self, length: int) -> NDArray[Any]:
        """Place for that many more elements."""
        if self._filled + length > len(self._segment):
            doubled = 2 * self._segment.nbytes // self._dtype.itemsize
            most = LARGEST // self._dtype.itemsize
            self._full.append(self._segment[: self._filled])
            self._segment = np.empty(max(length, min(doubled, most)), self._dtype)
            self._filled = 0
        self._filled += length
        return self._segment[self._filled - length : self._filled]

    def whole(self) -> NDArray[Any]:
        """All of it; nothing can be added any more."""
        last = self._segment[: self._filled]
        if not self._full:
            return last
        segments = [last, *reversed(self._full)]
        self._full, self._segment = [], last[:0]  # they go one by one
        out = np.empty(sum(map(len, segments)), self._dtype)
        del last
        at = 0
        while segments:
            segment = segments.pop()
            out[at : at + len(segment)] = segment
            at += len(segment)
        self._segment, self._filled = out, len(out)
        return out


class _Growing:
    """What both kinds of column share: the missing reasons."""

    def __init__(self, field: Field, length: int | None) -> None:
        self.field = field
        self._codes = Pile(CODE, length) if field.nullable else None
        self._broken = False

    def _missing(self, codes: NDArray[np.int8] | None) -> NDArray[np.bool_] | None:
        """Keep the reasons; which cells miss, None if none does."""
        if self._codes is None or codes is None or not len(codes):
            return None
        kept = self._codes.room(len(codes))
        kept[:] = codes
        self._broken = self._broken or bool(kept.min() < PRESENT)
        return kept != PRESENT if kept.max() > PRESENT or self._broken else None

    def _reasons(self) -> NDArray[np.int8] | None:
        if self._broken:
            raise WireError(
                f"Column {self.field.name!r} has a byte in front of a value that is no missing reason."
            )
        return None if self._codes is None else self._codes.whole()


class FixedColumn(_Growing):
    """Values of a NumPy type."""

    def __init__(self, field: Field, length: int | None) -> None:
        super().__init__(field, length)
        dtype = np.dtype(bool) if field.type == "bool" else wire_dtype(field)
        self._values = Pile(dtype, length)

    def add(self, values: NDArray[Any], codes: NDArray[np.int8] | None) -> None:
        """Append values, and their missing reasons where nullable."""
        kept = self._values.room(len(values))
        if self.field.type == "bool":
            np.not_equal(values, 0, out=kept)
        else:
            kept[:] = values
        missing = self._missing(codes)
        if missing is not None:
            np.putmask(kept, missing, np.zeros((), kept.dtype))

    def column(self) -> Column:
        """All that was added, as one column."""
        codes = self._reasons()
        return Column(self.field.name, self.field.type, self._values.whole(), codes)


class BytesColumn(_Growing):
    """Strings or binary values."""

    def __init__(self, field: Field, length: int | None) -> None:
        super().__init__(field, length)
        self._offsets = Pile(np.dtype(np.int64), None if length is None else length + 1)
        self._offsets.room(1)[0] = 0
        self._data = Pile(np.dtype(np.uint8))
        self._size = 0

    def add(
        self,
        raw: NDArray[np.uint8],
        start: Offsets,
        stop: Offsets,
        codes: NDArray[np.int8] | None,
        kernels: Kernels,
    ) -> None:
        """Add the byte ranges ``raw[start:stop]``, which go upwards."""
        missing = self._missing(codes)
        if missing is not None:
            stop = np.where(missing, start, stop)
        data = kernels.gather(raw, start, stop)
        self._data.room(len(data))[:] = data
        offsets = self._offsets.room(len(start))
        np.cumsum(stop - start, out=offsets)
        offsets += self._size
        self._size += len(data)

    def add_fixed(self, values: NDArray[Any], codes: NDArray[np.int8] | None, kernels: Kernels) -> None:
        """Add ``string(N)`` or ``binary(N)``; a string ends at its first NUL."""
        size = values.dtype.itemsize
        raw = np.ascontiguousarray(values).view(np.uint8)
        start = np.arange(len(values), dtype=np.int64) * size
        stop: Offsets = start + size
        if self.field.type == "string" and len(values):
            zeros = raw.reshape(-1, size) == 0
            stop = np.where(zeros.any(axis=1), start + zeros.argmax(axis=1), stop)
        self.add(raw, start, stop, codes, kernels)

    def column(self) -> Column:
        """All that was added, as one column."""
        codes = self._reasons()
        missing = None if codes is None else codes != PRESENT
        nulls = 0 if missing is None else int(missing.sum())
        validity = None
        if missing is not None and nulls:
            validity = pa.py_buffer(np.packbits(~missing, bitorder="little").tobytes())
        offsets = self._offsets.whole()
        # NumPy's arrays are buffers for its stubs only from NumPy 2.5 on.
        parts: list[Any] = [offsets, self._data.whole()]
        buffers = [validity, *map(pa.py_buffer, parts)]
        values: pa.Array[Any] = pa.Array.from_buffers(pa.large_binary(), len(offsets) - 1, buffers, nulls)
        return Column(
            self.field.name,
            self.field.type,
            as_text(values) if self.field.type == "string" else values,
            codes,
        )
