"""Coordinates and columns that were read -> the table of a relation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from scidb_magic.embedded.engine.formats.failures import Failure, import_failed
from scidb_magic.embedded.engine.formats.grid import Grid, Position
from scidb_magic.embedded.engine.formats.parse import Parsed
from scidb_magic.wire.schema import Schema

if TYPE_CHECKING:
    from numpy.typing import NDArray


def table(coordinates: Sequence[NDArray[np.int64]], columns: Sequence[Parsed]) -> pa.Table:
    """Columns d*, a*, and m* where some missing reason is not 0."""
    made = {f"d{k}": pa.array(along) for k, along in enumerate(coordinates)}
    for k, column in enumerate(columns):
        made[f"a{k}"] = column.values
        if column.reasons is not None:
            made[f"m{k}"] = pa.array(column.reasons)
    return pa.table(made)


def in_order(count: int, schema: Schema, source: Path | str) -> list[NDArray[np.int64]]:
    """Coordinates of `count` cells that come one after the other.

    A data frame's cells are numbered along ``$seq``.

    Raises
    ------
    EngineError
        ``FILE_IMPORT_FAILED`` where the array has fewer cells.
    """
    if schema.is_dataframe:
        return [np.zeros(count, np.int64), np.arange(count, dtype=np.int64)]
    try:
        return Grid.of(schema).coordinates(count)
    except IndexError as error:
        message = outside(error.args[0], schema)
        raise import_failed(Failure(0, 0, 0, "", message), source, schema.name) from None


def outside(position: Position, schema: Schema) -> str:
    """SciDB's sentence for a chunk beyond the bounds of its array."""
    dimensions = "; ".join(map(str, schema.dimensions))
    return f"Chunk at {{{','.join(map(str, position))}}} is outside of array boundaries: {dimensions}"
