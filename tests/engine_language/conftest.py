"""Expressions compiled and computed by DuckDB, over one row or over columns of values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pytest

from scidb_magic.embedded.engine.aggregates import compile_aggregate
from scidb_magic.embedded.engine.ast import Alias, Call
from scidb_magic.embedded.engine.errors import from_duckdb
from scidb_magic.embedded.engine.expressions import compile_expression
from scidb_magic.embedded.engine.parser import parse_expression
from scidb_magic.embedded.engine.relation import PHYSICAL, Relation
from scidb_magic.wire.schema import Attribute, Dimension, Schema


@dataclass
class Answer:
    """Type, nullability, values and missing reasons of an expression."""

    type: str
    nullable: bool
    values: list[Any]
    codes: list[int | None]

    @property
    def value(self) -> Any:
        (one,) = self.values
        return one


class Calculator:
    """Computes expressions over columns, which are given as name=(SciDB's type, values)."""

    def __init__(self) -> None:
        self.connection = duckdb.connect(config={"threads": 1})

    def relation(self, columns: dict[str, tuple[str, Sequence[Any]]], codes: Sequence[int] = ()) -> Relation:
        """A relation whose attribute k is `columns`' k-th; nulls of those in `codes` have a reason of 34."""
        rows = max((len(values) for _, values in columns.values()), default=1)
        kinds = "".join(f", a{k} {PHYSICAL[t]}, m{k} UTINYINT" for k, (t, _) in enumerate(columns.values()))
        self.connection.execute(f"CREATE OR REPLACE TABLE cells (d0 BIGINT{kinds})")
        values: list[Any] = []
        for row in range(rows):
            values.append(row)
            for k, (_, column) in enumerate(columns.values()):
                values += [column[row], 34 if k in codes and column[row] is None else None]
        one = f"({', '.join('?' * (1 + 2 * len(columns)))})"
        self.connection.execute(f"INSERT INTO cells VALUES {', '.join([one] * rows)}", values)
        schema = Schema(
            tuple(
                Attribute(name, type_, any(v is None for v in values))
                for name, (type_, values) in columns.items()
            ),
            (Dimension("i", 0, rows - 1, 0, rows),),
            "A",
        )
        return Relation(schema, "SELECT * FROM cells", frozenset(codes))

    def run(self, text: str, *, wrap: bool = False, codes: Sequence[int] = (), **columns: Any) -> Answer:
        """Compute an expression; DuckDB's errors become SciDB's."""
        relation = self.relation(columns, codes)
        typed = compile_expression(parse_expression(text), relation, wrap=wrap)
        query = f"SELECT {typed.sql}, {typed.code or 'NULL'} FROM ({relation.sql}) ORDER BY d0"
        try:
            rows = self.connection.execute(query).fetchall()
        except duckdb.OutOfRangeException:
            if wrap:
                raise
            return self.run(text, wrap=True, codes=codes, **columns)
        except duckdb.Error as error:
            raise from_duckdb(error) from None
        return Answer(typed.type, typed.nullable, [row[0] for row in rows], [row[1] for row in rows])

    def aggregate(self, text: str, over: str = "", **columns: Any) -> Answer:
        """Compute an aggregate call, in one group or over a window."""
        relation = self.relation(columns)
        call = parse_expression(text)
        assert isinstance(call, (Call, Alias))
        found = compile_aggregate(call, relation)
        order = " ORDER BY d0" if over else ""
        rows = self.connection.execute(f"SELECT {found.sql(over)} FROM ({relation.sql}){order}").fetchall()
        return Answer(found.type, True, [row[0] for row in rows], [])


@pytest.fixture
def calculator() -> Calculator:
    return Calculator()
