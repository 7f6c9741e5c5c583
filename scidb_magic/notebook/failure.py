"""Short errors: one line, the user's own text with a caret, and what had run before.

The exception itself is raised, so the cell fails with a real ``error`` output and a program can catch
it by its class; only its display is short. IPython shows what ``_render_traceback_`` returns.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from scidb_magic.errors import MagicUsageError, QueryError, ScidbMagicError
from scidb_magic.notebook.binding import Bound

LINE_WIDTH = 100
"""Longer lines of the user's text are shown as a part of this width around the caret."""

_RENDER = "_render_traceback_"
_MESSAGE_WIDTH = 500
_RAN = {True: "yes", False: "no", None: "nobody knows"}
_UNPRINTABLE = re.compile(r"[^\S\n]+|[\x00-\x1f\x7f-\x9f]")


def shorten(error: BaseException, lines: Sequence[str] = ()) -> None:
    """Have IPython show `error` as its headline and `lines`, without a traceback."""
    shown = [headline(error), *lines]
    error.__dict__[_RENDER] = lambda: shown


def lengthen(error: BaseException, line: str) -> None:
    """Have IPython show one line more of `error`, which is short."""
    shown = [*error.__dict__[_RENDER](), line]
    error.__dict__[_RENDER] = lambda: shown


def is_short(error: BaseException) -> bool:
    """Whether `shorten` was called on `error`."""
    return _RENDER in error.__dict__


def headline(error: BaseException) -> str:
    """The error in one line: its class, its sentence and SciDB's code."""
    sentence = " ".join(_UNPRINTABLE.sub(" ", str(error)).split())
    if len(sentence) > _MESSAGE_WIDTH:
        sentence = sentence[: _MESSAGE_WIDTH - 1] + "…"
    if isinstance(error, KeyboardInterrupt):
        return sentence
    code = f" [{error.code}]" if isinstance(error, QueryError) and error.code else ""
    return f"{type(error).__name__}: {sentence}{code}"


def excerpt(text: str, position: int, length: int = 1) -> list[str]:
    """The line of `text` that holds `position`, and carets under `length` characters of it."""
    position = min(max(position, 0), len(text))
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    line = text[start : end if end >= 0 else len(text)]
    column = position - start
    marked = max(1, min(length, len(line) - column))
    if len(line) > LINE_WIDTH:
        line, column, marked = _part(line, column, marked)
    before = "".join(_blank(character) for character in line[:column])
    under = "".join("^" * max(1, _width(character)) for character in line[column : column + marked]) or "^"
    return [f"  {line}", f"  {before}{under}"]


def place(error: BaseException, cell: str, statement: Bound) -> list[str]:
    """Where in the cell the error lies: its line, and carets as far as SciDB tells."""
    if not isinstance(error, QueryError) or error.position is None:
        return []
    if not 0 <= error.position <= len(statement.text):
        return []
    return excerpt(cell, *statement.origin(error.position, error.length))


def progress(done: Sequence[str], total: int) -> list[str]:
    """Which statements of a cell of `total` ran before the one that failed; `done` are their labels."""
    if total < 2:
        return []
    number = len(done) + 1
    if not done:
        return [f"Statement 1 of {total} failed; none ran before it."]
    which = "statement 1" if len(done) == 1 else f"statements 1 to {len(done)}"
    return [f"Statement {number} of {total} failed; {which} had run: {', '.join(done)}."]


@dataclass(frozen=True, slots=True)
class Told:
    """All that is known of an error, for who asks for more than its line."""

    headline: str
    facts: tuple[tuple[str, str], ...]
    body: str


_last: Told | None = None


def remember(error: BaseException) -> None:
    """Keep what can be told of `error`, but neither it nor what its frames hold."""
    global _last
    facts = {name: getattr(error, name, None) for name in ("code", "query_id", "statement")}
    if isinstance(error, ScidbMagicError) and not isinstance(error, MagicUsageError):
        facts["ran"] = _RAN[error.ran]
    known = tuple((name.replace("_", " "), str(value)) for name, value in facts.items() if value)
    _last = Told(headline(error), known, str(getattr(error, "body", "")))


def last() -> Told | None:
    """What was remembered last."""
    return _last


def _part(line: str, column: int, marked: int) -> tuple[str, int, int]:
    """A part of a long line, with the caret's place and length in it."""
    start = max(0, min(column - LINE_WIDTH // 3, len(line) - LINE_WIDTH))
    part = line[start : start + LINE_WIDTH]
    before, after = "…" if start else "", "…" if start + LINE_WIDTH < len(line) else ""
    column = column - start + len(before)
    return before + part + after, column, max(1, min(marked, len(before) + len(part) - column))


def _width(character: str) -> int:
    """Columns of a terminal that a character takes."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _blank(character: str) -> str:
    return "\t" if character == "\t" else " " * _width(character)
