"""Functions of strings. Strings are UTF-8 here: `substr` counts characters, `strlen` bytes as SciDB does."""

from __future__ import annotations

from collections.abc import Sequence

from scidb_magic.embedded.engine import sql as text
from scidb_magic.embedded.engine.functions.table import Overload
from scidb_magic.embedded.engine.relation import Typed

_OUT_OF_RANGE = text.fail("INTERNAL", "UNKNOWN_ERROR", "The start of substr is not within the string.")
_TIMES = "(CASE WHEN {1} < 1 THEN repeat({0}, 0) ELSE repeat({0}, {1}) END)"
_SUBSTRING = (
    f"(CASE WHEN {{1}} < 0 OR {{1}} > length({{0}}) THEN {_OUT_OF_RANGE}"
    " WHEN {2} < 0 THEN substring({0}, {1} + 1) ELSE substring({0}, {1} + 1, {2}) END)"
)


def _digits(most: int) -> str:
    return (
        f"format('{{{{:.' || CAST(least(greatest({{1}}, 1), {most}) AS VARCHAR) || 'g}}}}',"
        " CAST({0} AS DOUBLE))"
    )


def _format(arguments: Sequence[Typed], wrap: bool) -> str:  # noqa: ARG001
    """C's printf of one double."""
    return f"printf({arguments[1].sql}, {arguments[0].sql})"


FUNCTIONS: dict[str, list[Overload]] = {
    "+": [Overload(("string", "string"), "string", "({0} || {1})")],
    "*": [
        Overload(("string", "int64"), "string", _TIMES),
        Overload(
            ("int64", "string"),
            "string",
            _TIMES.replace("{0}", "{2}").replace("{1}", "{0}").replace("{2}", "{1}"),
        ),
    ],
    "strlen": [Overload(("string",), "int32", "CAST(strlen({0}) AS INTEGER)")],
    "substr": [Overload(("string", "int32", "int32"), "string", _SUBSTRING)],
    "strchar": [
        Overload(
            ("string",),
            "char",
            "CAST(CASE WHEN ascii({0}) < 128 THEN ascii({0})"
            " ELSE 192 + (CASE WHEN ascii({0}) < 2048 THEN ascii({0}) // 64"
            " WHEN ascii({0}) < 65536 THEN 32 + ascii({0}) // 4096"
            " ELSE 48 + ascii({0}) // 262144 END) END AS UTINYINT)",
        )
    ],
    "regex": [Overload(("string", "string"), "bool", "regexp_full_match({0}, {1}, 's')")],
    "format": [Overload(("double", "string"), "string", _format)],
    "string": [
        Overload(("double", "int64"), "string", _digits(15), keeps_code=True),
        Overload(("float", "int64"), "string", _digits(6), keeps_code=True),
    ],
}
