"""``window`` over numbers in a box that is mostly full: on NumPy, one step for each place of the window.

The steps go through the window row by row, so that every cell adds up its neighbours in the order in which
SciDB does, digit by digit. It is much faster than SQL, which copies every cell to each window it is in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scidb_magic.embedded.engine.aggregates import Aggregate
from scidb_magic.embedded.engine.columns import column_names
from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.embedded.engine.types import INTEGERS, REALS

if TYPE_CHECKING:
    import pyarrow as pa

    from scidb_magic.embedded.engine.run import Execution

_MOST_PLACES = 16_000_000
_MOST_DIMENSIONS = 16
"""NumPy's own limit is 32 or 64, of windows and cells together."""
_MOST_STEPS = 500_000_000
_LEAST_FULL = 0.25

Side = tuple[int, int]
"""How far a window reaches to lower and to higher coordinates."""
Box = NDArray[Any]


def fits(source: Relation, aggregates: Sequence[Aggregate], sides: Sequence[Side]) -> bool:
    """Whether `computed` can do it, and in a bounded time and space."""
    lengths = [dimension.length for dimension in source.schema.dimensions]
    volume = math.prod(length or 0 for length in lengths)
    return (
        len(lengths) <= _MOST_DIMENSIONS
        and 0 < volume <= _MOST_PLACES
        and volume * math.prod(sum(side) + 1 for side in sides) <= _MOST_STEPS
        and all(_supported(source, each) for each in aggregates)
    )


def _supported(source: Relation, aggregate: Aggregate) -> bool:
    if aggregate.attribute is None:
        return True
    type_ = source.schema.attributes[aggregate.attribute].type
    integer = type_ in INTEGERS
    # The mean of integers is taken of an exact sum, which may need more than 64 bits.
    exact = {"avg": not type_.endswith("64")}.get(aggregate.function, True) if integer else True
    return aggregate.function in _FUNCTIONS and type_ in (*INTEGERS, *REALS) and exact


def computed(
    execution: Execution,
    source: Relation,
    aggregates: Sequence[Aggregate],
    sides: Sequence[Side],
    otherwise: Relation,
) -> pa.Table:
    """The cells of the result; those of `otherwise`, the same in SQL, where the box is mostly empty."""
    import pyarrow as pa

    used = sorted({each.attribute for each in aggregates if each.attribute is not None})
    dimensions = source.schema.dimensions
    axes = [f"d{k}" for k in range(len(dimensions))]
    cells = execution.cells(source, *axes, *(f"a{k}" for k in used))
    shape = tuple(dimension.length or 0 for dimension in dimensions)
    if cells.num_rows < _LEAST_FULL * math.prod(shape):
        return execution.cells(otherwise, *column_names(otherwise))
    places = _Places([cells[axis].to_numpy() for axis in axes], [each.low for each in dimensions], shape)
    needed = {each.attribute for each in aggregates}
    boxes = {k: places.box(None if k is None else cells[f"a{k}"]) for k in needed}
    window = _Window(shape, sides, execution.check)
    columns: dict[str, Any] = {axis: cells[axis] for axis in axes}
    for k, each in enumerate(aggregates):
        count, values = _FUNCTIONS[each.function](window, boxes[each.attribute])
        missing = None if count is None else places.picked(count) < _LEAST.get(each.function, 1)
        columns[f"a{k}"] = pa.array(places.picked(values), mask=missing)
    return pa.table(columns)


@dataclass(frozen=True)
class _Values:
    """One attribute's values as a box, and which of them are there; all, where `there` is None."""

    values: Box
    there: Box | None


class _Places:
    """Where cells are in a box, by the numbers of its places."""

    def __init__(self, coordinates: Sequence[Box], lows: Sequence[int], shape: tuple[int, ...]) -> None:
        numbers = np.zeros(len(coordinates[0]), np.int64)
        for along, low, length in zip(coordinates, lows, shape, strict=True):
            numbers *= length
            numbers += along
            numbers -= low
        volume = math.prod(shape)
        self._shape = shape
        self._full = len(numbers) == volume
        in_order = self._full and np.array_equal(numbers, np.arange(volume))
        self._numbers = slice(None) if in_order else numbers

    def picked(self, box: Box) -> Box:
        """What a box has at these places."""
        found: Box = box.reshape(-1)[self._numbers]
        return found

    def box(self, column: Any) -> _Values:
        """The values of a `pyarrow.ChunkedArray` at their places; without one, ones."""
        if column is None:
            values, valid = np.uint64(1), None
        else:
            valid = column.is_valid().to_numpy() if column.null_count else None
            values = column.fill_null(0).to_numpy() if column.null_count else column.to_numpy()
        box = np.zeros(math.prod(self._shape), values.dtype)
        box[self._numbers] = values
        if self._full and valid is None:
            return _Values(box.reshape(self._shape), None)
        there = np.zeros(len(box), bool)
        there[self._numbers] = True if valid is None else valid
        return _Values(box.reshape(self._shape), there.reshape(self._shape))


class _Window:
    """The steps of a window over boxes of one shape."""

    def __init__(self, shape: tuple[int, ...], sides: Sequence[Side], check: Callable[[], None]) -> None:
        self.shape = shape
        self._check = check
        self._steps = [
            tuple(
                zip(
                    *(_overlap(length, offset) for length, offset in zip(shape, step, strict=True)),
                    strict=True,
                )
            )
            for step in product(*(range(-before, after + 1) for before, after in sides))
        ]

    def reduced(self, values: Box, start: Any, add: np.ufunc) -> Box:
        """`values` of each window put together by `add`, beginning with `start`."""
        found = np.full(self.shape, start, values.dtype)
        for here, there in self._steps:
            self._check()
            add(found[here], values[there], out=found[here])
        return found

    def count(self, box: _Values) -> Box:
        """How many values are in each window."""
        there = np.ones(self.shape, np.int64) if box.there is None else box.there.astype(np.int64)
        return self.reduced(there, 0, np.add)

    def total(self, values: Box) -> Box:
        """The sum of each window: of integers in 64 bits, wrapping, of others in double precision."""
        kind = {"u": np.uint64, "i": np.int64}.get(values.dtype.kind, np.float64)
        return self.reduced(values.astype(kind), 0, np.add)


def _overlap(length: int, offset: int) -> tuple[slice, slice]:
    """The places that have a neighbour at this offset, and these neighbours."""
    reach = max(length - abs(offset), 0)
    start = max(-offset, 0)
    return slice(start, start + reach), slice(start + offset, start + offset + reach)


# The aggregates: how many values there are (None: there is always one) and the values


Result = tuple[Box | None, Box]


def _some(window: _Window, box: _Values) -> Box | None:
    return None if box.there is None else window.count(box)


def _sum(window: _Window, box: _Values) -> Result:
    return _some(window, box), window.total(box.values)


def _counted(window: _Window, box: _Values) -> Result:
    return None, window.count(box).astype(np.uint64)


def _mean(window: _Window, box: _Values) -> Result:
    count = window.count(box)
    with np.errstate(all="ignore"):
        return count, window.total(box.values).astype(np.float64) / count


def _extreme(pick: np.ufunc, least: bool) -> Callable[[_Window, _Values], Result]:
    def function(window: _Window, box: _Values) -> Result:
        kind = box.values.dtype
        limits = np.iinfo(kind) if kind.kind in "ui" else np.finfo(kind)
        neutral: Any = limits.max if least else limits.min
        if kind.kind == "f":
            neutral = np.inf if least else -np.inf
        values = box.values if box.there is None else np.where(box.there, box.values, kind.type(neutral))
        return _some(window, box), window.reduced(values, neutral, pick)

    return function


def _variance(window: _Window, box: _Values) -> Result:
    count = window.count(box)
    values = box.values.astype(np.float64)
    with np.errstate(all="ignore"):
        mean = window.total(box.values).astype(np.float64) / count
        squares = window.total(values * values) / count
        return count, (squares - mean * mean) * count / (count - 1)


def _deviation(window: _Window, box: _Values) -> Result:
    count, variance = _variance(window, box)
    with np.errstate(all="ignore"):
        return count, np.sqrt(variance)


_LEAST = {"var": 2, "stdev": 2}
"""How many values make a result; 1 for all others."""

_FUNCTIONS: dict[str, Callable[[_Window, _Values], Result]] = {
    "avg": _mean,
    "count": _counted,
    "max": _extreme(np.maximum, least=False),
    "min": _extreme(np.minimum, least=True),
    "stdev": _deviation,
    "sum": _sum,
    "var": _variance,
}
