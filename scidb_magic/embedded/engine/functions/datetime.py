"""Functions of datetime and datetimetz."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scidb_magic.embedded.engine import sql as text
from scidb_magic.embedded.engine.functions.arithmetic import negative, plain_or_wrapped
from scidb_magic.embedded.engine.functions.strftime import strftime
from scidb_magic.embedded.engine.functions.table import Formula, Overload
from scidb_magic.embedded.engine.relation import Typed
from scidb_magic.embedded.engine.temporal import pack, utc


def _strftime(arguments: Sequence[Typed], wrap: bool) -> str:  # noqa: ARG001
    seconds, format_ = (argument.sql for argument in arguments)
    return strftime(seconds, format_)


_SUM, _DIFFERENCE = (plain_or_wrapped(sign, "int64") for sign in "+-")


def _first(arguments: Sequence[Typed], wrap: bool) -> str:  # noqa: ARG001
    return arguments[0].sql


def _pair(local: Formula) -> Formula:
    """A datetimetz, null where either half is."""

    def formula(arguments: Sequence[Typed], wrap: bool) -> str:
        blanks = [replace(argument, sql=f"{{{k}}}") for k, argument in enumerate(arguments)]
        pair = pack(local(blanks, wrap), "{1}")
        template = f"(CASE WHEN {{0}} IS NOT NULL AND {{1}} IS NOT NULL THEN {pair} END)"
        return text.fill(template, *(argument.sql for argument in arguments))

    return formula


_DAY = "CAST((({0} % 604800 + 604800) // 86400 + 4) % 7 AS UTINYINT)"
_HOUR = "CAST(({0} % 86400 + 86400) // 3600 % 24 AS UTINYINT)"
_LOCAL = '({0})."time"'

FUNCTIONS: dict[str, list[Overload]] = {
    "+": [Overload(("datetime", "int64"), "datetime", _SUM)],
    "-": [
        Overload(("datetime", "int64"), "datetime", _DIFFERENCE),
        Overload(("datetime", "datetime"), "int64", _DIFFERENCE),
        Overload(("datetime",), "datetime", negative("int64"), keeps_code=True),
    ],
    "strftime": [Overload(("datetime", "string"), "string", _strftime)],
    "togmt": [Overload(("datetimetz",), "datetime", lambda arguments, _: utc(arguments[0].sql))],
    "strip_offset": [Overload(("datetimetz",), "datetime", f"({_LOCAL})")],
    "get_offset": [Overload(("datetimetz",), "int64", '({0}."offset")')],
    "append_offset": [Overload(("datetime", "int64"), "datetimetz", _pair(_first))],
    "apply_offset": [Overload(("datetime", "int64"), "datetimetz", _pair(_SUM))],
    "day_of_week": [
        Overload(("datetime",), "uint8", _DAY),
        Overload(("datetimetz",), "uint8", _DAY.replace("{0}", _LOCAL)),
    ],
    "hour_of_day": [
        Overload(("datetime",), "uint8", _HOUR),
        Overload(("datetimetz",), "uint8", _HOUR.replace("{0}", _LOCAL)),
    ],
}
