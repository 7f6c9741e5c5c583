"""What the user may have meant: the nearest name that there is, for one that there is not."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping

from scidb_magic.afl import lexer
from scidb_magic.errors import QueryError
from scidb_magic.notebook.catalogue import Names

_QUOTED = re.compile(r"'([^']+)'")
_WORD = re.compile(r"[A-Za-z_$][\w$]*")
_BLANK_WORD = re.compile(rf"\s*({_WORD.pattern})")
"""SciDB's carets begin with the blanks before a word."""


def suggestion(error: QueryError, ask: Callable[[], Names]) -> str | None:
    """A line that names what is nearest to the wrong name in a statement; None where nothing is near.

    Parameters
    ----------
    error : QueryError
        With the statement that it is about.
    ask : callable
        Answers the names; called only where one of them may be meant.
    """
    find = _KINDS.get(error.code.removeprefix("SCIDB_LE_"))
    word = _wrong(error)
    if find is None or word is None:
        return None
    known = set(find(error.statement, ask()))
    by_case = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), by_case, 1, 0.6)
    if not near or word in known:
        return None
    return f"Did you mean '{by_case[near[0]]}'?"


def _wrong(error: QueryError) -> str | None:
    """The name that the server did not know."""
    quoted = _QUOTED.search(error.description)
    if quoted is not None and (words := _WORD.findall(quoted[1].partition("(")[0])):
        return str(words[-1])
    if error.position is None:
        return None
    word = _BLANK_WORD.match(error.statement, error.position)
    return str(word[1]) if word else None


def _parts(statement: str, names: Names) -> Iterable[str]:
    """Attributes and dimensions of the arrays in a statement, and what it names itself."""
    words = {token.text for token in lexer.tokens(statement) if token.kind is lexer.Kind.NAME}
    for array in words & names.arrays.keys():
        schema = names.arrays[array]
        yield from (attribute.name for attribute in schema.attributes)
        yield from (dimension.name for dimension in schema.dimensions)


def _arrays(_: str, names: Names) -> Iterable[str]:
    return names.arrays


def _operators(_: str, names: Names) -> Iterable[str]:
    return names.operators


def _functions(_: str, names: Names) -> Iterable[str]:
    return names.functions


def _aggregates(_: str, names: Names) -> Iterable[str]:
    return names.aggregates


def _types(_: str, names: Names) -> Iterable[str]:
    return names.types


_KINDS: Mapping[str, Callable[[str, Names], Iterable[str]]] = {
    "ARRAY_DOESNT_EXIST": _arrays,
    "LOGICAL_OP_DOESNT_EXIST": _operators,
    "FUNCTION_NOT_FOUND": _functions,
    "AGGREGATE_NOT_FOUND": _aggregates,
    "TYPE_NOT_REGISTERED": _types,
    "REF_NOT_FOUND": _parts,
    "ATTRIBUTE_NOT_EXIST": _parts,
    "ATTRIBUTE_DOESNT_EXIST": _parts,
    "DIMENSION_NOT_EXIST": _parts,
    "UNKNOWN_ATTRIBUTE_OR_DIMENSION": _parts,
    "WRONG_OPERATOR_ARGUMENT2": _parts,
}
"""SciDB's code without its beginning -> the names among which the right one is."""
