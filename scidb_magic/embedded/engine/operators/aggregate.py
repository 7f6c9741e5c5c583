"""``aggregate``: cells of the same coordinates along some dimensions, summed up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from scidb_magic.embedded.engine.columns import Axis, Cell, axes, like
from scidb_magic.embedded.engine.errors import duplicate_attribute, not_positive
from scidb_magic.embedded.engine.operators.operator import operator
from scidb_magic.embedded.engine.operators.signature import Arguments
from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import Attribute, Dimension

if TYPE_CHECKING:
    from scidb_magic.embedded.engine.aggregates import Aggregate
    from scidb_magic.embedded.engine.planner import Context


def aggregate(context: Context, args: Arguments) -> Relation:
    """One cell for each group; without dimensions one cell for all, that always exists."""
    source: Relation = args.value("input")
    found = aggregated(args.values("aggregate_call"))
    inner = f"FROM ({source.sql})"
    positions = list(dict.fromkeys(field.position for field in args.values("dimension_name")))
    if not positions:
        axis = Axis(Dimension("i", 0, 0, 0, 1), "0::BIGINT")
        total = like(source, [axis], found, inner)
        return replace(total, schema=replace(total.schema, emptyable=False), distribution="hashed")
    every = axes(source)
    groups = [replace(every[k], dimension=replace(every[k].dimension, overlap=0)) for k in positions]
    groups = _rechunked(groups, args.values("chunk"))
    keys = ", ".join(axis.sql for axis in groups)
    result = like(source, groups, found, f"{inner} GROUP BY {keys}")
    return replace(result, schema=replace(result.schema, emptyable=True), distribution="hashed")


def aggregated(aggregates: Sequence[Aggregate], over: str = "") -> list[Cell]:
    """The attributes that aggregate calls make; `over` is a window, empty for a group."""
    found: list[Cell] = []
    for each in aggregates:
        if any(each.name == cell.attribute.name for cell in found):
            raise duplicate_attribute(each.name)
        found.append(Cell(Attribute(each.name, each.type), each.sql(over)))
    return found


def _rechunked(groups: list[Axis], chunks: Sequence[int]) -> list[Axis]:
    if not chunks:
        return groups
    if len(chunks) != len(groups):
        raise EngineError(
            "INFER_SCHEMA",
            "NUM_CHUNKSIZES_NOT_MATCH_NUM_DIMS",
            "In aggregate, the number of specified chunk sizes (if any) must match the number of dimensions.",
        )
    if min(chunks) <= 0:
        raise not_positive("chunk", "INFER_SCHEMA")
    return [
        replace(axis, dimension=replace(axis.dimension, chunk=chunk))
        for axis, chunk in zip(groups, chunks, strict=True)
    ]


OPERATORS = (
    operator("aggregate", "<input> <aggregate_call>+ <dimension_name>* chunk=<constant:int64>*", aggregate),
)
