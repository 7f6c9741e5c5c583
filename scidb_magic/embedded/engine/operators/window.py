"""``window``: aggregates over the cells around each cell.

In one dimension this is SQL's ``RANGE`` frame over the coordinate, which is exact for sparse arrays.
In more dimensions one of them is the frame; along the others every cell is copied to each place whose
window it belongs to, and the copies of one place are framed together. Only places that have a cell of
their own give a result. The longest side of the window is the frame, so that the number of copies is
the product of the shorter sides.

Where the box is small enough and mostly full, NumPy does it (dense_window.py).

DuckDB looks for the ends of a frame in its whole partition, so a long frame dimension is cut into blocks,
and the cells near a border are copied to the block behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scidb_magic.embedded.engine.columns import axes, cells, columns, like
from scidb_magic.embedded.engine.errors import wrong_parameter
from scidb_magic.embedded.engine.operators import dense_window
from scidb_magic.embedded.engine.operators.aggregate import aggregated
from scidb_magic.embedded.engine.operators.dense_window import Side
from scidb_magic.embedded.engine.operators.operator import operator
from scidb_magic.embedded.engine.operators.signature import Arguments
from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.wire.schema import MAX_COORDINATE, Dimension

if TYPE_CHECKING:
    from scidb_magic.embedded.engine.aggregates import Aggregate
    from scidb_magic.embedded.engine.planner import Context


_BLOCK = 4096
"""Shortest block of the frame dimension, in coordinates."""


def window(context: Context, args: Arguments) -> Relation:
    """One cell for each cell of the input: aggregates over the box around it."""
    source: Relation = args.value("input")
    sides: list[Side] = list(zip(args.values("preceding"), args.values("following"), strict=True))
    if len(sides) != len(source.schema.dimensions) or any(min(side) < 0 for side in sides):
        raise wrong_parameter("an integer within dimension bounds", None, short="SYNTAX", system=True)
    sides = [_within(each, side) for each, side in zip(source.schema.dimensions, sides, strict=True)]
    frame = max(range(len(sides)), key=lambda k: sum(sides[k]))
    copies = [_shifted(k, side) for k, side in enumerate(sides) if k != frame and sum(side) > 0]
    copies += _blocks(source.schema.dimensions[frame], frame, sides[frame])
    before, after = sides[frame]
    groups = [f"d{k}" for k in range(len(sides)) if k != frame] + [
        copy.group for copy in copies if copy.group
    ]
    partition = f"PARTITION BY {', '.join(groups)} " if groups else ""
    over = f"OVER ({partition}ORDER BY d{frame} RANGE BETWEEN {before} PRECEDING AND {after} FOLLOWING)"
    found = [replace(axis, dimension=replace(axis.dimension, overlap=0)) for axis in axes(source)]
    aggregates: list[Aggregate] = args.values("aggregate_call")
    result = like(
        source, found, aggregated(aggregates, over), f"FROM ({_copied(source, copies)}) QUALIFY own"
    )
    result = replace(result, schema=replace(result.schema, emptyable=True))
    if not dense_window.fits(source, aggregates, sides):
        return result
    return context.derived(
        result,
        lambda execution: dense_window.computed(execution, source, aggregates, sides, otherwise=result),
    )


def _within(along: Dimension, side: Side) -> Side:
    """The part of a side that can reach a cell at all."""
    furthest = (along.length or MAX_COORDINATE) - 1
    return min(side[0], furthest), min(side[1], furthest)


@dataclass(frozen=True, slots=True)
class _Copy:
    """Copies of every cell along one dimension, numbered by the offset ``{name}.o``; 0 is the cell itself.

    Attributes
    ----------
    low, high : int
        First and last offset.
    moved : str
        SQL of the copy's coordinate.
    wanted : str
        SQL that is true of the copies to be made.
    group, block : str
        Name and SQL of a column that keeps copies apart; empty where the coordinate does.
    """

    dimension: int
    low: int
    high: int
    moved: str
    wanted: str = ""
    group: str = ""
    block: str = ""

    @property
    def name(self) -> str:
        return f"o{self.dimension}"


def _shifted(dimension: int, side: Side) -> _Copy:
    """A cell at d lies in the windows of the places d - following … d + preceding."""
    return _Copy(dimension, -side[1], side[0], f"s.d{dimension} + o{dimension}.o")


def _blocks(along: Dimension, dimension: int, side: Side) -> list[_Copy]:
    """Cells in the windows of places of the block before or behind are copied to it, where they are."""
    length = max(_BLOCK, 4 * (sum(side) + 1))
    if along.length is not None and along.length <= 2 * length:
        return []
    d, o = f"s.d{dimension}", f"o{dimension}.o"
    block, first, last = (
        f"({place} // {length})" for place in (d, f"({d} - {side[1]})", f"({d} + {side[0]})")
    )
    wanted = f"({o} = 0 OR ({o} = 1 AND {last} > {block}) OR ({o} = -1 AND {first} < {block}))"
    return [_Copy(dimension, -1, 1, d, wanted, "block", f"{block} + {o}")]


def _copied(source: Relation, copies: Sequence[_Copy]) -> str:
    """The cells of `source` and their copies; ``own`` marks the cells themselves."""
    moved = {copy.dimension: copy.moved for copy in copies}
    places = [replace(axis, sql=moved.get(k, f"s.d{k}")) for k, axis in enumerate(axes(source))]
    own = " AND ".join(f"{copy.name}.o = 0" for copy in copies) or "true"
    listed = [columns(places, cells(source, "s.")), f"{own} AS own"]
    listed += [f"{copy.block} AS {copy.group}" for copy in copies if copy.group]
    offsets = "".join(
        f", (SELECT unnest(range({copy.low}, {copy.high + 1})) AS o) AS {copy.name}" for copy in copies
    )
    wanted = " AND ".join(copy.wanted for copy in copies if copy.wanted) or "true"
    return f"SELECT {', '.join(listed)} FROM ({source.sql}) AS s{offsets} WHERE {wanted}"


OPERATORS = (
    operator(
        "window",
        "<input> ( preceding=<constant:int64> following=<constant:int64> )+"
        " <aggregate_call>+ <constant:string>?",
        window,
        frames=False,
    ),
)
