"""``equi_join`` and ``grouped_aggregate``, Paradigm4's plug-ins, by their documentation.

Both answer a list of cells; SciDB spreads it over its instances, here it is all on one. Settings are
keywords, or strings as ``'left_names=a,b'`` in the older form; those that only tune SciDB change nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scidb_magic.embedded.engine.ast import Literal, Nested, Node, Reference, whole
from scidb_magic.embedded.engine.columns import Axis, Cell, axes, cells, coordinate, relation, unique
from scidb_magic.embedded.engine.errors import illegal_operation, wrong_parameter
from scidb_magic.embedded.engine.operators.aggregate import aggregated
from scidb_magic.embedded.engine.operators.operator import operator
from scidb_magic.embedded.engine.operators.signature import Arguments
from scidb_magic.embedded.engine.parser import parse_expression
from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.embedded.engine.types import convert
from scidb_magic.wire.schema import Dimension

if TYPE_CHECKING:
    from scidb_magic.embedded.engine.planner import Context

_JOIN_CHUNK, _GROUP_CHUNK = 1_000_000, 100_000
_TUNING = ("algorithm", "hash_join_threshold", "bloom_filter_size", "input_sorted", "max_table_size")
_TUNING_GROUPS = ("num_hash_buckets", "spill_chunk_size", "merge_chunk_size")


@dataclass(frozen=True, slots=True)
class _Side:
    """One input of a join: its keys, and what else of it is in the result; SQL with the side's prefix."""

    keys: list[Cell]
    rest: list[Cell]


def equi_join(context: Context, args: Arguments) -> Relation:
    """Pairs of cells with equal keys, which are attributes or dimensions; a null equals nothing.

    Attributes: the keys under the names of the left ones, then the other attributes of the left and of
    the right input, with ``keep_dimensions`` also their dimensions.
    """
    left, right = args.values("input")
    settings = _settings(args, _JOIN_SETTINGS)
    kept = settings.flag("keep_dimensions")
    mine = _side(left, settings, "left", "l.", kept)
    theirs = _side(right, settings, "right", "r.", kept)
    _check_keys(mine.keys, theirs.keys)
    outer = settings.flag("left_outer"), settings.flag("right_outer")
    found = [_key(one, other, outer) for one, other in zip(mine.keys, theirs.keys, strict=True)]
    found += [_optional(cell, outer[1]) for cell in mine.rest]
    found += [_optional(cell, outer[0]) for cell in theirs.rest]
    equal = " AND ".join(f"{a.sql} = {b.sql}" for a, b in zip(mine.keys, theirs.keys, strict=True))
    tail = f"FROM ({left.sql}) AS l {_HOW[outer]} JOIN ({right.sql}) AS r ON {equal}"
    name = left.schema.name + right.schema.name
    joined = relation([Axis(Dimension("$n"), "0::BIGINT")], _named(found, ()), tail, name=name)
    if (condition := settings.values.get("filter")) is not None:
        typed = convert(context.compile(parse_expression(condition), joined), "bool")
        joined = replace(joined, sql=f"SELECT * FROM ({joined.sql}) WHERE {typed.sql}")
    found = _named(cells(joined), settings.names("out_names"))
    return _listed(joined, found, settings.number("chunk_size", _JOIN_CHUNK))


_HOW = {(False, False): "INNER", (True, False): "LEFT", (False, True): "RIGHT", (True, True): "FULL"}


def grouped_aggregate(context: Context, args: Arguments) -> Relation:
    """Aggregates over cells with equal values of some attributes or dimensions; a null is in no group."""
    source: Relation = args.value("input")
    settings = _settings(args, _GROUP_SETTINGS)
    groups = [replace(group, code=None) for group in args.values("group")]
    if not groups:
        raise illegal_operation("grouped_aggregate needs an attribute or dimension to group by.")
    totals = aggregated(args.values("aggregate_call"))
    present = " AND ".join(f"{group.sql} IS NOT NULL" for group in groups)
    keys = ", ".join(group.sql for group in groups)
    tail = f"FROM ({source.sql}) WHERE {present} GROUP BY {keys}"
    name = source.schema.name
    grouped = relation([Axis(Dimension("$n"), "0::BIGINT")], [*groups, *totals], tail, name=name)
    return _listed(grouped, cells(grouped), settings.number("output_chunk_size", _GROUP_CHUNK))


def _listed(source: Relation, found: Sequence[Cell], chunk: int) -> Relation:
    """The cells of `source` in a row; in the order of their values, as SciDB promises none."""
    order = ", ".join(f"a{k}" for k in range(len(source.schema.attributes)))
    row = f"row_number() OVER (ORDER BY {order}) - 1"
    along = [
        Axis(Dimension("instance_id", 0, 0, 0, 1), "0::BIGINT"),
        Axis(Dimension("value_no", 0, None, 0, chunk), row),
    ]
    return relation(along, found, f"FROM ({source.sql})", name=source.schema.name, distribution=None)


# Keys and settings

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,18}")


def _side(source: Relation, settings: _Settings, side: str, prefix: str, kept: bool) -> _Side:
    attributes = cells(source, prefix)
    dimensions = [coordinate(axis) for axis in axes(source, prefix)]
    every = [*attributes, *dimensions]
    places = [_named_place(every, name, side) for name in settings.names(f"{side}_names")] or [
        _numbered_place(attributes, dimensions, id_, side) for id_ in settings.names(f"{side}_ids")
    ]
    rest = [k for k in range(len(every) if kept else len(attributes)) if k not in places]
    return _Side([every[k] for k in places], [every[k] for k in rest])


def _named_place(every: Sequence[Cell], name: str, side: str) -> int:
    for k, cell in enumerate(every):
        if cell.attribute.name == name:
            return k
    raise illegal_operation(f"equi_join: the {side} input has no attribute or dimension '{name}'.")


def _numbered_place(attributes: Sequence[Cell], dimensions: Sequence[Cell], id_: str, side: str) -> int:
    digits = id_.removeprefix("~")
    among = dimensions if id_.startswith("~") else attributes
    if _NUMBER.fullmatch(digits) is None or int(digits) >= len(among):
        raise illegal_operation(f"equi_join: the {side} input has no attribute or dimension number {id_}.")
    return int(digits) + (len(attributes) if id_.startswith("~") else 0)


def _check_keys(mine: Sequence[Cell], theirs: Sequence[Cell]) -> None:
    if not mine or len(mine) != len(theirs):
        raise illegal_operation(
            "equi_join needs as many keys of the left input as of the right one:"
            " left_names or left_ids, and right_names or right_ids."
        )
    for one, other in zip(mine, theirs, strict=True):
        if one.attribute.type != other.attribute.type:
            raise illegal_operation(
                f"equi_join: the keys '{one.attribute.name}' and '{other.attribute.name}' have the types"
                f" '{one.attribute.type}' and '{other.attribute.type}', which must be the same."
            )


def _key(one: Cell, other: Cell, outer: tuple[bool, bool]) -> Cell:
    """A key of the result; of a cell without a partner it is that cell's own."""
    attribute = replace(one.attribute, nullable=one.attribute.nullable or other.attribute.nullable)
    sql = f"coalesce({one.sql}, {other.sql})" if any(outer) else one.sql
    return Cell(attribute, sql)


def _optional(cell: Cell, may_lack: bool) -> Cell:
    """`cell`, which is null where its side has no partner."""
    nullable = cell.attribute.nullable or may_lack
    return replace(cell, attribute=replace(cell.attribute, nullable=nullable), qualifiers=frozenset())


def _named(found: Sequence[Cell], names: Sequence[str]) -> list[Cell]:
    """`found` under `names`, if any are given, each name once (``x``, ``x_2``)."""
    if names and len(names) != len(found):
        raise illegal_operation(f"equi_join: out_names has {len(names)} names for {len(found)} attributes.")
    for name in names:
        if _NAME.fullmatch(name) is None:
            raise illegal_operation(f"equi_join: '{name}' is no name of an attribute.")
    free = unique(names or [cell.attribute.name for cell in found])
    return [
        replace(cell, attribute=replace(cell.attribute, name=name))
        for cell, name in zip(found, free, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Settings:
    """Settings by name, as texts."""

    values: Mapping[str, str]

    def names(self, name: str) -> list[str]:
        return [part.strip() for part in self.values.get(name, "").split(",") if part.strip()]

    def flag(self, name: str) -> bool:
        return self.values.get(name, "").lower() in ("1", "true")

    def number(self, name: str, default: int) -> int:
        given = self.values.get(name, str(default))
        if _NUMBER.fullmatch(given) is None or int(given) == 0:
            raise illegal_operation(f"The setting '{name}' must be a positive number, not '{given}'.")
        return int(given)


def _settings(args: Arguments, known: Sequence[str]) -> _Settings:
    found = {name: ",".join(map(_word, _items(bound.node))) for name, bound in args.named.items()}
    for bound in args.all("setting"):
        name, _, value = bound.value.partition("=")
        if name.strip() not in known:
            raise wrong_parameter(f"'name=value' with one of the names {', '.join(known)}", bound.span)
        found[name.strip()] = value.strip()
    return _Settings(found)


def _items(node: Node) -> tuple[Node, ...]:
    return node.items if isinstance(node, Nested) else (node,)


def _word(item: Node) -> str:
    if isinstance(item, Reference):
        return item.name
    if isinstance(item, Literal):
        return str(item.value)
    raise wrong_parameter("a name, a number, a string, or a list of them", whole(item))


_JOIN_SETTINGS = (
    "left_names", "right_names", "left_ids", "right_ids", "left_outer", "right_outer", "keep_dimensions",
    "chunk_size", "filter", "out_names", *_TUNING,
)  # fmt: skip
_GROUP_SETTINGS = ("output_chunk_size", *_TUNING, *_TUNING_GROUPS)

OPERATORS = (
    operator(
        "equi_join",
        "<input> <input> setting=<constant:string>*",
        equi_join,
        keywords=dict.fromkeys(_JOIN_SETTINGS, "<operand>"),
    ),
    operator(
        "grouped_aggregate",
        "<input> ( group=<column_name>* <aggregate_call>+ group=<column_name>* )+ setting=<constant:string>*",
        grouped_aggregate,
        keywords=dict.fromkeys(_GROUP_SETTINGS, "<operand>"),
    ),
)
