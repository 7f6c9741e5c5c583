"""Reads SciDB's text format, the default of ``load``, and the array literals of ``build``.

::

    chunks  := chunk (';'? chunk)*
    chunk   := position? rows
    rows    := '[' (position? (rows | cell)) (','? …)* ']'        one bracket for each dimension
    cell    := '(' value? (',' value?)* ')' ('*' count)? | value
    position:= '{' integer (',' integer)* '}'
    value   := null | ?n | 'text' | "text" | any other word

As ChunkLoader.cpp has it: a position before a chunk's brackets is where the chunk begins, one before a cell
is the cell's, and makes the chunk a sparse one. Without positions chunks follow each other in row-major
order, and so do the cells of a chunk; its rows may end early. An outermost bracket that does not end with
its chunk goes on with the next one. ``()`` is an empty cell. A value that is not written is the attribute's
default; one value more than there are attributes must be ``true`` (the cell is there). Commas may be left
out, and may follow the last cell.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from scidb_magic.embedded.engine.formats import parse, tokens
from scidb_magic.embedded.engine.formats.assemble import outside, table
from scidb_magic.embedded.engine.formats.failures import Failure, check, import_failed
from scidb_magic.embedded.engine.formats.grid import Grid, Position
from scidb_magic.embedded.engine.formats.values import BINARY
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import Schema

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIALECT = parse.Dialect((b"null",), lone_mark=True, defaults=True)


def read(
    text: str, schema: Schema, *, max_errors: int = 0, strict: bool = True, source: Path | str = ""
) -> pa.Table:
    """Read text.

    Parameters
    ----------
    text : str
        Bytes that are not UTF-8 as surrogateescape.
    schema : Schema
    max_errors : int
        So many values may be wrong; they become null, or a zero where null is not allowed.
    strict : bool
        Chunks must come in row-major order, and no cell twice; else of one cell the last counts.
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
    reader = _Reader(text, schema, source, strict)
    reader.chunks()
    failures: list[Failure] = []
    columns = []
    for attribute, values in zip(schema.attributes, reader.values, strict=True):
        words = [None if token is None else tokens.value(token) for token in values]
        raw = [None if word is None else word.encode("utf-8", "surrogateescape") for word in words]
        quoted = np.array([token is not None and tokens.quoted(token) for token in values], np.bool_)
        column = parse.column(pa.array(raw, BINARY), quoted, attribute, DIALECT)
        columns.append(column)
        failures += [
            reader.failure(reader.places[row], words[row] or "", message)
            for row, message in column.failed.items()
        ]
    check(failures, max_errors, source, schema.name)
    positions = np.array(reader.positions, np.int64).reshape(len(reader.positions), reader.grid.rank)
    made = table(list(positions.T.copy()), columns)
    twice = _overwritten(positions)
    if strict and len(twice):
        row = int(twice[0])
        message = f"the cell at {{{','.join(map(str, positions[row]))}}} is there twice"
        raise import_failed(reader.failure(reader.places[row], "", message), source, schema.name)
    return made.take(np.delete(np.arange(len(positions)), twice)) if len(twice) else made


class _Reader:
    """Walks over the tokens, chunk after chunk; collects the cells as it goes.

    Attributes
    ----------
    positions : list of tuple of int
        Of each cell in the array.
    places : list of int
        Of each cell among the tokens.
    values : list of list of (str or None)
        For each attribute one token a cell, None where it is not written.
    """

    def __init__(self, text: str, schema: Schema, source: Path | str, strict: bool) -> None:
        self.text, self.schema, self.source, self.strict = text, schema, source, strict
        self.grid = Grid.of(schema)
        self.positions: list[Position] = []
        self.places: list[int] = []
        self.values: list[list[str | None]] = [[] for _ in schema.attributes]
        self.tokens = tokens.split(text)
        self.at = 0
        self.latest: Position | None = None

    def chunks(self) -> None:
        origin: Position | None = None
        inside = False
        while True:
            self.accept(";")
            if self.tokens[self.at] == tokens.END or (inside and self.accept("]")):
                if self.tokens[self.at] == tokens.END:
                    return
                inside = False
                continue
            named = not inside and self.tokens[self.at] == "{"
            if named:
                origin = self.position()
                if self.grid.holds(origin) and self.grid.origin(origin) != origin:
                    raise self.error("no chunk begins there")
            elif origin is not None:
                origin = self.grid.successor(origin)
            else:
                origin = self.grid.low
            for _ in range(self.grid.rank - inside):
                self.expect("[")
            origin, inside = self.chunk(origin, named)

    def chunk(self, origin: Position, named: bool) -> tuple[Position, bool]:
        """The cells of a chunk; where it begins, and whether its outermost bracket is still open."""
        if self.tokens[self.at] == "{":
            return self.sparse(origin, named), False
        rank = self.grid.rank
        if self.tokens[self.at : self.at + rank] == ["]"] * rank:  # a chunk without cells
            self.at += rank
            return origin, False
        self.begin(origin)
        last = tuple(lo + n - 1 for lo, n in zip(origin, self.grid.shape(origin), strict=True))
        position = list(origin)
        while True:
            if self.tokens[self.at] == "{":  # the others have positions
                return self.sparse(origin, True), False
            if self.tokens[self.at] == "]":  # the row ends early
                position[-1] = last[-1]
            elif self.tokens[self.at] != ",":
                position[-1] += self.cell(tuple(position), last[-1])
            closed = self.carry(position, origin, last)
            if closed is None:
                if self.accept("]"):
                    return origin, False
                self.expect(",", "expected ']'")
                return origin, True
            self.accept(",")
            for number in range(closed):
                if self.tokens[self.at] == "]" and number == 0:  # a comma behind the last row
                    return self.close(origin, rank - closed)
                self.expect("[")

    def carry(self, position: list[int], origin: Position, last: Position) -> int | None:
        """Go on to the next position; how many rows ended there, None behind the last one of the chunk."""
        for closed, axis in enumerate(reversed(range(self.grid.rank))):
            position[axis] += 1
            if position[axis] <= last[axis]:
                return closed
            if axis:
                self.expect("]")
                position[axis] = origin[axis]
        return None

    def close(self, origin: Position, brackets: int) -> tuple[Position, bool]:
        for _ in range(brackets):
            self.expect("]")
        return origin, False

    def sparse(self, origin: Position, begun: bool) -> Position:
        """Cells that tell their positions; where their chunk begins."""
        counted = False
        position: Position = origin
        while True:
            if self.tokens[self.at] == "{":
                position = self.position()
            empty = self.tokens[self.at : self.at + 2] == ["(", ")"]
            if empty:
                self.at += 2
            else:
                if not self.grid.holds(position):
                    raise self.error(outside(position, self.schema))
                if not counted:
                    origin = origin if begun else self.grid.origin(position)
                    self.begin(origin)
                    counted = True
                if self.grid.origin(position) != origin:
                    raise self.error(f"the cell at {_braced(position)} is not in the chunk {_braced(origin)}")
                self.cell(position, position[-1])
                position = (*position[:-1], position[-1] + 1)
            closed = 0
            while self.accept("]"):
                closed += 1
                if closed == self.grid.rank:
                    return origin
            self.accept(",")
            for _ in range(closed):
                self.expect("[")

    def begin(self, origin: Position) -> None:
        if not self.grid.holds(origin):
            raise self.error(outside(origin, self.schema))
        if self.strict and self.latest is not None and origin <= self.latest and self.positions:
            raise self.error(f"the chunk at {_braced(origin)} is there twice or out of order")
        self.latest = origin

    def cell(self, position: Position, last: int) -> int:
        """Take one cell, or as many as ``*`` says up to coordinate `last`; how many more than one."""
        place = self.at
        found = self.tokens[place]
        width = len(self.values)
        values: list[str | None]
        if found == "(":
            values = self.tuple()
            if not values:
                return 0
        elif tokens.is_value(found):
            values = [found]
            self.at += 1
        else:
            raise self.error("expected a cell")
        if len(values) > width:
            self.check_present(values[width:])
        times = self.times(last - position[-1] + 1) if found == "(" and self.accept("*") else 1
        for step in range(times):
            self.positions.append((*position[:-1], position[-1] + step))
            self.places.append(place)
            for k, column in enumerate(self.values):
                column.append(values[k] if k < len(values) else None)
        return times - 1

    def tuple(self) -> list[str | None]:
        self.at += 1
        values: list[str | None] = []
        while not self.accept(")"):
            found = self.tokens[self.at]
            if found == ",":
                values.append(None)
            elif tokens.is_value(found):
                values.append(found)
                self.at += 1
            else:
                raise self.error("expected ')'")
            self.accept(",")
        return values

    def check_present(self, more: list[str | None]) -> None:
        if len(more) > 1:
            raise self.error(f"{len(self.values) + len(more)} values for {len(self.values)} attributes")
        if more[0] != "true":
            raise self.error("whether a cell is there is told by true alone")

    def times(self, most: int) -> int:
        count = self.integer("expected how often the cell is there")
        if not 1 <= count <= most:
            raise self.error(f"the cell cannot be there {count} times")
        return count

    def position(self) -> Position:
        self.at += 1
        numbers = []
        while not self.accept("}"):
            numbers.append(self.integer("expected a coordinate"))
            self.accept(",")
        if len(numbers) != self.grid.rank:
            raise self.error(f"{len(numbers)} coordinates for {self.grid.rank} dimensions")
        return tuple(numbers)

    def integer(self, expected: str) -> int:
        try:
            number = int(self.tokens[self.at])
        except ValueError:
            raise self.error(expected) from None
        self.at += 1
        return number

    def accept(self, mark: str) -> bool:
        found = self.tokens[self.at] == mark
        self.at += found
        return found

    def expect(self, mark: str, message: str | None = None) -> None:
        if not self.accept(mark):
            raise self.error(message or f"expected '{mark}'")

    def failure(self, place: int, value: str, message: str) -> Failure:
        offset = tokens.offset(self.text, place)
        line_start = self.text.rfind("\n", 0, offset) + 1
        line = self.text.count("\n", 0, offset)
        shown = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return Failure(line, offset - line_start, offset, shown, message)

    def error(self, message: str) -> EngineError:
        failure = self.failure(self.at, self.tokens[self.at], message)
        return import_failed(failure, self.source, self.schema.name)


def _braced(position: Position) -> str:
    return f"{{{','.join(map(str, position))}}}"


def _overwritten(positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of the cells at whose position another one follows."""
    if len(positions) < 2:
        return np.zeros(0, np.int64)
    order = np.lexsort(positions.T[::-1])
    same = (np.diff(positions[order], axis=0) == 0).all(axis=1)
    return np.sort(order[:-1][same])
