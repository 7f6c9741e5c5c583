"""Cells of a result as they arrive, in pieces: a large one is never in memory as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import pyarrow as pa


class Batched(Protocol):
    """What a writer of rows needs; a `pyarrow.Table` is one, too."""

    def to_batches(self, max_chunksize: int) -> Iterable[pa.RecordBatch]:
        """Pieces of at most `max_chunksize` rows, in order."""


class Batches:
    """Pieces that are read once, in their order."""

    def __init__(self, pieces: Iterator[pa.RecordBatch]) -> None:
        self._pieces = pieces

    def to_batches(self, max_chunksize: int) -> Iterator[pa.RecordBatch]:
        """The pieces, cut to at most this many cells."""
        for piece in self._pieces:
            for start in range(0, piece.num_rows, max_chunksize):
                yield piece.slice(start, max_chunksize)
