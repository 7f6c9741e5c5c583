"""Operators that make, fill, rename and remove arrays of the catalogue."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scidb_magic.embedded.engine.catalogue import NAMESPACE, Array
from scidb_magic.embedded.engine.chunks import sized, taken
from scidb_magic.embedded.engine.columns import axes, cells, columns, with_codes
from scidb_magic.embedded.engine.errors import (
    array_already_exists,
    version_does_not_exist,
)
from scidb_magic.embedded.engine.operators.kinds import Declared
from scidb_magic.embedded.engine.operators.operator import NOTHING, Change, Effect, operator
from scidb_magic.embedded.engine.operators.signature import Arguments
from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import Schema

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


def _store(execution: Execution, array: Array, source: Relation, schema: Schema) -> None:
    execution.catalogue.store(array, source, schema)


def _own(schema: Schema, name: str) -> Schema:
    """The schema that a new array takes from a result: names made unique (``x``, ``x_2``)."""
    known: set[str] = set()

    def unique(wanted: str) -> str:
        free, number = wanted, 2
        while free in known:
            free, number = f"{wanted}_{number}", number + 1
        known.add(free)
        return free

    attributes = tuple(replace(each, name=unique(each.name)) for each in schema.attributes)
    dimensions = tuple(replace(each, name=unique(each.name), aliases=()) for each in schema.dimensions)
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
