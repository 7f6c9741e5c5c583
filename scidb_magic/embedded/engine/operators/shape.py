"""Operators that keep all cells, or a box of them, and say anew where they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from scidb_magic.embedded.engine.chunks import sized
from scidb_magic.embedded.engine.columns import Axis, Cell, axes, cells, chunk_order, coordinate, like, number
from scidb_magic.embedded.engine.errors import duplicate_dimension, not_positive
from scidb_magic.embedded.engine.operators.aggregate import aggregated
from scidb_magic.embedded.engine.operators.checks import raising
from scidb_magic.embedded.engine.operators.kinds import Declared
from scidb_magic.embedded.engine.operators.operator import operator
from scidb_magic.embedded.engine.operators.select import corners
from scidb_magic.embedded.engine.operators.signature import Arguments
from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import DATAFRAME_DIMENSIONS, MAX_COORDINATE, Attribute, Dimension, Schema

if TYPE_CHECKING:
    from scidb_magic.embedded.engine.planner import Context

MOST_IN_A_CHUNK = 1_000_000
"""Cells of a chunk of an operator's result that is a list of cells."""


def subarray(context: Context, args: Arguments) -> Relation:
    """The cells in a box, whose lower corner becomes the origin."""
    source: Relation = args.value("input")
    lows, highs = corners(source, args)
    found, conditions = [], []
    for axis, low, high in zip(axes(source), lows, highs, strict=True):
        dimension = axis.dimension
        start = dimension.low if low is None else max(low, dimension.low)
        end = min((each for each in (high, dimension.high) if each is not None), default=None)
        conditions.append(f"{axis.sql} >= {number(start)}")
        if end is not None:
            conditions.append(f"{axis.sql} <= {number(end)}")
        length = None if end is None else max(end - start + 1, 0)
        moved = replace(dimension, low=0, high=None if length is None else length - 1)
        found.append(replace(axis, dimension=moved, sql=f"{axis.sql} - {number(start)}"))
    return opened(source, found, cells(source), f"FROM ({source.sql}) WHERE {' AND '.join(conditions)}")


def slice_(context: Context, args: Arguments) -> Relation:
    """The cells at fixed coordinates along some dimensions, without these."""
    source: Relation = args.value("input")
    fields, places = args.values("dimension_name"), args.values("place")
    if len(fields) >= len(source.schema.dimensions):
        raise EngineError(
            "INFER_SCHEMA", "OP_SLICE_ERROR1", "One dimension at least has to be left by slice."
        )
    fixed = dict(zip((field.position for field in fields), places, strict=True))
    if len(fixed) < len(fields):
        raise duplicate_dimension(fields[0].name, args.all("dimension_name")[0].span)
    kept = [axis for k, axis in enumerate(axes(source)) if k not in fixed]
    if any(not _reaches(source.schema.dimensions[k], value) for k, value in fixed.items()):
        return context.source(opened(source, kept, cells(source), "").schema, _no_slice, distribution=None)
    where = " AND ".join(f"d{k} = {number(value)}" for k, value in fixed.items())
    return opened(source, kept, cells(source), f"FROM ({source.sql}) WHERE {where}")


def _reaches(dimension: Dimension, place: int) -> bool:
    return dimension.low <= place and (dimension.high is None or place <= dimension.high)


def _no_slice() -> NoReturn:
    raise EngineError("EXECUTION", "OP_SLICE_ERROR2", "A coordinate of slice is out of bounds.")


def transpose(context: Context, args: Arguments) -> Relation:
    """The dimensions in reverse order."""
    source: Relation = args.value("input")
    return replace(like(source, axes(source)[::-1], cells(source), f"FROM ({source.sql})"), distribution=None)


def unpack(context: Context, args: Arguments) -> Relation:
    """The cells in a row, in SciDB's order; their coordinates become attributes."""
    source: Relation = args.value("input")
    name: str = args.value("new_name")
    if "chunk_size" in args and args.all("chunk"):
        raise EngineError(
            "OPERATOR",
            "KEYWORD_CONFLICTS_WITH_OPTIONAL",
            "Operator 'unpack' keyword 'chunk_size' conflicts with optional parameter 2.",
        )
    if any(name == attribute.name for attribute in _spread(source.schema)):
        raise duplicate_dimension(name)
    chunk = args.value("chunk", args.value("chunk_size"))
    row = Dimension(name, chunk=row_chunk(source) if chunk is None else _positive("chunk_size", chunk))
    order = f"row_number() OVER (ORDER BY {chunk_order(source.schema.dimensions)}) - 1"
    return opened(source, [Axis(row, order)], _with_coordinates(source), f"FROM ({source.sql})")


def flatten(context: Context, args: Arguments) -> Relation:
    """The cells as a data frame; their coordinates become attributes."""
    source: Relation = args.value("input")
    if "cells_per_chunk" in args:
        _positive("cells_per_chunk", args.value("cells_per_chunk"))
    if source.schema.is_dataframe:
        return source
    instance, place = (Dimension(name) for name in DATAFRAME_DIMENSIONS)
    order = f"row_number() OVER (ORDER BY {chunk_order(source.schema.dimensions)}) - 1"
    found = [Axis(instance, "0::BIGINT"), Axis(place, order)]
    return opened(source, found, _with_coordinates(source), f"FROM ({source.sql})")


def repart(context: Context, args: Arguments) -> Relation:
    """The same cells in other chunks, and perhaps with other names of the dimensions."""
    source: Relation = args.value("input")
    target: Declared = args.one("schema").value
    exclusive = [name for name in ("cells_per_chunk", "phys_chunk_size") if name in args]
    for name in exclusive:
        _positive(name, args.value(name), short="INFER_SCHEMA")
    if len(exclusive) > 1:
        raise EngineError(
            "INFER_SCHEMA",
            "MUTUALLY_EXCLUSIVE_PARAMS",
            "Operator 'repart' parameters 'cells_per_chunk' and 'phys_chunk_size' are mutually exclusive.",
        )
    mine, theirs = source.schema.dimensions, target.schema.dimensions
    if len(mine) != len(theirs):
        raise EngineError(
            "INFER_SCHEMA",
            "DIMENSION_COUNT_MISMATCH",
            f"Dimension counts for operator 'repart' do not match:  {len(mine)} != {len(theirs)}.",
        )
    found = [
        _within(axis, _parted(axis.dimension, wanted, given))
        for axis, wanted, given in zip(axes(source), theirs, target.given, strict=True)
    ]
    return replace(like(source, found, cells(source), f"FROM ({source.sql})"), distribution=None)


def _within(axis: Axis, target: Dimension) -> Axis:
    """The axis as `target`, raising at a cell beyond its end."""
    sql, end = axis.sql, axis.dimension.high
    if target.high is not None and (end is None or end > target.high):
        beyond = raising(
            "OPERATOR",
            "INVALID_REDIMENSION_POSITION",
            f"The coordinate {{}} of dimension '{target.name}' is not valid in the destination array.",
            sql,
        )
        sql = f"CASE WHEN {sql} <= {number(target.high)} THEN {sql} ELSE {beyond} END"
    return replace(axis, dimension=target, sql=sql, qualifiers=frozenset())


def _parted(mine: Dimension, wanted: Dimension, given: frozenset[str]) -> Dimension:
    if "low" in given and wanted.low != mine.low:
        raise EngineError(
            "INFER_SCHEMA",
            "START_INDEX_MISMATCH",
            f"Array dimensions have different start indices: [{mine}] != [{wanted}].",
        )
    return replace(wanted, low=mine.low, high=wanted.high if "high" in given else mine.high)


def regrid(context: Context, args: Arguments) -> Relation:
    """Aggregates over blocks of a grid, which begins at the lowest coordinates."""
    source: Relation = args.value("input")
    blocks: list[int] = args.values("grid")
    found = axes(source)
    if len(blocks) < len(found):
        raise EngineError(
            "INFER_SCHEMA",
            "WRONG_OPERATOR_ARGUMENTS_COUNT2",
            "Operator 'regrid' expected more arguments.",
        )
    if len(blocks) > len(found):
        raise EngineError(
            "INFER_SCHEMA",
            "WRONG_OPERATOR_ARGUMENT",
            f"Expected 'aggregate call' in position {len(found) + 1} of operator 'regrid'"
            " but found 'expression'.",
        )
    if min(blocks) <= 0:
        raise EngineError("INFER_SCHEMA", "OP_REGRID_ERROR1", "The blocks of a grid must be positive.")
    written = [_positive("chunk", chunk, short="INFER_SCHEMA") for chunk in args.values("chunk")]
    chunks: Sequence[int | None] = written or [axis.dimension.chunk for axis in found]
    if len(chunks) != len(found):
        raise EngineError(
            "INFER_SCHEMA",
            "NUM_CHUNKSIZES_NOT_MATCH_NUM_DIMS",
            "In regrid, the number of specified chunk sizes (if any) must match the number of dimensions.",
        )
    grid = [_block(axis, block, chunk) for axis, block, chunk in zip(found, blocks, chunks, strict=True)]
    keys = ", ".join(str(k + 1) for k in range(len(grid)))
    totals = aggregated(args.values("aggregate_call"))
    result = opened(source, grid, totals, f"FROM ({source.sql}) GROUP BY {keys}")
    return replace(result, distribution="hashed")


def _block(axis: Axis, block: int, chunk: int | None) -> Axis:
    mine = axis.dimension
    length = None if mine.length is None else -(-mine.length // block)
    high = None if length is None else mine.low + length - 1
    low = number(mine.low)
    return replace(
        axis,
        dimension=replace(mine, high=high, overlap=0, chunk=chunk),
        sql=f"({axis.sql} - {low}) // {block} + {low}",
    )


def xgrid(context: Context, args: Arguments) -> Relation:
    """Each cell as a block of equal ones."""
    source: Relation = args.value("input")
    blocks: list[int] = args.values("grid")
    found = axes(source)
    if len(blocks) != len(found):
        raise EngineError(
            "INFER_SCHEMA",
            "WRONG_OPERATOR_ARGUMENTS_COUNT2",
            f"Operator 'xgrid' expected {len(found)} blocks but was passed {len(blocks)}.",
        )
    if any(axis.dimension.high is None for axis in found):
        raise EngineError("INFER_SCHEMA", "OP_XGRID_ERROR1", "xgrid takes no array without bounds.")
    if min(blocks) <= 0:
        raise EngineError("INFER_SCHEMA", "OP_XGRID_ERROR2", "The blocks of a grid must be positive.")
    sizes = ((axis.dimension.length or 0) * block for axis, block in zip(found, blocks, strict=True))
    if max(sizes) > MAX_COORDINATE:
        raise EngineError("INFER_SCHEMA", "OP_XGRID_ERROR2", "The blocks of a grid are too large.")
    grown = [_grown(k, axis, block) for k, (axis, block) in enumerate(zip(found, blocks, strict=True))]
    copies = "".join(f" CROSS JOIN range({block}) AS g{k}(o)" for k, block in enumerate(blocks))
    return opened(source, grown, cells(source), f"FROM ({source.sql}){copies}")


def _grown(k: int, axis: Axis, block: int) -> Axis:
    mine, low = axis.dimension, number(axis.dimension.low)
    high = None if mine.length is None else mine.low + mine.length * block - 1
    chunk = None if mine.chunk is None else mine.chunk * block
    return replace(
        axis,
        dimension=replace(mine, high=high, overlap=0, chunk=chunk),
        sql=f"({axis.sql} - {low}) * {block} + g{k}.o + {low}",
    )


def unfold(context: Context, args: Arguments) -> Relation:
    """The attributes, all of one type, along a new dimension."""
    source: Relation = args.value("input")
    found = cells(source)
    if len({cell.attribute.type for cell in found}) > 1:
        raise EngineError(
            "INFER_SCHEMA", "ILLEGAL_OPERATION", "Illegal operation: unfold takes attributes of one type."
        )
    first = replace(found[0].attribute, nullable=any(cell.attribute.nullable for cell in found), default=None)
    name = f"unfold_{len(source.schema.dimensions)}"
    along = Dimension(name, 0, len(found) - 1, 0, len(found))
    whens = "".join(f" WHEN {k} THEN {cell.sql}" for k, cell in enumerate(found))
    reasons = "".join(f" WHEN {k} THEN {cell.code}" for k, cell in enumerate(found) if cell.code)
    value = Cell(first, f"CASE u.k{whens} END", f"CASE u.k{reasons} END" if reasons else None)
    tail = f"FROM ({source.sql}) CROSS JOIN range({len(found)}) AS u(k)"
    return opened(source, [*axes(source), Axis(along, "u.k")], [value], tail)


def reshape(context: Context, args: Arguments) -> Relation:
    """The cells at the same places of a box of another shape, counted row by row."""
    source: Relation = args.value("input")
    target = sized(args.one("schema").value.schema.dimensions)
    mine = source.schema.dimensions
    bounded = all(dimension.length is not None for dimension in (*mine[1:], *target))
    same = not mine or mine[0].length is None or _volume(mine) == _volume(target)
    if not bounded:
        raise EngineError("INFER_SCHEMA", "OP_RESHAPE_ERROR1", "Both boxes of reshape must be bounded.")
    if any(dimension.overlap for dimension in (*mine, *target)):
        raise EngineError("INFER_SCHEMA", "OP_RESHAPE_ERROR2", "reshape takes no overlapping chunks.")
    if not same:
        raise EngineError(
            "INFER_SCHEMA", "OP_RESHAPE_ERROR3", "Both boxes of reshape must have as many places."
        )
    place = "0"
    for axis in axes(source):
        place = f"({place}) * {axis.dimension.length or 0} + ({axis.sql} - {number(axis.dimension.low)})"
    found, rest = [], _volume(target)
    for dimension in target:
        length = dimension.length or 1
        rest //= length
        sql = f"(({place}) // {rest}) % {length} + {number(dimension.low)}"
        found.append(Axis(replace(dimension, overlap=0), sql))
    # Of a list without an end those cells that the new box has no place for are left out.
    tail = f"FROM ({source.sql}) WHERE {place} < {_volume(target)}"
    result = opened(source, found, cells(source), tail)
    return replace(result, schema=replace(result.schema, name=f"{source.schema.name}_reshape"))


def _volume(dimensions: Sequence[Dimension]) -> int:
    return math.prod(dimension.length or 1 for dimension in dimensions)


def row_chunk(source: Relation) -> int:
    """The chunk length of a list of the cells of `source`."""
    lengths = [dimension.length for dimension in source.schema.dimensions]
    if None in lengths:
        return MOST_IN_A_CHUNK
    return max(min(math.prod(length for length in lengths if length is not None), MOST_IN_A_CHUNK), 1)


def _positive(name: str, value: int, short: str = "OPERATOR") -> int:
    if value <= 0:
        raise not_positive(name, short)
    return value


def opened(source: Relation, found: Sequence[Axis], kept: Sequence[Cell], tail: str) -> Relation:
    """A result of which cells may be missing, its chunks anywhere."""
    result = like(source, found, kept, tail)
    return replace(result, schema=replace(result.schema, emptyable=True), distribution=None)


def _spread(schema: Schema) -> list[Attribute]:
    """Dimensions and attributes, as attributes."""
    return [*(Attribute(each.name, "int64", False) for each in schema.dimensions), *schema.attributes]


def _with_coordinates(source: Relation) -> list[Cell]:
    if source.schema.is_dataframe:
        return cells(source)
    return [*map(coordinate, axes(source)), *cells(source)]


OPERATORS = (
    operator(
        "subarray", "<input> ( corner=<constant:int64> corner=<constant:int64> )+", subarray, frames=False
    ),
    operator("slice", "<input> ( <dimension_name> place=<constant:int64> )+", slice_, frames=False),
    operator("transpose", "<input>", transpose, frames=False),
    operator(
        "unpack",
        "<input> <new_name> chunk=<constant:int64>?",
        unpack,
        keywords={"chunk_size": "<constant:int64>"},
    ),
    operator(
        "flatten",
        "<input>",
        flatten,
        keywords={"cells_per_chunk": "<constant:int64>", "fast": "<constant:bool>"},
    ),
    operator(
        "repart",
        "<input> <schema>",
        repart,
        keywords={"cells_per_chunk": "<constant:int64>", "phys_chunk_size": "<constant:int64>"},
        frames=False,
    ),
    operator("xgrid", "<input> grid=<constant:int64>+", xgrid),
    operator("unfold", "<input>", unfold),
    operator("reshape", "<input> <schema>", reshape, frames=False),
    operator(
        "regrid",
        "<input> grid=<constant:int64>+ <aggregate_call>+ chunk=<constant:int64>*",
        regrid,
        frames=False,
    ),
)
