"""The steps that take checked NumPy values to a `Column`, and the errors for those that do not fit.

Imports NumPy: import it when there is something to send.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scidb_magic.errors import UploadError
from scidb_magic.wire.columns import PRESENT, Column, dtype_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FRACTIONS = ("ms", "us", "ns", "ps", "fs", "as")
"""Units finer than a second."""


@dataclass(frozen=True, slots=True)
class Options:
    """How values are taken.

    Attributes
    ----------
    round : bool
        Times are rounded to seconds, half up; else a fraction of a second is an error.
    nan_is_null : bool
        NaN in a column of floats counts as missing.
    """

    round: bool = False
    nan_is_null: bool = False


def refuse(name: str, row: int, value: object, why: str) -> UploadError:
    """The error for one value of a column."""
    return UploadError(f"Column {name!r}, row {row}: {value!r} {why}.")


def no_type(name: str, type_: object) -> UploadError:
    """The error for a whole column."""
    return UploadError(f"Column {name!r}: SciDB has no type for {type_}; convert it first.")


def seconds_of(name: str, times: NDArray[Any], options: Options) -> NDArray[Any]:
    """Times of any unit as ``datetime64[s]``; NaT stays.

    Raises
    ------
    UploadError
        For the first one that is no whole second, unless they are rounded, or out of range.
    """
    seconds = times.astype("M8[s]")
    inexact = (seconds.astype(times.dtype) != times) & ~np.isnat(times)
    if options.round and np.datetime_data(times.dtype)[0] in _FRACTIONS:
        half = np.timedelta64(500_000_000, "ns")
        fraction = times - seconds.astype(times.dtype)
        seconds = np.where(inexact & (fraction >= half), seconds + np.timedelta64(1, "s"), seconds)
    elif inexact.any():
        row = int(inexact.argmax())
        raise UploadError(
            f"Column {name!r}, row {row}: {times[row]} does not fit SciDB's datetime of whole seconds;"
            " round=True rounds it."
        )
    return seconds


def zoned_column(name: str, local: NDArray[Any], offset: NDArray[Any], missing: NDArray[np.bool_]) -> Column:
    """A nullable datetimetz column of local time and offset, int64 seconds, shapes (n,)."""
    values = np.zeros(len(local), dtype_of("datetimetz"))
    values["time"], values["offset"] = local, offset
    return fixed_column(name, "datetimetz", values, missing)


def fixed_column(name: str, type_: str, values: NDArray[Any], missing: NDArray[np.bool_] | None) -> Column:
    """A column of a type of fixed size; nullable if `missing` is given, zero where it is true."""
    values = np.ascontiguousarray(values, dtype_of(type_))
    if missing is None:
        return Column(name, type_, values)
    if missing.any():
        values = values.copy()
        values[missing] = np.zeros((), values.dtype)
    return Column(name, type_, values, codes_of(missing))


def codes_of(missing: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Reason 0 where a value is missing."""
    return np.where(missing, 0, PRESENT).astype(np.int8)
