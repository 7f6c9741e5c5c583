"""Writes ``csv``, ``tsv`` and ``dcsv``: one line for each cell (ArrayWriter.cpp, saveWithLabels).

``csv+`` and ``tsv+`` begin a line with the cell's coordinates, ``dcsv`` with ``{i,j} ``; a data frame's
cells have none. Lines end with a line feed.
"""

from __future__ import annotations

from typing import BinaryIO

from scidb_magic.embedded.engine.formats.batches import Batched
from scidb_magic.embedded.engine.formats.names import Layout
from scidb_magic.embedded.engine.formats.values import (
    Texts,
    attribute_texts,
    coordinate_texts,
    joined,
    raw_bytes,
)
from scidb_magic.wire.schema import Schema

BATCH = 1 << 17
"""Cells that are turned into text at a time."""


def write(table: Batched, schema: Schema, layout: Layout, out: BinaryIO) -> None:
    """Write the cells of `table`, in its order.

    Parameters
    ----------
    table : pyarrow.Table
        Columns d*, a*, m* as in `relation`.
    """
    coordinates = layout.coordinates and not schema.is_dataframe
    if layout.labels:
        out.write(_labels(schema, layout, coordinates))
    for batch in table.to_batches(max_chunksize=BATCH):
        if batch.num_rows:
            cells = attribute_texts(batch, schema, layout)
            positions = coordinate_texts(batch, schema) if coordinates else []
            out.write(raw_bytes(_lines(positions, cells, layout)))


def _lines(positions: list[Texts], cells: list[Texts], layout: Layout) -> Texts:
    if layout.name == "dcsv" and positions:
        line = [b"{", joined(positions, b","), b"} ", joined(cells, layout.separator)]
    else:
        line = [joined([*positions, *cells], layout.separator)]
    return joined([*line, b"\n"])


def _labels(schema: Schema, layout: Layout, coordinates: bool) -> bytes:
    dimensions = [d.name for d in schema.dimensions] if coordinates else []
    attributes = [a.name for a in schema.attributes]
    separator = layout.separator.decode()
    if layout.name == "dcsv" and dimensions:
        return f"{{{','.join(dimensions)}}} {separator.join(attributes)}\n".encode()
    return f"{separator.join([*dimensions, *attributes])}\n".encode()
