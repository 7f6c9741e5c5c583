"""Writes ``text``, ``dense``, ``sparse``, ``store``: chunks in nested brackets (ArrayWriter.cpp).

* dense: ``[[(0),()],[(),(11)]];[[…]]``: every cell of the chunk, ``()`` for an empty one;
* sparse: ``{0,0}[[{0,0}(0),{1,1}(11)]];{…}[[…]]``: only cells that are there, each with its coordinates,
  and before each chunk the coordinates of its first cell;
* text: each chunk dense if over a tenth of it is filled, else sparse;
* store: as text, and before each chunk the coordinates at which it begins. SciDB also writes the cells
  of the overlap regions there, which the embedded engine does not keep.

In text and dense a chunk tells its coordinates only where it is not the one that was due.
"""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scidb_magic.embedded.engine.formats.grid import Grid, Position
from scidb_magic.embedded.engine.formats.names import Layout
from scidb_magic.embedded.engine.formats.values import (
    BINARY,
    Texts,
    attribute_texts,
    coordinate_texts,
    joined,
    raw_bytes,
)
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import Schema

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Coordinates = list[NDArray[np.int64]]

SPARSE_PERCENT = 10
"""Up to this part of a chunk's cells filled, ``text`` writes it sparse."""

MAX_DENSE_CELLS = 1 << 24
"""Largest chunk that is written cell by cell: a second's work, which no cancel interrupts."""


def write(table: pa.Table, schema: Schema, layout: Layout, out: BinaryIO) -> None:
    """Write the cells of `table`, which stand in SciDB's order.

    Raises
    ------
    EngineError
        ``CANT_ALLOCATE_MEMORY`` where a chunk has too many cells to be written dense.
    """
    grid = Grid.of(schema)
    if not table.num_rows:
        out.write(b"[" * grid.rank + b"]" * grid.rank + b"\n")
        return
    batch = table.combine_chunks().to_batches()[0]
    positions = coordinate_texts(batch, schema)
    texts = joined([b"(", joined(attribute_texts(batch, schema, layout), b","), b")"])
    along = [batch.column(f"d{k}").to_numpy() for k in range(grid.rank)]
    due = grid.low
    bounds = _chunk_bounds(along, grid)
    for start, stop in pairwise(bounds):
        cells = [axis[start:stop] for axis in along]
        first = tuple(int(axis[0]) for axis in cells)
        origin = grid.origin(first)
        shape = grid.shape(origin)
        sparse = layout.name == "sparse" or (
            layout.name != "dense" and (stop - start) * 100 <= prod(shape) * SPARSE_PERCENT
        )
        if start:
            out.write(b";")
        if layout.name in ("sparse", "store") or origin != due:
            named = first if sparse and layout.name != "store" else origin
            out.write(b"{%s}" % ",".join(map(str, named)).encode())
        if sparse:
            places = [axis.slice(start, stop - start) for axis in positions]
            out.write(_sparse(cells, places, texts.slice(start, stop - start)))
        else:
            out.write(_dense(cells, texts.slice(start, stop - start), origin, shape))
        due = grid.successor(origin)
    out.write(b"\n")


def _chunk_bounds(along: Coordinates, grid: Grid) -> list[int]:
    """Row numbers at which a chunk begins, and the number of rows."""
    changes = np.zeros(len(along[0]) - 1, np.bool_)
    for axis, low, length in zip(along, grid.low, grid.chunk, strict=True):
        changes |= np.diff((axis - low) // length) != 0
    return [0, *(np.flatnonzero(changes) + 1).tolist(), len(along[0])]


def _sparse(cells: Coordinates, positions: list[Texts], texts: Texts) -> bytes:
    levels = np.zeros(len(texts) - 1, np.int64)
    wrapped = np.ones(len(texts) - 1, np.bool_)
    # a new bracket begins where the coordinates inside of it do not grow
    for axis in cells[:0:-1]:
        wrapped &= axis[1:] <= axis[:-1]
        levels += wrapped
    place = joined([b"{", joined([*positions], b","), b"}"])
    return _bracketed(levels, joined([place, texts]), len(cells))


def _dense(cells: Coordinates, texts: Texts, origin: Position, shape: Position) -> bytes:
    size = prod(shape)
    if size > MAX_DENSE_CELLS:
        raise EngineError(
            "NO_MEMORY",
            "CANT_ALLOCATE_MEMORY",
            f"A chunk of {size} cells is too large to be written cell by cell.",
        )
    numbers: Any = np.zeros(len(texts), np.int64)
    for axis, start, length in zip(cells, origin, shape, strict=True):
        numbers = numbers * length + (axis - start)
    shown = np.zeros(size, np.int64)
    shown[numbers] = np.arange(1, len(texts) + 1)
    levels = np.zeros(size - 1, np.int64)
    inner = 1
    for length in shape[:0:-1]:
        inner *= length
        levels[inner - 1 :: inner] += 1
    pool = pa.concat_arrays([pa.array([b"()"], BINARY), texts])
    return _bracketed(levels, pool.take(pa.array(shown)), len(shape))


def _bracketed(levels: NDArray[np.int64], texts: Texts, rank: int) -> bytes:
    """The texts in `rank` nested brackets; between two, as many brackets as `levels` tells end and begin."""
    table = pa.array([b"[" * rank, *(b"]" * n + b"," + b"[" * n for n in range(rank))], BINARY)
    before = table.take(pa.array(np.concatenate([[0], levels + 1])))
    return bytes(raw_bytes(pc.binary_join_element_wise(before, texts, pa.scalar(b"", BINARY)))) + b"]" * rank
