"""``{{ expression }}`` in AFL: Python values become safely quoted literals, frames become uploads.

Only outside AFL's strings, quoted names and comments is ``{{ … }}`` looked at; nothing else in AFL is
ever expanded. The expression may itself hold braces and strings: it ends at the first ``}}`` that
leaves a whole Python expression, as in ``{{ d["}}"] }}``.

`bind` evaluates every expression of a cell before its first statement is sent, so that a wrong name
in the last one leaves nothing half done.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scidb_magic.afl import lexer, literals, script
from scidb_magic.errors import BindingError, ScidbMagicError

_OPEN, _CLOSE = "{{", "}}"
_LITERAL_FREE = (lexer.Kind.STRING, lexer.Kind.QUOTED, lexer.Kind.COMMENT, lexer.Kind.BROKEN)
_FRAMES = (
    ("pandas", "DataFrame"),
    ("pandas", "Series"),
    ("numpy", "ndarray"),
    ("pyarrow", "Table"),
    ("pyarrow", "RecordBatch"),
    ("xarray", "DataArray"),
    ("xarray", "Dataset"),
)
"""Modules and their classes of tables and arrays; a file or a list is `attach`ed, or uploaded, by name."""


@dataclass(frozen=True, slots=True)
class Hole:
    """One ``{{ expression }}`` of a cell, at ``cell[start:end]``."""

    start: int
    end: int
    expression: str


@dataclass(frozen=True, slots=True)
class Filling:
    """A hole and the AFL that stands in its place."""

    hole: Hole
    text: str


@dataclass(frozen=True, slots=True)
class Bound:
    """One statement of a cell with its holes filled.

    Attributes
    ----------
    text : str
        The AFL that is sent.
    start : int
        Where the statement begins in the cell.
    fillings : tuple of Filling
        In order, all of this statement.
    """

    text: str
    start: int
    fillings: tuple[Filling, ...] = ()

    def origin(self, position: int, length: int = 1) -> tuple[int, int]:
        """Place and length in the cell of ``text[position:position + length]``.

        What lies in a value stands for its whole ``{{ expression }}``.
        """
        first, _ = self._place(position)
        _, last = self._place(position + max(length, 1) - 1)
        return first, max(last - first, 1)

    def _place(self, position: int) -> tuple[int, int]:
        """Start and end in the cell of the character at `position`, or of the hole that it came from."""
        shift = self.start
        for filling in self.fillings:
            start = filling.hole.start - shift
            if position < start:
                break
            if position < start + len(filling.text):
                return filling.hole.start, filling.hole.end
            shift += filling.hole.end - filling.hole.start - len(filling.text)
        return position + shift, position + shift + 1


def holes(cell: str) -> list[Hole]:
    """The ``{{ … }}`` of a cell.

    Raises
    ------
    BindingError
        One that does not end, or whose inside is no Python expression.
    """
    found: list[Hole] = []
    position = 0
    while (start := _next_open(cell, position)) is not None:
        hole = _hole(cell, start)
        found.append(hole)
        position = hole.end
    return found


def bind(cell: str, namespace: Mapping[str, Any], attach: Callable[[Any], str] | None = None) -> list[Bound]:
    """The statements of a cell, with every ``{{ expression }}`` evaluated in `namespace`.

    Parameters
    ----------
    cell : str
    namespace : mapping
    attach : callable, optional
        From a frame or array to the AFL that stands for it.

    Raises
    ------
    BindingError
        With the place of the ``{{ expression }}`` in the cell.
    """
    fillings = [Filling(hole, _fill(hole, namespace, attach)) for hole in holes(cell)]
    return [_bound(statement, fillings) for statement in script.split(_masked(cell, fillings))]


def _bound(statement: script.Statement, fillings: list[Filling]) -> Bound:
    end = statement.start + len(statement.text)
    own = tuple(f for f in fillings if statement.start <= f.hole.start < end)
    parts: list[str] = []
    position = 0
    for filling in own:
        parts += statement.text[position : filling.hole.start - statement.start], filling.text
        position = filling.hole.end - statement.start
    return Bound("".join([*parts, statement.text[position:]]), statement.start, own)


def _masked(cell: str, fillings: list[Filling]) -> str:
    """The cell with a name of the same length in place of each hole: positions stay as they are."""
    for filling in fillings:
        hole = filling.hole
        cell = cell[: hole.start] + "_" * (hole.end - hole.start) + cell[hole.end :]
    return cell


def _next_open(cell: str, position: int) -> int | None:
    """The next ``{{`` from `position` on that is not in a string, a quoted name or a comment."""
    if cell.find(_OPEN, position) < 0:
        return None
    return next(
        (
            token.start
            for token in lexer.scan(cell, position)
            if token.kind not in _LITERAL_FREE and cell.startswith(_OPEN, token.start)
        ),
        None,
    )


def _hole(cell: str, start: int) -> Hole:
    inside = start + len(_OPEN)
    end = cell.find(_CLOSE, inside)
    if end < 0:
        raise BindingError("'{{' has no '}}' behind it.", start, len(_OPEN))
    first = end
    while end >= 0:
        expression = cell[inside:end].strip()
        if _is_expression(expression):
            return Hole(start, end + len(_CLOSE), expression)
        end = cell.find(_CLOSE, end + 1)
    shown = _short(cell[inside:first])
    what = f"{{{{ {shown} }}}} holds no Python expression." if shown else "{{ }} is empty."
    raise BindingError(what, start, first + len(_CLOSE) - start)


def _is_expression(text: str) -> bool:
    try:
        ast.parse(_one_expression(text), mode="eval")
    except (SyntaxError, ValueError):
        return False
    return True


def _one_expression(text: str) -> str:
    """Over several lines an expression goes on as it does in brackets."""
    return f"({text}\n)" if "\n" in text else text


def _fill(hole: Hole, namespace: Mapping[str, Any], attach: Callable[[Any], str] | None) -> str:
    try:
        # What the user wrote into an own cell, as free as the rest of the notebook.
        value = eval(_one_expression(hole.expression), dict(namespace))  # noqa: S307
        if attach is not None and _is_frame(value):
            return attach(value)
        return literals.literal(value)
    except Exception as error:
        kind = "" if isinstance(error, ScidbMagicError) else f"{type(error).__name__}: "
        raise BindingError(
            f"{{{{ {_short(hole.expression)} }}}}: {kind}{_short(str(error), 200)}",
            hole.start,
            hole.end - hole.start,
        ) from error


def _is_frame(value: object) -> bool:
    """Whether `value` is a table or array with axes; asks no library that is not loaded yet."""
    for module, name in _FRAMES:
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(value, kind):
            return getattr(value, "ndim", 1) != 0
    return False


def _short(text: str, length: int = 60) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"
