"""Aggregates along one dimension: ``cumulate``, ``variable_window``; and ``quantile``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scidb_magic.embedded.engine.columns import Axis, Cell, axes, cells, like, relation
from scidb_magic.embedded.engine.errors import wrong_parameter
from scidb_magic.embedded.engine.operators.aggregate import aggregated
from scidb_magic.embedded.engine.operators.operator import operator
from scidb_magic.embedded.engine.operators.signature import Arguments
from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import Attribute, Dimension

if TYPE_CHECKING:
    from scidb_magic.embedded.engine.planner import Context


def cumulate(context: Context, args: Arguments) -> Relation:
    """Aggregates over each cell and those before it along a dimension, the first if none is named."""
    fields = args.values("dimension_name")
    return _along(args, fields[0].position if fields else 0, "ROWS UNBOUNDED PRECEDING")


def variable_window(context: Context, args: Arguments) -> Relation:
    """Aggregates over each cell and a number of cells before and after it along a dimension."""
    before, after = args.value("preceding"), args.value("following")
    if before < 0 or after < 0:
        raise wrong_parameter("an integer within dimension bounds", None, short="SYNTAX", system=True)
    frame = f"ROWS BETWEEN {before} PRECEDING AND {after} FOLLOWING"
    return _along(args, args.value("dimension_name").position, frame)


def _along(args: Arguments, k: int, frame: str) -> Relation:
    source: Relation = args.value("input")
    others = ", ".join(f"d{j}" for j in range(len(source.schema.dimensions)) if j != k)
    partition = f"PARTITION BY {others} " if others else ""
    totals = aggregated(args.values("aggregate_call"), f"OVER ({partition}ORDER BY d{k} {frame})")
    found = [replace(axis, dimension=replace(axis.dimension, overlap=0)) for axis in axes(source)]
    result = like(source, found, totals, f"FROM ({source.sql})")
    return replace(result, schema=replace(result.schema, emptyable=True))


def quantile(context: Context, args: Arguments) -> Relation:
    """The values below which a share of the values of each group is: the k-th of n shares, 0 to n.

    It is the one at place ``ceil(k / n * count)``, from 1 on, of the sorted ones; missing ones do not count.
    """
    source: Relation = args.value("input")
    samples = args.one("constant")
    number: int = samples.value
    if number < 1:
        raise EngineError(
            "INFER_SCHEMA",
            "DLA_ERROR17",
            "The number of samples passed to quantile must be at least 1.",
            samples.span,
        )
    fields = args.values("attribute_name")
    k = fields[0].position if fields else 0
    groups = [axes(source)[field.position] for field in args.values("dimension_name")]
    keys = [axis.sql for axis in groups]
    value = cells(source)[k].attribute
    by = f"PARTITION BY {', '.join(keys)} " if keys else ""
    listed = "".join(f"{key}, " for key in keys)
    ranked = (
        f"SELECT {listed}a{k} AS v, row_number() OVER ({by}ORDER BY a{k}) AS r"
        f" FROM ({source.sql}) WHERE a{k} IS NOT NULL"
    )
    counted = f"SELECT {listed}count(a{k}) AS c FROM ({source.sql})" + (
        f" GROUP BY {', '.join(keys)}" if keys else ""
    )
    same = "".join(f"s.{key} = g.{key} AND " for key in keys)
    tail = (
        f"FROM ({counted}) AS g CROSS JOIN range({number + 1}) AS q(k)"
        f" LEFT JOIN ({ranked}) AS s ON {same}s.r = greatest(1, ceil(q.k / {number}::DOUBLE * g.c)::BIGINT)"
    )
    along = [Axis(replace(axis.dimension, overlap=0), f"g.{axis.sql}") for axis in groups]
    along.append(Axis(Dimension("quantile", 0, number, 0, number + 1), "q.k"))
    found = [
        Cell(Attribute("percentage", "double", False), f"q.k / {number}::DOUBLE"),
        Cell(Attribute(f"{value.name}_quantile", value.type), "s.v"),
    ]
    return relation(
        along,
        found,
        tail,
        name=f"{source.schema.name}_quantile",
        emptyable=bool(groups),
        distribution=None,
    )


OPERATORS = (
    operator("cumulate", "<input> <aggregate_call>+ <dimension_name>?", cumulate, frames=False),
    operator(
        "variable_window",
        "<input> <dimension_name> preceding=<constant:int64> following=<constant:int64> <aggregate_call>+",
        variable_window,
        frames=False,
    ),
    operator("quantile", "<input> <constant:uint32> ( <attribute_name> <dimension_name>* )?", quantile),
)
