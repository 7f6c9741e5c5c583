"""Columns of relations: how a rule says what its result has.

A rule takes the `axes` and `cells` of its inputs, changes, drops, adds or reorders them, and gives
them to `relation` together with the rest of the ``SELECT``::

    inner = f"FROM ({source.sql})"
    relation(axes(source), [*cells(source), new], inner, like=source)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from scidb_magic.embedded.engine.relation import Relation, Typed
from scidb_magic.embedded.engine.types import physical
from scidb_magic.wire.schema import Attribute, Dimension, Schema


@dataclass(frozen=True, slots=True)
class Axis:
    """One dimension of a result and the SQL of its coordinates."""

    dimension: Dimension
    sql: str
    qualifiers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Cell:
    """One attribute of a result, the SQL of its values and of its missing reasons (None: always 0)."""

    attribute: Attribute
    sql: str
    code: str | None = None
    qualifiers: frozenset[str] = frozenset()


def unique(names: Iterable[str]) -> list[str]:
    """`names` with each of them once: the second ``x`` is ``x_2``."""
    found: dict[str, None] = {}
    for name in names:
        free, number = name, 2
        while free in found:
            free, number = f"{name}_{number}", number + 1
        found[free] = None
    return list(found)


def axes(source: Relation, prefix: str = "") -> list[Axis]:
    """The dimensions of `source`, each as it is."""
    qualifiers = source.dimension_qualifiers or (frozenset(),) * len(source.schema.dimensions)
    return [
        Axis(dimension, f"{prefix}d{k}", qualifiers[k])
        for k, dimension in enumerate(source.schema.dimensions)
    ]


def cells(source: Relation, prefix: str = "") -> list[Cell]:
    """The attributes of `source`, each as it is."""
    qualifiers = source.attribute_qualifiers or (frozenset(),) * len(source.schema.attributes)
    return [
        Cell(attribute, f"{prefix}a{k}", f"{prefix}m{k}" if k in source.codes else None, qualifiers[k])
        for k, attribute in enumerate(source.schema.attributes)
    ]


def coordinate(axis: Axis) -> Cell:
    """A dimension as an attribute of the same name."""
    return Cell(Attribute(axis.dimension.name, "int64", False), axis.sql, None, axis.qualifiers)


def with_codes(cells: Sequence[Cell], codes: frozenset[int]) -> list[Cell]:
    """`cells` with a column of missing reasons for each attribute in `codes`, as one side of a union."""
    return [
        replace(cell, code="NULL::UTINYINT") if k in codes and cell.code is None else cell
        for k, cell in enumerate(cells)
    ]


def computed(name: str, typed: Typed) -> Cell:
    """A new attribute with the values of an expression."""
    return Cell(Attribute(name, typed.type, typed.nullable), typed.sql, typed.code)


def columns(axes: Iterable[Axis], cells: Iterable[Cell]) -> str:
    """The list after ``SELECT``."""
    listed = [f"{axis.sql} AS d{k}" for k, axis in enumerate(axes)]
    for k, cell in enumerate(cells):
        listed.append(f"{cell.sql} AS a{k}")
        if cell.code is not None:
            listed.append(f"{cell.code} AS m{k}")
    return ", ".join(listed)


def relation(
    axes: Sequence[Axis],
    cells: Sequence[Cell],
    tail: str,
    *,
    name: str,
    emptyable: bool = True,
    distribution: str | None = "hashed",
) -> Relation:
    """The relation ``SELECT axes, cells tail``.

    Parameters
    ----------
    tail : str
        ``FROM …`` and what follows it.
    name : str
        Of the array; also qualifies the columns that have no qualifier of their own.
    """
    own = frozenset({name.partition("@")[0]})
    return Relation(
        Schema(
            tuple(cell.attribute for cell in cells),
            tuple(axis.dimension for axis in axes),
            name,
            emptyable,
        ),
        f"SELECT {columns(axes, cells)} {tail}",
        frozenset(k for k, cell in enumerate(cells) if cell.code is not None),
        tuple(cell.qualifiers or own for cell in cells),
        tuple(axis.qualifiers or own for axis in axes),
        distribution,
    )


def like(source: Relation, axes: Sequence[Axis], cells: Sequence[Cell], tail: str) -> Relation:
    """The relation ``SELECT axes, cells tail`` with the name and distribution of `source`."""
    return relation(
        axes,
        cells,
        tail,
        name=source.schema.name,
        emptyable=source.schema.emptyable,
        distribution=source.distribution,
    )


def column_names(source: Relation) -> list[str]:
    """Names of the columns of the relation's SQL: ``d0 …``, then ``a0 m0 a1 …``."""
    names = [f"d{k}" for k in range(len(source.schema.dimensions))]
    for k in range(len(source.schema.attributes)):
        names.append(f"a{k}")
        if k in source.codes:
            names.append(f"m{k}")
    return names


def column_types(source: Relation) -> dict[str, str]:
    """DuckDB's type of each column of the relation's SQL."""
    types = {f"d{k}": "BIGINT" for k in range(len(source.schema.dimensions))}
    for k, attribute in enumerate(source.schema.attributes):
        types[f"a{k}"] = physical(attribute.type)
        if k in source.codes:
            types[f"m{k}"] = "UTINYINT"
    return types


def chunk_numbers(dimensions: Sequence[Dimension], prefix: str = "") -> list[str]:
    """SQL of the number of a cell's chunk along each dimension; an open chunk length counts as one chunk."""
    return [
        "0" if dimension.chunk is None else f"({prefix}d{k} - {number(dimension.low)}) // {dimension.chunk}"
        for k, dimension in enumerate(dimensions)
    ]


def chunk_order(dimensions: Sequence[Dimension], prefix: str = "") -> str:
    """What stands after ``ORDER BY`` for SciDB's order: chunks row-major, then cells row-major.

    An open chunk length counts as one chunk. A chunk that spans its dimension has no term.
    """
    chunks = [
        chunk
        for chunk, dimension in zip(chunk_numbers(dimensions, prefix), dimensions, strict=True)
        if dimension.chunk is not None
        and (dimension.length is None or dimension.chunk < dimension.length)
        and len(dimensions) > 1
    ]
    return ", ".join([*chunks, *(f"{prefix}d{k}" for k in range(len(dimensions)))])


def ordered(source: Relation) -> str:
    """The relation's cells in SciDB's order."""
    return f"SELECT * FROM ({source.sql}) ORDER BY {chunk_order(source.schema.dimensions)}"


def number(value: int) -> str:
    """An integer of 64 bits as SQL; in parentheses where it is negative, since ``a%-2`` misparses."""
    return str(value) if value >= 0 else f"({value})"


def renamed(source: Relation, name: str) -> Relation:
    """`source` under the array name `name`, by which its columns can be qualified."""
    schema = replace(source.schema, name=name)
    mine = frozenset({name})
    return replace(
        source,
        schema=schema,
        attribute_qualifiers=(mine,) * len(schema.attributes),
        dimension_qualifiers=(mine,) * len(schema.dimensions),
    )
