"""Logic of three values, and what looks at missing values (``iif``, ``is_null``, ``missing`` …)."""

from __future__ import annotations

from collections.abc import Sequence

from scidb_magic.embedded.engine import sql as text
from scidb_magic.embedded.engine.functions.table import Overload, Special
from scidb_magic.embedded.engine.relation import Typed
from scidb_magic.embedded.engine.types import EXPLICIT, SIZES, convert, cost

FUNCTIONS: dict[str, list[Overload]] = {
    "and": [Overload(("bool", "bool"), "bool", "({0} AND {1})")],
    "or": [Overload(("bool", "bool"), "bool", "({0} OR {1})")],
    "not": [Overload(("bool",), "bool", "(NOT {0})", keeps_code=True)],
    "min": [
        Overload(("bool", "bool"), "bool", "({0} AND {1})"),
        Overload(
            ("string", "string"), "string", "(CASE WHEN {0} > {1} THEN {1} WHEN {1} >= {0} THEN {0} END)"
        ),
    ],
    "max": [
        Overload(("bool", "bool"), "bool", "({0} OR {1})"),
        Overload(
            ("string", "string"), "string", "(CASE WHEN {0} > {1} THEN {0} WHEN {1} >= {0} THEN {1} END)"
        ),
    ],
    "is_nan": [Overload(("double",), "bool", "coalesce(isnan({0}), false)")],
}


def _iif(arguments: Sequence[Typed]) -> Typed | None:
    """The second where the first is true, else the third, value and reason; in the type that costs less."""
    if len(arguments) != 3 or arguments[0].type not in ("bool", "void"):
        return None
    condition, yes, no = (convert(arguments[0], "bool"), *arguments[1:])
    type_ = _common(yes.type, no.type)
    if type_ is None:
        return None
    yes, no = convert(yes, type_), convert(no, type_)
    code = None
    if yes.code or no.code:
        code = text.fill(
            "(CASE WHEN {0} THEN {1} ELSE {2} END)", condition.sql, yes.code or "0", no.code or "0"
        )
    return Typed(
        text.fill("(CASE WHEN {0} THEN {1} ELSE {2} END)", condition.sql, yes.sql, no.sql),
        type_,
        any(argument.nullable for argument in arguments),
        code,
        all(argument.constant for argument in arguments),
    )


def _common(one: str, other: str) -> str | None:
    """The type that both branches of ``iif`` become: the other's, unless the way back costs less."""
    forth, back = cost(one, other), cost(other, one)
    prices = [
        (price, k, type_)
        for k, (price, type_) in enumerate(((forth, other), (back, one)))
        if price is not None and price < EXPLICIT
    ]
    return min(prices)[2] if prices else None


def _is_null(arguments: Sequence[Typed]) -> Typed | None:
    if len(arguments) != 1:
        return None
    (argument,) = arguments
    return Typed(f"({argument.sql} IS NULL)", "bool", argument.nullable, None, argument.constant)


def _missing_reason(arguments: Sequence[Typed]) -> Typed | None:
    """The reason of a missing value; -1 of a value."""
    if len(arguments) != 1:
        return None
    (argument,) = arguments
    reason = f"coalesce(CAST({argument.code} AS INTEGER), 0)" if argument.code else "0"
    sql = f"CAST(CASE WHEN {argument.sql} IS NULL THEN {reason} ELSE -1 END AS INTEGER)"
    return Typed(sql, "int32", argument.nullable, None, argument.constant)


def _missing(arguments: Sequence[Typed]) -> Typed | None:
    """A null with this reason; it has no type until it is converted."""
    if len(arguments) != 1 or (price := cost(arguments[0].type, "int32")) is None or price >= EXPLICIT:
        return None
    reason = convert(arguments[0], "int32")
    failure = text.fail(
        "EXECUTION",
        "BAD_MISSING_REASON",
        "Bad missing reason {}, it must be between 0 and 127.",
        "CAST({0} AS VARCHAR)",
    )
    code = text.fill(
        "(CASE WHEN {0} BETWEEN 0 AND 127 THEN CAST({0} AS UTINYINT)"
        f" WHEN {{0}} IS NOT NULL THEN {failure} END)",
        reason.sql,
    )
    return Typed("NULL", "void", True, code, reason.constant)


def _sizeof(arguments: Sequence[Typed]) -> Typed | None:
    """Bytes of a value; of a string with its final NUL."""
    if len(arguments) != 1:
        return None
    (argument,) = arguments
    size = {"string": f"strlen({argument.sql}) + 1", "binary": f"octet_length({argument.sql})", "void": "0"}
    bytes_ = size.get(argument.type) or str(SIZES[argument.type])
    sql = f"CAST(coalesce({bytes_}, 0) AS UBIGINT)"
    return Typed(sql, "uint64", argument.nullable, None, argument.constant)


SPECIALS: dict[str, Special] = {
    "iif": Special("<any> iif(bool, <any>, <any>)", _iif),
    "is_null": Special("void is_null(void)", _is_null),
    "missing": Special("void missing(int32)", _missing),
    "missing_reason": Special("int32 missing_reason(<any>)", _missing_reason),
    "sizeof": Special("uint64 sizeof(<any>)", _sizeof),
}
