"""Functions of strings. Strings are UTF-8 here: `substr` counts characters, `strlen` bytes as SciDB does."""

from __future__ import annotations

from scidb_magic.embedded.engine import sql as text
from scidb_magic.embedded.engine.functions.table import Overload

_OUT_OF_RANGE = text.fail("INTERNAL", "UNKNOWN_ERROR", "The start of substr is not within the string.")
_TIMES = "(CASE WHEN {1} < 1 THEN repeat({0}, 0) ELSE repeat({0}, {1}) END)"
_FIRST_BYTE = (
    "(CASE WHEN {0} IS NOT NULL THEN coalesce(TRY_CAST('0x' || left(hex({0}), 2) AS UTINYINT), 0) END)"
)
_SUBSTRING = (
    f"(CASE WHEN {{1}} < 0 OR {{1}} > length({{0}}) THEN {_OUT_OF_RANGE}"
    " WHEN {2} < 0 THEN substring({0}, {1} + 1) ELSE substring({0}, {1} + 1, {2}) END)"
)


def _digits(most: int) -> str:
    return (
        f"format('{{{{:.' || CAST(least(greatest({{1}}, 1), {most}) AS VARCHAR) || 'g}}}}',"
        " CAST({0} AS DOUBLE))"
    )


FUNCTIONS: dict[str, list[Overload]] = {
    "+": [Overload(("string", "string"), "string", "({0} || {1})")],
    "*": [
        Overload(("string", "int64"), "string", _TIMES),
        Overload(("int64", "string"), "string", _TIMES.format("{1}", "{0}")),
    ],
    "strlen": [Overload(("string",), "int32", "CAST(strlen({0}) AS INTEGER)")],
    "substr": [Overload(("string", "int32", "int32"), "string", _SUBSTRING)],
    "strchar": [Overload(("string",), "char", _FIRST_BYTE)],
    "regex": [Overload(("string", "string"), "bool", "regexp_full_match({0}, {1}, 's')")],
    "format": [Overload(("double", "string"), "string", "printf({1}, {0})")],
    "string": [
        Overload(("double", "int64"), "string", _digits(15), keeps_code=True),
        Overload(("float", "int64"), "string", _digits(6), keeps_code=True),
    ],
}
