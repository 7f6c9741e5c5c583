"""``cross_join`` and ``join``: cells of two arrays side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scidb_magic.embedded.engine.columns import Axis, axes, cells, relation
from scidb_magic.embedded.engine.errors import illegal_operation
from scidb_magic.embedded.engine.operators.kinds import Field
from scidb_magic.embedded.engine.operators.operator import operator
from scidb_magic.embedded.engine.operators.signature import Arguments
from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import Dimension

if TYPE_CHECKING:
    from scidb_magic.embedded.engine.planner import Context

_MOST_DIMENSIONS = 100
"""As many as SciDB's documentation promises."""


def cross_join(context: Context, args: Arguments) -> Relation:
    """Every pair of a left and a right cell that agree in the paired dimensions.

    Dimensions: the left ones, then the right ones that are not paired.
    """
    left, right = args.values("input")
    fields: list[Field] = args.values("dimension_name")
    pairs = dict(_pair(first, second) for first, second in zip(fields[::2], fields[1::2], strict=True))
    _check_pairs(left, right, pairs)
    rest = [axis for k, axis in enumerate(axes(right, "r.")) if k not in pairs.values()]
    conditions = " AND ".join(f"l.d{mine} = r.d{theirs}" for mine, theirs in pairs.items())
    every = [*axes(left, "l."), *rest]
    if len(every) > _MOST_DIMENSIONS:
        raise illegal_operation(f"an array has no more than {_MOST_DIMENSIONS} dimensions.")
    return _joined(left, right, every, conditions)


def _pair(first: Field, second: Field) -> tuple[int, int]:
    """Positions in the left and the right input; the pair may be written in either order."""
    ways = ((first.within(0), second.within(1)), (second.within(0), first.within(1)))
    for mine, theirs in ways:
        if mine is not None and theirs is not None:
            return mine, theirs
    raise EngineError(
        "INFER_SCHEMA",
        "JOIN_DIMENSIONS_MISMATCH",
        f"Dimensions '{first.name}' and '{second.name}' must be of the left and the right array.",
    )


def _check_pairs(left: Relation, right: Relation, pairs: dict[int, int]) -> None:
    for mine, theirs in pairs.items():
        _check_start(left.schema.dimensions[mine], right.schema.dimensions[theirs])


def join(context: Context, args: Arguments) -> Relation:
    """Cells at the same coordinates; the result is bounded as the smaller of both."""
    left, right = args.values("input")
    mine, theirs = left.schema.dimensions, right.schema.dimensions
    if len(mine) != len(theirs):
        raise EngineError(
            "INFER_SCHEMA",
            "DIMENSION_COUNT_MISMATCH",
            f"Dimension counts for operator 'join' do not match:  {_names(mine)} != {_names(theirs)}.",
        )
    if not any(all(dimension.chunk is not None for dimension in each) for each in (mine, theirs)):
        raise EngineError(
            "OPERATOR",
            "ALL_INPUTS_AUTOCHUNKED",
            "At least one input to 'join' must have a specified chunk size.",
        )
    for first, second in zip(mine, theirs, strict=True):
        _check_start(first, second)
    found = [
        Axis(_common(axis.dimension, other.dimension), axis.sql, axis.qualifiers | other.qualifiers)
        for axis, other in zip(axes(left, "l."), axes(right, "r."), strict=True)
    ]
    return _joined(left, right, found, " AND ".join(f"l.d{k} = r.d{k}" for k in range(len(mine))))


def _common(mine: Dimension, theirs: Dimension) -> Dimension:
    """The dimension of a join: the smaller box, and both names in alphabetical order."""
    highs = [dimension.high for dimension in (mine, theirs) if dimension.high is not None]
    names = {mine.name, *mine.aliases}
    # SciDB repartitions a right input whose chunks are open; its names get lost (recorded).
    if theirs.chunk is not None:
        names |= {theirs.name, *theirs.aliases}
    first, *others = sorted(names)
    return Dimension(
        first,
        mine.low,
        min(highs, default=None),
        min(mine.overlap, theirs.overlap),
        theirs.chunk if mine.chunk is None else mine.chunk,
        tuple(others),
    )


def _joined(left: Relation, right: Relation, found: list[Axis], condition: str) -> Relation:
    how = f"JOIN ({right.sql}) AS r ON {condition}" if condition else f"CROSS JOIN ({right.sql}) AS r"
    return relation(
        found,
        [*cells(left, "l."), *cells(right, "r.")],
        f"FROM ({left.sql}) AS l {how}",
        name=left.schema.name + right.schema.name,
        distribution=None,
    )


def _check_start(mine: Dimension, theirs: Dimension) -> None:
    if mine.low != theirs.low:
        raise EngineError(
            "INFER_SCHEMA",
            "START_INDEX_MISMATCH",
            f"Array dimensions have different start indices: [{mine}] != [{theirs}].",
        )


def _names(dimensions: tuple[Dimension, ...]) -> str:
    return f"[{';'.join(dimension.name for dimension in dimensions)}]"


OPERATORS = (
    operator("cross_join", "<input> <input> ( <dimension_name> <dimension_name> )*", cross_join),
    operator("join", "<input> <input>", join, frames=False),
)
