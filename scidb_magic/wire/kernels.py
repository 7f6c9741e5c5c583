"""The three loops over bytes that rows of variable size need: `walk`, `gather`, `scatter`.

`walk` is one function (`scidb_magic.wire.walk`), run by Python or compiled by Numba (`compiled`). The two
that move bytes are one NumPy mask each where nothing is compiled. `kernels` picks: the compiled ones where
Numba is there and the process has had bytes enough to pay for loading them.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scidb_magic.wire.layout import LENGTH, everywhere
from scidb_magic.wire.walk import walk

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Offsets = NDArray[np.int64]

WORTH_LOADING = 64 << 20
"""Bytes of one process from which Numba is loaded: some 0.6 to 1 s, against 8 ms saved a MB."""


class Kernels(NamedTuple):
    """The three loops.

    Attributes
    ----------
    walk : callable (body, gaps, tail, rows) -> (ends, used)
        Ends of the variable fields of at most `rows` whole rows, shape (m, variables), and the bytes of
        these rows. `gaps` are the bytes of fixed size before each variable field, `tail` those after
        the last.
    gather : callable (raw, start, stop) -> data
        The bytes of the ranges, which go upwards and do not overlap.
    scatter : callable (data, lengths, out, start) -> None
        Puts the bytes into ranges of those lengths.
    """

    walk: Callable[[memoryview, Sequence[int], int, int], tuple[Offsets, int]]
    gather: Callable[[Bytes, Offsets, Offsets], Bytes]
    scatter: Callable[[Bytes, Offsets, Bytes, Offsets], None]


Walk = Callable[["NDArray[np.uint32]", list[int], int, int], "Offsets"]


def walked(walk: Walk, body: memoryview, gaps: Sequence[int], tail: int, rows: int) -> tuple[Offsets, int]:
    """`Kernels.walk` by one way to run `walk`."""
    steps = [gap + LENGTH.itemsize for gap in gaps]
    start = -tail - LENGTH.itemsize
    steps[0] += tail
    rows = min(rows, len(body) // sum(steps) + 1)
    ends = walk(everywhere(body, LENGTH), steps, rows, start)
    ends = ends[: len(ends) // len(gaps) * len(gaps)].reshape(-1, len(gaps)) + LENGTH.itemsize
    if len(ends) and ends[-1, -1] + tail > len(body):
        ends = ends[:-1]
    return ends, int(ends[-1, -1]) + tail if len(ends) else 0


def _interpreted(lengths: NDArray[np.uint32], gaps: list[int], rows: int, at: int) -> Offsets:
    # Python reads and writes arrays of its own three times as fast as NumPy's
    ends = array("q", bytes(8 * len(gaps) * rows))
    aligned: Any = np.array(lengths, order="C")
    found = walk(memoryview(aligned), gaps * rows, at, ends)
    return np.asarray(ends)[:found]


def _gather(raw: Bytes, start: Offsets, stop: Offsets) -> Bytes:
    return raw[_inside(len(raw), start, stop)]


def _scatter(data: Bytes, lengths: Offsets, out: Bytes, start: Offsets) -> None:
    out[_inside(len(out), start, start + lengths)] = data


def _inside(size: int, start: Offsets, stop: Offsets) -> NDArray[np.bool_]:
    """Mask over `size` bytes, true in each range ``[start, stop)``; ranges do not overlap."""
    some = stop > start
    edges = np.zeros(size + 1, np.int8)
    edges[start[some]] += 1
    edges[stop[some]] -= 1
    return np.cumsum(edges[:-1], dtype=np.int8).view(np.bool_)


INTERPRETED = Kernels(partial(walked, _interpreted), _gather, _scatter)


@cache
def compiled() -> Kernels | None:
    """The compiled loops, None where Numba is missing or does not work."""
    try:
        import scidb_magic.wire.compiled as module
    except Exception:  # noqa: BLE001 (whatever is wrong with an accelerator, the result can be had without it)
        return None
    return Kernels(partial(walked, module.walk), module.gather, module.scatter)


class _Seen:
    bytes = 0


def kernels(here: int, ahead: int = 0) -> Kernels:
    """The loops for so many bytes here, where more are known to come."""
    _Seen.bytes += here
    return (_Seen.bytes + ahead >= WORTH_LOADING and compiled()) or INTERPRETED
