"""Operators of numbers: ``+ - * / %`` and the unary minus, in the type of the operands as in C++.

Integers wrap. The plain SQL lets DuckDB raise its OutOfRangeException where they would; the wrapping SQL
computes in 128 bits and keeps the lowest. What a difference of unsigned numbers or a division of the
lowest number gives is settled at once, since DuckDB has no such operation.
"""

from __future__ import annotations

from collections.abc import Sequence

from scidb_magic.embedded.engine import sql as text
from scidb_magic.embedded.engine.functions.table import Formula, Overload
from scidb_magic.embedded.engine.relation import PHYSICAL, Typed
from scidb_magic.embedded.engine.types import INTEGERS, REALS, SIGNED, UNSIGNED, wrapped

DIVISION_BY_ZERO = text.fail("EXECUTION", "DIVISION_BY_ZERO", "Division by zero.")


def signed(type_: str) -> str:
    """The signed type of the same width."""
    return type_.removeprefix("u")


def plain_or_wrapped(sign: str, type_: str) -> Formula:
    """``+``, ``-`` or ``*`` of two integers of one type."""
    # The product of two uint64 needs 128 bits without a sign.
    wide = "UHUGEINT" if sign == "*" and type_ in UNSIGNED else "HUGEINT"

    def formula(arguments: Sequence[Typed], wrap: bool) -> str:
        left, right = (argument.sql for argument in arguments)
        if not wrap:
            return f"({left} {sign} {right})"
        return wrapped(f"(CAST({left} AS {wide}) {sign} CAST({right} AS {wide}))", type_, wide)

    return formula


def _difference_of_unsigned(type_: str) -> Formula:
    def formula(arguments: Sequence[Typed], wrap: bool) -> str:  # noqa: ARG001
        left, right = (argument.sql for argument in arguments)
        return wrapped(f"(CAST({left} AS HUGEINT) - CAST({right} AS HUGEINT))", signed(type_))

    return formula


def negative(type_: str) -> Formula:
    """The unary minus of an integer."""

    def formula(arguments: Sequence[Typed], wrap: bool) -> str:
        (operand,) = (argument.sql for argument in arguments)
        if (value := text.whole_value(operand)) is not None and type_ == "int64":
            return text.whole(-value)
        if wrap or type_ in UNSIGNED:
            return wrapped(f"(- CAST({operand} AS HUGEINT))", signed(type_))
        # DuckDB makes the minus of a constant wider where it does not fit, but not a difference.
        return f"(CAST(0 AS {PHYSICAL[type_]}) - {operand})"

    return formula


def _division(sign: str, type_: str) -> Formula:
    """``//`` and ``%`` of DuckDB truncate toward zero as C++ does; a zero divisor is an error of SciDB."""

    def formula(arguments: Sequence[Typed], wrap: bool) -> str:
        left, right = (argument.sql for argument in arguments)
        if not text.whole_value(right):
            right = text.fill(f"(CASE {{0}} WHEN 0 THEN {DIVISION_BY_ZERO} ELSE {{0}} END)", right)
        if wrap and type_ in SIGNED:
            return wrapped(f"(CAST({left} AS HUGEINT) {sign} CAST({right} AS HUGEINT))", type_)
        return f"({left} {sign} {right})"

    return formula


def _negative_real(arguments: Sequence[Typed], wrap: bool) -> str:  # noqa: ARG001
    (operand,) = (argument.sql for argument in arguments)
    value = text.real_value(operand)
    return f"(- {operand})" if value is None else text.real(-value)


def _real(sign: str) -> list[Overload]:
    return [Overload((t, t), t, f"({{0}} {sign} {{1}})") for t in REALS]


FUNCTIONS: dict[str, list[Overload]] = {
    "+": [*(Overload((t, t), t, plain_or_wrapped("+", t)) for t in INTEGERS), *_real("+")],
    "-": [
        *(Overload((t, t), t, plain_or_wrapped("-", t)) for t in SIGNED),
        *(Overload((t, t), signed(t), _difference_of_unsigned(t)) for t in UNSIGNED),
        *_real("-"),
        *(Overload((t,), signed(t), negative(t), keeps_code=True) for t in INTEGERS),
        *(Overload((t,), t, _negative_real, keeps_code=True) for t in REALS),
    ],
    "*": [*(Overload((t, t), t, plain_or_wrapped("*", t)) for t in INTEGERS), *_real("*")],
    "/": [*(Overload((t, t), t, _division("//", t)) for t in INTEGERS), *_real("/")],
    "%": [
        *(Overload((t, t), t, _division("%", t)) for t in INTEGERS),
        Overload(("double", "double"), "double", "({0} % {1})"),
    ],
}
