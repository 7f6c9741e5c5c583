"""Expressions against recorded results, C++ (by NumPy) and the rules of reference/scidb-semantics.md (b)."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scidb_magic.embedded.engine.expressions import compile_expression, constant_value
from scidb_magic.embedded.engine.functions import profiles
from scidb_magic.embedded.engine.parser import parse_expression
from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import Schema

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def edges(type_: str) -> list[int]:
    info = np.iinfo(type_)
    values = {info.min, info.min + 1, -7, -1, 0, 1, 2, 3, 100, info.max // 3, info.max - 1, info.max}
    return sorted(v for v in map(int, values) if info.min <= v <= info.max)


def pairs(type_: str) -> tuple[list[int], list[int]]:
    values = edges(type_)
    both = [(a, b) for a in values for b in values]
    return [a for a, _ in both], [b for _, b in both]


def wrapped(value: int, type_: str) -> int:
    return int(np.array([value & 0xFFFFFFFFFFFFFFFF], dtype="uint64").astype(type_)[0])


# Arithmetic


@pytest.mark.parametrize("type_", INTEGERS)
@pytest.mark.parametrize("sign", ["+", "-", "*"])
def test_integers_wrap_in_their_own_type(calculator: Any, type_: str, sign: str) -> None:
    left, right = pairs(type_)
    answer = calculator.run(f"a {sign} b", a=(type_, left), b=(type_, right))
    result = type_.removeprefix("u") if sign == "-" else type_
    exact = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}[sign]
    assert answer.type == result
    assert answer.values == [wrapped(exact(a, b), result) for a, b in zip(left, right, strict=True)]


@pytest.mark.parametrize("type_", INTEGERS)
def test_division_truncates_toward_zero(calculator: Any, type_: str) -> None:
    left, right = pairs(type_)
    some = [(a, b) for a, b in zip(left, right, strict=True) if b != 0]
    columns = {"a": (type_, [a for a, _ in some]), "b": (type_, [b for _, b in some])}
    quotients = [abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1) for a, b in some]
    assert calculator.run("a / b", **columns).values == [wrapped(q, type_) for q in quotients]
    assert calculator.run("a % b", **columns).values == [
        wrapped(a - b * q, type_) for (a, b), q in zip(some, quotients, strict=True)
    ]


@pytest.mark.parametrize("text", ["a / b", "a % b", "a / 0", "1 / (b - b)", "a / (1 + b * 2 - 1)"])
def test_division_by_zero_is_scidbs_error(calculator: Any, text: str) -> None:
    with pytest.raises(EngineError) as caught:
        calculator.run(text, a=("int64", [5, 7]), b=("int64", [2, 0]))
    assert (caught.value.short, caught.value.long) == ("EXECUTION", "DIVISION_BY_ZERO")


def test_a_missing_divisor_is_no_error(calculator: Any) -> None:
    assert calculator.run("a / b", a=("int64", [5, 7]), b=("int64", [2, None])).values == [2, None]


def test_doubles_follow_ieee(calculator: Any) -> None:
    numbers = [0.0, -0.0, 1.5, -2.5, math.inf, -math.inf, math.nan, 1e308]
    both = [(x, y) for x in numbers for y in numbers]
    x, y = np.array([p[0] for p in both]), np.array([p[1] for p in both])
    columns = {"x": ("double", x.tolist()), "y": ("double", y.tolist())}
    with np.errstate(all="ignore"):
        expected = {"+": x + y, "-": x - y, "*": x * y, "/": x / y, "%": np.fmod(x, y)}
    for sign, result in expected.items():
        np.testing.assert_array_equal(calculator.run(f"x {sign} y", **columns).values, result, err_msg=sign)
    compared = {"=": x == y, "<>": x != y, "<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y}
    for sign, truth in compared.items():
        assert calculator.run(f"x {sign} y", **columns).values == truth.tolist(), sign


@pytest.mark.parametrize("sign", ["=", "<>", "<", "<=", ">", ">="])
def test_a_null_beside_a_nan_stays_null(calculator: Any, sign: str) -> None:
    columns = {"x": ("double", [None, math.nan, None]), "y": ("double", [math.nan, None, None])}
    assert calculator.run(f"x {sign} y", **columns).values == [None, None, None]


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("sin", np.sin),
        ("cos", np.cos),
        ("tan", np.tan),
        ("asin", np.arcsin),
        ("acos", np.arccos),
        ("atan", np.arctan),
        ("sqrt", np.sqrt),
        ("log", np.log),
        ("log10", np.log10),
        ("exp", np.exp),
        ("abs", np.abs),
    ],
)
def test_functions_of_reals_outside_their_domain_too(calculator: Any, name: str, function: Any) -> None:
    x = np.array([0.0, 0.5, 1.0, 2.0, -1.0, -3.0, math.inf, -math.inf, math.nan, 1e300])
    with np.errstate(all="ignore"):
        expected = function(x)
    answer = calculator.run(f"{name}(x)", x=("double", x.tolist()))
    assert answer.type == "double"
    np.testing.assert_allclose(answer.values, expected, rtol=1e-15)


def test_a_chain_of_400_operands_is_computed_plain_and_wrapping(calculator: Any) -> None:
    sums = "+".join(["a"] * 400)
    assert calculator.run(sums, a=("int64", [3])).value == 1200
    assert calculator.run(sums, a=("int64", [2**62])).value == wrapped(400 * 2**62, "int64")
    assert calculator.run(sums, a=("uint64", [2**63 + 1])).value == wrapped(400 * (2**63 + 1), "uint64")
    either = " or ".join(["a = 1"] * 200)
    assert calculator.run(either, a=("int64", [1])).value is True


def test_formulas_that_use_an_operand_twice_do_not_grow_with_every_level() -> None:
    nested = "i"
    for _ in range(40):
        nested = f"7 / (1 + {nested})"
    relation = Relation(Schema.parse("A<a:int64>[i=0:9]"), "")
    assert len(compile_expression(parse_expression(nested), relation, wrap=True).sql) < 40_000


# Overloads and conversions


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ("i8 + i8", "int8"),
        ("i8 + 1", "int64"),
        ("i8 + i16", "int16"),
        ("u8 + i8", "int8"),
        ("u64 + 1", "int64"),
        ("u64 - u64", "int64"),
        ("i64 + d", "double"),
        ("f + 1", "double"),
        ("f + f", "float"),
        ("f * d", "double"),
        ("i16 / i64", "int64"),
        ("-u32", "int32"),
        ("i64 = d", "bool"),
        ("abs(i32)", "int32"),
        ("abs(i64)", "double"),
        ("ceil(f)", "int64"),
        ("sqrt(f)", "float"),
        ("sqrt(i8)", "double"),
        ("iif(b, i8, d)", "double"),
        ("iif(b, i64, null)", "int64"),
        ("iif(b, null, f)", "float"),
        ("missing(5)", "void"),
        ("missing_reason(i8)", "int32"),
        ("strlen(s)", "int32"),
        ("s + s", "string"),
        ("s * 2", "string"),
        ("c = s", "bool"),
        ("t - t", "int64"),
        ("t + 1", "datetime"),
        ("strip_offset(z)", "datetime"),
        ("int8(d)", "int8"),
        ("is_null(z)", "bool"),
        ("count32 + 1", "int64"),
    ],
)
def test_the_cheapest_overload_decides_the_type(text: str, type_: str) -> None:
    schema = Schema.parse(
        "A<i8:int8,i16:int16,i32:int32,i64:int64,u8:uint8,u32:uint32,u64:uint64,f:float,d:double,s:string,b:bool,"
        "c:char,t:datetime,z:datetimetz,count32:uint32>[i=0:9]"
    )
    typed = compile_expression(parse_expression(text), Relation(schema, ""))
    assert typed.type == type_


@pytest.mark.parametrize("source", INTEGERS)
@pytest.mark.parametrize("target", INTEGERS)
def test_integers_are_cast_as_in_cpp(calculator: Any, source: str, target: str) -> None:
    values = edges(source)
    assert calculator.run(f"{target}(a)", a=(source, values)).values == [wrapped(v, target) for v in values]


def test_chars_are_signed_bytes(calculator: Any) -> None:
    column = ("char", [0, 65, 127, 128, 255])
    assert calculator.run("int8(c)", c=column).values == [0, 65, 127, -128, -1]
    assert calculator.run("uint16(c)", c=column).values == [0, 65, 127, 65408, 65535]
    assert calculator.run("char(n)", n=("int64", [-4, 256, 65])).values == [252, 0, 65]
    assert calculator.run("c < strchar('A')", c=column).values == [True, False, False, True, True]


def test_doubles_are_truncated(calculator: Any) -> None:
    column = ("double", [2.9, -2.9, 0.5, -0.5, 1e15, math.nan, math.inf, -1e300])
    lowest = -(2**63)
    assert calculator.run("int64(x)", x=column).values == [2, -2, 0, 0, 10**15, lowest, lowest, lowest]
    assert calculator.run("uint8(x)", x=("double", [200.9, -1.0, 300.0])).values == [200, 255, 44]
    assert calculator.run("float(x)", x=("double", [1e300, -1e300, 1.5])).values == [math.inf, -math.inf, 1.5]


def test_numbers_become_strings_with_their_digits(calculator: Any) -> None:
    column = ("double", [1 / 3, 1e16, -0.0, math.nan, -math.inf, 100000.0])
    assert calculator.run("string(x)", x=column).values == [
        "0.333333333333333",
        "1e+16",
        "-0",
        "nan",
        "-inf",
        "100000",
    ]
    assert calculator.run("string(float(x))", x=("double", [1 / 3])).value == "0.333333"
    assert calculator.run("string(x, 3)", x=("double", [math.pi])).value == "3.14"


def test_strings_become_numbers_as_streams_read_them(calculator: Any) -> None:
    column = ("string", ["12", " 7", "12abc", "-3.5e2x", None])
    assert calculator.run("int64(s)", s=column).values == [12, 7, 12, -3, None]
    assert calculator.run("double(s)", s=column).values == [12, 7, 12, -350, None]
    with pytest.raises(EngineError, match="abc"):
        calculator.run("int64(s)", s=("string", ["abc"]))


@pytest.mark.parametrize(
    ("text", "code", "span"),
    [
        ("nothing", "REF_NOT_FOUND", (0, 7)),
        ("B.x + 1", "REF_NOT_FOUND", (0, 3)),
        ("x / 'a string'", "FUNCTION_NOT_FOUND", (2, 3)),
        ("foo(1)", "FUNCTION_NOT_FOUND", (0, 3)),
        ("iif(x, 1, 2)", "FUNCTION_NOT_FOUND", (0, 3)),
        ("bool('true')", "FUNCTION_NOT_FOUND", (0, 4)),
    ],
)
def test_what_is_not_found(text: str, code: str, span: tuple[int, int]) -> None:
    relation = Relation(Schema.parse("A<x:int64>[i=0:9]"), "")
    with pytest.raises(EngineError) as caught:
        compile_expression(parse_expression(text), relation)
    start, end = caught.value.span or (0, 0)
    assert (caught.value.long, (start - 2, end - 2)) == (code, span)


def test_the_recorded_text_of_a_missing_function() -> None:
    relation = Relation(Schema.parse("A<a:double>[x=0:9]"), "")
    with pytest.raises(EngineError, match=r"^Function '/\(int64, string\)' not found\.$"):
        compile_expression(parse_expression("x / 'a string'"), relation)


def test_the_functions_are_those_of_scidb(conformance: Path) -> None:
    for line in (conformance / "catalog.jsonl").read_text("utf-8").splitlines():
        listed = json.loads(line)
        if listed["query"] == "list('functions')":
            rows = [row.split("\t") for row in listed["body"].splitlines()]
            recorded = [
                (name, profile, flag == "true")
                for _, name, profile, flag, owner in rows
                if owner == "scidb" or name == "dcast"
            ]
    assert profiles(["first_index", "last_index", "length", "low", "high"]) == recorded


# Names


def test_attributes_come_before_dimensions() -> None:
    schema = Schema.parse("L<v:int64,i:double,w:string>[i=0:9,j=0:9]")
    source = Relation(schema, "", frozenset({2}), (frozenset({"L", "X"}),) * 3)

    def found(text: str) -> tuple[str, str | None]:
        typed = compile_expression(parse_expression(text), source)
        return typed.sql, typed.code

    assert found("v") == ("a0", None)
    assert found("X.v") == ("a0", None)
    assert found("L.w") == ("a2", "m2")
    assert found("i") == ("a1", None)
    assert found("j") == ("d1", None)
    with pytest.raises(EngineError):
        found("V")
    with pytest.raises(EngineError):
        found("R.v")


# Missing values


def test_logic_of_three_values(calculator: Any) -> None:
    values = [True, False, None]
    both = [(p, q) for p in values for q in values]
    columns = {"p": ("bool", [p for p, _ in both]), "q": ("bool", [q for _, q in both])}

    def either(p: bool | None, q: bool | None) -> bool | None:
        return True if p or q else None if p is None or q is None else False

    def inverse(p: bool | None) -> bool | None:
        return None if p is None else not p

    assert calculator.run("p or q", **columns).values == [either(p, q) for p, q in both]
    assert calculator.run("p and q", **columns).values == [
        inverse(either(inverse(p), inverse(q))) for p, q in both
    ]
    assert calculator.run("not p", **columns).values == [inverse(p) for p, _ in both]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("x", [None, 34]),
        ("-x", [None, 34]),
        ("double(x)", [None, 34]),
        ("sqrt(x)", [None, 34]),
        ("string(x)", [None, 34]),
        ("x + 1", [None, None]),
        ("x = x", [None, None]),
        ("iif(x > 0, 1, missing(7))", [0, 7]),
        ("iif(true, x, 5)", [None, 34]),
        ("int64(missing(12))", [12, 12]),
        ("not bool(x)", [None, 34]),
    ],
)
def test_reasons_pass_through_functions_of_one_value(
    calculator: Any, text: str, codes: list[int | None]
) -> None:
    assert calculator.run(text, codes=[0], x=("int64", [1, None])).codes == codes


def test_reasons_can_be_asked_for(calculator: Any) -> None:
    column = ("int64", [1, None])
    assert calculator.run("missing_reason(x)", codes=[0], x=column).values == [-1, 34]
    assert calculator.run("missing_reason(missing(3))", x=column).values == [3, 3]
    assert calculator.run("missing_reason(null)", x=column).values == [0, 0]
    assert calculator.run("x is null", x=column).values == [False, True]
    assert calculator.run("x is not null", x=column).values == [True, False]


def test_a_result_can_be_missing_where_an_operand_can() -> None:
    relation = Relation(Schema.parse("A<x:int64,y:int64 not null>[i=0:9]"), "")

    def nullable(text: str) -> bool:
        return compile_expression(parse_expression(text), relation).nullable

    assert nullable("x + 1") and nullable("iif(y > 1, y, null)") and nullable("is_null(x)")
    assert not nullable("y + i") and not nullable("string(y)")


# Strings and time


def test_strings(calculator: Any) -> None:
    column = ("string", ["hello", "", "Ünï"])
    assert calculator.run("s + '!'", s=column).values == ["hello!", "!", "Ünï!"]
    assert calculator.run("s * 2", s=column).values == ["hellohello", "", "ÜnïÜnï"]
    assert calculator.run("-1 * s", s=column).values == ["", "", ""]
    assert calculator.run("strlen(s)", s=column).values == [5, 0, 5]
    assert calculator.run("substr(s, 1, 3)", s=("string", ["hello"])).value == "ell"
    assert calculator.run("regex(s, '(.*)l(.*)')", s=column).values == [True, False, False]
    assert calculator.run("strchar(s)", s=("string", ["A", "é"])).values == [65, "é".encode()[0]]
    assert calculator.run("s < 'i'", s=column).values == [True, True, False]


def test_every_recorded_spelling_of_a_date(calculator: Any, conformance: Path) -> None:
    checked = 0
    for line in (conformance / "afl.jsonl").read_text("utf-8").splitlines():
        for step in json.loads(line)["steps"]:
            found = re.search(r"\],(datetime(?:tz)?\('[^']*'\))\)$", step["query"])
            if found is None:
                continue
            wanted = step["body"].split("\n")[0].partition(",")[2].strip("'")
            assert calculator.run(f"string({found[1]})").value == wanted
            checked += 1
    assert checked > 40


def test_dates_in_a_column(calculator: Any) -> None:
    column = ("string", ["2009-02-13 23:31:30", "13.02.09", None])
    assert calculator.run("datetime(s)", s=column).values == [1234567890, 1234483200, None]
    with pytest.raises(EngineError) as caught:
        calculator.run("datetime(s)", s=("string", ["soon"]))
    assert caught.value.long == "FAILED_PARSE_STRING"


def test_offsets(calculator: Any) -> None:
    z = "datetimetz('2001-12-15 21:26:33 -06:30')"
    assert calculator.run(f"string(strip_offset({z}))").value == "2001-12-15 21:26:33"
    assert calculator.run(f"string(togmt({z}))").value == "2001-12-16 03:56:33"
    assert calculator.run(f"get_offset({z})").value == -23400
    assert calculator.run(f"apply_offset(togmt({z}), -23400) = {z}").value is True
    assert (
        calculator.run(f"string(append_offset(strip_offset({z}), -23400))").value
        == "2001-12-15 21:26:33 -06:30"
    )
    assert calculator.run(
        "datetimetz('2000-01-01 01:00:00 +01:00') = datetimetz('2000-01-01 00:00:00 +00:00')"
    ).value


def test_days_and_hours_before_1970_too(calculator: Any) -> None:
    column = ("datetime", [0, -1, 1234567890, -86400 * 3])
    assert calculator.run("day_of_week(t)", t=column).values == [4, 3, 5, 1]
    assert calculator.run("hour_of_day(t)", t=column).values == [0, 23, 23, 0]
    assert calculator.run("strftime(t, '%F %T')", t=("datetime", [0])).value == "1970-01-01 00:00:00"


# Constants


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-5", -5),
        ("2 * 3 + 1", 7),
        ("'it''s'", None),
        ("'a\\'b'", "a'b"),
        ("true", True),
        ("null", None),
        ("0.1", 0.1),
        ("-0.0", -0.0),
        ("1e308 * 10", math.inf),
        ("uint8(200)", 200),
    ],
)
def test_constants(text: str, value: Any) -> None:
    if text == "'it''s'":
        with pytest.raises(EngineError):
            parse_expression(text)
        return
    found = constant_value(compile_expression(parse_expression(text)))
    assert found == value and type(found) is type(value)
    if value == 0 and isinstance(value, float):
        assert math.copysign(1, found) == math.copysign(1, value)
