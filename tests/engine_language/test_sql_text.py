"""No text of a user becomes SQL."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scidb_magic.afl.literals import quote
from scidb_magic.embedded.engine import sql
from scidb_magic.embedded.engine.ast import Literal
from scidb_magic.embedded.engine.expressions import compile_expression
from scidb_magic.embedded.engine.parser import parse_expression
from scidb_magic.errors import EngineError

CONNECTION = duckdb.connect(config={"threads": 1})


@settings(deadline=None, max_examples=300)
@given(st.text(st.characters(codec="utf-8")))
def test_a_string_literal_comes_back_as_it_was(text: str) -> None:
    literal = Literal(text, "string", (0, 0))
    typed = compile_expression(literal)
    if "\0" not in text:
        assert compile_expression(parse_expression(quote(text))).sql == typed.sql
    assert CONNECTION.execute(f"SELECT {typed.sql}").fetchone() == (text,)


@settings(deadline=None, max_examples=300)
@given(st.floats())
def test_a_double_keeps_every_bit(value: float) -> None:
    found = CONNECTION.execute(f"SELECT {sql.real(value)}").fetchone()
    assert found is not None and repr(found[0]) == repr(value)


@settings(deadline=None)
@given(st.integers(-(2**63), 2**63 - 1))
def test_an_integer_is_itself(value: int) -> None:
    assert (
        CONNECTION.execute(
            f"SELECT 7 %{sql.whole(value)} - 7 %{sql.whole(value)}, {sql.whole(value)}"
        ).fetchone()
        in (
            (0, value),
            (None, value),
        )
        if value
        else True
    )
    assert sql.whole_value(sql.whole(value)) == value


def test_a_string_that_is_no_utf8_is_refused() -> None:
    with pytest.raises(EngineError, match="UTF-8"):
        sql.quote("\udcff")


def test_an_operand_used_twice_is_bound_when_it_is_long() -> None:
    short, long = sql.fill("({0} + {0})", "1"), sql.fill("({0} + {0})", "(1" + " + 1" * 200 + ")")
    assert short == "(1 + 1)" and len(long) < 1200
    assert CONNECTION.execute(f"SELECT {long}").fetchone() == (402,)
