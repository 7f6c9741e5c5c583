"""A cell of AFL as statements: where each begins and ends, what it does, whether it has a result."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Literal

from scidb_magic.afl.lexer import Kind, Token, tokens
from scidb_magic.afl.operators import AGGREGATES, FUNCTIONS, MACROS, OPERATORS
from scidb_magic.errors import ScidbMagicError

StatementKind = Literal["read", "change", "unknown"]

_NOT_A_LINE_END = re.compile(r"[^\n]")
_OPENING = {"(": ")", "[": "]", "{": "}"}
_CLOSING = set(_OPENING.values())
_NAMES = (Kind.NAME, Kind.QUOTED)
_EXPRESSION_WORDS = frozenset(("and", "or", "not", "in", "is", "as", "between", "null", "distribution"))


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a cell.

    Attributes
    ----------
    text : str
        As the user wrote it, without the space around it.
    start : int
        Where `text` begins in the cell, in characters.
    bare : str
        `text` with each comment blanked (line ends kept), so that places are equal in both, and
        without space at its end. Shim puts the query inside a ``save(…)``, which a comment would swallow.
    """

    text: str
    start: int
    bare: str


def split(cell: str) -> list[Statement]:
    """The statements between the semicolons of a cell.

    A semicolon in a string, a quoted name, a comment, or in brackets (where it stands between two
    dimensions) does not end a statement. Statements of nothing but comments are left out.
    """
    statements = []
    piece: list[Token] = []
    depth = 0
    for token in tokens(cell):
        if token.kind is Kind.SIGN:
            depth = max(0, depth + (token.text in _OPENING) - (token.text in _CLOSING))
            if token.text == ";" and not depth:
                statements.append(_statement(piece))
                piece = []
                continue
        piece.append(token)
    statements.append(_statement(piece))
    return [statement for statement in statements if statement.bare]


def only(afl: str) -> Statement:
    """The only statement of a text.

    Raises
    ------
    ScidbMagicError
        There is none, or there are several.
    """
    statements = split(afl)
    if len(statements) != 1:
        found = "none" if not statements else str(len(statements))
        raise ScidbMagicError(
            f"One AFL statement is expected here, found {found}; a %%scidb cell takes several."
        )
    return statements[0]


def _statement(piece: list[Token]) -> Statement:
    said = [n for n, token in enumerate(piece) if token.kind not in (Kind.SPACE, Kind.COMMENT)]
    if not said:
        return Statement("", 0, "")
    piece = piece[said[0] : said[-1] + 1]
    bare = "".join(
        _NOT_A_LINE_END.sub(" ", token.text) if token.kind is Kind.COMMENT else token.text for token in piece
    )
    return Statement("".join(token.text for token in piece), piece[0].start, bare)


def called(bare: str) -> list[tuple[str, int]]:
    """The names that are followed by ``(``, in lower case, and where they begin."""
    said = [token for token in tokens(bare) if token.kind not in (Kind.SPACE, Kind.COMMENT)]
    return [
        (name.text.strip('"').lower(), name.start)
        for name, sign in pairwise(said)
        if name.kind in _NAMES and sign.text == "(" and name.text.lower() not in _EXPRESSION_WORDS
    ]


def outer_operator(bare: str) -> str | None:
    """The operator whose application the statement is; ``create array`` for that; None for neither."""
    said = [token for token in tokens(bare) if token.kind not in (Kind.SPACE, Kind.COMMENT)]
    if not said or said[0].kind is not Kind.NAME:
        return None
    name = said[0].text.lower()
    if name == "create":
        return "create array"
    return name if len(said) > 1 and said[1].text == "(" else None


def operands(bare: str) -> list[str]:
    """The operands of the outer operator as they are written; of ``create array`` its array's name."""
    said = [token for token in tokens(bare) if token.kind is not Kind.COMMENT]
    outer = outer_operator(bare)
    if outer == "create array":
        return _created(said)
    if outer is None:
        return []
    found, opened = [""], list[str]()
    for token in said:
        sign = token.text if token.kind is Kind.SIGN else ""
        # Where an operand begins, '<' opens a schema, whose commas are its own; elsewhere it compares.
        schema = sign == "<" and opened == ["("] and not found[-1].strip()
        if opened and (sign in _CLOSING or (sign == ">" and opened[-1] == "<")):
            opened.pop()
            if not opened:
                break
        if sign == "," and opened == ["("]:
            found.append("")
            continue
        if opened:
            found[-1] += token.text
        if sign in _OPENING or schema:
            opened.append(sign)
    return [operand.strip() for operand in found if operand.strip()]


def _created(said: list[Token]) -> list[str]:
    """The name in ``create [temp] array [namespace.]name …``."""
    words = [token for token in said if token.kind is not Kind.SPACE]
    behind = next((n + 1 for n, token in enumerate(words[:3]) if token.text.lower() == "array"), len(words))
    name = "".join(
        token.text
        for token in takewhile(lambda each: each.kind in _NAMES or each.text == ".", words[behind:])
    )
    return [name] if name else []


def kind_of(bare: str, reads: Collection[str] = ()) -> StatementKind:
    """What running the statement twice would mean.

    ``"read"`` where every operator in it only reads, all the way down; ``"change"`` where one of them
    changes something; ``"unknown"`` where one is not in the table, or it is no application at all.

    Parameters
    ----------
    bare : str
    reads : collection of str
        More operators, in lower case, that only read.
    """
    outer = outer_operator(bare)
    if outer == "create array":
        return "change"
    names = [name for name, _ in called(bare) if name not in reads]
    if any(name in OPERATORS and OPERATORS[name].effect == "change" for name in names):
        return "change"
    harmless = OPERATORS.keys() | MACROS.keys() | FUNCTIONS | AGGREGATES
    if outer is None or any(name not in harmless for name in names):
        return "unknown"
    return "read"


def has_result(bare: str) -> bool:
    """Whether the statement has cells to bring; one that has none is executed without ``save``."""
    outer = outer_operator(bare)
    if outer == "create array":
        return False
    known = OPERATORS.get(outer or "")
    return known is None or known.result
