"""Aggregates against recorded digits, NumPy and exact integers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scidb_magic.embedded.engine.aggregates import AGGREGATES, compile_aggregate
from scidb_magic.embedded.engine.ast import Alias, Call
from scidb_magic.embedded.engine.parser import parse_expression
from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import Schema

EVERY = ("sum", "prod", "avg", "min", "max", "count", "var", "stdev", "approxdc")


@pytest.mark.parametrize(
    ("values", "variance"),
    [
        ([4, 5, 6], "1"),
        ([5, 6, 7], "0.999999999999996"),
        ([9.2, 10.2, 11.2], "0.999999999999986"),
        ([10.2, 11.2, 12.2], "1.00000000000005"),
        ([11.2, 12.2, 13.2], "1.00000000000007"),
    ],
)
def test_variance_loses_the_recorded_digits(calculator: Any, values: list[float], variance: str) -> None:
    """Recorded in by_op/aggregate/aggregate_8: aggregate(A, var(a), x), aggregate(A, var(b), x)."""
    answer = calculator.aggregate("var(v)", v=("double", [float(v) for v in values]))
    assert (answer.type, f"{answer.value:.15g}") == ("double", variance)
    assert (
        f"{calculator.aggregate('stdev(v)', v=('double', values)).value:.15g}"
        == f"{math.sqrt(answer.value):.15g}"
    )


@pytest.mark.parametrize(
    ("type_", "shift", "deviation"),
    [("int32", 30, "2.55821118057998"), ("int16", 10, "2.55821118057999"), ("int8", 20, "2.55821118057998")],
)
def test_recorded_deviations_of_small_integers(
    calculator: Any, type_: str, shift: int, deviation: str
) -> None:
    """Recorded in by_op/aggregate/small_datatypes."""
    values = [a - shift for a in (1, 3, 2, 9, 2, 5, 3, 7, 2, 5)]
    assert f"{calculator.aggregate('stdev(v)', v=(type_, values)).value:.15g}" == deviation
    assert calculator.aggregate("sum(v)", v=(type_, values)).value == sum(values)
    assert calculator.aggregate("avg(v)", v=(type_, values)).value == sum(values) / 10


@pytest.mark.parametrize("type_", ["double", "float"])
def test_reals_against_numpy(calculator: Any, type_: str) -> None:
    values = np.random.default_rng(1).normal(3, 2, 50).astype("f4" if type_ == "float" else "f8")
    column = (type_, [float(v) for v in values] + [None])
    exact = values.astype("f8")
    expected = {
        "sum": exact.sum(),
        "avg": exact.mean(),
        "var": exact.var(ddof=1),
        "stdev": exact.std(ddof=1),
        "min": exact.min(),
        "max": exact.max(),
        "prod": exact.prod(),
    }
    for name, value in expected.items():
        answer = calculator.aggregate(f"{name}(v)", v=column)
        assert answer.type == (type_ if name in ("min", "max") else "double")
        assert answer.value == pytest.approx(value, rel=1e-12)
    assert calculator.aggregate("count(v)", v=column).value == 50
    assert calculator.aggregate("count(*)", v=column).value == 51


def test_sums_and_products_of_integers_wrap_in_64_bits(calculator: Any) -> None:
    big = ("int64", [2**62, 2**62, 2**62, None])
    assert calculator.aggregate("sum(v)", v=big).value == 3 * 2**62 - 2**64
    assert calculator.aggregate("prod(v)", v=("int64", [2**40 + 1, 2**40 + 3])).value == (
        ((2**40 + 1) * (2**40 + 3) + 2**63) % 2**64 - 2**63
    )
    unsigned = ("uint64", [2**64 - 1, 2**64 - 1])
    answer = calculator.aggregate("sum(v)", v=unsigned)
    assert (answer.type, answer.value) == ("uint64", 2**64 - 2)
    assert calculator.aggregate("prod(v)", v=unsigned).value == 1
    assert calculator.aggregate("sum(v)", v=("int8", [127, 127])).value == 254


def test_of_no_values_only_counts_are_numbers(calculator: Any) -> None:
    for name in EVERY:
        answer = calculator.aggregate(f"{name}(v)", v=("int64", [None, None]))
        assert answer.value == (0 if name in ("count", "approxdc") else None), name


def test_one_value_has_no_variance(calculator: Any) -> None:
    assert calculator.aggregate("var(v)", v=("double", [3.0])).value is None
    assert calculator.aggregate("stdev(v)", v=("double", [3.0, None])).value is None


def test_one_nan_is_the_extreme(calculator: Any) -> None:
    column = ("double", [1.0, math.nan, -5.0, None])
    for name in ("min", "max", "sum", "avg"):
        assert math.isnan(calculator.aggregate(f"{name}(v)", v=column).value), name


def test_extremes_of_other_types(calculator: Any) -> None:
    assert calculator.aggregate("min(v)", v=("string", ["b", "a", None])).value == "a"
    assert calculator.aggregate("max(v)", v=("bool", [False, True])).value is True
    assert calculator.aggregate("min(v)", v=("char", [65, 200])).value == 200
    assert calculator.aggregate("max(v)", v=("char", [65, 200])).value == 65
    early, late = {"time": 7200, "offset": 7200}, {"time": 3600, "offset": 0}
    assert calculator.aggregate("min(v)", v=("datetimetz", [late, early])).value == early
    assert calculator.aggregate("sum(v)", v=("string", ["a", "b", None, "c"])).value == "abc"


def test_windows(calculator: Any) -> None:
    over = "OVER (ORDER BY d0 RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING)"
    column = ("int64", [1, 2, None, 4])
    expected = {
        "sum": [3, 3, 6, 4],
        "prod": [2, 2, 8, 4],
        "count": [2, 2, 2, 1],
        "avg": [1.5, 1.5, 3, 4],
        "min": [1, 1, 2, 4],
        "max": [2, 2, 4, 4],
        "var": [0.5, 0.5, 2, None],
        "approxdc": [2, 2, 2, 1],
    }
    for name, values in expected.items():
        assert calculator.aggregate(f"{name}(v)", over, v=column).values == values, name


def compiled(text: str) -> Any:
    relation = Relation(Schema.parse("A<a:int64,s:string,t:datetime>[i=0:9]"), "")
    call = parse_expression(text)
    assert isinstance(call, (Call, Alias))
    return compile_aggregate(call, relation)


@pytest.mark.parametrize(
    ("text", "name", "type_"),
    [
        ("sum(a)", "a_sum", "int64"),
        ("AVG(a)", "a_avg", "double"),
        ("count(*)", "count", "uint64"),
        ("count(s)", "s_count", "uint64"),
        ("max(t) as latest", "latest", "datetime"),
        ("count(*) as n", "n", "uint64"),
        ("sum(A.a)", "a_sum", "int64"),
    ],
)
def test_names_and_types(text: str, name: str, type_: str) -> None:
    found = compiled(text)
    assert (found.name, found.type) == (name, type_)


@pytest.mark.parametrize(
    ("text", "short", "code"),
    [
        ("sum(x)", "SYNTAX", "ATTRIBUTE_NOT_EXIST"),
        ("sum(i)", "SYNTAX", "ATTRIBUTE_NOT_EXIST"),
        ("test_aggr(x)", "SYNTAX", "ATTRIBUTE_NOT_EXIST"),
        ("test_aggr(a)", "QPROC", "AGGREGATE_NOT_FOUND"),
        ("max(*)", "TYPE", "AGGREGATE_DOESNT_SUPPORT_ASTERISK"),
        ("avg(s)", "QPROC", "AGGREGATE_DOESNT_SUPPORT_TYPE"),
    ],
)
def test_errors_as_recorded(text: str, short: str, code: str) -> None:
    with pytest.raises(EngineError) as caught:
        compiled(text)
    assert (caught.value.short, caught.value.long) == (short, code)


def test_the_aggregates_are_those_of_scidb(conformance: Path) -> None:
    for line in (conformance / "catalog.jsonl").read_text("utf-8").splitlines():
        listed = json.loads(line)
        if listed["query"] == "list('aggregates')":
            rows = [row.split("\t") for row in listed["body"].splitlines()]
            recorded = {(name, type_) for _, name, type_, owner in rows if owner == "scidb"}
    assert set(AGGREGATES) == recorded
