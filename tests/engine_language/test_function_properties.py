"""Functions against Python and NumPy, where both agree by definition; odd input; defaults of attributes."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scidb_magic.embedded.engine.parser import parse
from scidb_magic.errors import EngineError

few = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
INT64 = st.integers(-(2**63), 2**63 - 1)
EDGES = st.sampled_from([-(2**63), -(2**63) + 1, -1, 0, 1, 2**63 - 1]) | INT64
REALS = st.floats(width=64)
UTC = dt.timezone.utc
MOMENTS = st.integers(-30610224000, 253402300799)
"""Seconds of the years 1000 to 9999, which Python's datetime has and writes with four digits."""


def wrapped(value: int) -> int:
    return (value + 2**63) % 2**64 - 2**63


def same(one: float, other: float) -> bool:
    return (math.isnan(one) and math.isnan(other)) or one == other


@few
@given(EDGES, EDGES)
def test_integers_wrap(calculator: Any, a: int, b: int) -> None:
    columns = {"a": ("int64", [a]), "b": ("int64", [b])}
    for sign, expected in (("+", a + b), ("-", a - b), ("*", a * b)):
        assert calculator.run(f"a {sign} b", **columns).value == wrapped(expected)
    assert calculator.run("-a", **columns).value == wrapped(-a)


@few
@given(REALS, REALS)
def test_reals_are_numpys(calculator: Any, a: float, b: float) -> None:
    columns = {"a": ("double", [a]), "b": ("double", [b])}
    with np.errstate(all="ignore"):
        x, y = np.float64(a), np.float64(b)
        for sign, expected in (("+", x + y), ("-", x - y), ("*", x * y), ("/", x / y), ("%", np.fmod(x, y))):
            assert same(calculator.run(f"a {sign} b", **columns).value, float(expected))
    for sign, truth in (("<", a < b), ("<=", a <= b), ("=", a == b), ("<>", a != b), (">", a > b)):
        assert calculator.run(f"a {sign} b", **columns).value is truth


@few
@given(MOMENTS)
def test_strftime_is_pythons(calculator: Any, seconds: int) -> None:
    moment = dt.datetime(1970, 1, 1, tzinfo=UTC) + dt.timedelta(seconds=seconds)
    for letters in ("%Y-%m-%d %H:%M:%S", "%a %A %b %B %d %I %j %p", "%U %V %W %u %w %y"):
        written = calculator.run(f"strftime(t, '{letters}')", t=("datetime", [seconds])).value
        assert written == moment.strftime(letters)
        # A format that is a column takes another way.
        columns = {"t": ("datetime", [seconds]), "f": ("string", [letters])}
        assert calculator.run("strftime(t, f)", **columns).value == written
    iso_year = calculator.run("strftime(t, '%G')", t=("datetime", [seconds])).value
    assert int(iso_year) == moment.isocalendar()[0]


@few
@given(INT64, INT64)
def test_datetimes_wrap_and_every_one_can_be_written(calculator: Any, seconds: int, more: int) -> None:
    columns = {"t": ("datetime", [seconds]), "n": ("int64", [more])}
    assert calculator.run("t + n", **columns).value == wrapped(seconds + more)
    assert calculator.run("t - n", **columns).value == wrapped(seconds - more)
    assert calculator.run("togmt(append_offset(t, n))", **columns).value == wrapped(seconds - more)
    assert calculator.run("string(t)", **columns).value.count(":") == 2


@few
@given(st.text("aé\n", max_size=5), st.integers(-3, 6))
def test_strings_are_pythons(calculator: Any, s: str, n: int) -> None:
    columns = {"s": ("string", [s]), "n": ("int64", [n])}
    assert calculator.run("s * n", **columns).value == s * n
    assert calculator.run("s + s", **columns).value == s + s
    assert calculator.run("strlen(s)", **columns).value == len(s.encode())
    assert calculator.run("char(s)", **columns).value == (s.encode() or b"\0")[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # glibc, locale C, 2014-07-01 13:08:07 UTC.
        ("%c|%e|%D|%r", "Tue Jul  1 13:08:07 2014| 1|07/01/14|01:08:07 PM"),
        ("%k|%l|%P|%s|%C|%g|%Z|%z", "13| 1|pm|1404220087|20|14|GMT|+0000"),
        ("%n%t%%", "\n\t%"),
        ("%Ey %Od %-d", "14 01 1"),
        ("%Q %+ %", "%Q %+ %"),
        ("", ""),
    ],
)
def test_letters_of_c(calculator: Any, text: str, value: str) -> None:
    columns = {"t": ("datetime", [1404220087]), "f": ("string", [text])}
    assert calculator.run("strftime(t, f)", **columns).value == value
    assert calculator.run(f"strftime(t, '{text}')", **columns).value == value


def test_constants_wrap_too(calculator: Any) -> None:
    assert calculator.run("-(-9223372036854775807 - 1)").value == -(2**63)
    assert calculator.run("-int8(-128)").value == -128


@pytest.mark.parametrize("count", [10**11, 2**63 - 1])
def test_a_string_that_fits_nowhere(calculator: Any, count: int) -> None:
    with pytest.raises(EngineError) as raised:
        calculator.run("s * n", s=("string", ["ab"]), n=("int64", [count]))
    assert (raised.value.short, raised.value.long) == ("NO_MEMORY", "CANT_ALLOCATE_MEMORY")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("a:double default 1+2", "a:double DEFAULT 3"),
        ("a:int64 default 1.5", "a:int64 DEFAULT 1"),
        ("a:int8 default 300", "a:int8 DEFAULT 44"),
        ("a:char default 'x'", "a:char DEFAULT 'x'"),
        ("a:int64 default missing(30)", "a:int64 DEFAULT missing(30)"),
        ("a:int64 default null", "a:int64"),
        ("a:int64 not null default 0", "a:int64 NOT NULL"),
        ("a:float default 0.1", "a:float DEFAULT 0.1"),
        ("a:datetime default datetime('2014-01-01')", "a:datetime DEFAULT '2014-01-01 00:00:00'"),
    ],
)
def test_defaults_are_computed(written: str, shown: str) -> None:
    statement: Any = parse(f"create array A <{written}>[i=0:3]")
    assert str(statement.schema.schema.attributes[0]) == shown


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("int64 not null default null", "NULL_IN_NON_NULLABLE"),
        ("int64 default 'x'", "FAILED_PARSE_STRING"),
        ("int64 default 1/0", "DIVISION_BY_ZERO"),
        ("int64 default nope(1)", "FUNCTION_NOT_FOUND"),
        ("int64 default x", "REF_NOT_FOUND"),
    ],
)
def test_defaults_that_are_none(written: str, code: str) -> None:
    with pytest.raises(EngineError) as raised:
        parse(f"create array A <a:{written}>[i=0:3]")
    assert raised.value.long == code
