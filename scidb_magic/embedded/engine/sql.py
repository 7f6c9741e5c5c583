"""Pieces of SQL text. No text of a user becomes SQL except through `quote`."""

from __future__ import annotations

import math
import re

from scidb_magic.embedded.engine.errors import marked
from scidb_magic.errors import EngineError

LONG = 300
"""Length of an operand's SQL from which a formula that uses it twice binds it to a name first."""

_WHOLE = re.compile(r"CAST\(\(?(-?\d+)\)? AS BIGINT\)")
_REAL = re.compile(r"\(?(-?[\d.]+e[-+]?\d+)\)?")


def quote(text: str) -> str:
    """An SQL string literal of any text.

    Raises
    ------
    EngineError
        For text with a lone surrogate: DuckDB keeps strings as UTF-8.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise EngineError(
            "EXECUTION", "UNKNOWN_ERROR", "The embedded server keeps strings as UTF-8; this one is not."
        ) from None
    parts = ["'" + part.replace("'", "''") + "'" for part in text.split("\0")]
    return parts[0] if len(parts) == 1 else f"({' || chr(0) || '.join(parts)})"


def unquote(sql: str) -> str | None:
    """The text of an SQL string literal; None for any other SQL."""
    if len(sql) < 2 or sql[0] != "'" or sql[-1] != "'" or "'" in sql[1:-1].replace("''", ""):
        return None
    return sql[1:-1].replace("''", "'")


def whole(value: int) -> str:
    """A BIGINT literal; atomic, so that no sign of it meets an operator."""
    return f"CAST({value} AS BIGINT)" if value >= 0 else f"CAST(({value}) AS BIGINT)"


def real(value: float) -> str:
    """A DOUBLE literal that keeps every bit of the value."""
    if not math.isfinite(value):
        return f"CAST('{value}' AS DOUBLE)"
    digits = repr(value) if "e" in repr(value) else f"{value!r}e0"
    return digits if math.copysign(1.0, value) > 0 else f"({digits})"


def whole_value(sql: str) -> int | None:
    """The number of a literal made by `whole`; None for any other SQL."""
    match = _WHOLE.fullmatch(sql)
    return int(match[1]) if match else None


def real_value(sql: str) -> float | None:
    """The number of a finite literal made by `real`; None for any other SQL."""
    match = _REAL.fullmatch(sql)
    return float(match[1]) if match else None


def fail(short: str, long: str, description: str, detail: str | None = None) -> str:
    """SQL that raises an `EngineError` when it is evaluated; stands in a CASE or as the last of COALESCE.

    Parameters
    ----------
    detail : str, optional
        SQL of a text; it takes the place of ``{}`` in the description.
    """
    if detail is None:
        return f"error({quote(marked(short, long, description))})"
    head, tail = description.split("{}")
    return f"error({quote(marked(short, long, head))} || {detail} || {quote(tail)})"


def fill(template: str, *operands: str) -> str:
    """Put operands into a template with ``{0} {1} …``.

    An operand that is long and used more than once is bound to a name (by a lambda over a list of one),
    so that nesting formulas does not double the text at every level.
    """
    used = list(operands)
    bound = []
    for k, operand in enumerate(operands):
        if len(operand) >= LONG and template.count(f"{{{k}}}") > 1:
            used[k] = f"v{k}"
            bound.append(k)
    text = template.format(*used)
    for k in bound:
        text = f"(list_transform([{operands[k]}], lambda v{k}: {text})[1])"
    return text
