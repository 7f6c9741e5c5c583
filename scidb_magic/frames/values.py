"""One array of user data -> one `Column`, exactly or not at all.

===================================  ==========================================================
pandas, NumPy, Arrow                 SciDB
===================================  ==========================================================
bool, int8 … uint64                  bool, int8 … uint64, not null
boolean, Int8 … UInt64               the same, nullable
float16, float32; float64            float; double. pandas: nullable, NaN is missing (in Float64
                                     only ``<NA>`` is); NumPy: not null, NaN is NaN
str, StringDtype, U                  string; nullable but for NumPy's U
bytes, S                             binary; nullable but for NumPy's S
datetime64 of any unit, dates        datetime, nullable; whole seconds or UploadError
datetime64 with a time zone          datetimetz, nullable: local time and its offset from UTC
struct (time M8[s], offset m8[s])    datetimetz, as `download.to_numpy` gives it
categorical                          as its categories
object                               as all its values are: str, bytes, bool, int, float, times
ArrowDtype                           as the Arrow type
===================================  ==========================================================

Whether a column is nullable hangs on its type alone and not on its values, so that the next frame
of the same kind makes the same schema. A missing value is SciDB's null with reason 0.
An object column with no value at all is a string column.

Imports NumPy: import it when there is something to send.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from scidb_magic.errors import UploadError
from scidb_magic.frames.exact import (
    Options,
    codes_of,
    fixed_column,
    no_type,
    refuse,
    seconds_of,
    zoned_column,
)
from scidb_magic.wire import arrow
from scidb_magic.wire.columns import Column
from scidb_magic.wire.schema import Attribute

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_NUMBERS = {"float16": "float", "float32": "float", "float64": "double", "bool": "bool"} | {
    f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}
"""NumPy's numbers -> SciDB's."""


def column_of(name: str, data: Any, options: Options) -> Column:
    """One column.

    Parameters
    ----------
    name : str
    data : pandas.Series, numpy.ndarray, pyarrow.Array or pyarrow.ChunkedArray
        Shape (n,), a masked array too.
    options : Options

    Raises
    ------
    UploadError
        Naming column, row (from 0) and value.
    """
    if isinstance(data, np.ma.MaskedArray):
        return _masked(name, data, options)
    if isinstance(data, np.ndarray):
        return _from_numpy(name, data, options)
    if hasattr(data, "dtype"):
        return _from_series(name, data, options)
    return _from_arrow(name, data, options)


# NumPy


def _from_numpy(name: str, data: NDArray[Any], options: Options) -> Column:
    convert = _BY_KIND.get(data.dtype.kind)
    if convert is None:
        raise no_type(name, data.dtype)
    return convert(name, data, options)


def _masked(name: str, data: Any, options: Options) -> Column:
    mask = np.ma.getmaskarray(data)
    if mask.dtype.names:
        mask = mask[mask.dtype.names[0]]
    values = np.asarray(data.data)
    if values.dtype.kind == "O":
        return _from_numpy(name, np.where(mask, np.array(None), values), options)
    plain = _from_numpy(name, np.where(mask, np.zeros((), values.dtype), values), options)
    if not isinstance(plain.values, np.ndarray):
        import pyarrow as pa

        kept: Any = pa.array(~mask)
        present: Any = plain.values
        nulled = pa.compute.if_else(kept, present, pa.scalar(None, present.type))
        return Column(name, plain.type, nulled, codes_of(mask))
    missing = mask if plain.missing is None else mask | plain.missing
    return fixed_column(name, plain.type, plain.values, missing)


def _numbers(name: str, data: NDArray[Any], options: Options) -> Column:
    type_ = _NUMBERS.get(data.dtype.newbyteorder("=").name)
    if type_ is None:
        raise no_type(name, data.dtype)
    missing = np.isnan(data) if options.nan_is_null and data.dtype.kind == "f" else None
    return fixed_column(name, type_, data, missing)


def _times(name: str, data: NDArray[Any], options: Options) -> Column:
    return fixed_column(name, "datetime", seconds_of(name, data, options), np.isnat(data))


def _texts(name: str, data: NDArray[Any], options: Options) -> Column:
    import pyarrow as pa

    try:
        array: Any = pa.array(data.astype(data.dtype.newbyteorder("=")))
    except UnicodeError:
        return replace(_object_texts(name, data.astype(object), options), codes=None)
    type_ = "string" if data.dtype.kind == "U" else "binary"
    return arrow.from_array(array, Attribute(name, type_, nullable=False))


def _local_times(name: str, data: NDArray[Any], options: Options) -> Column:
    if data.dtype.names != ("time", "offset") or [data.dtype[k].kind for k in (0, 1)] != ["M", "m"]:
        raise no_type(name, data.dtype)
    missing = np.isnat(data["time"]) | np.isnat(data["offset"])
    local = seconds_of(name, data["time"], options).view(np.int64)
    offset = data["offset"].astype("m8[s]").view(np.int64)
    return zoned_column(name, local, offset, missing)


def _objects(name: str, data: NDArray[Any], options: Options) -> Column:
    import pandas as pd

    kind = pd.api.types.infer_dtype(data, skipna=True)
    convert = _BY_CONTENT.get(kind)
    if convert is None:
        row = _odd_one(data)
        raise refuse(
            name, row, data[row], f"has no SciDB type with the rest of its column ({kind}); convert it"
        )
    return convert(name, data, options)


_BY_KIND: dict[str, Callable[[str, Any, Options], Column]] = {
    **dict.fromkeys("biuf", _numbers),
    **dict.fromkeys("US", _texts),
    "M": _times,
    "O": _objects,
    "V": _local_times,
}


# objects


def _object_texts(name: str, data: NDArray[Any], _: Options) -> Column:
    import pyarrow as pa

    try:
        array: Any = pa.array(data, pa.large_string(), from_pandas=True)
    except UnicodeEncodeError:
        # surrogates: bytes that are not UTF-8, as a fetch gives them
        raw = [v.encode(errors="surrogateescape") if isinstance(v, str) else None for v in data]
        array = pa.array(raw, pa.large_binary())
    return arrow.from_array(array, Attribute(name, "string"))


def _object_bytes(name: str, data: NDArray[Any], _: Options) -> Column:
    import pyarrow as pa

    array: Any = pa.array(data, pa.large_binary(), from_pandas=True)
    return arrow.from_array(array, Attribute(name, "binary"))


def _object_bools(name: str, data: NDArray[Any], _: Options) -> Column:
    import pyarrow as pa

    array: Any = pa.array(data, pa.bool_(), from_pandas=True)
    return arrow.from_array(array, Attribute(name, "bool"))


def _object_integers(name: str, data: NDArray[Any], _: Options) -> Column:
    import pandas as pd

    missing = pd.isna(data)
    values = np.where(missing, 0, data)
    for type_ in ("int64", "uint64"):
        low, high = np.iinfo(type_).min, np.iinfo(type_).max
        if ((values >= low) & (values <= high)).all():
            return fixed_column(name, type_, values.astype(type_), missing)
    row = int(np.argmax((values < np.iinfo("int64").min) | (values > np.iinfo("int64").max)))
    raise refuse(name, row, data[row], "fits, with the rest of its column, neither int64 nor uint64")


def _object_floats(name: str, data: NDArray[Any], _: Options) -> Column:
    import pandas as pd

    missing = pd.isna(data)
    return fixed_column(name, "double", np.where(missing, 0.0, data).astype(np.float64), missing)


def _object_numbers(name: str, data: NDArray[Any], options: Options) -> Column:
    """Integers among floats: doubles, where each of them is one."""
    for row, value in enumerate(data):
        if isinstance(value, (int, np.integer)) and not _is_double(int(value)):
            raise refuse(name, row, value, "is no double, which the floats of its column ask for; convert it")
    return _object_floats(name, data, options)


def _is_double(value: int) -> bool:
    try:
        return int(float(value)) == value
    except OverflowError:
        return False


def _object_times(name: str, data: NDArray[Any], options: Options) -> Column:
    import pandas as pd

    try:
        times = pd.Series(pd.to_datetime(data))
    except pd.errors.OutOfBoundsDatetime:
        # pandas 2 keeps objects in nanoseconds only
        empty = np.array(np.datetime64("NaT"), dtype=object)
        return _times(name, np.where(pd.isna(data), empty, data).astype("M8[us]"), options)
    except (ValueError, TypeError) as error:
        raise UploadError(f"Column {name!r}: these times go together in no type: {error}.") from error
    return _from_series(name, times, options)


_BY_CONTENT: dict[str, Callable[[str, Any, Options], Column]] = {
    "empty": _object_texts,
    "string": _object_texts,
    "bytes": _object_bytes,
    "boolean": _object_bools,
    "integer": _object_integers,
    "floating": _object_floats,
    "mixed-integer-float": _object_numbers,
    "datetime": _object_times,
    "datetime64": _object_times,
    "date": _object_times,
}
"""What pandas finds in an object column -> how it is taken."""


def _odd_one(data: NDArray[Any]) -> int:
    """Row of the first value whose type is not that of the first one."""
    import pandas as pd

    rows = np.flatnonzero(~pd.isna(data))
    kinds = [type(data[row]) for row in rows]
    return int(next((r for r, kind in zip(rows, kinds, strict=True) if kind is not kinds[0]), rows[0]))


# pandas


def _from_series(name: str, series: pd.Series[Any], options: Options) -> Column:
    import pandas as pd

    dtype: Any = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _from_arrow(name, series.array, options)
    if isinstance(dtype, pd.DatetimeTZDtype):
        return _moments(name, series, options)
    if isinstance(dtype, pd.StringDtype):
        return _strings(name, series, options)
    if isinstance(dtype, pd.ArrowDtype):
        return _from_arrow(name, series.array, options)
    numpy_dtype = getattr(dtype, "numpy_dtype", None)
    if numpy_dtype is not None:
        missing = series.isna().to_numpy()
        values = series.to_numpy(dtype=numpy_dtype, na_value=numpy_dtype.type(0))
        return fixed_column(name, _numbers(name, values, Options()).type, values, missing)
    return _from_numpy(name, np.asarray(series), options)


def _strings(name: str, series: pd.Series[Any], options: Options) -> Column:
    try:
        return _from_arrow(name, series.array, options)
    except UnicodeEncodeError:
        return _object_texts(name, series.to_numpy(dtype=object), options)


def _moments(name: str, series: pd.Series[Any], options: Options) -> Column:
    utc = series.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    local = series.dt.tz_localize(None).to_numpy()
    seconds = seconds_of(name, local, options).view(np.int64)
    offset = seconds - seconds_of(name, utc, options).view(np.int64)
    return zoned_column(name, seconds, offset, np.isnat(utc))


def _from_arrow(name: str, data: Any, options: Options) -> Column:
    """From Arrow, or what pandas keeps or gives as Arrow: always nullable."""
    import pandas as pd
    import pyarrow as pa

    try:
        known = isinstance(data, (pa.Array, pa.ChunkedArray))
        array: Any = data if known else pa.array(data, from_pandas=True)
        array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
        array = array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise no_type(name, data.type if known else data.dtype) from error
    if pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("ms"))
    if pa.types.is_timestamp(array.type):
        times = array.cast(pa.timestamp(array.type.unit)).to_numpy(zero_copy_only=False)
        if array.type.tz is None:
            return _times(name, times, options)
        try:
            zoned = pd.Series(times).dt.tz_localize("UTC").dt.tz_convert(array.type.tz)
        except (KeyError, ValueError) as error:
            raise UploadError(f"Column {name!r}: there is no time zone {array.type.tz!r} here.") from error
        return _moments(name, zoned, options)
    type_ = _ARROW.get(str(array.type))
    if type_ is None:
        raise no_type(name, array.type)
    if str(array.type) == "halffloat":
        array = array.cast(pa.float32())
    return arrow.from_array(array, Attribute(name, type_))


_ARROW = {
    **{t: t for t in _NUMBERS.values() if "int" in t or t in ("bool", "float", "double")},
    "halffloat": "float",
    **dict.fromkeys(("string", "large_string", "string_view", "null"), "string"),
    **dict.fromkeys(("binary", "large_binary", "binary_view"), "binary"),
}
"""Arrow's types, as they are spelled -> SciDB's."""
