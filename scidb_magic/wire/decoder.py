"""Rows that come in pieces -> columns; `binary` is the way in.

What is left of a piece after its last whole row waits for the next piece. Rows are taken in blocks that
fit the processor's cache: those of fixed size as one structured NumPy view, those with a field of variable
size by the loops of `kernels`. What a block holds of a column goes to the column's end (`piles`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scidb_magic.errors import WireError
from scidb_magic.wire.kernels import INTERPRETED, Kernels, kernels
from scidb_magic.wire.layout import CODE, LENGTH, everywhere, gaps, is_variable, row_dtype, wire_dtype
from scidb_magic.wire.piles import BytesColumn, FixedColumn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scidb_magic.wire.binary import Field
    from scidb_magic.wire.columns import Column

BLOCK = 1 << 20
"""Bytes taken at a time, at least a row."""

BLOCK_ROWS = 1 << 14
"""Rows with a variable field taken at a time."""

HELD = 1 << 16
"""Bytes of small pieces that are gathered before they are worth a look."""


class Rows:
    """See `binary.Decoder`."""

    def __init__(self, fields: Sequence[Field], size: int | None) -> None:
        self._fields = fields
        self._variable = any(map(is_variable, fields))
        self._row = row_dtype([] if self._variable else fields)
        length = None if self._variable or size is None or not fields else size // self._row.itemsize
        self._gaps, self._tail = gaps(fields) if self._variable else ([], 0)
        self._columns = [_growing(field, length) for field in fields]
        self._expected, self._fed, self._count = size or 0, 0, 0
        self._rest = bytearray()
        self._wanted = HELD

    def feed(self, piece: memoryview) -> None:
        """Decode the next bytes; a row that is cut off waits for its rest.

        Raises
        ------
        WireError
            A byte that is no missing reason.
        """
        if not self._fields or not piece:
            return
        self._fed += len(piece)
        if not self._rest:
            self._rest += piece[self._take(piece) :]
            return
        self._rest += piece
        if len(self._rest) >= self._wanted:
            self._take_rest()

    def columns(self, partial: bool) -> list[Column]:
        """What was decoded, one column a field.

        Raises
        ------
        WireError
            As for `feed`; or the bytes end within a row, and that is not `partial`.
        """
        self._take_rest()
        if self._rest and not partial:
            raise WireError(self._cut_off())
        return [column.column() for column in self._columns if column is not None]

    def _cut_off(self) -> str:
        if self._variable:
            return f"The result of {self._fed} bytes ends within a row, after {self._count} whole rows."
        size = self._row.itemsize
        return f"The result ends within a row: {len(self._rest)} of {size} bytes after row {self._count}."

    def _take_rest(self) -> None:
        # no view of the bytes may be left when they are cut
        with memoryview(self._rest) as rest:
            taken = self._take(rest)
        del self._rest[:taken]

    def _take(self, body: memoryview) -> int:
        """Take all whole rows; how many bytes those are."""
        loops = kernels(len(body), self._expected - self._fed) if self._variable else None
        taken, self._wanted = 0, HELD
        while taken < len(body):
            here = self._variable_block(body[taken:], loops) if loops else self._fixed_block(body[taken:])
            if not here:
                break
            taken += here
        return taken

    def _fixed_block(self, body: memoryview) -> int:
        size = self._row.itemsize
        count = min(len(body), max(BLOCK, size)) // size
        cells: NDArray[Any] = np.ndarray((count,), self._row, body)
        for k, (field, column) in enumerate(zip(self._fields, self._columns, strict=True)):
            codes = cells[f"m{k}"] if field.nullable else None
            _add_fixed(column, cells[f"v{k}"], codes, INTERPRETED)
        self._count += count
        return count * size

    def _variable_block(self, body: memoryview, loops: Kernels) -> int:
        ends, used = loops.walk(body[: BLOCK // 4], self._gaps, self._tail, BLOCK_ROWS)
        if not used:
            ends, used = self._long_row(body)
            if used > len(body):
                self._wanted = used
                return 0
        self._gather(body[:used], ends, loops)
        self._count += len(ends)
        return used

    def _long_row(self, body: memoryview) -> tuple[NDArray[np.int64], int]:
        """Ends of the variable fields of the first row, and its bytes: as far as known, if it is cut off."""
        at, ends = 0, []
        for gap in self._gaps:
            at += gap + LENGTH.itemsize
            if at > len(body):
                break
            at += int.from_bytes(body[at - LENGTH.itemsize : at], "little")
            ends.append(at)
        return np.array([ends], np.int64), at + self._tail

    def _gather(self, block: memoryview, ends: NDArray[np.int64], loops: Kernels) -> None:
        raw = np.asarray(block)
        variables = 0  # of this row, passed so far
        position: NDArray[np.int64] = np.zeros(len(ends), np.int64)
        position[1:] = ends[:-1, -1] + self._tail
        for field, column in zip(self._fields, self._columns, strict=True):
            codes = None
            if field.nullable:
                codes, position = everywhere(block, CODE)[position], position + 1
            if is_variable(field):
                variables += 1
                start, position = position + LENGTH.itemsize, ends[:, variables - 1]
                if isinstance(column, BytesColumn):
                    # the closing NUL of a string is not part of its value
                    stop = np.maximum(start, position - 1) if field.type == "string" else position
                    column.add(raw, start, stop, codes, loops)
                continue
            dtype = wire_dtype(field)
            if column is not None:
                _add_fixed(column, everywhere(block, dtype)[position], codes, loops)
            position = position + dtype.itemsize


def _growing(field: Field, length: int | None) -> FixedColumn | BytesColumn | None:
    """The column that a field becomes; None for ``skip``."""
    if field.type == "skip":
        return None
    if field.size is not None or is_variable(field):
        return BytesColumn(field, length)
    return FixedColumn(field, length)


def _add_fixed(
    column: FixedColumn | BytesColumn | None,
    values: NDArray[Any],
    codes: NDArray[np.int8] | None,
    loops: Kernels,
) -> None:
    if isinstance(column, BytesColumn):
        column.add_fixed(values, codes, loops)
    elif column is not None:
        column.add(values, codes)
