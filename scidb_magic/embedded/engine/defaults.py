"""Default values of attributes: computed where the schema is read, kept as AFL texts of constants."""

from __future__ import annotations

import struct

from scidb_magic.afl.literals import quote
from scidb_magic.embedded.engine import sql
from scidb_magic.embedded.engine.ast import Node, whole
from scidb_magic.embedded.engine.constants import evaluated
from scidb_magic.embedded.engine.expressions import compile_expression
from scidb_magic.embedded.engine.types import INTEGERS, REALS, convert, physical
from scidb_magic.errors import EngineError

_IN_QUOTES = ("string", "char", "datetime", "datetimetz")
_DIGITS = {"float": (6, 9), "double": (15, 17)}
"""Digits that show a real, and those that keep every bit of it."""


def default_text(node: Node, type_: str, nullable: bool) -> str | None:
    """AFL text of the value of ``default node``; None where it is what the type has anyway.

    Raises
    ------
    EngineError
        ``NULL_IN_NON_NULLABLE``; what the expression or its conversion raises.
    """
    typed = convert(compile_expression(node, wrap=True), type_)
    shown = typed if type_ in (*INTEGERS, *REALS, "bool", "binary") else convert(typed, "string")
    value, code = evaluated(shown.sql, typed.code or "NULL")
    if value is None and not nullable:
        raise EngineError(
            "SYNTAX", "NULL_IN_NON_NULLABLE", "A null cannot be the default of this attribute.", whole(node)
        )
    if value is None:
        return f"missing({code})" if code else None
    if not nullable and value in (0, "", False):
        return None
    if type_ in _IN_QUOTES:
        return quote(value)
    return _real(value, type_) if type_ in REALS else str(value).lower()


def default_sql(node: Node, type_: str) -> str:
    """SQL of the value of ``default node``, with nothing in it but constants."""
    typed = convert(compile_expression(node, wrap=True), type_)
    (value,) = evaluated(typed.sql)
    match value:
        case None:
            literal = "NULL"
        case str():
            literal = sql.quote(value)
        case float():
            literal = sql.real(value)
        case dict():
            literal = f"{{'time': {value['time']}, 'offset': {value['offset']}}}"
        case _:
            literal = f"({value})"
    return f"CAST({literal} AS {physical(type_)})"


def _real(value: float, type_: str) -> str:
    few, many = _DIGITS[type_]
    short = f"{value:.{few}g}"
    return short if _kept(float(short), type_) == value else f"{value:.{many}g}"


def _kept(value: float, type_: str) -> float:
    """What a type keeps of a double."""
    return value if type_ == "double" else float(struct.unpack("f", struct.pack("f", value))[0])
