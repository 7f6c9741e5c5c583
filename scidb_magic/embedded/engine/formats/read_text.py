"""Reads SciDB's text format, the default of ``load``, and the array literals of ``build``.

::

    chunks  := chunk (';' chunk)*
    chunk   := position? rows
    rows    := '[' (position? (rows | cell)) ((','?) …)* ']'      one bracket for each dimension
    cell    := '(' value? (',' value?)* ')' | value
    position:= '{' integer (',' integer)* '}'
    value   := null | ?n | 'text' | "text" | any other word

A position before a chunk's brackets names the chunk, before a cell the cell. Without one, chunks and cells
follow each other in row-major order. ``()`` is an empty cell. A value that is not written is the
attribute's default; one value more than there are attributes tells whether the cell is there at all
(recorded: ``(0, true)`` for one attribute). Commas may be left out, and may follow the last cell.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from scidb_magic.embedded.engine.formats import parse
from scidb_magic.embedded.engine.formats.assemble import outside, table
from scidb_magic.embedded.engine.formats.failures import Failure, import_failed
from scidb_magic.embedded.engine.formats.grid import Grid, Position
from scidb_magic.embedded.engine.formats.values import BINARY
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import Schema

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIALECT = parse.Dialect((b"null",), lone_mark=True, defaults=True)

_TOKEN = re.compile(
    r"""\s*(?:(?P<mark>[\[\](){},;])
    |(?P<quoted>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")
    |(?P<word>[^\s\[\](){},;'"]+)
    |(?P<broken>\S))""",
    re.DOTALL | re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}


def read(text: str, schema: Schema, *, max_errors: int = 0, source: Path | str = "") -> pa.Table:
    """Read text.

    Parameters
    ----------
    text : str
        Bytes that are not UTF-8 as surrogateescape.
    schema : Schema
    max_errors : int
        So many values may be wrong; they become null, or a zero where null is not allowed.
    source : path
        For the error's text.

    Returns
    -------
    pyarrow.Table
        Columns d*, a*, m*, in the order of the text.

    Raises
    ------
    EngineError
        ``FILE_IMPORT_FAILED``
    """
    reader = _Reader(text, schema, source)
    reader.chunks()
    wrong: list[tuple[int, str, str]] = []
    columns = []
    for attribute, values in zip(schema.attributes, reader.values, strict=True):
        raw = [None if value is None else value.encode("utf-8", "surrogateescape") for value, _ in values]
        quoted = np.array([in_quotes for _, in_quotes in values], np.bool_)
        column = parse.column(pa.array(raw, BINARY), quoted, attribute, DIALECT)
        columns.append(column)
        wrong += [
            (reader.offsets[row], values[row][0] or "", message) for row, message in column.failed.items()
        ]
    positions = np.array(reader.positions, np.int64).reshape(len(reader.positions), reader.grid.rank)
    if (twice := _doubled(positions)) is not None:
        message = f"the cell at {{{','.join(map(str, positions[twice]))}}} is there twice"
        raise import_failed(_failure(text, reader.offsets[twice], "", message), source, schema.name)
    if len(wrong) > max_errors:
        raise import_failed(_failure(text, *sorted(wrong)[max_errors]), source, schema.name)
    return table(list(positions.T.copy()), columns)


Value = tuple[str | None, bool]
"""Text of a value, None where it is not written, and whether it stands in quotes."""


class _Reader:
    """Recursive descent over the tokens; collects the cells as it goes.

    Attributes
    ----------
    positions : list of tuple of int
        Of each cell in the array.
    offsets : list of int
        Of each cell in the text.
    values : list of list of Value
        For each attribute one value a cell.
    """

    def __init__(self, text: str, schema: Schema, source: Path | str) -> None:
        self.text, self.schema, self.source = text, schema, source
        self.grid = Grid.of(schema)
        self.positions: list[Position] = []
        self.offsets: list[int] = []
        self.values: list[list[Value]] = [[] for _ in schema.attributes]
        self.ahead = _TOKEN.finditer(text.rstrip())
        self.advance()

    def chunks(self) -> None:
        origin = self.grid.low
        while self.kind != "end":
            if self.found == "{":
                origin = self.grid.origin(self.position())
            if self.found != "[":
                raise self.error("expected '['")
            if not self.grid.holds(origin):
                raise self.error(outside(origin, self.schema))
            self.rows(list(origin), 0)
            origin = self.grid.successor(origin)
            if self.kind != "end" and not self.accept(";"):
                raise self.error("expected ';'")

    def rows(self, at: list[int], depth: int) -> None:
        """One bracket; `at` is the position of its first cell and moves along dimension `depth`."""
        self.advance()
        inner = depth + 1 == self.grid.rank
        start = at[depth + 1 :]
        while not self.accept("]"):
            if self.found == "{":
                at[:] = self.position()
            if self.found == "[" and not inner:
                self.rows(at, depth + 1)
                at[depth + 1 :] = start
            elif inner and (self.found == "(" or self.kind in ("word", "quoted")):
                self.cell(tuple(at))
            else:
                raise self.error("expected a cell" if inner else "expected '['")
            at[depth] += 1
            self.accept(",")

    def cell(self, position: Position) -> None:
        if not self.grid.holds(position):
            raise self.error(outside(position, self.schema))
        offset = self.offset
        values = self.tuple() if self.found == "(" else [self.value()]
        width = len(self.values)
        if len(values) > width + 1:
            raise self.error(f"{len(values)} values for {width} attributes")
        if not values or (len(values) > width and values[width][0] == "false"):
            return
        self.positions.append(position)
        self.offsets.append(offset)
        absent: Value = (None, False)
        for k, column in enumerate(self.values):
            column.append(values[k] if k < len(values) else absent)

    def tuple(self) -> list[Value]:
        self.advance()
        values: list[Value] = []
        while True:
            written = self.kind in ("word", "quoted")
            value = self.value() if written else (None, False)
            if self.accept(","):
                values.append(value)
            elif self.accept(")"):
                return [*values, value] if values or written else []
            else:
                raise self.error("expected ',' or ')'")

    def value(self) -> Value:
        text, quoted = self.found, self.kind == "quoted"
        if quoted:
            text = _ESCAPE.sub(lambda escape: _ESCAPED.get(escape[1], escape[1]), text[1:-1])
        self.advance()
        return text, quoted

    def position(self) -> Position:
        self.advance()
        numbers = []
        while not self.accept("}"):
            try:
                numbers.append(int(self.found))
            except ValueError:
                raise self.error("expected a coordinate") from None
            self.advance()
            self.accept(",")
        if len(numbers) != self.grid.rank:
            raise self.error(f"{len(numbers)} coordinates for {self.grid.rank} dimensions")
        return tuple(numbers)

    def accept(self, mark: str) -> bool:
        found = self.kind == "mark" and self.found == mark
        if found:
            self.advance()
        return found

    def advance(self) -> None:
        match = next(self.ahead, None)
        if match is None:
            self.kind, self.found, self.offset = "end", "", len(self.text)
        else:
            self.kind = match.lastgroup or ""
            self.found, self.offset = match[self.kind], match.start(self.kind)

    def error(self, message: str) -> EngineError:
        failure = _failure(self.text, self.offset, self.found, message)
        return import_failed(failure, self.source, self.schema.name)


def _failure(text: str, offset: int, value: str, message: str) -> Failure:
    line_start = text.rfind("\n", 0, offset) + 1
    return Failure(text.count("\n", 0, offset), offset - line_start, offset, value, message)


def _doubled(positions: NDArray[np.int64]) -> int | None:
    """Number of a cell whose position another one has too; None where there is no such cell."""
    if len(positions) < 2:
        return None
    order = np.lexsort(positions.T[::-1])
    same = (np.diff(positions[order], axis=0) == 0).all(axis=1)
    return int(order[1:][same].min()) if same.any() else None
