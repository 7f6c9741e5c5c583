"""Columns of a result as a pandas DataFrame, an Arrow table or a NumPy array.

================  =======================  ===============================  =======================
SciDB type        pandas                   Arrow                            NumPy
================  =======================  ===============================  =======================
bool              bool, boolean            bool                             bool
int8 … uint64     int64, Int64 (so all)    the same                         the same
float, double     float32, float64         float, double                    float32, float64
char, string      StringDtype("pyarrow")   large_string                     U1, object of str
datetime          datetime64[s]            timestamp[s]                     datetime64[s]
datetimetz        datetime64[s, UTC]       struct<time: timestamp[s],       struct (time M8[s],
                                           offset: duration[s]>             offset m8[s])
binary            object of bytes          large_binary                     object of bytes
================  =======================  ===============================  =======================

pandas: where two are given, the second is for nullable attributes. A missing value is ``<NA>``,
``NaN`` (float, double), ``NaT`` or ``None`` (binary); Arrow: null; NumPy: masked.

Strings need not be UTF-8 in SciDB. A column with one that is not is ``large_binary`` in Arrow, and
in pandas and NumPy an object column of str where each byte that is not UTF-8 stands as Python's
``surrogateescape``: ``text.encode(errors="surrogateescape")`` gives the bytes back.

Imports NumPy: import it when a result is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scidb_magic.errors import SettingError
from scidb_magic.wire import arrow
from scidb_magic.wire.columns import Column
from scidb_magic.wire.schema import distinct_names

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

CODES_SUFFIX = "_missing"


def to_dataframe(columns: Sequence[Column], *, missing: str | None = None) -> pd.DataFrame:
    """Columns as a DataFrame with a RangeIndex, in their order.

    Parameters
    ----------
    columns : sequence of Column
    missing : ``"codes"``, optional
        Puts behind each nullable column ``a`` a column ``a_missing`` (int8) of SciDB's missing
        reasons: 0…127, and -1 where there is a value. A name that is taken gets ``_1``, ``_2``, … .

    Raises
    ------
    SettingError
        For another `missing`.
    """
    import pandas as pd

    series = {
        name: _writable(content) if isinstance(content, np.ndarray) else _series(content)
        for name, content in _named(columns, missing)
    }
    return pd.DataFrame(series, index=pd.RangeIndex(len(columns[0]) if columns else 0), copy=False)


def to_arrow(columns: Sequence[Column], *, missing: str | None = None) -> pa.Table:
    """Columns as an Arrow table, in their order; `missing` as for `to_dataframe`."""
    import pyarrow as pa

    named = _named(columns, missing)
    arrays = [pa.array(c) if isinstance(c, np.ndarray) else arrow.to_array(c) for _, c in named]
    fields = [
        pa.field(name, array.type, nullable=isinstance(content, Column) and content.nullable)
        for (name, content), array in zip(named, arrays, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def to_numpy(columns: Sequence[Column]) -> NDArray[Any]:
    """Columns as a structured array of shape (n,), a masked one if any column is nullable."""
    names = distinct_names([column.name for column in columns])
    parts = [plain_values(column) for column in columns]
    dtype = np.dtype([(name, part.dtype) for name, part in zip(names, parts, strict=True)])
    out = np.zeros(len(columns[0]) if columns else 0, dtype)
    for name, part in zip(names, parts, strict=True):
        out[name] = part
    if not any(column.nullable for column in columns):
        return out
    mask: Any = np.zeros(len(out), np.ma.make_mask_descr(dtype))
    for name, column in zip(names, columns, strict=True):
        if column.missing is not None:
            mask[name][column.missing] = np.ones((), mask.dtype[name])
    return np.ma.MaskedArray(out, mask)


def plain_values(column: Column) -> NDArray[Any]:
    """Values as NumPy has them, see the module's table, shape (n,); anything where missing."""
    values: Any = column.values
    if column.type in ("string", "binary"):
        return _objects(column)
    if column.type == "char":
        return values.astype(np.uint32).view("U1") if (values < 128).all() else _objects(column).astype("U1")
    if column.type == "datetimetz":
        return values.view([("time", "M8[s]"), ("offset", "m8[s]")])  # type: ignore[no-any-return]
    return values  # type: ignore[no-any-return]


def utc_of(column: Column) -> NDArray[Any]:
    """The moments of a datetimetz column in UTC, ``datetime64[s]``, shape (n,)."""
    values: Any = column.values
    return (values["time"] - values["offset"]).view("M8[s]")  # type: ignore[no-any-return]


def _named(columns: Sequence[Column], missing: str | None) -> list[tuple[str, Column | NDArray[np.int8]]]:
    """Columns and, where asked for, their codes, each with a name of its own."""
    if missing not in (None, "codes"):
        raise SettingError(f"missing=… takes None or 'codes', not {missing!r}.")
    coded = [c for c in columns if missing == "codes" and c.codes is not None]
    names = distinct_names([c.name for c in columns] + [c.name + CODES_SUFFIX for c in coded])
    code_names = iter(names[len(columns) :])
    named: list[tuple[str, Column | NDArray[np.int8]]] = []
    for name, column in zip(names, columns, strict=False):
        named.append((name, column))
        if missing == "codes" and column.codes is not None:
            named.append((next(code_names), column.codes))
    return named


def _series(column: Column) -> Any:
    return _TO_PANDAS.get(column.type, _integers)(column)


def _writable(values: NDArray[Any]) -> NDArray[Any]:
    """Users write into their frames; columns may look into the answer's read-only bytes."""
    return values if values.flags.writeable else values.copy()


def _with(column: Column, values: NDArray[Any], filler: Any) -> NDArray[Any]:
    """`values`, with `filler` where the column misses them; never the column's own memory if changed."""
    if column.missing is None or not column.missing.any():
        return _writable(values)
    values = values.copy()
    values[column.missing] = filler
    return values


def _integers(column: Column) -> Any:
    import pandas as pd

    values = _writable(np.asarray(column.values))
    if column.missing is None:
        return values
    return pd.arrays.IntegerArray(values, column.missing)


def _booleans(column: Column) -> Any:
    import pandas as pd

    values = _writable(np.asarray(column.values))
    if column.missing is None:
        return values
    return pd.arrays.BooleanArray(values, column.missing)


def _floats(column: Column) -> Any:
    return _with(column, np.asarray(column.values), np.nan)


def _datetimes(column: Column) -> Any:
    return _with(column, np.asarray(column.values), np.datetime64("NaT", "s"))


def _moments(column: Column) -> Any:
    import pandas as pd

    return pd.DatetimeIndex(_with(column, utc_of(column), np.datetime64("NaT", "s"))).tz_localize("UTC")


def _texts(column: Column) -> Any:
    import pandas as pd
    import pyarrow as pa

    array = arrow.to_array(column)
    if not pa.types.is_large_string(array.type):
        return _as_objects(column)
    dtype: Any = pd.StringDtype("pyarrow")
    return dtype.__from_arrow__(array)


def _as_objects(column: Column) -> Any:
    import pandas as pd

    # as a Series, or pandas 3 makes strings of it
    return pd.Series(_objects(column), dtype=object)


def _objects(column: Column) -> NDArray[Any]:
    """An object array of str or bytes, None where missing."""
    import pyarrow as pa

    array = arrow.to_array(column)
    objects: NDArray[Any] = array.to_numpy(zero_copy_only=False)
    if column.type != "binary" and pa.types.is_large_binary(array.type):
        decoded = [v if v is None else v.decode(errors="surrogateescape") for v in objects]
        objects[:] = decoded
    return objects


_TO_PANDAS: dict[str, Callable[[Column], Any]] = {
    "bool": _booleans,
    "char": _texts,
    "float": _floats,
    "double": _floats,
    "string": _texts,
    "datetime": _datetimes,
    "datetimetz": _moments,
    "binary": _as_objects,
}
