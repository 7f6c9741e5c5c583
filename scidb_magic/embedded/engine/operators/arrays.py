"""Operators that make, fill, rename and remove arrays of the catalogue."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scidb_magic.embedded.engine.catalogue import NAMESPACE, Array
from scidb_magic.embedded.engine.chunks import sized, taken
from scidb_magic.embedded.engine.columns import axes, cells, columns, number, unique, with_codes
from scidb_magic.embedded.engine.defaults import default_sql
from scidb_magic.embedded.engine.errors import (
    array_already_exists,
    duplicate_attribute,
    version_does_not_exist,
    wrong_parameter,
)
from scidb_magic.embedded.engine.operators.checks import raising
from scidb_magic.embedded.engine.operators.kinds import Declared
from scidb_magic.embedded.engine.operators.operator import NOTHING, Change, Effect, operator
from scidb_magic.embedded.engine.operators.signature import Arguments
from scidb_magic.embedded.engine.parser import parse_expression
from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.embedded.engine.types import convert
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import Attribute, Dimension, Schema

if TYPE_CHECKING:
    from scidb_magic.embedded.engine.planner import Context
    from scidb_magic.embedded.engine.run import Execution


def create_array(context: Context, args: Arguments, *, temporary: bool = False) -> Change:
    """A new, empty array; open chunk lengths stay open until the first store."""
    name: str = args.value("new_array_name")
    declared: Declared = args.value("schema")
    temporary = temporary or bool(args.value("temp", False))
    if context.services.catalogue.find(name) is not None:
        raise array_already_exists(name)
    schema = replace(declared.schema, name=name, emptyable=True)

    def perform(execution: Execution) -> None:
        execution.catalogue.create(schema, temporary=temporary)

    return Change(NOTHING, perform)


def store(context: Context, args: Arguments) -> Change:
    """The input becomes the array's newest version; a new array takes the input's schema."""
    source: Relation = args.value("input")
    name: str = args.value("new_array_name")
    array = context.services.catalogue.find(name)
    if array is not None:
        schema = _conforming(source, array)
        return Change(replace(source, schema=schema), lambda run: _store(run, array, source, schema))
    schema = _own(source.schema, name)

    def perform(execution: Execution) -> None:
        _store(execution, execution.catalogue.create(schema, temporary=False), source, schema)

    return Change(replace(source, schema=schema), perform)


def insert(context: Context, args: Arguments) -> Change:
    """The input's cells over those of the array's newest version."""
    source: Relation = args.value("input")
    array: Array = args.value("array_name")
    schema = _conforming(source, array)
    old = array.relation(array.versions[-1] if array.versions else None)
    codes = source.codes | old.codes
    same = " AND ".join(f"o.d{k} = n.d{k}" for k in range(len(schema.dimensions)))
    merged = replace(
        source,
        sql=f"WITH n AS MATERIALIZED ({source.sql})"
        f" SELECT {columns(axes(source), with_codes(cells(source), codes))} FROM n UNION ALL"
        f" SELECT {columns(axes(old, 'o.'), with_codes(cells(old, 'o.'), codes))} FROM ({old.sql}) AS o"
        f" WHERE NOT EXISTS (SELECT 1 FROM n WHERE {same})",
        codes=codes,
    )
    return Change(replace(source, schema=schema), lambda run: _store(run, array, merged, schema))


def append(context: Context, args: Arguments) -> Change:
    """The input's cells behind those of an array, along a dimension: its first, or the one that is named."""
    source: Relation = args.value("input")
    array: Array = args.value("array_name")
    schema = _appendable(source, array)
    fields = args.values("dimension_name")
    # The last dimension of a data frame counts its cells.
    k = fields[0].position if fields else len(schema.dimensions) - 1 if schema.is_dataframe else 0
    old = array.relation(array.versions[-1] if array.versions else None)
    codes = source.codes | old.codes
    low = number(schema.dimensions[k].low)
    start = f"(SELECT coalesce(max(d{k}) + 1, {low}) FROM ({old.sql}))"
    shifted = [
        replace(axis, sql=f"{axis.sql} - {number(axis.dimension.low)} + {start}") if j == k else axis
        for j, axis in enumerate(axes(source))
    ]
    moved = (
        f"SELECT {columns(shifted, with_codes(cells(source), codes))} FROM ({source.sql})"
        f"{_within(schema.dimensions[k], shifted[k].sql)}"
    )
    both = f"{moved} UNION ALL SELECT {columns(axes(old), with_codes(cells(old), codes))} FROM ({old.sql})"
    merged = replace(source, sql=both, codes=codes)
    return Change(replace(source, schema=schema), lambda run: _store(run, array, merged, schema))


def _within(dimension: Dimension, place: str) -> str:
    """SQL that raises at a cell behind the array's bound."""
    if dimension.high is None:
        return ""
    outside = raising(
        "EXECUTION", "CHUNK_OUT_OF_BOUNDARIES", f"Cells are appended behind the end of '{dimension.name}'."
    )
    return f" WHERE CASE WHEN {place} > {number(dimension.high)} THEN {outside} ELSE true END"


def _appendable(source: Relation, array: Array) -> Schema:
    """The array's schema, if the input has its attributes and as many dimensions, wherever these begin."""
    mine, theirs = source.schema.dimensions, array.schema.dimensions
    if len(mine) != len(theirs):
        return _conforming(source, array)
    anywhere = replace(source, schema=replace(source.schema, dimensions=theirs))
    _conforming(anywhere, array)
    return replace(array.schema, dimensions=taken(theirs, mine))


def delete(context: Context, args: Arguments) -> Change:
    """The array's newest version without the cells for which a condition is true."""
    array: Array = args.value("array_name")
    old = array.relation(array.versions[-1] if array.versions else None)
    condition = convert(context.compile(args.value("expression"), old), "bool")
    kept = f"FROM ({old.sql}) WHERE {condition.sql} IS NOT TRUE"
    rest = replace(old, sql=f"SELECT {columns(axes(old), cells(old))} {kept}")
    schema = array.schema
    return Change(replace(old, schema=schema), lambda run: _store(run, array, rest, schema))


def add_attributes(context: Context, args: Arguments) -> Change:
    """The array gets more attributes; its cells have their defaults in them."""
    array: Array = args.value("array_name")
    declared = args.one("schema")
    added = declared.value.schema.attributes
    if not declared.value.schema.is_dataframe:
        raise wrong_parameter("a list of attributes without dimensions", declared.span)
    taken_names = {each.name for each in array.schema.attributes}
    taken_names |= {each.name for each in array.schema.dimensions}
    for attribute in added:
        if attribute.name in taken_names:
            raise duplicate_attribute(attribute.name, declared.span)
        taken_names.add(attribute.name)
    schema = replace(array.schema, attributes=(*array.schema.attributes, *added))
    defaults = [_default(attribute) for attribute in added]

    def perform(execution: Execution) -> None:
        widened = execution.catalogue.widen(array, schema, defaults)
        if widened.versions:
            _store(execution, widened, widened.relation(widened.versions[-1]), schema)

    return Change(Relation(schema, "SELECT 0 WHERE false"), perform)


_ZEROS = {
    "string": "''",
    "bool": "false",
    "binary": "''::BLOB",
    "datetimetz": "{'time': 0, 'offset': 0}",
}
"""What an attribute that cannot be null holds where nothing was given; all other types hold 0."""


def _default(attribute: Attribute) -> str:
    """SQL of an attribute's default."""
    if attribute.default is not None:
        return default_sql(parse_expression(attribute.default), attribute.type)
    return "NULL" if attribute.nullable else _ZEROS.get(attribute.type, "0")


def _store(execution: Execution, array: Array, source: Relation, schema: Schema) -> None:
    execution.catalogue.store(array, source, schema)


def _own(schema: Schema, name: str) -> Schema:
    """The schema that a new array takes from a result: names made unique (``x``, ``x_2``)."""
    names = [attribute.name for attribute in schema.attributes]
    free = iter(unique(names + [dimension.name for dimension in schema.dimensions]))
    attributes = tuple(replace(each, name=next(free)) for each in schema.attributes)
    dimensions = tuple(replace(each, name=next(free), aliases=()) for each in schema.dimensions)
    return Schema(attributes, sized(dimensions), name, schema.emptyable)


def _conforming(source: Relation, array: Array) -> Schema:
    """The array's schema, chunk lengths filled in, if the result can be stored into it."""
    if not source.schema.conforms(array.schema):
        raise EngineError(
            "INFER_SCHEMA",
            "ARRAYS_NOT_CONFORMANT",
            f"Arrays are not conformant: {source.schema} cannot be stored into {array.schema}.",
        )
    return replace(array.schema, dimensions=taken(array.schema.dimensions, source.schema.dimensions))


def remove(context: Context, args: Arguments) -> Change:
    """The array with all its versions goes."""
    array: Array = args.value("array_name")
    return Change(NOTHING, lambda run: run.catalogue.remove(array))


def rename(context: Context, args: Arguments) -> Change:
    """The array gets another name, which must be free."""
    array: Array = args.value("array_name")
    new = args.one("new_array_name")
    if context.services.catalogue.find(new.value) is not None:
        raise array_already_exists(new.value, new.span)
    return Change(NOTHING, lambda run: run.catalogue.rename(array, new.value))


def remove_versions(context: Context, args: Arguments) -> Change:
    """Older versions go: all before a given one, or all but the newest ``keep``."""
    array: Array = args.value("array_name")
    oldest, keep = args.value("version"), args.value("keep")
    if oldest is not None and oldest < 1:
        raise version_does_not_exist(oldest % 2**64, short="INFER_SCHEMA", system=True)

    def perform(execution: Execution) -> None:
        if oldest is not None and array.numbered(oldest) is None:
            raise version_does_not_exist(f"{NAMESPACE}.{array.name}", short="EXECUTION")
        if oldest is not None:
            gone = [version for version in array.versions if version.number < oldest]
        else:
            gone = list(array.versions[: -max(1, keep or 1)])
        execution.catalogue.remove_versions(array, gone)

    return Change(NOTHING, perform)


OPERATORS = (
    operator(
        "create_array",
        "<new_array_name> <schema> temp=<constant:bool>?",
        create_array,
        effect=Effect.DDL,
        targets=(0,),
    ),
    operator("store", "<input> <new_array_name>", store, effect=Effect.UPDATE, targets=(1,)),
    operator("insert", "<input> <array_name>", insert, effect=Effect.UPDATE, targets=(1,)),
    operator("_append", "<input> <array_name> <dimension_name>?", append, effect=Effect.UPDATE, targets=(1,)),
    operator("add_attributes", "<array_name> <schema>", add_attributes, effect=Effect.UPDATE, targets=(0,)),
    operator("delete", "<array_name> <expression>", delete, effect=Effect.UPDATE, targets=(0,)),
    operator("remove", "<array_name>", remove, effect=Effect.DDL, targets=(0,)),
    operator("rename", "<array_name> <new_array_name>", rename, effect=Effect.DDL, targets=(0, 1)),
    operator(
        "remove_versions",
        "<array_name> version=<constant:int64>?",
        remove_versions,
        keywords={"keep": "<constant:int64>"},
        effect=Effect.DDL,
        targets=(0,),
    ),
)
