"""``cast``: the same cells under other names, types, nullability or bounds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scidb_magic.embedded.engine.ast import Reference
from scidb_magic.embedded.engine.chunks import sized
from scidb_magic.embedded.engine.columns import Axis, Cell, axes, cells, like
from scidb_magic.embedded.engine.errors import duplicate_attribute, duplicate_dimension
from scidb_magic.embedded.engine.operators.checks import without_nulls
from scidb_magic.embedded.engine.operators.kinds import Declared, positions
from scidb_magic.embedded.engine.operators.operator import operator
from scidb_magic.embedded.engine.operators.signature import Arguments
from scidb_magic.embedded.engine.relation import Relation, Typed
from scidb_magic.embedded.engine.types import convert
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import Attribute, Dimension

if TYPE_CHECKING:
    from scidb_magic.embedded.engine.planner import Context


def cast(context: Context, args: Arguments) -> Relation:
    """The form with a schema (by position) or the one with pairs ``(old, new)`` (by name)."""
    source: Relation = args.value("input")
    if "schema" in args:
        return _to_schema(source, args.value("schema"))
    renames: list[tuple[Reference, Reference]] = args.values("old_and_new_name")
    if not renames:
        raise EngineError(
            "SYNTAX",
            "WRONG_OPERATOR_ARGUMENTS_COUNT2",
            "Operator 'cast' expected more arguments.",
            args.call.whole,
        )
    return _to_names(source, renames)


def _to_schema(source: Relation, declared: Declared) -> Relation:
    schema, mine = declared.schema, source.schema
    if len(schema.attributes) != len(mine.attributes):
        raise EngineError(
            "INFER_SCHEMA",
            "WRONG_ATTRIBUTES_COUNT",
            f"Input has {len(mine.attributes)} attribute(s), the schema {len(schema.attributes)}.",
        )
    if len(schema.dimensions) != len(mine.dimensions):
        raise EngineError(
            "INFER_SCHEMA",
            "WRONG_DIMENSION_COUNT",
            f"Input has {len(mine.dimensions)} dimension(s), the schema {len(schema.dimensions)}.",
        )
    dimensions = sized(
        [_dimension(old, new) for old, new in zip(mine.dimensions, schema.dimensions, strict=True)]
    )
    return like(
        source,
        [Axis(new, axis.sql) for axis, new in zip(axes(source), dimensions, strict=True)],
        [_cell(cell, new) for cell, new in zip(cells(source), schema.attributes, strict=True)],
        f"FROM ({source.sql})",
    )


def _dimension(old: Dimension, new: Dimension) -> Dimension:
    if old.low != new.low:
        raise EngineError(
            "INFER_SCHEMA",
            "START_INDEX_MISMATCH",
            f"Array dimensions have different start indices: [{old}] != [{new}].",
        )
    if new.high is not None and (old.high is None or old.high > new.high):
        raise EngineError(
            "INFER_SCHEMA",
            "DIMENSIONS_DONT_MATCH",
            f"Dimension [{old}] does not fit into [{new}].",
        )
    return new if new.chunk is not None else replace(new, chunk=old.chunk)


def _cell(cell: Cell, new: Attribute) -> Cell:
    old = cell.attribute
    if old.type != new.type:
        plain = Typed(cell.sql, old.type, old.nullable, cell.code)
        typed = convert(plain, new.type)
        cell = Cell(new, typed.sql, typed.code)
    return without_nulls(replace(cell, attribute=new, qualifiers=frozenset()), old.nullable)


def _to_names(source: Relation, renames: list[tuple[Reference, Reference]]) -> Relation:
    """Rename one after the other, so that two names can be swapped over a third."""
    for old, new in renames:
        attribute = next(positions(source, "attribute", old), None)
        dimension = next(positions(source, "dimension", old), None)
        if attribute is None and dimension is None:
            raise EngineError(
                "INFER_SCHEMA",
                "UNKNOWN_ATTRIBUTE_OR_DIMENSION",
                f"Attribute or dimension reference '{old.text}' does not exist.",
                old.span,
            )
        schema = source.schema
        names = {each.name for each in schema.attributes} | {each.name for each in schema.dimensions}
        if new.name in names - {old.name}:
            raise (duplicate_dimension if attribute is None else duplicate_attribute)(new.name, new.span)
        if attribute is not None:
            attributes = list(schema.attributes)
            attributes[attribute] = replace(attributes[attribute], name=new.name)
            schema = replace(schema, attributes=tuple(attributes))
        elif dimension is not None:
            dimensions = list(schema.dimensions)
            dimensions[dimension] = replace(dimensions[dimension], name=new.name, aliases=())
            schema = replace(schema, dimensions=tuple(dimensions))
        source = replace(source, schema=schema)
    return source


OPERATORS = (operator("cast", "<input> <schema>? <old_and_new_name>*", cast),)
