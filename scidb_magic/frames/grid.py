"""Columns of a result as an n-d grid: an xarray Dataset (extra ``[xarray]``).

Imports NumPy: import it when a result is there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scidb_magic.errors import ResultTooLarge, ScidbMagicError
from scidb_magic.frames.download import plain_values, utc_of
from scidb_magic.wire.columns import Column
from scidb_magic.wire.schema import Schema, distinct_names

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

FREE_CELLS = 1_000_000
"""A bounding box of so many cells is filled in whatever is in it."""

SPREAD = 20
"""A larger one only if it has at most so many times the cells that are there."""

ROW_DIMENSION = "row"
"""Dimension of a result that has none of its own (a SciDB data frame)."""

EXACT_IN_FLOAT64 = 2**53
"""Integers up to this size are exact as float64."""


def to_xarray(columns: Sequence[Column], schema: Schema) -> xr.Dataset:
    """Columns as a Dataset over the bounding box of their cells.

    Dimensions become coordinates (int64, each from the smallest to the largest there is),
    attributes data variables, in order and under their names. datetimetz is ``datetime64[s]`` in
    UTC. Where a value is missing, floats hold NaN and datetimes NaT; integers become float64 if
    that is exact, and else, as bool, string and binary, objects with None.

    Parameters
    ----------
    columns : sequence of Column
        Dimensions, if any, then the attributes of `schema`.
    schema : Schema

    Raises
    ------
    ResultTooLarge
        The box would have far more cells than the result.
    ScidbMagicError
        xarray is not installed.
    """
    try:
        import xarray as xr
    except ImportError as error:
        raise ScidbMagicError("Results as xarray need: pip install 'scidb-magic[xarray]'.") from error

    count = len(columns) - len(schema.attributes)
    dimensions = {d.name: np.asarray(d.values) for d in columns[:count]}
    if not dimensions:
        row = distinct_names([*(c.name for c in columns), ROW_DIMENSION])[-1]
        dimensions = {row: np.arange(len(columns[0]), dtype=np.int64)}
    axes = _axes(dimensions)
    shape = tuple(map(len, axes.values()))
    place = np.ravel_multi_index(tuple(values - axes[name][:1] for name, values in dimensions.items()), shape)
    variables = {c.name: (tuple(axes), _filled(c, place, shape)) for c in columns[count:]}
    return xr.Dataset(variables, coords=axes, attrs={"scidb_schema": str(schema)})


def _axes(dimensions: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Every coordinate of the bounding box, by dimension; refused before anything large is made."""
    bounds = {
        name: (int(values.min()), int(values.max())) if len(values) else (0, -1)
        for name, values in dimensions.items()
    }
    cells = len(next(iter(dimensions.values())))
    box = math.prod(high - low + 1 for low, high in bounds.values())
    limit = max(FREE_CELLS, SPREAD * cells)
    if box > limit:
        spelled = ", ".join(f"{name}={low}:{high}" for name, (low, high) in bounds.items())
        raise ResultTooLarge(
            f"{cells:,} cells lie too far apart for a grid: their box [{spelled}] has {box:,} cells."
            " Fetch a DataFrame, or select a denser part.",
            size=box,
            limit=limit,
        )
    return {name: np.arange(low, high + 1, dtype=np.int64) for name, (low, high) in bounds.items()}


def _filled(column: Column, place: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """The values of a column at their places in an array of `shape`."""
    values = utc_of(column) if column.type == "datetimetz" else plain_values(column)
    if column.missing is not None:
        values, place = values[~column.missing], place[~column.missing]
    size = math.prod(shape)
    if len(values) == size:
        out = np.empty(size, values.dtype)
    else:
        values = _with_room(values)
        hole: Any = {"f": np.nan, "M": np.datetime64("NaT", "s")}.get(values.dtype.kind)
        out = np.full(size, hole, values.dtype)
    out[place] = values
    return out.reshape(shape)


def _with_room(values: NDArray[Any]) -> NDArray[Any]:
    """The values in a type that has a mark for missing."""
    kind = values.dtype.kind
    if kind in "iu" and not ((values > EXACT_IN_FLOAT64) | (values < -EXACT_IN_FLOAT64)).any():
        return values.astype(np.float64)
    return values if kind in "fM" else values.astype(object)
