"""One text to one value, as TypeSystem.cpp's StringToValue does; `parse` reads whole columns.

A reader raises `ValueError` with SciDB's words where the text is none of its type.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

TINY = {"double": float(np.finfo(np.float64).tiny), "float": float(np.finfo(np.float32).tiny)}

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
NUMBERS = (*INTEGERS, "float", "double")


def cannot(text: str, type: str, why: str) -> ValueError:
    """The error of a text that is no value of `type`."""
    return ValueError(f"Failed to parse string '{text}' as {type} ({why})")


_INTEGER = re.compile(rb"\s*([+-]?)(0[xX][0-9a-fA-F]+|\d*)\s*")
_FLOAT = re.compile(
    rb"\s*[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf|infinity|nan|(0[xX].*))?\s*", re.IGNORECASE
)
"""What strtod reads, but for nan(…)."""


def _shown(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _integer(text: bytes, type: str) -> int:
    """As StringToInteger reads it.

    Blanks around count for nothing, and alone for 0; 0x… is hexadecimal and may have the sign in its first
    bit; -1 as uint64 is 2**64 - 1.
    """
    match = _INTEGER.fullmatch(text)
    if match is None:
        raise cannot(_shown(text), type, "non-digits")
    sign, digits = match.groups()
    hexadecimal = digits[:2].lower() == b"0x"
    value = int(digits or b"0", 16 if hexadecimal else 10) * (-1 if sign == b"-" else 1)
    bits = int(type.lstrip("uint"))
    if type.startswith("u"):
        value = value % 2**64 if -(2**64) < value < 0 else value
        if not 0 <= value < 2**bits:
            raise cannot(_shown(text), type, "unsigned overflow")
        return value
    if hexadecimal and 2 ** (bits - 1) <= value < 2**bits and bits < 64:
        value -= 2**bits
    if not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
        raise cannot(_shown(text), type, "signed overflow" if value > 0 else "signed underflow")
    return value


def _number(text: bytes, type: str) -> float:
    """As C's strtod and strtof; blanks alone are 0."""
    match = _FLOAT.fullmatch(text)
    if match is None:
        raise cannot(_shown(text), type, "not a number")
    word = text.decode("ascii").strip()
    try:
        value = float.fromhex(word) if match[1] else float(word or "0")
    except (ValueError, OverflowError):
        raise cannot(_shown(text), type, "not a number") from None
    if type == "float":
        with np.errstate(over="ignore"):
            value = float(np.float32(value))
    lost = abs(value) < TINY[type] and re.match(rb"[^eE]*[1-9]", text) is not None
    if lost or (math.isinf(value) and "i" not in word.lower()):
        raise cannot(_shown(text), type, "out of range")
    return value


def _bool(text: bytes, type: str) -> bool:
    if text not in (b"true", b"false"):
        raise cannot(_shown(text), type, "neither true nor false")
    return text == b"true"


_CHAR_ESCAPES = {rb"\n": 10, rb"\r": 13, rb"\t": 9, rb"\f": 12, rb"\0": 0, rb"\'": 39}


def _char(text: bytes, _type: str) -> int:
    """The first byte, and the escapes with which ``save`` writes a char, which SciDB itself does not undo."""
    return _CHAR_ESCAPES.get(text, text[0] if text else 0)


def _string(text: bytes, type: str) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise cannot(_shown(text), type, "not UTF-8, which strings must be here") from None


def _binary(text: bytes, type: str) -> bytes:
    raise cannot(_shown(text), type, "no text is bytes")


READERS: dict[str, Callable[[bytes, str], Any]] = {
    **dict.fromkeys(INTEGERS, _integer),
    "bool": _bool,
    "char": _char,
    "float": _number,
    "double": _number,
    "string": _string,
    "binary": _binary,
}
"""Type -> reader."""
