"""Functions of datetime and datetimetz."""

from __future__ import annotations

import re
from collections.abc import Sequence

from scidb_magic.embedded.engine import sql as text
from scidb_magic.embedded.engine.errors import illegal_operation
from scidb_magic.embedded.engine.functions.table import Overload
from scidb_magic.embedded.engine.relation import Typed
from scidb_magic.embedded.engine.temporal import pack, timestamp, utc

_IN_WORDS = {
    "D": "%m/%d/%y",
    "F": "%Y-%m-%d",
    "R": "%H:%M",
    "T": "%H:%M:%S",
    "h": "%b",
    "n": "\n",
    "t": "\t",
    "c": "%a %b %-d %H:%M:%S %Y",
    "x": "%m/%d/%y",
    "X": "%H:%M:%S",
    "r": "%I:%M:%S %p",
    "e": "%-d",
}
"""Letters of C's strftime that DuckDB does not know or reads otherwise."""

_ALIKE = "%AaBbdGgHIjMmpSUuVWwYyZz"
"""Letters that both know; of any other C's strftime writes what stands there."""


def _strftime(arguments: Sequence[Typed], wrap: bool) -> str:  # noqa: ARG001
    seconds, format_ = (argument.sql for argument in arguments)
    letters = text.unquote(format_)
    if letters is None:
        raise illegal_operation("the embedded server's strftime takes a format that is written out.", "TYPE")
    return f"strftime({timestamp(seconds)}, {text.quote(re.sub('%(.?)', _letter, letters, flags=re.DOTALL))})"


def _letter(found: re.Match[str]) -> str:
    return found[0] if found[1] and found[1] in _ALIKE else _IN_WORDS.get(found[1], f"%{found[0]}")


def _whole_pair(local: str) -> str:
    """A datetimetz, null where either half is."""
    return f"(CASE WHEN {{0}} IS NOT NULL AND {{1}} IS NOT NULL THEN {pack(local, '{1}')} END)"


_DAY = "CAST((({0} % 604800 + 604800) // 86400 + 4) % 7 AS UTINYINT)"
_HOUR = "CAST(({0} % 86400 + 86400) // 3600 % 24 AS UTINYINT)"
_LOCAL = '({0})."time"'

FUNCTIONS: dict[str, list[Overload]] = {
    "+": [Overload(("datetime", "int64"), "datetime", "({0} + {1})")],
    "-": [
        Overload(("datetime", "int64"), "datetime", "({0} - {1})"),
        Overload(("datetime", "datetime"), "int64", "({0} - {1})"),
        Overload(("datetime",), "datetime", "(- {0})", keeps_code=True),
    ],
    "strftime": [Overload(("datetime", "string"), "string", _strftime)],
    "togmt": [Overload(("datetimetz",), "datetime", lambda arguments, _: utc(arguments[0].sql))],
    "strip_offset": [Overload(("datetimetz",), "datetime", f"({_LOCAL})")],
    "get_offset": [Overload(("datetimetz",), "int64", '({0}."offset")')],
    "append_offset": [Overload(("datetime", "int64"), "datetimetz", _whole_pair("{0}"))],
    "apply_offset": [Overload(("datetime", "int64"), "datetimetz", _whole_pair("({0} + {1})"))],
    "day_of_week": [
        Overload(("datetime",), "uint8", _DAY),
        Overload(("datetimetz",), "uint8", _DAY.replace("{0}", _LOCAL)),
    ],
    "hour_of_day": [
        Overload(("datetime",), "uint8", _HOUR),
        Overload(("datetimetz",), "uint8", _HOUR.replace("{0}", _LOCAL)),
    ],
}
