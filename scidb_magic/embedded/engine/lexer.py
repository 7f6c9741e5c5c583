"""The lexer under `grammar.lark`: its terminals, and SciDB's nested comments and bad literals.

Lark's own lexers cannot nest comments, nor name what is wrong with a literal. This one takes every
word, sign and pattern from the grammar, so that the grammar stays the only description of the language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lark.lexer import Lexer, Token
from lark.lexer import PatternStr as Text

from scidb_magic.errors import EngineError

if TYPE_CHECKING:
    from lark.common import LexerConf

MAX_INTEGER = 2**63 - 1

_RESERVED = ("select", "where")
"""Words of AQL: AFL has no use for them, but they are no names either (Keywords.cpp)."""

_BLANK = re.compile(r"(?:\s+|--[^\n]*|//[^\n]*)+")
_COMMENT_MARK = re.compile(r"/\*|\*/")


class AflLexer(Lexer):
    """Tokens of one statement, with their offsets; made by lark from the grammar's terminals."""

    def __init__(self, conf: LexerConf) -> None:
        words = {word.upper(): word for word in _RESERVED}
        signs: dict[str, str] = {}
        patterns: dict[str, str] = {}
        for terminal in conf.terminals:
            value = terminal.pattern.value
            if not isinstance(terminal.pattern, Text):
                patterns[terminal.name] = terminal.pattern.to_regexp()
            elif value[0].isalpha():
                words[terminal.name] = value
            else:
                signs[value] = terminal.name
        self._words = {word.lower(): name for name, word in words.items()}
        self._signs = signs
        kinds = {name: patterns[name] for name in ("STRING", "REAL", "INTEGER", "NAME")}
        kinds["SIGN"] = "|".join(re.escape(sign) for sign in sorted(signs, key=len, reverse=True))
        self._token = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in kinds.items()))

    def lex(self, lexer_state: Any, parser_state: Any = None) -> Iterator[Token]:  # noqa: ARG002
        """Yield the tokens of a text; lark hands a plain lexer like this one the text itself.

        Raises
        ------
        EngineError
            Where no token begins, a comment does not end, or a number is too large.
        """
        text: str = lexer_state
        position = 0
        while (position := _after_blanks(text, position)) < len(text):
            match = self._token.match(text, position)
            if match is None:
                raise syntax_error((position, position + 1))
            kind, found, span = match.lastgroup or "", match[0], match.span()
            position = span[1]
            if kind == "NAME":
                kind = self._words.get(found.lower(), kind)
            elif kind == "SIGN":
                kind = self._signs[found]
            else:
                _check_size(kind, found, span)
            yield Token(kind, found, start_pos=span[0], end_pos=span[1])


def syntax_error(span: tuple[int, int]) -> EngineError:
    """SciDB's one sentence for whatever its grammar does not know."""
    return EngineError(
        "PARSER", "QUERY_PARSING_ERROR", "Query parser failed with error 'syntax error'.", span
    )


def _after_blanks(text: str, position: int) -> int:
    """The first offset from `position` on that is neither white space nor comment."""
    while True:
        if blank := _BLANK.match(text, position):
            position = blank.end()
        if not text.startswith("/*", position):
            return position
        position = _after_comment(text, position)


def _after_comment(text: str, start: int) -> int:
    """The offset behind the comment that begins at `start`; comments nest (Lexer.ll, onBlockComment)."""
    depth = 0
    for mark in _COMMENT_MARK.finditer(text, start):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    raise EngineError(
        "SYNTAX",
        "BAD_BLOCK_COMMENT",
        "Block comment '/* ...' has no matching '*/' terminator.",
        (start, len(text)),
    )


def _check_size(kind: str, text: str, span: tuple[int, int]) -> None:
    digits = text.lstrip("0") or "0"
    if kind == "INTEGER" and (len(digits) > 19 or int(digits) > MAX_INTEGER):
        raise EngineError(
            "SYNTAX", "BAD_LITERAL_INTEGER", f"'{text}' is too large to represent as an integer.", span
        )
    if kind == "REAL" and text != "inf" and float(text) == float("inf"):
        raise EngineError(
            "SYNTAX", "BAD_LITERAL_REAL", f"'{text}' is too large to represent as a double.", span
        )
