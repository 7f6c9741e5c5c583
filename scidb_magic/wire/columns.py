"""One column of a result: the values of one attribute or dimension, as arrays.

==================  =====================================================================
SciDB type          `Column.values`
==================  =====================================================================
bool                NumPy ``bool``, shape (n,)
char                NumPy ``uint8`` (the byte), shape (n,)
int8 … uint64       NumPy of the same width and sign, shape (n,)
float, double       NumPy ``float32``, ``float64``, shape (n,)
datetime            NumPy ``datetime64[s]``, shape (n,)
datetimetz          NumPy structured, fields ``time`` and ``offset`` (int64, s), shape (n,):
                    local time since 1970 and its offset from UTC, as SciDB keeps them, so that
                    UTC is ``time - offset`` ('2009-02-13 23:31:30 +05:30' is 1234567890, 19800)
string              Arrow ``large_string``; ``large_binary`` where some value is not UTF-8
binary              Arrow ``large_binary``
==================  =====================================================================

At a missing cell the value is a zero (``datetime64(0)``, null in Arrow) and `codes` tells the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

PRESENT = -1
"""Reason code of a cell that has a value (Value.h)."""

FIXED_TYPES: dict[str, str] = {
    "bool": "?",
    "char": "u1",
    "int8": "i1",
    "int16": "<i2",
    "int32": "<i4",
    "int64": "<i8",
    "uint8": "u1",
    "uint16": "<u2",
    "uint32": "<u4",
    "uint64": "<u8",
    "float": "<f4",
    "double": "<f8",
    "datetime": "<M8[s]",
    "datetimetz": "time:<i8,offset:<i8",
}
"""SciDB's types of fixed size and their NumPy types, for `dtype_of`."""

VARIABLE_TYPES = ("string", "binary")
"""SciDB's types of variable size, kept in Arrow arrays."""


@dataclass(frozen=True, slots=True)
class Column:
    """Values and missing reasons of one attribute or dimension.

    Attributes
    ----------
    name : str
    type : str
        SciDB's type name.
    values : numpy.ndarray or pyarrow.Array
        See the table above.
    codes : numpy.ndarray of int8, shape (n,), optional
        -1 where there is a value, else SciDB's missing reason 0…127; None where not nullable.
    """

    name: str
    type: str
    values: NDArray[Any] | pa.Array[Any]
    codes: NDArray[np.int8] | None = None

    @property
    def nullable(self) -> bool:
        """Whether values may be missing."""
        return self.codes is not None

    @property
    def missing(self) -> NDArray[np.bool_] | None:
        """True where there is no value, shape (n,); None where not nullable."""
        return None if self.codes is None else self.codes != PRESENT

    def take(self, index: slice | NDArray[Any]) -> Column:
        """The cells at a slice, or at positions (integers, shape (m,))."""
        values: Any = self.values
        if self.type in VARIABLE_TYPES and not isinstance(index, slice):
            values = values.take(index)
        else:
            values = values[index]
        return replace(self, values=values, codes=None if self.codes is None else self.codes[index])

    def __len__(self) -> int:
        return len(self.values)


def dtype_of(type_: str) -> np.dtype[Any]:
    """NumPy type of a SciDB type of fixed size."""
    import numpy as np

    described = FIXED_TYPES[type_]
    if ":" not in described:
        return np.dtype(described)
    return np.dtype([(name, kind) for name, kind in (part.split(":") for part in described.split(","))])
