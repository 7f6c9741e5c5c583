"""What may stand at a place in AFL: the question that completion asks. Pure text, no names of a server.

AFL that is being written is broken AFL: nothing here raises, and what cannot be told is any name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from scidb_magic.afl.lexer import Kind, Token, tokens

FORMATS = (
    *("csv", "csv+", "lcsv+", "csv:", "tsv", "tsv+", "ltsv+", "dense", "sparse", "dcsv", "text", "store"),
    *("opaque", "lsparse", "arrow", "auto"),
)
"""Names of ``save``'s text formats and of Arrow; a binary one is a list of types."""

_LISTED = ("aggregates", "arrays", "functions", "instances", "libraries", "macros", "namespaces", "operators")

WORDS: Mapping[tuple[str, int | str], tuple[str, ...]] = {
    ("save", 3): FORMATS,
    ("save", "format"): FORMATS,
    ("aio_save", "format"): FORMATS,
    ("input", 3): FORMATS,
    ("input", "format"): FORMATS,
    ("load", 3): FORMATS,
    ("list", 0): (*_LISTED, "queries", "roles", "types", "users"),
    ("show", 1): ("afl", "aql"),
}
"""Operator and place, or keyword, of an argument that is a string -> the strings that fit."""

_DARK = (Kind.SPACE, Kind.COMMENT)
_NAMES = (Kind.NAME, Kind.QUOTED)
_IN_SCHEMA = (Kind.NAME, Kind.QUOTED, Kind.NUMBER, Kind.STRING)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a text of AFL.

    Attributes
    ----------
    kind : str
        ``"name"``: any name; ``"member"``: what `owner` has; ``"type"``; ``"word"``: one of `words`;
        ``"operator"``: an operator's name in a string; ``"nothing"``: nothing can be completed.
    fragment, rest : str
        The word there, before the place and behind it.
    owner : str
        The array or alias before the dot.
    words : tuple of str
    names : frozenset of str
        All names in the statement.
    aliases : mapping of str to str
        What ``as`` names in the statement, and the array that it means; "" where that has no name.
    """

    kind: str
    fragment: str = ""
    rest: str = ""
    owner: str = ""
    words: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict)


NOWHERE = Place("nothing")


def place(text: str, cursor: int) -> Place:
    """What may stand in `text` at the offset `cursor`, in characters."""
    found = tokens(text)
    here = next((token for token in found if token.start < cursor <= token.end), None)
    if here is not None and here.kind in (Kind.STRING, Kind.BROKEN):
        return _in_string(_before(found, here.start), here, cursor)
    if here is not None and (here.kind in (Kind.QUOTED, Kind.NUMBER) or _is_comment(here, cursor)):
        return NOWHERE
    word = next((t for t in found if t.kind is Kind.NAME and t.start <= cursor <= t.end), None)
    start = word.start if word else cursor
    before = _before(found, start)
    statement = [*before, *_behind(found, start)]
    names = frozenset(token.text for token in statement if token.kind is Kind.NAME)
    rest = text[cursor : word.end] if word else ""
    there = Place("name", text[start:cursor], rest, names=names, aliases=_aliases(statement))
    if len(before) > 1 and before[-1].text == "." and before[-2].kind in _NAMES:
        return replace(there, kind="member", owner=before[-2].text.strip('"'))
    if _takes_type(before):
        return replace(there, kind="type")
    if before and before[-1].kind in (Kind.NAME, Kind.STRING) and before[-1].text.lower() not in _LEADS:
        return NOWHERE
    return there


def names_around(text: str, cursor: int) -> list[str]:
    """The name at the offset `cursor`, and the operators in whose brackets it is, the inmost first."""
    found = tokens(text)
    if any(t.start < cursor < t.end for t in found if t.kind in (Kind.STRING, Kind.COMMENT, Kind.BROKEN)):
        return []
    here = [t.text.strip('"') for t in found if t.kind in _NAMES and t.start <= cursor <= t.end]
    return [*here, *(name for name, _ in reversed(_calls(_before(found, cursor))) if name)]


_LEADS = frozenset("and or not in let".split())
"""Words after which a name stands that exists."""


def _is_comment(token: Token, cursor: int) -> bool:
    return token.kind is Kind.COMMENT and (not token.text.startswith("/*") or cursor < token.end)


def _in_string(before: Sequence[Token], string: Token, cursor: int) -> Place:
    closed = string.kind is Kind.STRING
    if not string.text.startswith("'") or (closed and cursor == string.end):
        return NOWHERE
    fragment = string.text[1 : cursor - string.start]
    rest = string.text[cursor - string.start : -1] if closed else ""
    call, argument = _argument(before)
    if call == "help" and argument == 0:
        return Place("operator", fragment, rest)
    words = WORDS.get((call, argument))
    return Place("word", fragment, rest, words=words) if words else NOWHERE


def _before(found: Sequence[Token], start: int) -> list[Token]:
    """The tokens of the statement before `start`, without spaces and comments."""
    seen = [token for token in found if token.end <= start and token.kind not in _DARK]
    ends = [number for number, token in enumerate(seen) if token.text == ";"]
    return seen[ends[-1] + 1 :] if ends else seen


def _behind(found: Sequence[Token], start: int) -> list[Token]:
    """The tokens of the statement from `start` on."""
    seen = [token for token in found if token.start >= start and token.kind not in _DARK]
    end = next((number for number, token in enumerate(seen) if token.text == ";"), len(seen))
    return seen[:end]


def _calls(before: Sequence[Token]) -> list[tuple[str, int]]:
    """The operators in whose brackets a place is, the outmost first, and which argument it is there."""
    stack: list[tuple[str, int]] = []
    for number, token in enumerate(before):
        if token.text == "(":
            called = before[number - 1] if number else token
            stack.append((called.text.lower() if called.kind is Kind.NAME else "", 0))
        elif token.text == ")" and stack:
            stack.pop()
        elif token.text == "," and stack:
            stack[-1] = (stack[-1][0], stack[-1][1] + 1)
    return stack


def _argument(before: Sequence[Token]) -> tuple[str, int | str]:
    """The operator in whose brackets a place is, and which argument, or keyword, it is there."""
    stack = _calls(before)
    if not stack:
        return "", 0
    if len(before) > 1 and before[-1].text == ":" and before[-2].kind is Kind.NAME:
        return stack[-1][0], before[-2].text.lower()
    return stack[-1]


def _takes_type(before: Sequence[Token]) -> bool:
    """Whether a type follows: behind ``name :`` in the angle brackets of a schema."""
    if len(before) < 2 or before[-1].text != ":" or before[-2].kind not in _NAMES:
        return False
    for token in reversed(before):
        if token.text == "<":
            return True
        if token.text not in (":", ",") and token.kind not in _IN_SCHEMA:
            return False
    return False


def _aliases(statement: Sequence[Token]) -> dict[str, str]:
    found = {}
    for number, token in enumerate(statement[1:-1], 1):
        if token.kind is Kind.NAME and token.text.lower() == "as":
            array, alias = statement[number - 1], statement[number + 1]
            if alias.kind in _NAMES:
                found[alias.text.strip('"')] = array.text.strip('"') if array.kind in _NAMES else ""
    return found
