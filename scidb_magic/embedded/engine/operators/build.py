"""``build``: arrays from an expression or from an array literal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scidb_magic.embedded.engine.chunks import sized
from scidb_magic.embedded.engine.columns import Axis, Cell, axes, number, relation
from scidb_magic.embedded.engine.errors import wrong_parameter
from scidb_magic.embedded.engine.formats import array_literal
from scidb_magic.embedded.engine.operators.checks import without_nulls
from scidb_magic.embedded.engine.operators.kinds import Declared
from scidb_magic.embedded.engine.operators.operator import operator
from scidb_magic.embedded.engine.operators.signature import Arguments
from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.embedded.engine.types import convert
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import Schema

if TYPE_CHECKING:
    import pyarrow as pa

    from scidb_magic.embedded.engine.planner import Context


def build(context: Context, args: Arguments) -> Relation:
    """One cell at every coordinate, or the cells of a literal (third argument true, or ``from:``)."""
    declared: Declared = args.value("schema")
    schema = replace(
        declared.schema,
        name=declared.schema.name or "build",
        dimensions=sized(declared.schema.dimensions),
    )
    if "from" in args:
        return _literal(context, schema, args.value("from"))
    if "expression" not in args:
        raise EngineError(
            "SYNTAX",
            "WRONG_OPERATOR_ARGUMENTS_COUNT2",
            "Operator 'build' expected more arguments.",
            args.call.whole,
        )
    expression = args.one("expression")
    if args.value("literal", False):
        written = context.constant(expression.node, "string")
        if written is None:
            raise wrong_parameter("constant with type string that is not null", expression.span)
        return _literal(context, schema, written)
    return _computed(context, args, schema)


def _computed(context: Context, args: Arguments, schema: Schema) -> Relation:
    if len(schema.attributes) != 1:
        raise EngineError(
            "INFER_SCHEMA",
            "OP_BUILD_ERROR2",
            "Constructed array should have one attribute.",
            args.one("schema").span,
        )
    if any(dimension.high is None for dimension in schema.dimensions):
        raise EngineError(
            "INFER_SCHEMA",
            "OP_BUILD_ERROR3",
            "Constructed array should have all dimensions bounded.",
            args.one("schema").span,
        )
    box = _box(schema)
    attribute = schema.attributes[0]
    typed = convert(context.compile(args.value("expression"), box), attribute.type)
    cell = without_nulls(Cell(attribute, typed.sql, typed.code), typed.nullable)
    return relation(axes(box), [cell], f"FROM ({box.sql})", name=schema.name)


def _box(schema: Schema) -> Relation:
    """Every coordinate of the schema's box, without attributes."""
    ranges = ", ".join(
        f"range({number(dimension.low)}, {number((dimension.high or 0) + 1)}) AS r{k}(c)"
        for k, dimension in enumerate(schema.dimensions)
    )
    found = [Axis(dimension, f"r{k}.c") for k, dimension in enumerate(schema.dimensions)]
    return relation(found, [], f"FROM {ranges}", name=schema.name)


def _literal(context: Context, schema: Schema, text: str) -> Relation:
    def load() -> pa.Table:
        return array_literal(text, schema)

    return context.source(schema, load, distribution=None)


OPERATORS = (
    operator(
        "build",
        "<schema> <expression>? literal=<constant:bool>?",
        build,
        keywords={"from": "<constant:string>"},
    ),
)
