"""Checks at run time, as SQL that raises an `EngineError` through DuckDB's ``error``."""

from __future__ import annotations

from dataclasses import replace

from scidb_magic.embedded.engine.columns import Cell
from scidb_magic.embedded.engine.errors import marked
from scidb_magic.embedded.engine.sql import quote


def raising(short: str, long: str, description: str, *values: str) -> str:
    """SQL that raises; ``{}`` in the description stands for the SQL of a value that can be text."""
    pieces = marked(short, long, description).split("{}")
    parts = [quote(pieces[0])]
    for value, piece in zip(values, pieces[1:], strict=True):
        parts += [f"coalesce(CAST({value} AS VARCHAR), 'null')", quote(piece)]
    return f"error({' || '.join(parts)})"


def without_nulls(cell: Cell, nullable: bool) -> Cell:
    """`cell`, raising at a missing value if its attribute is not nullable."""
    if cell.attribute.nullable or not nullable:
        return cell
    refused = raising(
        "EXECUTION",
        "ASSIGNING_NULL_TO_NON_NULLABLE",
        f"Assigning NULL to non-nullable attribute '{cell.attribute.name}'.",
    )
    return replace(cell, sql=f"coalesce({cell.sql}, {refused})", code=None)
