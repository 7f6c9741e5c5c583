"""``cast``: the same cells under other names, types, nullability or bounds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scidb_magic.embedded.engine.ast import Reference
from scidb_magic.embedded.engine.chunks import sized
from scidb_magic.embedded.engine.columns import Axis, Cell, axes, cells, like
from scidb_magic.embedded.engine.errors import duplicate_attribute, duplicate_dimension
from scidb_magic.embedded.engine.expressions import convert
from scidb_magic.embedded.engine.operators.checks import without_nulls
from scidb_magic.embedded.engine.operators.kinds import Declared, positions
from scidb_magic.embedded.engine.operators.operator import operator
from scidb_magic.embedded.engine.operators.signature import Arguments
from scidb_magic.embedded.engine.relation import Relation, Typed
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
    dimensions = sized([_dimension(old, new) for old, new in zip(mine.dimensions, schema.dimensions)])
    return like(
        source,
        [Axis(new, axis.sql) for axis, new in zip(axes(source), dimensions)],
        [_cell(cell, new) for cell, new in zip(cells(source), schema.attributes)],
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
        typed = convert(Typed(cell.sql, old.type, old.nullable, cell.code), new.type, explicit=True, span=None)
        cell = Cell(new, typed.sql, typed.code)
    return without_nulls(replace(cell, attribute=new, qualifiers=frozenset()), old.nullable)


def _to_names(source: Relation, renames: list[tuple[Reference, Reference]]) -> Relation:
    """Rename one after the other, so that two names can be swapped over a third."""
    schema = source.schema
    for old, new in renames:
        at = dict(schema=schema)
        for what in ("attribute", "dimension"):
            found = next(positions(replace(source, **at), what, old), None)
            if found is not None:
                break
        else:
            raise EngineError(
                "INFER_SCHEMA",
                "UNKNOWN_ATTRIBUTE_OR_DIMENSION",
                f"Attribute or dimension reference '{old.text}' does not exist.",
                old.span,
            )
        taken = {each.name for each in (*schema.attributes, *schema.dimensions)} - {old.name}
        if new.name in taken:
            raise (duplicate_attribute if what == "attribute" else duplicate_dimension)(new.name, new.span)
        if what == "attribute":
            attributes = list(schema.attributes)
            attributes[found] = replace(attributes[found], name=new.name)
            schema = replace(schema, attributes=tuple(attributes))
        else:
            dimensions = list(schema.dimensions)
            dimensions[found] = replace(dimensions[found], name=new.name, aliases=())
            schema = replace(schema, dimensions=tuple(dimensions))
    return replace(source, schema=schema)


OPERATORS = (operator("cast", "<input> <schema>? <old_and_new_name>*", cast),)
