"""Kinds of tables -> their columns by name, each a pandas Series, a NumPy array or an Arrow array.

===========================  ====================================================================
pandas                       the named levels of the index first, then the columns
Arrow Table, RecordBatch     its columns
Arrow Array, ChunkedArray    one column
list of dicts                a column for each key; a key that a dict lacks is missing in its row
xarray                       its dimensions as columns of coordinates, then its variables
a path or an open file       as the table in it, see `files`
===========================  ====================================================================

Data say of themselves which columns are dimensions only where they are xarray's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from scidb_magic.errors import UploadError
from scidb_magic.frames import files

Parts = list[tuple[Any, Any]]
"""Names and values."""

UNNAMED = "v"
"""Name of the attribute of data that have no names."""


def parts_of(data: Any) -> tuple[Parts, tuple[str, ...] | None]:
    """The columns of a table, names and values, and those of them that are its dimensions, if it says so.

    Parameters
    ----------
    data : object
        Of a kind of the table above.

    Raises
    ------
    UploadError
    """
    if files.is_file(data):
        data = files.read(data)
    if isinstance(data, (list, tuple)):
        return _of_dicts(data), None
    for module, find in _KINDS.items():
        # What was not imported has made nothing.
        if module in sys.modules and (found := find(data)) is not None:
            return found
    raise UploadError(
        "A DataFrame, Series, NumPy array, Arrow table, xarray object, list of dicts or file can be sent,"
        f" not {type(data).__qualname__}."
    )


def _of_dicts(rows: Any) -> Parts:
    import pandas as pd

    names: dict[Any, None] = {}
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise UploadError(f"A list of dicts can be sent; its item {number} is {row!r}.")
        names.update(dict.fromkeys(row))
    return [(name, pd.Series([row.get(name) for row in rows], dtype=object)) for name in names]


def _of_pandas(data: Any) -> tuple[Parts, tuple[str, ...] | None] | None:
    import pandas as pd

    if isinstance(data, pd.Series):
        data = data.to_frame(UNNAMED if data.name is None else data.name)
    if not isinstance(data, pd.DataFrame):
        return None
    if data.columns.nlevels > 1:
        raise UploadError("The columns of the frame have several levels: give each one name first.")
    levels = [(n, k) for k, n in enumerate(data.index.names) if n is not None]
    parts: Parts = [(n, pd.Series(data.index.get_level_values(k))) for n, k in levels]
    return parts + [(data.columns[k], data.iloc[:, k]) for k in range(data.shape[1])], None


def _of_arrow(data: Any) -> tuple[Parts, tuple[str, ...] | None] | None:
    import pyarrow as pa

    if isinstance(data, (pa.Array, pa.ChunkedArray)):
        return [(UNNAMED, data)], None
    if isinstance(data, (pa.Table, pa.RecordBatch)):
        return list(zip(data.schema.names, data.columns, strict=True)), None
    return None


def _of_xarray(data: Any) -> tuple[Parts, tuple[str, ...] | None] | None:
    import xarray as xr

    if isinstance(data, xr.DataArray):
        data = data.to_dataset(name=UNNAMED if data.name is None else data.name)
    if not isinstance(data, xr.Dataset):
        return None
    variables = {name: data[name] for name in data.data_vars}
    dims = next(iter(variables.values())).dims if variables else ()
    for name, variable in variables.items():
        if set(variable.dims) != set(dims) or not dims:
            raise UploadError(
                f"Variable {name!r} has the dimensions {variable.dims}: an array in SciDB has at"
                " least one, the same for all of its attributes."
            )
    for name, coordinate in data.coords.items():
        if name not in dims:
            raise UploadError(
                f"Coordinate {name!r} is no dimension: drop it with drop_vars({name!r}), or make a"
                " variable of it with reset_coords."
            )
        if coordinate.dtype.kind not in "iu":
            raise UploadError(
                f"Coordinate {name!r} is {coordinate.dtype}: a dimension of SciDB takes integers; drop it"
                f" with drop_vars({name!r}), and the places count from 0."
            )
        values, counts = np.unique(coordinate.values, return_counts=True)
        if (counts > 1).any():
            raise UploadError(f"Coordinate {name!r} has {values[counts.argmax()]} more than once.")
    places = np.meshgrid(*(_coordinates(data, name) for name in dims), indexing="ij")
    parts: Parts = [(n, p.reshape(-1)) for n, p in zip(dims, places, strict=True)]
    flat = [(name, v.transpose(*dims).to_numpy().reshape(-1)) for name, v in variables.items()]
    return parts + flat, tuple(map(str, dims))


def _coordinates(data: Any, name: Any) -> Any:
    if name in data.coords:
        return data.coords[name].values
    return np.arange(data.sizes[name], dtype=np.int64)


_KINDS: dict[str, Callable[[Any], tuple[Parts, tuple[str, ...] | None] | None]] = {
    "pandas": _of_pandas,
    "pyarrow": _of_arrow,
    "xarray": _of_xarray,
}
"""Library -> what takes its tables, and answers None for what is none."""
