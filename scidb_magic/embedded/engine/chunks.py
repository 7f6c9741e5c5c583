"""Chunk lengths that SciDB chooses by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from scidb_magic.wire.schema import Dimension

CELLS = 1_000_000
"""Cells of a chunk that the estimate aims at (Dense1MChunkEstimator.cpp)."""


def sized(dimensions: Sequence[Dimension]) -> tuple[Dimension, ...]:
    """`dimensions` with open chunk lengths estimated for a dense array.

    The open dimensions share what the given lengths leave of a million cells: 1,000,000 for one,
    1,000 for two, 99 for three (the root is taken in floating point and cut).
    """
    known = [dimension.chunk for dimension in dimensions if dimension.chunk is not None]
    unknown = len(dimensions) - len(known)
    if unknown == 0:
        return tuple(dimensions)
    share = max(1.0, CELLS / math.prod(known))
    length = math.floor(math.pow(share, 1.0 / unknown))
    return tuple(
        replace(dimension, chunk=length) if dimension.chunk is None else dimension for dimension in dimensions
    )


def taken(dimensions: Sequence[Dimension], other: Sequence[Dimension]) -> tuple[Dimension, ...]:
    """`dimensions` with open chunk lengths taken from `other`, and those still open estimated."""
    return sized(
        [
            replace(mine, chunk=theirs.chunk) if mine.chunk is None else mine
            for mine, theirs in zip(dimensions, other, strict=True)
        ]
    )
