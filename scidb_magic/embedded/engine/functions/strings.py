"""Functions of strings. Strings are UTF-8 here: `substr` counts characters, `strlen` bytes as SciDB does."""

from __future__ import annotations

from collections.abc import Sequence

from scidb_magic.embedded.engine import sql as text
from scidb_magic.embedded.engine.functions.table import Overload
from scidb_magic.embedded.engine.relation import PHYSICAL, Typed
from scidb_magic.embedded.engine.types import first_byte
from scidb_magic.errors import EngineError

_OUT_OF_RANGE = text.fail("INTERNAL", "UNKNOWN_ERROR", "The start of substr is not within the string.")
_LONGEST = 100 * 2**20
_TOO_LONG = text.fail("NO_MEMORY", "CANT_ALLOCATE_MEMORY", "A string may not be longer than 100 MB.")
_MOST = f"({_LONGEST} // greatest(strlen({{0}}), 1))"
_TIMES = (
    f"(CASE WHEN {{1}} <= {_MOST} THEN repeat({{0}}, least(greatest({{1}}, 0), {_MOST}))"
    f" WHEN {{0}} IS NOT NULL AND {{1}} IS NOT NULL THEN {_TOO_LONG} END)"
)
"""DuckDB folds constants while it plans, in any branch, without a look at its memory limit: hence `least`."""

_SUBSTRING = (
    f"(CASE WHEN {{1}} < 0 OR {{1}} > length({{0}}) THEN {_OUT_OF_RANGE}"
    " WHEN {2} < 0 THEN substring({0}, {1} + 1) ELSE substring({0}, {1} + 1, {2}) END)"
)


def _digits(most: int) -> str:
    return (
        f"format('{{{{:.' || CAST(least(greatest({{1}}, 1), {most}) AS VARCHAR) || 'g}}}}',"
        " CAST({0} AS DOUBLE))"
    )


_INTEGER = r"^\s*([-+]?\d+)\s*$"
_REAL = r"(?i)^\s*([-+]?(?:(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|nan|inf(?:inity)?))\s*$"
_BOOL = r"(?i)^\s*(true|false)\s*$"
_READ_AS = {
    **{f"{sign}int{bits}": _INTEGER for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "float": _REAL,
    "double": _REAL,
    "bool": _BOOL,
}
"""Type -> what of a string `dcast` reads as one; else, and out of range, it gives its second argument."""


def _dcast(type_: str, pattern: str) -> Overload:
    read = f"TRY_CAST(regexp_extract({{0}}, {text.quote(pattern)}, 1) AS {PHYSICAL[type_]})"
    read = read.replace("{", "{{").replace("}", "}}").replace("{{0}}", "{0}")
    return Overload(("string", type_), type_, f"coalesce({read}, {{1}})", keeps_code=True, code_of=1)


_NO_FORMAT = text.fail("EXECUTION", "ILLEGAL_OPERATION", "Illegal operation: this is no format of a double.")
_ONE_DOUBLE = r"([^%]|%%)*(%[-+ 0#]*\d{0,3}(\.\d{1,3})?[aAeEfFgG]([^%]|%%)*)?"
_FORMAT = (
    (
        f"(CASE WHEN {{0}} IS NOT NULL AND regexp_full_match({{1}}, {text.quote(_ONE_DOUBLE)}, 's')"
        f" THEN printf({{1}}, {{0}}) WHEN {{0}} IS NOT NULL AND {{1}} IS NOT NULL THEN {_NO_FORMAT} END)"
    )
    .replace("{0,3}", "{{0,3}}")
    .replace("{1,3}", "{{1,3}}")
)

_NO_PATTERN = ("EXECUTION", "ILLEGAL_OPERATION", "Illegal operation: this is no regular expression.")


def _regex(arguments: Sequence[Typed], wrap: bool) -> str:  # noqa: ARG001
    """DuckDB reads a pattern that is written out when it plans, and then a wrong one cannot be caught."""
    pattern = text.unquote(arguments[1].sql)
    if pattern is not None:
        if not _is_pattern(pattern):
            raise EngineError(*_NO_PATTERN)
        return f"regexp_full_match({arguments[0].sql}, {arguments[1].sql}, 's')"
    # Bound to a name, for TRY takes nothing that may raise by `error`.
    checked = (
        "(list_transform([{1}], lambda r: CASE WHEN r IS NULL THEN NULL"
        f" WHEN TRY(regexp_matches('', r)) IS NULL THEN {text.fail(*_NO_PATTERN)}"
        " ELSE regexp_full_match({0}, r, 's') END)[1])"
    )
    return checked.format(*(argument.sql for argument in arguments))


def _is_pattern(pattern: str) -> bool:
    """Whether RE2, which DuckDB and Arrow both use, can read it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid:
        return False
    return True


FUNCTIONS: dict[str, list[Overload]] = {
    "+": [Overload(("string", "string"), "string", "({0} || {1})")],
    "*": [
        Overload(("string", "int64"), "string", _TIMES),
        Overload(("int64", "string"), "string", _TIMES.format("{1}", "{0}")),
    ],
    "dcast": [_dcast(type_, pattern) for type_, pattern in _READ_AS.items()],
    "strlen": [Overload(("string",), "int32", "CAST(strlen({0}) AS INTEGER)")],
    "substr": [Overload(("string", "int32", "int32"), "string", _SUBSTRING)],
    "strchar": [Overload(("string",), "char", lambda arguments, _: first_byte(arguments[0].sql))],
    "regex": [Overload(("string", "string"), "bool", _regex)],
    "format": [Overload(("double", "string"), "string", _FORMAT)],
    "string": [
        Overload(("double", "int64"), "string", _digits(15), keeps_code=True),
        Overload(("float", "int64"), "string", _digits(6), keeps_code=True),
    ],
}
