"""What every operator takes and gives: a schema, and the SQL that computes its cells.

A relation's SQL is one ``SELECT`` (no ORDER BY) whose columns are positional, so that no name of
a user ever becomes an SQL identifier:

* ``d0 … d{n-1}``: one BIGINT for each dimension;
* ``a0 … a{m-1}``: one for each attribute, physical type as in the table `PHYSICAL`;
* ``m{k}``: UTINYINT missing reason of attribute k, only for k in `codes`; read where a{k} IS NULL,
  NULL there means reason 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from scidb_magic.wire.schema import Schema

PHYSICAL: dict[str, str] = {
    "bool": "BOOLEAN",
    "char": "UTINYINT",
    "int8": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "uint8": "UTINYINT",
    "uint16": "USMALLINT",
    "uint32": "UINTEGER",
    "uint64": "UBIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "datetime": "BIGINT",
    "datetimetz": 'STRUCT("time" BIGINT, "offset" BIGINT)',
    "binary": "BLOB",
}
"""SciDB type -> DuckDB type. datetime is seconds since 1970 UTC; datetimetz local seconds and offset."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A result that is not computed yet.

    Attributes
    ----------
    schema : Schema
        Names, types, nullability, bounds, chunks: what ``show`` prints.
    sql : str
        See the module's text.
    codes : frozenset of int
        Attributes that have a column ``m{k}``.
    attribute_qualifiers, dimension_qualifiers : tuple of frozenset of str
        For each attribute and dimension the array names and aliases that may stand before it.
    distribution : str, optional
        As ``show`` prints it: ``hashed``, or None where the operator leaves it open.
    """

    schema: Schema
    sql: str
    codes: frozenset[int] = frozenset()
    attribute_qualifiers: tuple[frozenset[str], ...] = field(default=())
    dimension_qualifiers: tuple[frozenset[str], ...] = field(default=())
    distribution: str | None = "hashed"


@dataclass(frozen=True, slots=True)
class Typed:
    """A compiled expression over the columns of a relation.

    Attributes
    ----------
    sql : str
        Always in parentheses or atomic.
    type : str
        SciDB's type; ``void`` for a bare null.
    nullable : bool
    code : str, optional
        SQL of the missing reason where `sql` is NULL; None where that is always 0.
    constant : bool
        No reference to a column in it.
    """

    sql: str
    type: str
    nullable: bool
    code: str | None = None
    constant: bool = False
