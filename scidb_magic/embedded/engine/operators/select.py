"""Operators that keep each cell where it is, or drop it: one ``SELECT`` with a ``WHERE``."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

from scidb_magic.embedded.engine.columns import (
    axes,
    cells,
    chunk_order,
    computed,
    like,
    number,
)
from scidb_magic.embedded.engine.errors import duplicate_attribute, illegal_operation
from scidb_magic.embedded.engine.operators.operator import operator
from scidb_magic.embedded.engine.operators.signature import Arguments
from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.embedded.engine.types import convert
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import MAX_COORDINATE

if TYPE_CHECKING:
    from scidb_magic.embedded.engine.planner import Context


def scan(context: Context, args: Arguments) -> Relation:
    """The cells of an array."""
    source: Relation = args.value("input")
    return source


def apply(context: Context, args: Arguments) -> Relation:
    """New attributes after those of the input; expressions see the input only."""
    source: Relation = args.value("input")
    found = cells(source)
    taken = {cell.attribute.name for cell in found}
    for name, expression in zip(args.all("new_name"), args.all("expression"), strict=True):
        if name.value in taken:
            raise duplicate_attribute(name.value, name.span)
        taken.add(name.value)
        found.append(computed(name.value, context.compile(expression.node, source)))
    return like(source, axes(source), found, f"FROM ({source.sql})")


def filter_(context: Context, args: Arguments) -> Relation:
    """The cells for which a condition is true."""
    source: Relation = args.value("input")
    condition = convert(context.compile(args.value("expression"), source), "bool")
    return emptied(source, condition.sql)


def emptied(source: Relation, condition: str) -> Relation:
    """The cells of `source` for which the SQL `condition` is true."""
    kept = like(source, axes(source), cells(source), f"FROM ({source.sql}) WHERE {condition}")
    return replace(kept, schema=replace(kept.schema, emptyable=True))


def project(context: Context, args: Arguments) -> Relation:
    """Some attributes in the given order; with ``inverse`` all the others."""
    source: Relation = args.value("input")
    chosen = [field.position for field in args.values("attribute_name")]
    if args.value("inverse", False):
        chosen = [k for k in range(len(source.schema.attributes)) if k not in chosen]
        if not chosen:
            raise illegal_operation("Cannot project() away all attributes.")
    for k, position in enumerate(chosen):
        if position in chosen[:k]:
            raise duplicate_attribute(source.schema.attributes[position].name)
    found = cells(source)
    return like(source, axes(source), [found[k] for k in chosen], f"FROM ({source.sql})")


def between(context: Context, args: Arguments) -> Relation:
    """The cells in a box; a null is no bound."""
    source: Relation = args.value("input")
    lows, highs = corners(source, args)
    conditions = [
        f"d{k} {sign} {number(bound)}"
        for sign, bounds in ((">=", lows), ("<=", highs))
        for k, bound in enumerate(bounds)
        if bound is not None
    ]
    return emptied(source, " AND ".join(conditions) or "true")


def corners(source: Relation, args: Arguments) -> tuple[list[int | None], list[int | None]]:
    """The two corners of a box: as many numbers each as `source` has dimensions."""
    bounds = args.values("corner")
    count = len(source.schema.dimensions)
    if len(bounds) != 2 * count:
        raise EngineError(
            "INFER_SCHEMA",
            "WRONG_OPERATOR_ARGUMENTS_COUNT2",
            f"Operator '{args.call.name}' expected {2 * count} coordinates but was passed {len(bounds)}.",
        )
    return bounds[:count], bounds[count:]


def cross_between(context: Context, args: Arguments) -> Relation:
    """The cells in any of the boxes whose corners are the cells of a second array."""
    source, ranges = args.values("input")
    count = len(source.schema.dimensions)
    if len(ranges.schema.attributes) != 2 * count:
        raise EngineError(
            "OPERATOR",
            "CROSSBETWEEN_NUM_ATTRIBUTES_MISMATCH",
            "The rangesArray must contain twice as many attributes as the srcArray has dimensions.",
        )
    if any(attribute.type != "int64" for attribute in ranges.schema.attributes):
        raise EngineError(
            "OPERATOR",
            "CROSSBETWEEN_RANGES_ARRAY_ATTRIBUTE_NOT_INT64",
            "Each attribute in rangesArray must have int64 data type.",
        )
    within = " AND ".join(f"s.d{k} BETWEEN r.a{k} AND r.a{count + k}" for k in range(count))
    kept = like(
        source,
        axes(source, "s."),
        cells(source, "s."),
        f"FROM ({source.sql}) AS s SEMI JOIN ({ranges.sql}) AS r ON {within}",
    )
    return replace(kept, schema=replace(kept.schema, emptyable=True))


def bernoulli(context: Context, args: Arguments) -> Relation:
    """Each cell with a probability, apart from the others; the same cells for the same seed.

    Which ones they are SciDB's own generator decides otherwise.
    """
    source: Relation = args.value("input")
    probability, seed = args.value("probability"), args.value("seed")
    if seed is not None and seed < 0:
        raise EngineError("OPERATOR", "OP_SAMPLE_ERROR1", "The seed must not be negative.")
    if not 0.0 < probability <= 1.0:
        raise EngineError(
            "OPERATOR", "OP_SAMPLE_ERROR2", "The probability must be greater than 0 and at most 1."
        )
    seed = random.getrandbits(62) if seed is None else seed
    place = ", ".join(f"d{k}" for k in range(len(source.schema.dimensions)))
    return emptied(source, f"hash({place}, {seed}::BIGINT) <= {probability!r}::DOUBLE * {2**64 - 1}")


def limit(context: Context, args: Arguments) -> Relation:
    """The first cells in SciDB's order; none at all where the input cannot have empty cells.

    SciDB gives any cells that its instances have first; of a result that is ``not empty`` it gives none
    (reference/scidb-semantics.md, "Observed on the running server").
    """
    source: Relation = args.value("input")
    count, offset = args.value("count"), args.value("offset")
    if not source.schema.emptyable:
        return emptied(source, "false")
    tail = f"FROM ({source.sql}) ORDER BY {chunk_order(source.schema.dimensions)}"
    if count is not None:
        tail += f" LIMIT {min(count, MAX_COORDINATE)}"
    if offset:
        tail += f" OFFSET {min(offset, MAX_COORDINATE)}"
    return like(source, axes(source), cells(source), tail)


OPERATORS = (
    operator("scan", "<input> <constant:bool>?", scan),
    operator("apply", "<input> ( <new_name> <expression> )+", apply, flat=True),
    operator("filter", "<input> <expression>", filter_),
    operator(
        "project", "<input> <attribute_name>+", project, keywords={"inverse": "<constant:bool>"}, flat=True
    ),
    operator(
        "between", "<input> ( corner=<constant:int64> corner=<constant:int64> )+", between, frames=False
    ),
    operator("cross_between", "<input> <input>", cross_between, frames=False),
    operator("bernoulli", "<input> probability=<constant:double> seed=<constant:int64>?", bernoulli),
    operator(
        "limit",
        "<input> count=<constant:uint64>? offset=<constant:uint64>?",
        limit,
        keywords={"count": "<constant:uint64>", "offset": "<constant:uint64>"},
    ),
)
