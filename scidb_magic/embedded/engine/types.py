"""SciDB's types: which converts into which, at what cost, and the SQL of it.

The costs are those of BuiltInFunctions.inc and FunctionLibrary.cpp: 1 and a few more for a wider
integer, 100 where the value is transformed, 10,000 for every halving of the width, 1,000,000 where
the query has to ask for it. A conversion that costs less than that is done unasked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from scidb_magic.embedded.engine import sql as text
from scidb_magic.embedded.engine.relation import PHYSICAL, Typed
from scidb_magic.embedded.engine.temporal import (
    datetime_from_string,
    datetime_to_string,
    datetimetz_from_string,
    datetimetz_to_string,
)
from scidb_magic.errors import EngineError

TRANSFORM = 100
TRUNCATE = 10_000
EXPLICIT = 1_000_000

SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
INTEGERS = (*SIGNED, *UNSIGNED)
REALS = ("float", "double")
SIZES: dict[str, int] = {"bool": 1, "char": 1, "float": 4, "double": 8, "datetime": 8, "datetimetz": 16} | {
    name: 1 << k for names in (SIGNED, UNSIGNED) for k, name in enumerate(names)
}
"""Bytes of the types of fixed size."""


def bits(type_: str) -> int:
    """Width of an integer type or char."""
    return SIZES[type_] * 8


def physical(type_: str) -> str:
    """DuckDB's type; a void value is kept as BOOLEAN, since it is always null."""
    return PHYSICAL.get(type_, "BOOLEAN")


@cache
def cost(source: str, target: str) -> int | None:
    """Cost of the conversion, 0 for none at all, None where there is no converter."""
    if source in {target, "void"}:
        return 0
    converter = _CONVERTERS.get((source, target))
    return None if converter is None else converter.cost


def convert(typed: Typed, target: str, *, explicit: bool = True) -> Typed:
    """The value as another type.

    Parameters
    ----------
    explicit : bool
        Whether conversions that a query has to ask for are allowed. SciDB allows them where an operator
        expects a type (``build``, ``filter``), not between the arguments of a function.

    Raises
    ------
    EngineError
        ``CANT_FIND_CONVERTER``, ``CANT_FIND_IMPLICIT_CONVERTER``; without a span, as SciDB.
    """
    if typed.type == target:
        return typed
    if typed.type == "void":
        return Typed(f"CAST(NULL AS {physical(target)})", target, True, typed.code, typed.constant)
    converter = _CONVERTERS.get((typed.type, target))
    if converter is None:
        raise EngineError(
            "TYPE", "CANT_FIND_CONVERTER", f"Cannot find converter from type '{typed.type}' to '{target}'."
        )
    if converter.cost >= EXPLICIT and not explicit:
        raise EngineError(
            "TYPE",
            "CANT_FIND_IMPLICIT_CONVERTER",
            f"Cannot find implicit converter from type '{typed.type}' to '{target}'.",
        )
    code = typed.code if converter.keeps_code else None
    return Typed(converter.sql(typed.sql), target, typed.nullable, code, typed.constant)


def wrapped(sql: str, target: str, wide: str = "HUGEINT") -> str:
    """An integer's lowest bits as `target`, as C++ casts; `wide` is the type of `sql`.

    ``xor`` and subtraction give the sign back to the lowest bits without using `sql` twice.
    """
    width = bits(target)
    low = f"({sql} & CAST({2**width - 1} AS {wide}))"
    if target in SIGNED:
        half = f"CAST({2 ** (width - 1)} AS {wide})"
        low = f"(xor({low}, {half}) - {half})"
    return f"CAST({low} AS {PHYSICAL[target]})"


def lowest_bits(value: int, target: str) -> int:
    """The number that C++ makes of an integer cast to `target`."""
    low = value & ((1 << bits(target)) - 1)
    return low - (1 << bits(target)) if target in SIGNED and low >> (bits(target) - 1) else low


@dataclass(frozen=True, slots=True)
class _Converter:
    cost: int
    sql: Callable[[str], str]
    keeps_code: bool = True


def _cast(target: str) -> Callable[[str], str]:
    return lambda sql: f"CAST({sql} AS {PHYSICAL[target]})"


def _to_double(sql: str) -> str:
    value = text.whole_value(sql)
    return f"CAST({sql} AS DOUBLE)" if value is None else text.real(float(value))


def _integer_to_integer(source: str, target: str) -> Callable[[str], str]:
    """Widening is a cast; all else keeps the lowest bits."""
    if bits(source) < bits(target) and (target in SIGNED or source in UNSIGNED):
        return _cast(target)
    wide = "HUGEINT" if 64 in (bits(source), bits(target)) else "BIGINT"

    def narrowed(sql: str) -> str:
        if (value := text.whole_value(sql)) is not None:
            return f"CAST(({lowest_bits(value, target)}) AS {PHYSICAL[target]})"
        return wrapped(f"CAST({sql} AS {wide})", target, wide)

    return narrowed


def _char_to(target: str) -> Callable[[str], str]:
    """Char is signed in C++: the byte, as int8, then on."""
    signed = "(xor(CAST({} AS BIGINT), 128) - 128)"
    if target == "bool":
        return lambda sql: f"({sql} <> 0)"
    if target in UNSIGNED:
        return lambda sql: wrapped(f"CAST({signed.format(sql)} AS HUGEINT)", target)
    return lambda sql: f"CAST({signed.format(sql)} AS {PHYSICAL[target]})"


def _to_char(source: str) -> Callable[[str], str]:
    wide = "HUGEINT" if bits(source) == 64 else "BIGINT"
    return lambda sql: f"CAST((CAST({sql} AS {wide}) & 255) AS UTINYINT)"


def _real_to_integer(target: str) -> Callable[[str], str]:
    """A C++ cast as x86-64 does it: truncated; out of range the lowest number, whose low bits are 0.

    Types under 32 bits go through int32, uint32 through int64.
    """
    if target == "uint64":
        return _real_to_uint64
    through = "int64" if target in ("int64", "uint32") else "int32"
    low, high = -(2 ** (bits(through) - 1)), 2 ** (bits(through) - 1)
    lowest = f"CAST(({low}) AS {PHYSICAL[through]})"
    below = text.real(float(low) - 1) if through == "int32" else text.real(float(low))
    bound = ">" if through == "int32" else ">="
    template = (
        f"(CASE WHEN {{0}} {bound} {below} AND {{0}} < {text.real(float(high))}"
        f" THEN CAST(trunc({{0}}) AS {PHYSICAL[through]})"
        f" WHEN {{0}} IS NOT NULL THEN {lowest} END)"
    )
    if through == target:
        return lambda sql: text.fill(template, sql)
    if target == "char":
        return lambda sql: _to_char(through)(text.fill(template, sql))
    narrow = _integer_to_integer(through, target)
    return lambda sql: narrow(text.fill(template, sql))


def _real_to_uint64(sql: str) -> str:
    template = (
        "(CASE WHEN {0} >= 9223372036854775808e0 AND {0} < 18446744073709551616e0"
        " THEN CAST(trunc({0}) AS UBIGINT)"
        " WHEN {0} > -1e0 AND {0} < 9223372036854775808e0 THEN CAST(abs(trunc({0})) AS UBIGINT)"
        " WHEN {0} >= (-9223372036854775808e0) AND {0} <= -1e0"
        " THEN CAST(CAST(trunc({0}) AS HUGEINT) + 18446744073709551616 AS UBIGINT)"
        " WHEN {0} >= 18446744073709551616e0 AND NOT isnan({0}) THEN CAST(0 AS UBIGINT)"
        " WHEN {0} IS NOT NULL THEN CAST(9223372036854775808 AS UBIGINT) END)"
    )
    return text.fill(template, sql)


def _double_to_float(sql: str) -> str:
    """DuckDB refuses what is too large for a float; C++ makes it infinite."""
    if (value := text.real_value(sql)) is not None and abs(value) < 3.4e38:
        return f"CAST({sql} AS FLOAT)"
    return text.fill(
        "(CASE WHEN abs({0}) >= 3.4028235677973366e+38 AND NOT isnan({0})"
        " THEN CAST(CASE WHEN {0} > 0 THEN 'inf' ELSE '-inf' END AS FLOAT) ELSE CAST({0} AS FLOAT) END)",
        sql,
    )


def first_byte(sql: str) -> str:
    """The first byte of a string as a char; of the empty string the NUL."""
    byte = "coalesce(TRY_CAST('0x' || left(hex({0}), 2) AS UTINYINT), 0)"
    return text.fill(f"(CASE WHEN {{0}} IS NOT NULL THEN {byte} END)", sql)


def _real_to_string(digits: int) -> Callable[[str], str]:
    return lambda sql: f"format('{{:.{digits}g}}', CAST({sql} AS DOUBLE))"


def _string_to(target: str) -> Callable[[str], str]:
    """As C++ streams read a number: blanks, then as much as is a number; int8 and uint8 want all of it."""
    pattern = r"^\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)" if target in REALS else r"^\s*([-+]?\d+)"
    if target in ("int8", "uint8"):
        pattern += r"\s*$"
    failure = text.fail(
        "TYPESYSTEM", "FAILED_PARSE_STRING", f"Failed to parse string '{{}}' to {target}.", "{0}"
    )
    template = (
        f"(CASE WHEN {{0}} IS NOT NULL THEN coalesce("
        f"TRY_CAST(regexp_extract({{0}}, {text.quote(pattern)}, 1) AS {PHYSICAL[target]}), {failure}) END)"
    )
    template = template.replace("{0}", "\0").replace("{", "{{").replace("}", "}}").replace("\0", "{0}")
    return lambda sql: text.fill(template, sql)


def _converters() -> dict[tuple[str, str], _Converter]:
    table: dict[tuple[str, str], _Converter] = {}
    for source in (*INTEGERS, "char"):
        for target in (*INTEGERS, "char"):
            if source != target:
                step = (bits(target).bit_length()) - (bits(source).bit_length())
                price = step + 1 if step >= 0 else TRUNCATE * -step
                if source == "char":
                    sql = _char_to(target)
                else:
                    sql = _to_char(source) if target == "char" else _integer_to_integer(source, target)
                table[source, target] = _Converter(price, sql)
        to_double = _char_to("double") if source == "char" else _to_double
        to_float = _char_to("float") if source == "char" else _cast("float")
        table[source, "double"] = _Converter(TRANSFORM, to_double)
        table[source, "float"] = _Converter(TRANSFORM * 2, to_float)
        table[source, "bool"] = _Converter(TRANSFORM, lambda sql: f"({sql} <> 0)")
    for name in INTEGERS:
        table[name, "string"] = _Converter(EXPLICIT, _cast("string"))
        table["string", name] = _Converter(EXPLICIT, _string_to(name))
    for name, digits in (("float", 6), ("double", 15)):
        for target in (*INTEGERS, "char"):
            table[name, target] = _Converter(EXPLICIT, _real_to_integer(target))
        table[name, "string"] = _Converter(EXPLICIT, _real_to_string(digits))
        table["string", name] = _Converter(EXPLICIT, _string_to(name))
    table["float", "double"] = _Converter(1, _cast("double"))
    table["double", "float"] = _Converter(TRUNCATE, _double_to_float)
    table["datetime", "int64"] = _Converter(EXPLICIT, lambda sql: sql)
    table["int64", "datetime"] = _Converter(EXPLICIT, lambda sql: sql)
    table["datetime", "double"] = _Converter(EXPLICIT, _to_double)
    table["double", "datetime"] = _Converter(EXPLICIT, _real_to_integer("int64"))
    table["char", "string"] = _Converter(
        TRANSFORM, lambda sql: text.fill("(CASE {0} WHEN 0 THEN '' ELSE chr({0}) END)", sql), keeps_code=False
    )
    table["string", "char"] = _Converter(TRUNCATE, first_byte, keeps_code=False)
    table["datetime", "string"] = _Converter(EXPLICIT, datetime_to_string, keeps_code=False)
    table["string", "datetime"] = _Converter(EXPLICIT, datetime_from_string, keeps_code=False)
    table["datetimetz", "string"] = _Converter(EXPLICIT, datetimetz_to_string, keeps_code=False)
    table["string", "datetimetz"] = _Converter(EXPLICIT, datetimetz_from_string, keeps_code=False)
    return table


_CONVERTERS = _converters()
