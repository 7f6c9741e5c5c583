"""``redimension``: attributes become dimensions and dimensions attributes.

Every target dimension takes its coordinates from an attribute or a dimension of the input; the one that
is neither is *synthetic* and counts the cells that meet at one place. Without one, cells that meet are

* a collision, an error, in the strict case;
* reduced to the first in the input's order, with ``false``;
* summed up, with aggregates.

A cell whose coordinate is null is left out; one outside of the target's box is an error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scidb_magic.embedded.engine.columns import (
    Axis,
    Cell,
    axes,
    cells,
    chunk_order,
    number,
    relation,
)
from scidb_magic.embedded.engine.operators.aggregate import aggregated
from scidb_magic.embedded.engine.operators.checks import raising
from scidb_magic.embedded.engine.operators.operator import operator
from scidb_magic.embedded.engine.operators.signature import Arguments
from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import Attribute, Dimension, Schema

if TYPE_CHECKING:
    from scidb_magic.embedded.engine.planner import Context

_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")
"""Types of attributes that can become coordinates (LogicalRedimension.cpp)."""

_SYNTHETIC = "synthetic"
_MOST_PLACES = 2**63


@dataclass(frozen=True, slots=True)
class _Key:
    """Where a target dimension takes its coordinates from: SQL over the input's columns."""

    dimension: Dimension
    sql: str
    nullable: bool
    source: Dimension | None

    @property
    def synthetic(self) -> bool:
        return self.sql == _SYNTHETIC

    def outside(self) -> str | None:
        """SQL that is true outside of the target's box; None where the source never is."""
        tests = []
        if self.source is None or self.source.low < self.dimension.low:
            tests.append(f"{self.sql} < {number(self.dimension.low)}")
        if self.dimension.high is not None and (
            self.source is None or self.source.high is None or self.source.high > self.dimension.high
        ):
            tests.append(f"{self.sql} > {number(self.dimension.high)}")
        return " OR ".join(tests) or None


def redimension(context: Context, args: Arguments) -> Relation:
    """The input's cells at other coordinates; see the module's text."""
    source: Relation = args.value("input")
    target: Schema = args.one("schema").value.schema
    totals = aggregated(args.values("aggregate_call"))
    keys = [_key(dimension, source) for dimension in target.dimensions]
    synthetic = [key for key in keys if key.synthetic]
    if len(synthetic) > 1 or (synthetic and totals):
        raise EngineError(
            "INFER_SCHEMA",
            "TOO_MANY_SYNTHETIC_DIMENSIONS" if len(synthetic) > 1 else "SYNTHETIC_DIMENSION_WITH_AGGREGATES",
            "Only one synthetic dimension is allowed in redimension, and none together with aggregates.",
        )
    _check_chunks(keys)
    found = [_cell(attribute, source, totals) for attribute in target.attributes]
    if totals:
        return _grouped(source, keys, found, totals)
    if synthetic:
        return _counted(source, keys, found)
    if args.value("strict", True):
        return _strict(source, keys, found)
    return _first(source, keys, found)


def _from(source: Relation, keys: Sequence[_Key]) -> str:
    return f"FROM ({source.sql}) {_where(keys)}"


def _grouped(
    source: Relation, keys: Sequence[_Key], found: Sequence[Cell], totals: Sequence[Cell]
) -> Relation:
    names = {total.attribute.name for total in totals}
    picked = [cell if cell.attribute.name in names else _any(cell) for cell in found]
    return _result(source, _axes(keys), picked, f"FROM ({source.sql}) {_group_by(keys)}")


def _counted(source: Relation, keys: Sequence[_Key], found: Sequence[Cell]) -> Relation:
    """Number the cells of each place in the input's order; check the numbers against the box."""
    place = ", ".join(key.sql for key in keys if not key.synthetic)
    counted = [
        Axis(
            key.dimension,
            f"row_number() OVER (PARTITION BY {place or '1'}"
            f" ORDER BY {chunk_order(source.schema.dimensions)}) - 1 + {number(key.dimension.low)}"
            if key.synthetic
            else key.sql,
        )
        for key in keys
    ]
    inner = _result(source, counted, found, _from(source, keys))
    bounded = [
        _Key(key.dimension, f"d{k}", False, None if key.synthetic else key.dimension)
        for k, key in enumerate(keys)
    ]
    return replace(inner, sql=f"SELECT * FROM ({inner.sql}) {_where(bounded)}")


def _strict(source: Relation, keys: Sequence[_Key], found: Sequence[Cell]) -> Relation:
    if all(any(key.source is each for key in keys) for each in source.schema.dimensions):
        return _result(
            source, _axes(keys), found, _from(source, keys)
        )  # every place of the input stays apart
    collision = raising(
        "OPERATOR",
        "DATA_COLLISION",
        f"Data collision is detected at cell position {{{_positions(keys)}}}.",
        *(key.sql for key in keys),
    )
    tail = f"FROM ({source.sql}) {_group_by(keys, f'WHEN count(*) > 1 THEN {collision}')}"
    return _result(source, _axes(keys), [_any(cell) for cell in found], tail)


def _first(source: Relation, keys: Sequence[_Key], found: Sequence[Cell]) -> Relation:
    place = ", ".join(key.sql for key in keys)
    first = (
        f"QUALIFY row_number() OVER (PARTITION BY {place}"
        f" ORDER BY {chunk_order(source.schema.dimensions)}) = 1"
    )
    return _result(source, _axes(keys), found, f"{_from(source, keys)} {first}")


def _check_chunks(keys: Sequence[_Key]) -> None:
    """A chunk must not have more than 2**63 places; an open synthetic length needs some of them."""
    open_ = [key for key in keys if key.dimension.chunk is None]
    places = math.prod(key.dimension.chunk for key in keys if key.dimension.chunk is not None)
    if not open_ and places > _MOST_PLACES:
        raise EngineError("OPERATOR", "LOGICAL_CHUNK_SIZE_TOO_LARGE", "Chunk size should not exceed 2^63.")
    if len(open_) == 1 and open_[0].synthetic and 2 * places > _MOST_PLACES:
        raise EngineError(
            "OPERATOR",
            "OP_REDIMENSION_SYNTH_INTERVAL",
            "Logical chunk size too big to allow synthentic interval.",
        )


def _key(dimension: Dimension, source: Relation) -> _Key:
    for k, attribute in enumerate(source.schema.attributes):
        if attribute.name == dimension.name:
            if attribute.type not in _INTEGERS:
                raise EngineError(
                    "INFER_SCHEMA",
                    "WRONG_SOURCE_ATTRIBUTE_TYPE",
                    f"Source attribute '{attribute.name}' must be of integral type (but not UINT64).",
                )
            return _Key(dimension, f"CAST(a{k} AS BIGINT)", attribute.nullable, None)
    for k, mine in enumerate(source.schema.dimensions):
        if dimension.name in (mine.name, *mine.aliases):
            return _Key(dimension, f"d{k}", False, mine)
    return _Key(dimension, _SYNTHETIC, False, None)


def _cell(attribute: Attribute, source: Relation, totals: Sequence[Cell]) -> Cell:
    """Where a target attribute takes its values from."""
    coordinates = [
        Cell(Attribute(name, "int64", False), axis.sql)
        for axis in axes(source)
        for name in (axis.dimension.name, *axis.dimension.aliases)
    ]
    for candidate in (*totals, *cells(source), *coordinates):
        if candidate.attribute.name == attribute.name:
            break
    else:
        raise EngineError(
            "INFER_SCHEMA",
            "UNEXPECTED_DESTINATION_ATTRIBUTE",
            f"Attribute '{attribute.name}' is not present in the source array.",
        )
    if candidate.attribute.type != attribute.type:
        raise EngineError(
            "INFER_SCHEMA",
            "WRONG_ATTRIBUTE_TYPE",
            f"Attribute '{attribute.name}' must have type '{candidate.attribute.type}'.",
        )
    if candidate.attribute.nullable and not attribute.nullable:
        raise EngineError(
            "INFER_SCHEMA",
            "WRONG_ATTRIBUTE_FLAGS",
            f"Attribute '{attribute.name}' is nullable in the source and not in the destination.",
        )
    return replace(candidate, attribute=attribute, qualifiers=frozenset())


def _any(cell: Cell) -> Cell:
    """The value of some cell of a group."""
    return replace(cell, sql=f"first({cell.sql})", code=None if cell.code is None else f"first({cell.code})")


def _where(keys: Sequence[_Key]) -> str:
    """Leave out cells with a null coordinate; raise at one outside of the box."""
    missing, invalid = _missing(keys), _invalid(keys)
    if not invalid:
        return f"WHERE NOT ({missing})" if missing else ""
    skipped = f"WHEN {missing} THEN false " if missing else ""
    return f"WHERE CASE {skipped}{invalid} ELSE true END"


def _group_by(keys: Sequence[_Key], *checks: str) -> str:
    """Group the cells that have coordinates; raise at a group outside of the box, and by more `checks`.

    A group is looked at through ``any_value``: a test of the coordinates themselves DuckDB would make of
    every cell.
    """
    missing = _missing(keys)
    invalid = _invalid([replace(key, sql=f"any_value({key.sql})") for key in keys])
    cases = " ".join(case for case in (invalid, *checks) if case)
    where = f"WHERE NOT ({missing}) " if missing else ""
    having = f" HAVING CASE {cases} ELSE true END" if cases else ""
    return f"{where}GROUP BY {_ordinals(keys)}{having}"


def _missing(keys: Sequence[_Key]) -> str:
    return " OR ".join(f"{key.sql} IS NULL" for key in keys if key.nullable)


def _invalid(keys: Sequence[_Key]) -> str:
    """The case of a place outside of the box; empty where there can be none."""
    outside = " OR ".join(test for key in keys if not key.synthetic and (test := key.outside()))
    if not outside:
        return ""
    invalid = raising(
        "OPERATOR",
        "INVALID_REDIMENSION_POSITION",
        f"Cannot redimension coordinates {{{_positions(keys)}}};"
        " the position is not valid in the destination array.",
        *(key.sql for key in keys if not key.synthetic),
    )
    return f"WHEN {outside} THEN {invalid}"


def _positions(keys: Sequence[_Key]) -> str:
    return ", ".join("{}" for key in keys if not key.synthetic)


def _ordinals(keys: Sequence[_Key]) -> str:
    """``GROUP BY`` the first columns of the ``SELECT``, which are the coordinates."""
    return ", ".join(str(k + 1) for k in range(len(keys)))


def _axes(keys: Sequence[_Key]) -> list[Axis]:
    return [Axis(key.dimension, key.sql) for key in keys]


def _result(source: Relation, found: Sequence[Axis], kept: Sequence[Cell], tail: str) -> Relation:
    return relation(found, kept, tail, name=source.schema.name, distribution=None)


OPERATORS = (
    operator("faster_redimension", "<input> <schema>", redimension),
    operator(
        "redimension",
        "<input> <schema> strict=<constant:bool>? <aggregate_call>*",
        redimension,
        keywords={"cells_per_chunk": "<constant:int64>", "phys_chunk_size": "<constant:int64>"},
    ),
)
