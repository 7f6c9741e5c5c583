"""Places of cells: from a cell's number to its coordinates, from coordinates to the place in a chunk.

SciDB fills and prints chunk after chunk in row-major order, and within a chunk the cells in row-major
order (ArrayWriter.cpp, ChunkLoader.cpp).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from scidb_magic.wire.schema import MAX_COORDINATE, Schema

if TYPE_CHECKING:
    from numpy.typing import NDArray

Position = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """Bounds and chunk lengths of the dimensions, each of length n.

    A chunk length that is not fixed yet spans its whole dimension.
    """

    low: Position
    high: Position
    chunk: Position

    @classmethod
    def of(cls, schema: Schema) -> Grid:
        """The grid of an array; a chunk length that is open is the whole dimension."""
        low = tuple(d.low for d in schema.dimensions)
        high = tuple(MAX_COORDINATE if d.high is None else d.high for d in schema.dimensions)
        whole = tuple(h - lo + 1 for lo, h in zip(low, high, strict=True))
        chunk = tuple(
            n if d.chunk is None else d.chunk for d, n in zip(schema.dimensions, whole, strict=True)
        )
        return cls(low, high, chunk)

    @property
    def rank(self) -> int:
        """Number of dimensions."""
        return len(self.low)

    def origin(self, position: Position) -> Position:
        """The first position of the chunk that holds `position`."""
        return tuple(
            lo + (at - lo) // length * length
            for at, lo, length in zip(position, self.low, self.chunk, strict=True)
        )

    def shape(self, origin: Position) -> Position:
        """Cells along each dimension of the chunk at `origin`, cut off at the array's bounds."""
        return tuple(min(n, h - at + 1) for at, n, h in zip(origin, self.chunk, self.high, strict=True))

    def successor(self, origin: Position) -> Position:
        """Where the chunk after the one at `origin` begins; outside of the array after the last."""
        following = list(origin)
        for k in reversed(range(self.rank)):
            following[k] += self.chunk[k]
            if following[k] <= self.high[k] or k == 0:
                break
            following[k] = self.low[k]
        return tuple(following)

    def holds(self, position: Position) -> bool:
        """Whether `position` is inside the bounds."""
        return all(lo <= at <= h for at, lo, h in zip(position, self.low, self.high, strict=True))

    def coordinates(self, count: int) -> list[NDArray[np.int64]]:
        """Coordinates of the first `count` cells of a full array, one array of shape (count,) a dimension.

        Raises
        ------
        IndexError
            With the position that would be the first outside, where the array has fewer cells.
        """
        if self.rank == 1 and count <= self.high[0] - self.low[0] + 1:
            return [np.arange(self.low[0], self.low[0] + count, dtype=np.int64)]
        parts: list[list[NDArray[np.int64]]] = [[] for _ in self.low]
        origin = self.low
        while count:
            if not self.holds(origin):
                raise IndexError(origin)
            shape = self.shape(origin)
            size = min(count, prod(shape))
            for part, along, start in zip(parts, unravel(np.arange(size), shape), origin, strict=True):
                part.append(along + start)
            count -= size
            origin = self.successor(origin)
        return [np.concatenate(part) if part else np.zeros(0, np.int64) for part in parts]


def unravel(index: NDArray[np.int64], shape: Position) -> list[NDArray[np.int64]]:
    """Row-major index in a box of `shape` -> coordinates; unlike NumPy's for boxes over 2**63 cells too."""
    along: list[NDArray[np.int64]] = []
    for length in reversed(shape[1:]):
        along.append(index % length)
        index = index // length
    return [index, *reversed(along)]
