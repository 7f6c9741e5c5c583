"""Comparisons. NaN is not equal to, below or above anything; DuckDB takes it for the largest number."""

from __future__ import annotations

from collections.abc import Sequence

from scidb_magic.embedded.engine import sql as text
from scidb_magic.embedded.engine.functions.table import Formula, Overload
from scidb_magic.embedded.engine.relation import Typed
from scidb_magic.embedded.engine.temporal import utc
from scidb_magic.embedded.engine.types import INTEGERS, REALS

SIGNS = ("=", "<>", "<", "<=", ">", ">=")

_NAN_WINS = {"<": 1, "<=": 1, ">": 0, ">=": 0, "=": 0, "<>": 0}
"""Operand whose NaN makes DuckDB say true (false for ``<>``); NaN in the other one says what IEEE says.

Equality is the same from both sides, so the operand that can be a NaN is taken.
"""


def _of_reals(sign: str) -> Formula:
    def formula(arguments: Sequence[Typed], wrap: bool) -> str:  # noqa: ARG001
        finite = [text.real_value(argument.sql) is not None for argument in arguments]
        suspect = _NAN_WINS[sign]
        if sign in ("=", "<>") and any(finite):
            return f"({arguments[0].sql} {sign} {arguments[1].sql})"
        if finite[suspect]:
            return f"({arguments[0].sql} {sign} {arguments[1].sql})"
        other = 1 - suspect
        plain, nan = f"{{0}} {sign} {{1}}", f"isnan({{{suspect}}})"
        if not arguments[other].nullable:
            guarded = f"({plain} OR {nan})" if sign == "<>" else f"({plain} AND NOT {nan})"
        else:
            # A null stays null, also beside a NaN.
            settled = f"{{{other}}} IS NOT NULL OR NULL" if sign == "<>" else f"{{{other}}} IS NULL AND NULL"
            guarded = f"(CASE WHEN {nan} THEN {settled} ELSE {plain} END)"
        return text.fill(guarded, *(argument.sql for argument in arguments))

    return formula


def _of_chars(sign: str) -> str:
    """Chars are signed in C++, bytes here: turning the highest bit gives the order of one to the other."""
    if sign in ("=", "<>"):
        return f"({{0}} {sign} {{1}})"
    return f"(xor(CAST({{0}} AS INTEGER), 128) {sign} xor(CAST({{1}} AS INTEGER), 128))"


def _of_instants(sign: str) -> Formula:
    return lambda arguments, _: f"({utc(arguments[0].sql)} {sign} {utc(arguments[1].sql)})"


def _overloads(sign: str) -> list[Overload]:
    plain = f"({{0}} {sign} {{1}})"
    return [
        *(Overload((t, t), "bool", plain) for t in ("bool", "datetime", "string", *INTEGERS)),
        *(Overload((t, t), "bool", _of_reals(sign)) for t in REALS),
        Overload(("char", "char"), "bool", _of_chars(sign)),
        Overload(("datetimetz", "datetimetz"), "bool", _of_instants(sign)),
    ]


FUNCTIONS: dict[str, list[Overload]] = {sign: _overloads(sign) for sign in SIGNS}
