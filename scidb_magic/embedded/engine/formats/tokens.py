"""The words of SciDB's text format (TextScanner.h): brackets and commas, strings in quotes, other values."""

from __future__ import annotations

import re
from itertools import islice

MARKS = frozenset("[](){},;*")

_TOKEN = re.compile(
    r"""[\[\](){},;*]
    | '(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*" | ['"]
    | \?[0-9]*
    | (?:[^\s,()\[\]{}*;'"?\\]|\\.) (?:[^\s,()\[\]{}*\\]|\\.)* | \\""",
    re.DOTALL | re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_IN_QUOTES = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "0": "\0"}
_IN_WORDS = {"n": "\n", "r": "\r", "t": "\t"}

END = ""
"""Stands behind the last token."""


def split(text: str) -> list[str]:
    """All tokens, and `END`."""
    return [*_TOKEN.findall(text), END]


def offset(text: str, index: int) -> int:
    """Where a token begins."""
    match = next(islice(_TOKEN.finditer(text), index, None), None)
    return len(text.rstrip()) if match is None else match.start()


def is_value(token: str) -> bool:
    """Whether a token is a value; a quote alone has no end and is none."""
    return token not in MARKS and token not in ("", "'", '"', "\\")


def quoted(token: str) -> bool:
    """Whether a token is a string in quotes."""
    return token[:1] in ("'", '"')


def value(token: str) -> str:
    """The text that a value stands for."""
    if quoted(token):
        token, meanings = token[1:-1], _IN_QUOTES
    else:
        meanings = _IN_WORDS
    if "\\" not in token:
        return token
    return _ESCAPE.sub(lambda escape: meanings.get(escape[1], escape[1]), token)
