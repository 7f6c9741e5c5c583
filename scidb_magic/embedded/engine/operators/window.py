"""``window``: aggregates over the cells around each cell.

In one dimension this is SQL's ``RANGE`` frame over the coordinate, which is exact for sparse arrays.
In more dimensions one of them is the frame; along the others every cell is copied to each place whose
window it belongs to, and the copies of one place are framed together. Only places that have a cell of
their own give a result. The longest side of the window is the frame, so that the number of copies is
the product of the shorter sides.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scidb_magic.embedded.engine.columns import axes, cells, columns, like
from scidb_magic.embedded.engine.errors import wrong_parameter
from scidb_magic.embedded.engine.operators.aggregate import aggregated
from scidb_magic.embedded.engine.operators.operator import operator
from scidb_magic.embedded.engine.operators.signature import Arguments
from scidb_magic.embedded.engine.relation import Relation

if TYPE_CHECKING:
    from scidb_magic.embedded.engine.planner import Context


def window(context: Context, args: Arguments) -> Relation:
    """One cell for each cell of the input: aggregates over the box around it."""
    source: Relation = args.value("input")
    sides = list(zip(args.values("preceding"), args.values("following"), strict=True))
    if len(sides) != len(source.schema.dimensions) or any(min(side) < 0 for side in sides):
        raise wrong_parameter("an integer within dimension bounds", None, short="SYNTAX", system=True)
    frame = max(range(len(sides)), key=lambda k: sum(sides[k]))
    spread = _spread(source, sides, frame)
    others = ", ".join(f"d{k}" for k in range(len(sides)) if k != frame)
    partition = f"PARTITION BY {others} " if others else ""
    before, after = sides[frame]
    over = f"OVER ({partition}ORDER BY d{frame} RANGE BETWEEN {before} PRECEDING AND {after} FOLLOWING)"
    found = [replace(axis, dimension=replace(axis.dimension, overlap=0)) for axis in axes(source)]
    own = "QUALIFY own" if others else ""
    result = like(source, found, aggregated(args.values("aggregate_call"), over), f"FROM ({spread}) {own}")
    return replace(result, schema=replace(result.schema, emptyable=True))


def _spread(source: Relation, sides: list[tuple[int, int]], frame: int) -> str:
    """The cells of `source`, copied along every dimension but the frame; ``own`` marks the originals.

    A cell at d lies in the windows of the places d - following … d + preceding.
    """
    copied = [k for k, side in enumerate(sides) if k != frame and sum(side) > 0]
    if len(sides) == 1:
        return source.sql
    offsets = "".join(
        f", (SELECT unnest(range(-{sides[k][1]}, {sides[k][0] + 1})) AS o) AS o{k}" for k in copied
    )
    own = " AND ".join(f"o{k}.o = 0" for k in copied) or "true"
    moved = [
        replace(axis, sql=f"s.d{k} + o{k}.o" if k in copied else f"s.d{k}")
        for k, axis in enumerate(axes(source))
    ]
    return f"SELECT {columns(moved, cells(source, 's.'))}, {own} AS own FROM ({source.sql}) AS s{offsets}"


OPERATORS = (
    operator(
        "window",
        "<input> ( preceding=<constant:int64> following=<constant:int64> )+"
        " <aggregate_call>+ <constant:string>?",
        window,
    ),
)
