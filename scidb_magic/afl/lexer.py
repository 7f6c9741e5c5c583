"""AFL as a list of tokens with their places; nothing of the text is lost and nothing raises.

The forms are those of SciDB's lexer (Lexer.ll): strings in single quotes with backslash escapes, quoted
names in double quotes, ``--`` and ``//`` comments to the end of the line, ``/* */`` comments that nest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a token is; `BROKEN` is a string, quoted name or comment without an end."""

    NAME = "name"
    QUOTED = "quoted name"
    STRING = "string"
    NUMBER = "number"
    SIGN = "sign"
    COMMENT = "comment"
    SPACE = "space"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text; `start` and `end` are offsets in characters."""

    kind: Kind
    text: str
    start: int
    end: int


_FORMS = (
    (Kind.SPACE, r"\s+"),
    (Kind.COMMENT, r"(?:--|//)[^\n]*"),
    (Kind.STRING, r"'(?:\\.|[^'\\])*'"),
    (Kind.QUOTED, r'"[^"]*"'),
    (Kind.NUMBER, r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"),
    (Kind.NAME, r"[A-Za-z_$][A-Za-z0-9_$]*"),
    (Kind.BROKEN, r"['\"].*"),
    (Kind.SIGN, r"<=|>=|<>|!=|."),
)
_TOKEN = re.compile("|".join(f"(?P<{kind.name}>{form})" for kind, form in _FORMS), re.DOTALL)
_COMMENT_EDGE = re.compile(r"/\*|\*/")


def tokens(text: str) -> list[Token]:
    """All tokens of `text`, comments and spaces too: joined they are the text."""
    return list(scan(text))


def scan(text: str, position: int = 0) -> Iterator[Token]:
    """The tokens of `text` from `position` on, each when it is asked for."""
    while position < len(text):
        if text.startswith("/*", position):
            end = _comment_end(text, position)
            kind = Kind.COMMENT if end is not None else Kind.BROKEN
            token = Token(kind, text[position:end], position, end or len(text))
        else:
            match = _TOKEN.match(text, position)
            kind = Kind[str(match.lastgroup)] if match else Kind.SIGN
            piece = match[0] if match else text[position]
            token = Token(kind, piece, position, position + len(piece))
        yield token
        position = token.end


def _comment_end(text: str, start: int) -> int | None:
    depth = 0
    for edge in _COMMENT_EDGE.finditer(text, start):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    return None
