"""C's strftime in SQL, for any datetime of 64 bits; in the locale C, as SciDB runs.

What C does not know is copied as it stands: ``%Q`` and a lone ``%`` at the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from scidb_magic.embedded.engine import sql as text
from scidb_magic.embedded.engine.temporal import eras, moment, year

_LONG_FOR = {
    "c": "%a %b %e %H:%M:%S %Y",
    "D": "%m/%d/%y",
    "F": "%Y-%m-%d",
    "h": "%b",
    "n": "\n",
    "r": "%I:%M:%S %p",
    "R": "%H:%M",
    "t": "\t",
    "T": "%H:%M:%S",
    "x": "%m/%d/%y",
    "X": "%H:%M:%S",
}
"""Letters that stand for others."""

_ALIKE = frozenset("aAbBdHIjmMpSuUVwWy")
"""Letters that DuckDB writes as C does, within the years 1970 to 2369."""

_UNPADDED = frozenset("dHIjmMSy")
"""Those that may be written without padding, as ``%-d``."""

_AT = moment("{0}")
_ISO_YEAR = f"isoyear({_AT})"
_OWN = {
    "%": "'%'",
    "C": f"format('{{:02d}}', CAST(floor({year('{0}')} / 100) AS BIGINT))",
    "e": f"format('{{:2d}}', day({_AT}))",
    "G": f"CAST({_ISO_YEAR} + 400 * {eras('{0}')} AS VARCHAR)",
    "g": f"format('{{:02d}}', {_ISO_YEAR} % 100)",
    "k": f"format('{{:2d}}', hour({_AT}))",
    "l": f"format('{{:2d}}', (hour({_AT}) + 11) % 12 + 1)",
    "P": f"lower(strftime({_AT}, '%p'))",
    "s": "CAST({0} AS VARCHAR)",
    "Y": f"CAST({year('{0}')} AS VARCHAR)",
    "z": "'+0000'",
    "Z": "'GMT'",
}
"""Letters that DuckDB does not know or writes otherwise -> SQL of the seconds, which stand as ``{0}``."""

_PART = re.compile(r"%(-?)[EO]?(.)|[^%]+|%", re.DOTALL)


def strftime(seconds: str, format_: str) -> str:
    """SQL of a datetime in a format, which is SQL too and may be a column."""
    written = text.unquote(format_)
    if written is not None:
        return _filled(_formula(written), seconds)
    known = (*_LONG_FOR, *_ALIKE, *_OWN)
    cases = "".join(
        f" WHEN {text.quote(f'%{letter}')} THEN {_formula(f'%{letter}')}" for letter in sorted(known)
    )
    unpadded = "".join(
        f" WHEN {text.quote(f'%-{letter}')} THEN {_formula(f'%-{letter}')}" for letter in sorted(_UNPADDED)
    )
    parts = f"regexp_extract_all({{1}}, {text.quote(_PARTS_IN_SQL)})"
    each = f"CASE regexp_replace(p, '^%[EO]', '%'){cases}{unpadded} ELSE p END"
    # The list of no parts at all is joined to a null.
    joined = f"coalesce(array_to_string(list_transform({parts}, lambda p: {each}), ''), '')"
    return _filled(f"(CASE WHEN {{0}} IS NOT NULL AND {{1}} IS NOT NULL THEN {joined} END)", seconds, format_)


_PARTS_IN_SQL = "(?s)%-?[EO]?.|[^%]+|%"


def _filled(template: str, *operands: str) -> str:
    """`text.fill` for a template whose own braces are not doubled; those of `_literal` stay as they are."""
    for k in range(len(operands)):
        template = template.replace(f"{{{k}}}", f"\0{k}\0")
    template = template.replace("{", "{{").replace("}", "}}")
    for k in range(len(operands)):
        template = template.replace(f"\0{k}\0", f"{{{k}}}")
    for brace, mark in _BRACES.items():
        template = template.replace(mark, 2 * brace)
    return text.fill(template, *operands)


_BRACES = {"{": "\0o", "}": "\0c"}
"""Marks of the user's own braces, which are no place for an operand; a quoted text has no NUL."""


def _literal(written: str) -> str:
    """SQL of a text of the user's, to stand in a template."""
    quoted = text.quote(written)
    for brace, mark in _BRACES.items():
        quoted = quoted.replace(brace, mark)
    return quoted


def _formula(format_: str) -> str:
    parts = [*_merged(format_)] or ["''"]
    joined = " || ".join(parts)
    return f"(CASE WHEN {{0}} IS NOT NULL THEN {joined} END)" if "{0}" not in joined else f"({joined})"


def _merged(format_: str) -> Iterator[str]:
    """SQL of the parts of a format; neighbours that DuckDB can write are one part."""
    alike = ""
    for native, own in _parts(format_):
        if own is None:
            alike += native
            continue
        yield from _native(alike)
        alike = ""
        yield own
    yield from _native(alike)


def _native(format_: str) -> Iterator[str]:
    if "%" not in format_.replace("%%", ""):
        if format_:
            yield _literal(format_.replace("%%", "%"))
    else:
        yield f"strftime({_AT}, {_literal(format_)})"


def _parts(format_: str) -> Iterator[tuple[str, str | None]]:
    """What DuckDB shall write; or, where it cannot, the SQL that does."""
    for match in _PART.finditer(format_):
        flag, letter = match[1] or "", match[2]
        if letter is None:
            yield match[0].replace("%", "%%"), None
        elif letter in _LONG_FOR and not flag:
            yield from _parts(_LONG_FOR[letter])
        elif letter in (_UNPADDED if flag else _ALIKE):
            yield f"%{flag}{letter}", None
        elif letter in _OWN and not flag:
            yield "", _OWN[letter]
        else:
            yield match[0].replace("%", "%%"), None
