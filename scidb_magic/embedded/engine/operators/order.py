"""Operators for which values are put in order, and those that look values up.

SciDB's order of values: missing ones first, by their reasons, then NaN, then the others; ``desc`` turns
all of it round. Cells that are equal stay in SciDB's order of cells.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scidb_magic.embedded.engine.ast import Reference
from scidb_magic.embedded.engine.columns import Axis, Cell, axes, cells, chunk_order, like, with_codes
from scidb_magic.embedded.engine.errors import not_positive
from scidb_magic.embedded.engine.operators.kinds import Field
from scidb_magic.embedded.engine.operators.operator import operator
from scidb_magic.embedded.engine.operators.shape import MOST_IN_A_CHUNK, opened, row_chunk
from scidb_magic.embedded.engine.operators.signature import Arguments, Bound
from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import Attribute, Dimension

if TYPE_CHECKING:
    from scidb_magic.embedded.engine.planner import Context

_WITH_NAN = ("float", "double")


def sort(context: Context, args: Arguments) -> Relation:
    """The cells in a row, by the values of some attributes; of the first one, where none is named."""
    source: Relation = args.value("input")
    chunk = args.value("chunk", args.value("chunk_size"))
    if chunk is not None and chunk <= 0:
        raise not_positive("chunk_size", "OPERATOR")
    keys = [term for bound in args.all("attribute_name") for term in _terms(source, *_key(bound))]
    keys = keys or _terms(source, 0, "")
    order = ", ".join([*keys, chunk_order(source.schema.dimensions)])
    row = Dimension("$n", chunk=row_chunk(source) if chunk is None else chunk)
    place = Axis(row, f"row_number() OVER (ORDER BY {order}) - 1")
    return opened(source, [place], cells(source), f"FROM ({source.sql})")


def _key(bound: Bound) -> tuple[int, str]:
    order = bound.node.order if isinstance(bound.node, Reference) else None
    return bound.value.position, " DESC" if order == "desc" else ""


def _terms(source: Relation, k: int, direction: str) -> list[str]:
    """What stands after ``ORDER BY`` for attribute `k`."""
    terms = [f"(a{k} IS NOT NULL){direction}"]
    if k in source.codes:
        terms.append(f"coalesce(m{k}, 0){direction}")
    type_ = source.schema.attributes[k].type
    if type_ in _WITH_NAN:
        terms.append(f"(a{k} IS NOT NULL AND NOT isnan(a{k})){direction}")
    value = f'(a{k}."time" - a{k}."offset")' if type_ == "datetimetz" else f"a{k}"
    return [*terms, f"{value}{direction}"]


def uniq(context: Context, args: Arguments) -> Relation:
    """The values of a sorted list, each once; missing ones are left out."""
    source: Relation = args.value("input")
    if len(source.schema.dimensions) != 1 or len(source.schema.attributes) != 1:
        raise EngineError(
            "OPERATOR", "ILLEGAL_OPERATION", "Illegal operation: uniq takes one dimension and one attribute."
        )
    chunk = args.value("chunk_size")
    if chunk is not None and chunk <= 0:
        raise not_positive("chunk_size", "OPERATOR")
    first = "lag(a0) OVER (ORDER BY d0) IS DISTINCT FROM a0"
    inner = f"SELECT d0, a0 FROM ({source.sql}) WHERE a0 IS NOT NULL QUALIFY {first}"
    (value,) = cells(source)
    row = Axis(Dimension("i", chunk=chunk or MOST_IN_A_CHUNK), "row_number() OVER (ORDER BY d0) - 1")
    return opened(
        source,
        [row],
        [replace(value, attribute=replace(value.attribute, nullable=False), code=None)],
        f"FROM ({inner})",
    )


def rank(context: Context, args: Arguments) -> Relation:
    """The place of each value among those of its group; equal ones share the first."""
    return _ranked(args, "rank() OVER ({over})::DOUBLE")


def avg_rank(context: Context, args: Arguments) -> Relation:
    """As `rank`; equal values share the mean of their places."""
    return _ranked(args, "(rank() OVER ({over}) + (count(*) OVER ({group}) - 1) / 2.0)::DOUBLE")


def _ranked(args: Arguments, place: str) -> Relation:
    source: Relation = args.value("input")
    fields: list[Field] = args.values("attribute_name")
    k = fields[0].position if fields else 0
    groups = [f"d{field.position}" for field in args.values("dimension_name")]
    partition = ", ".join([*groups, f"a{k} IS NULL"])
    over = f"PARTITION BY {partition} ORDER BY {', '.join(_terms(source, k, ''))}"
    same = f"PARTITION BY {', '.join([*groups, f'a{k}'])}"
    value = cells(source)[k]
    ranked = Cell(
        Attribute(f"{value.attribute.name}_rank", "double"),
        f"CASE WHEN a{k} IS NOT NULL THEN {place.format(over=over, group=same)} END",
    )
    found = [replace(axis, dimension=replace(axis.dimension, overlap=0)) for axis in axes(source)]
    return opened(source, found, [value, ranked], f"FROM ({source.sql})")


def merge(context: Context, args: Arguments) -> Relation:
    """The cells of the first input, and those of the second where the first has none."""
    left, right = args.values("input")
    _check_alike(left, right)
    mine, theirs = cells(left), cells(right)
    codes = left.codes | right.codes
    merged = [
        replace(
            cell,
            attribute=replace(cell.attribute, nullable=cell.attribute.nullable or other.attribute.nullable),
        )
        for cell, other in zip(with_codes(mine, codes), theirs, strict=True)
    ]
    first = opened(left, axes(left), merged, f"FROM ({left.sql})")
    second = like(left, axes(left), with_codes(theirs, codes), f"FROM ({right.sql})")
    same = " AND ".join(f"l.d{k} = r.d{k}" for k in range(len(left.schema.dimensions)))
    rest = f"SELECT r.* FROM ({second.sql}) AS r ANTI JOIN ({left.sql}) AS l ON {same}"
    return replace(first, sql=f"{first.sql} UNION ALL {rest}")


def _check_alike(left: Relation, right: Relation) -> None:
    mine, theirs = left.schema, right.schema
    if len(mine.dimensions) != len(theirs.dimensions):
        raise EngineError(
            "INFER_SCHEMA",
            "ARRAYS_NOT_CONFORMANT",
            "The inputs of merge have not the same number of dimensions.",
        )
    if [each.type for each in mine.attributes] != [each.type for each in theirs.attributes]:
        raise EngineError(
            "INFER_SCHEMA",
            "ARRAYS_NOT_CONFORMANT",
            "The inputs of merge have not the same types of attributes.",
        )


def index_lookup(context: Context, args: Arguments) -> Relation:
    """The coordinate at which an index has the value of an attribute; missing where it has none."""
    source, index = args.values("input")
    if len(index.schema.attributes) != 1 or len(index.schema.dimensions) != 1:
        raise EngineError(
            "OPERATOR",
            "IMPROPER_INDEX_SHAPE",
            "The index array must have only one attribute and one dimension.",
        )
    field: Field = args.value("attribute_name")
    k = field.within(0)
    if k is None:
        raise EngineError(
            "OPERATOR", "NOT_AN_ATTRIBUTE_IN_INPUT", f"{field.name} is not an attribute in the input array."
        )
    attribute, key = source.schema.attributes[k], index.schema.attributes[0]
    if attribute.type != key.type:
        raise EngineError(
            "OPERATOR",
            "ATTRIBUTES_DO_NOT_MATCH_TYPES",
            f"The type of attribute {attribute.name} ({attribute.type}) does not match the type of"
            f" {key.name} ({key.type}).",
        )
    if args.value("memory_limit", 1) <= 0:
        raise not_positive("memory_limit", "OPERATOR")
    name = args.value("new_name") or f"{attribute.name}_index"
    found = Cell(Attribute(name, "int64"), "r.d0")
    known = f"SELECT any_value(d0) AS d0, a0 FROM ({index.sql}) WHERE a0 IS NOT NULL GROUP BY a0"
    tail = f"FROM ({source.sql}) AS l LEFT JOIN ({known}) AS r ON l.a{k} = r.a0"
    return like(source, axes(source, "l."), [*cells(source, "l."), found], tail)


OPERATORS = (
    operator(
        "sort",
        "<input> <attribute_name>* chunk=<constant:int64>?",
        sort,
        keywords={"chunk_size": "<constant:int64>"},
    ),
    operator("uniq", "<input>", uniq, keywords={"chunk_size": "<constant:int64>"}, frames=False),
    operator("rank", "<input> <attribute_name>? <dimension_name>*", rank),
    operator("avg_rank", "<input> <attribute_name>? <dimension_name>*", avg_rank),
    operator("merge", "<input> <input>", merge),
    operator(
        "index_lookup",
        "<input> <input> <attribute_name> <new_name>?",
        index_lookup,
        keywords={"memory_limit": "<constant:int64>", "index_sorted": "<constant:bool>"},
    ),
)
