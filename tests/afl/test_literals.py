from __future__ import annotations

import datetime
import zoneinfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scidb_magic.afl.lexer import Kind, tokens
from scidb_magic.afl.literals import Name, literal, quote
from scidb_magic.errors import LiteralError


@pytest.mark.parametrize(
    ("value", "afl"),
    [
        (None, "null"),
        (pd.NA, "null"),
        (pd.NaT, "null"),
        (True, "true"),
        (np.bool_(False), "false"),
        (7, "7"),
        (np.uint8(7), "7"),
        (-7, "(-7)"),
        (-(2**63), "(-9223372036854775807 - 1)"),
        (1.0, "1.0"),
        (1e300, "1e+300"),
        (0.1, "0.1"),
        (np.float32(0.5), "0.5"),
        (float("nan"), "nan"),
        (float("-inf"), "(-inf)"),
        ("it's \\ here\n", r"'it\'s \\ here\n'"),
        (datetime.datetime(2024, 2, 29, 1, 2, 3), "datetime('2024-02-29 01:02:03')"),
        (datetime.date(2024, 2, 29), "datetime('2024-02-29 00:00:00')"),
        (datetime.date(33, 4, 3), "datetime('0033-04-03 00:00:00')"),
        (datetime.datetime(33, 4, 3, 15), "datetime('0033-04-03 15:00:00')"),
        (np.datetime64("NaT", "s"), "null"),
        (np.datetime64("2024-02-29T01:02:03"), "datetime('2024-02-29 01:02:03')"),
        (pd.Timestamp("2024-02-29 01:02:03"), "datetime('2024-02-29 01:02:03')"),
        (pd.Timestamp("2024-02-29 01:02:03+05:30"), "datetimetz('2024-02-29 01:02:03 +05:30')"),
        (Name("A"), "A"),
        (Name("ns.A"), "ns.A"),
        ((1, "a"), "(1, 'a')"),
    ],
)
def test_literal(value: object, afl: str) -> None:
    assert literal(value) == afl


@pytest.mark.parametrize(
    "value",
    [
        2**63,
        object(),
        b"x",
        {1},
        "a\0b",
        1j,
        np.timedelta64(5, "ns"),
        datetime.datetime(2024, 1, 1, 0, 0, 0, 1),
        np.datetime64("2024-01-01T00:00:00.000000001"),
        np.datetime64("20000-01-01"),
        pd.Timestamp("2024-01-01 00:00:00.000000001"),
        datetime.datetime(1890, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Paris")),
    ],
)
def test_what_has_no_literal(value: object) -> None:
    with pytest.raises(LiteralError):
        literal(value)


@pytest.mark.parametrize("text", ["", "1A", "A B", "A;remove(B)", "a.b.c", "A'"])
def test_what_is_not_a_name(text: str) -> None:
    with pytest.raises(LiteralError):
        Name(text)


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_string_stays_one_token(text: str) -> None:
    assert [token.kind for token in tokens(quote(text))] == [Kind.STRING]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_comes_back(value: float) -> None:
    assert float(literal(value).strip("()")) == value


def test_an_array_of_scidbpy_is_its_name() -> None:
    from scidbpy.db import Array

    import scidb_magic  # noqa: F401 - the import adapter

    array = Array.__new__(Array)
    vars(array)["name"] = "A"
    assert literal(array) == "A"
