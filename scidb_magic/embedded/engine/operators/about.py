"""Operators that tell about one array or query: ``show``, ``versions``, ``dimensions``, ``attributes``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scidb_magic.embedded.engine.ast import Reference, whole
from scidb_magic.embedded.engine.catalogue import Array
from scidb_magic.embedded.engine.errors import wrong_parameter
from scidb_magic.embedded.engine.operators.operator import Change, operator
from scidb_magic.embedded.engine.operators.rows import rows
from scidb_magic.embedded.engine.operators.signature import Arguments
from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.wire.schema import MAX_COORDINATE, Dimension

if TYPE_CHECKING:
    from scidb_magic.embedded.engine.planner import Context

_SHOWN = "not empty <schema:string NOT NULL,distribution:string,etcomp:string> [i=0:0:0:1]"


def show(context: Context, args: Arguments) -> Relation:
    """The schema of an array, or of the result of a query given as a string."""
    operand = args.one("operand").node
    if isinstance(operand, Reference):
        array = context.array(operand)
        shown = array.relation(context.version(array, operand))
        # The array itself has no version in its name, the result of `scan` has.
        schema = shown.schema if operand.version else replace(shown.schema, name=array.name)
        return rows(context, _SHOWN, [(str(schema), shown.distribution, "none")])
    text, language = context.constant(operand, "string"), args.value("language", "aql")
    if language.lower() != "afl":
        raise wrong_parameter("'afl': this server knows no AQL", whole(operand))
    planned = context.quoted(text)
    relation = planned.shown if isinstance(planned, Change) else planned
    return rows(context, _SHOWN, [(str(relation.schema), relation.distribution, None)])


def versions(context: Context, args: Arguments) -> Relation:
    """The versions of an array and when they were stored."""
    array: Array = args.value("array_name")
    found = [] if array.temporary else array.versions
    last = found[-1].number if found else 0
    schema = (
        "not empty Versions<version_id:int64 NOT NULL,timestamp:datetime NOT NULL>"
        f" [VersionNo=1:{max(1, last)}:0:{max(1, last)}]"
    )
    return rows(
        context,
        schema,
        [(version.number, version.stored_at) for version in found],
        coordinates=[(version.number,) for version in found],
    )


def dimensions(context: Context, args: Arguments) -> Relation:
    """The dimensions of an array, and where its cells are."""
    array: Array = args.value("array_name")
    schema = (
        "not empty Dimensions<name:string NOT NULL,start:int64 NOT NULL,length:uint64 NOT NULL,"
        "chunk_interval:int64 NOT NULL,chunk_overlap:uint64 NOT NULL,low:int64 NOT NULL,"
        "high:int64 NOT NULL,type:string NOT NULL> [No=0:{last}:0:{n}]"
    )
    bounds = context.services.catalogue.bounds(array)
    found = [
        (
            each.name,
            each.low,
            _length(each),
            -1 if each.chunk is None else each.chunk,
            each.overlap,
            low,
            high,
            "int64",
        )
        for each, (low, high) in zip(array.schema.dimensions, bounds, strict=True)
    ]
    return rows(context, schema, found)


def _length(dimension: Dimension) -> int:
    high = MAX_COORDINATE if dimension.high is None else dimension.high
    return high - dimension.low + 1


def attributes(context: Context, args: Arguments) -> Relation:
    """The attributes of an array."""
    array: Array = args.value("array_name")
    schema = (
        "not empty Attributes<name:string NOT NULL,type_id:string NOT NULL,nullable:bool NOT NULL>"
        " [No=0:{last}:0:{n}]"
    )
    return rows(context, schema, [(each.name, each.type, each.nullable) for each in array.schema.attributes])


OPERATORS = (
    operator("show", "<operand> language=<constant:string>?", show),
    operator("versions", "<array_name>", versions),
    operator("dimensions", "<array_name>", dimensions),
    operator("attributes", "<array_name>", attributes),
)
