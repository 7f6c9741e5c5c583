"""The loops of `kernels`, compiled by Numba (extra ``[fast]``); importing this loads or compiles them.

Machine code is kept beside the source or, where that folder is read-only, in the user's cache folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit, types

from scidb_magic.wire import walk as loop

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scidb_magic.wire.kernels import Bytes, Offsets

_READ = types.Array(types.uint8, 1, "C", readonly=True)
_WRITE = types.Array(types.uint8, 1, "C")
_LENGTHS = types.Array(types.uint32, 1, "A", readonly=True, aligned=False)
_OFFSETS = types.Array(types.int64, 1, "C")


# signatures, so that no other layout of an array compiles anything anew
_walk = njit(types.int64(_LENGTHS, _OFFSETS, types.int64, _OFFSETS), cache=True, nogil=True)(loop.walk)


@njit(types.void(_READ, _OFFSETS, _OFFSETS, _WRITE), cache=True, nogil=True)
def _gather(raw: Any, start: Any, stop: Any, out: Any) -> None:
    at = 0
    for row in range(len(start)):
        for k in range(start[row], stop[row]):
            out[at] = raw[k]
            at += 1


@njit(types.void(_READ, _OFFSETS, _WRITE, _OFFSETS), cache=True, nogil=True)
def _scatter(data: Any, lengths: Any, out: Any, start: Any) -> None:
    at = 0
    for row in range(len(start)):
        for k in range(start[row], start[row] + lengths[row]):
            out[k] = data[at]
            at += 1


def walk(lengths: NDArray[np.uint32], gaps: list[int], rows: int, at: int) -> Offsets:
    """See `kernels.walked`."""
    ends = np.empty(len(gaps) * rows, np.int64)
    return ends[: _walk(_read_only(lengths), np.tile(np.array(gaps, np.int64), rows), at, ends)]


def gather(raw: Bytes, start: Offsets, stop: Offsets) -> Bytes:
    """See `kernels.Kernels`."""
    start, stop = np.ascontiguousarray(start), np.ascontiguousarray(stop)
    out: Bytes = np.empty(int((stop - start).sum()), np.uint8)
    _gather(_read_only(raw), start, stop, out)
    return out


def scatter(data: Bytes, lengths: Offsets, out: Bytes, start: Offsets) -> None:
    """See `kernels.Kernels`."""
    _scatter(_read_only(data), np.ascontiguousarray(lengths), out, np.ascontiguousarray(start))


def _read_only(raw: NDArray[Any]) -> NDArray[Any]:
    view = raw.view()
    view.flags.writeable = False
    return view
