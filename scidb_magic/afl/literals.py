"""Python values as AFL literals, safely: no value can end its literal and go on as AFL."""

from __future__ import annotations

import datetime
import math
import numbers
import re
from collections.abc import Callable
from typing import Any

from scidb_magic.errors import LiteralError

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")
_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\f": "\\f", "\v": "\\v"}
_FRACTION = "{} has a fraction of a second, and SciDB's datetime has none: round it first."
_NO_LITERAL = (
    "A {} cannot stand in AFL: give a number, a string, a date, Name('…') for an identifier, or a frame."
)
_ESCAPED = re.compile(r"[\\'\n\t\r\f\v]")


class Name:
    """An identifier that stands in ``{{ }}`` as itself: ``Name("A")``, ``Name("ns.A")``.

    Raises
    ------
    LiteralError
        Not a name of an array, attribute or dimension.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not isinstance(text, str) or not _IDENTIFIER.fullmatch(text):
            raise LiteralError(f"{text!r} is not a name: letters, digits and _ only, and no digit in front.")
        self._text = text

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"Name({self._text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Name) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Name, self._text))


def quote(text: str) -> str:
    """The AFL string literal of any text.

    Raises
    ------
    LiteralError
        The text holds a NUL, which no string of SciDB can.
    """
    if "\0" in text:
        raise LiteralError("A string of SciDB cannot hold a NUL character.")
    return "'" + _ESCAPED.sub(lambda match: _ESCAPES[match[0]], text) + "'"


def literal(value: Any) -> str:
    """The AFL literal of a Python value.

    Parameters
    ----------
    value : None, bool, int, float, str, datetime, date, a NumPy or pandas scalar of these, `Name`,
        a scidbpy ``Array``, or a list or tuple of these.

    Raises
    ------
    LiteralError
        There is no literal for it; the sentence says what to do.
    """
    value = _plain(value)
    for kinds, write in _WRITERS:
        if isinstance(value, kinds):
            return write(value)
    if type(value).__name__ == "Array" and type(value).__module__.startswith("scidbpy"):
        return str(Name(value.name))
    raise LiteralError(_NO_LITERAL.format(type(value).__name__))


def _plain(value: Any) -> Any:
    """A NumPy or pandas scalar as the Python value that it holds; pandas' missing values as None."""
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if type(value).__module__ == "numpy" and not hasattr(value, "__len__"):
        kind = type(value).__name__
        if kind == "timedelta64":  # a numbers.Integral to Python
            raise LiteralError(_NO_LITERAL.format(kind))
        return _second(value) if kind == "datetime64" else value.item()
    return value


def _second(value: Any) -> Any:
    """A ``datetime64`` as datetime; None if it is NaT."""
    second = value.astype("datetime64[s]")
    moment = second.item()
    if moment is not None and second != value:
        raise LiteralError(_FRACTION.format(value))
    if isinstance(moment, int):
        raise LiteralError(f"{value} is outside the years 1 to 9999 that a date literal has.")
    return moment


def _integer(value: int) -> str:
    if not -(2**63) <= value < 2**63:
        raise LiteralError(f"{value} does not fit an int64 of SciDB.")
    if value == -(2**63):
        return f"({value + 1} - 1)"  # AFL reads the number first, then the sign: 2**63 is no int64
    # A minus sign binds tighter than any operator, but "a -1" would be a subtraction.
    return str(value) if value >= 0 else f"({value})"


def _real(value: float) -> str:
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "(-inf)"
    text = repr(value)
    if not any(sign in text for sign in ".e"):
        text += ".0"
    return text if value >= 0 and not text.startswith("-") else f"({text})"


def _moment(value: datetime.datetime) -> str:
    if value.microsecond or getattr(value, "nanosecond", 0):
        raise LiteralError(_FRACTION.format(value))
    text = value.replace(tzinfo=None).isoformat(" ", "seconds")
    offset = value.strftime("%z")
    if not offset:
        return f"datetime('{text}')"
    if len(offset) != len("+hhmm"):
        raise LiteralError(f"{value} is off UTC by a fraction of a minute, which datetimetz cannot hold.")
    return f"datetimetz('{text} {offset[:3]}:{offset[3:]}')"


_WRITERS: tuple[tuple[Any, Callable[[Any], str]], ...] = (
    (type(None), lambda _: "null"),
    (bool, lambda value: "true" if value else "false"),
    (numbers.Integral, lambda value: _integer(int(value))),
    (numbers.Real, lambda value: _real(float(value))),
    (str, quote),
    (datetime.datetime, _moment),
    (datetime.date, lambda value: f"datetime('{value.isoformat()} 00:00:00')"),
    (Name, str),
    ((list, tuple), lambda value: "(" + ", ".join(literal(item) for item in value) + ")"),
)
