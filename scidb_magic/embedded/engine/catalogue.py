"""Which arrays there are, their schemas and versions; their cells as tables.

The catalogue is two tables in each of the databases `STORED` and `TEMPORARY`; the cells of a version
are the table ``data.v{id}``, columns as in `relation`. All of it changes in the transaction of the
statement, so a reader sees the last committed version whole, and a failed statement leaves no trace.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import duckdb

from scidb_magic.embedded.engine.columns import Axis, axes, cells, column_types, columns, with_codes
from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.embedded.engine.storage import STORED, TEMPORARY, Storage, single
from scidb_magic.embedded.engine.types import physical
from scidb_magic.wire.schema import MAX_COORDINATE, Dimension, Schema

NAMESPACE = "public"
"""The only namespace, as in SciDB's community edition."""

_TABLES = (
    "CREATE SCHEMA IF NOT EXISTS {database}.data",
    "CREATE TABLE IF NOT EXISTS {database}.main.arrays (id BIGINT, name VARCHAR, schema VARCHAR)",
    """CREATE TABLE IF NOT EXISTS {database}.main.versions
    (array_id BIGINT, number BIGINT, id BIGINT, stored_at BIGINT, codes VARCHAR)""",
)


@dataclass(frozen=True, slots=True)
class Version:
    """One stored state of an array: `id` names its table, `stored_at` is seconds since 1970 UTC."""

    number: int
    id: int
    stored_at: int
    codes: frozenset[int]


@dataclass(frozen=True, slots=True)
class Array:
    """An array of the catalogue.

    Attributes
    ----------
    schema : Schema
        With the array's bare name; open chunk lengths until the first store.
    versions : tuple of Version
        Ascending. A temp array has at most one, which is not shown.
    """

    id: int
    schema: Schema
    versions: tuple[Version, ...]
    database: str

    @property
    def name(self) -> str:
        """Of the array."""
        return self.schema.name

    @property
    def temporary(self) -> bool:
        """Whether it lives in memory, without versions."""
        return self.database == TEMPORARY

    def numbered(self, number: int) -> Version | None:
        """The version with this number."""
        return next((version for version in self.versions if version.number == number), None)

    def at(self, moment: int) -> Version | None:
        """The last version stored at or before `moment` (seconds since 1970 UTC)."""
        return next((version for version in reversed(self.versions) if version.stored_at <= moment), None)

    def relation(self, version: Version | None) -> Relation:
        """The cells of a version; none at all for None, an array that was never stored."""
        schema = self.schema
        if version is not None and not self.temporary:
            schema = replace(schema, name=f"{schema.name}@{version.number}")
        mine = frozenset({self.name})
        empty = Relation(
            schema,
            "",
            frozenset() if version is None else version.codes,
            (mine,) * len(schema.attributes),
            (mine,) * len(schema.dimensions),
        )
        types = column_types(empty)
        if version is None:
            listed = ", ".join(f"NULL::{type_} AS {column}" for column, type_ in types.items())
            return replace(empty, sql=f"SELECT {listed} WHERE false")
        return replace(empty, sql=f"SELECT {', '.join(types)} FROM {self.database}.data.v{version.id}")

    def all_versions(self) -> Relation:
        """The cells of all versions, with the dimension ``VersionNo`` before the array's own (``A@*``)."""
        last = self.versions[-1].number if self.versions else 0
        axis = Dimension("VersionNo", 1, last, 0, 1)
        parts = [self.relation(version) for version in self.versions] or [self.relation(None)]
        numbers = [version.number for version in self.versions] or [0]
        codes = frozenset().union(*(part.codes for part in parts))
        versions = []
        for number, part in zip(numbers, parts, strict=True):
            old = [Axis(axis, str(number)), *axes(part)]
            versions.append(f"SELECT {columns(old, with_codes(cells(part), codes))} FROM ({part.sql})")
        schema = replace(self.schema, dimensions=(axis, *self.schema.dimensions))
        mine = frozenset({self.name})
        return Relation(
            schema,
            " UNION ALL ".join(versions),
            codes,
            (mine,) * len(schema.attributes),
            (mine,) * len(schema.dimensions),
        )


class Identifiers:
    """Numbers for arrays and versions, ascending over the life of the stored arrays."""

    def __init__(self, first: int) -> None:
        self._numbers = itertools.count(first)

    def take(self) -> int:
        """The next one."""
        return next(self._numbers)


def prepare(storage: Storage) -> Identifiers:
    """Make the tables of the catalogue where they are missing; the first free number."""
    cursor = storage.cursor()
    for database in (STORED, TEMPORARY):
        for statement in _TABLES:
            cursor.execute(statement.format(database=database))
    [(last,)] = cursor.execute(
        f"SELECT coalesce(max(id), 0) FROM (SELECT id FROM {STORED}.main.arrays"
        f" UNION ALL SELECT id FROM {STORED}.main.versions)"
    ).fetchall()
    cursor.close()
    return Identifiers(last + 1)


class Catalogue:
    """The catalogue as one transaction sees it.

    Parameters
    ----------
    cursor : DuckDBPyConnection
        In a transaction, which its owner commits or rolls back.

    Attributes
    ----------
    dropped : bool
        Whether stored cells were thrown away.
    """

    def __init__(self, cursor: duckdb.DuckDBPyConnection, identifiers: Identifiers) -> None:
        self._cursor = cursor
        self._identifiers = identifiers
        self.dropped = False

    def find(self, name: str) -> Array | None:
        """The array with this name; a temp array and a stored one never have the same."""
        return next(iter(self._arrays("WHERE name = ?", [name])), None)

    def arrays(self) -> list[Array]:
        """All arrays by name."""
        return sorted(self._arrays("", []), key=lambda array: array.name)

    def create(self, schema: Schema, *, temporary: bool) -> Array:
        """A new array without versions; `schema` has its name, which must be free."""
        array = Array(self._identifiers.take(), schema, (), TEMPORARY if temporary else STORED)
        self._insert(array)
        return array

    def store(self, array: Array, source: Relation, schema: Schema) -> Array:
        """Make the cells of `source` the newest version of `array`, of schema `schema`.

        Conversion to the array's schema is the caller's: `source` has its attributes and dimensions.
        """
        version = Version(
            array.versions[-1].number + 1 if array.versions else 1,
            self._identifiers.take(),
            int(time.time()),
            source.codes,
        )
        made = f"CREATE TABLE {array.database}.data.v{version.id} AS {source.sql}"
        self._cursor.execute(single(self._cursor, made))
        if array.temporary:
            self._drop(array, array.versions)
            array = replace(array, versions=())
        if schema != array.schema:
            self._cursor.execute(f"DELETE FROM {array.database}.main.arrays WHERE id = ?", [array.id])
            array = replace(array, schema=schema)
            self._insert(array)
        self._cursor.execute(
            f"INSERT INTO {array.database}.main.versions VALUES (?, ?, ?, ?, ?)",
            [array.id, version.number, version.id, version.stored_at, _join(version.codes)],
        )
        return replace(array, versions=(*array.versions, version))

    def widen(self, array: Array, schema: Schema, defaults: Sequence[str]) -> Array:
        """Give all versions of an array the attributes that `schema` has more, with SQL of their values."""
        added = schema.attributes[len(array.schema.attributes) :]
        named = [f"a{k}" for k in range(len(array.schema.attributes), len(schema.attributes))]
        values = ", ".join(f"{name} = {default}" for name, default in zip(named, defaults, strict=True))
        for version in array.versions:
            table = f"{array.database}.data.v{version.id}"
            for name, attribute in zip(named, added, strict=True):
                self._cursor.execute(f"ALTER TABLE {table} ADD COLUMN {name} {physical(attribute.type)}")
            # Not DEFAULT: for an expression DuckDB 1.5 changes its configuration, which is locked.
            self._cursor.execute(single(self._cursor, f"UPDATE {table} SET {values}"))
        self._cursor.execute(f"DELETE FROM {array.database}.main.arrays WHERE id = ?", [array.id])
        widened = replace(array, schema=schema)
        self._insert(widened)
        return widened

    def remove(self, array: Array) -> None:
        """Forget an array with all its versions."""
        self._drop(array, array.versions)
        self._cursor.execute(f"DELETE FROM {array.database}.main.arrays WHERE id = ?", [array.id])

    def remove_versions(self, array: Array, versions: Iterable[Version]) -> None:
        """Forget some versions; the others keep their numbers."""
        self._drop(array, versions)

    def rename(self, array: Array, name: str) -> None:
        """Give an array another name, which must be free."""
        self._cursor.execute(f"DELETE FROM {array.database}.main.arrays WHERE id = ?", [array.id])
        self._insert(replace(array, schema=replace(array.schema, name=name)))

    def bounds(self, array: Array) -> list[tuple[int, int]]:
        """Lowest and highest coordinate of the newest version's cells, for each dimension.

        As SciDB's ``dimensions`` tells them: without cells (2**62-1, -(2**62-1)).
        """
        none = (MAX_COORDINATE, -MAX_COORDINATE)
        if not array.versions:
            return [none] * len(array.schema.dimensions)
        asked = ", ".join(f"min(d{k}), max(d{k})" for k in range(len(array.schema.dimensions)))
        [row] = self._cursor.execute(
            f"SELECT {asked} FROM {array.database}.data.v{array.versions[-1].id}"
        ).fetchall()
        return [none if row[k] is None else (row[k], row[k + 1]) for k in range(0, len(row), 2)]

    def _insert(self, array: Array) -> None:
        self._cursor.execute(
            f"INSERT INTO {array.database}.main.arrays VALUES (?, ?, ?)",
            [array.id, array.name, str(array.schema)],
        )

    def _drop(self, array: Array, versions: Iterable[Version]) -> None:
        for version in versions:
            self.dropped |= not array.temporary
            self._cursor.execute(f"DROP TABLE {array.database}.data.v{version.id}")
            self._cursor.execute(f"DELETE FROM {array.database}.main.versions WHERE id = ?", [version.id])

    def _arrays(self, condition: str, values: list[str]) -> list[Array]:
        found = []
        for database in (STORED, TEMPORARY):
            rows = self._cursor.execute(
                f"SELECT a.id, a.schema, v.number, v.id, v.stored_at, v.codes"
                f" FROM (SELECT * FROM {database}.main.arrays {condition}) AS a"
                f" LEFT JOIN {database}.main.versions AS v ON v.array_id = a.id ORDER BY a.id, v.number",
                values,
            ).fetchall()
            for (id_, text), group in itertools.groupby(rows, key=lambda row: (row[0], row[1])):
                versions = tuple(
                    Version(number, version, stored_at, _split(codes))
                    for _, _, number, version, stored_at, codes in group
                    if number is not None
                )
                found.append(Array(id_, Schema.parse(text), versions, database))
        return found


def _join(codes: frozenset[int]) -> str:
    return ",".join(map(str, sorted(codes)))


def _split(text: str) -> frozenset[int]:
    return frozenset(int(part) for part in text.split(",") if part)
