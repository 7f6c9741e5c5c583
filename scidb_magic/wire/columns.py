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
                    local time and its offset from UTC, as SciDB keeps them
string              Arrow ``large_string``; ``large_binary`` where some value is not UTF-8
binary              Arrow ``large_binary``
==================  =====================================================================

At a missing cell the value is a zero (``datetime64(0)``, null in Arrow) and `codes` tells the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

PRESENT = -1
"""Reason code of a cell that has a value (Value.h)."""


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
        return self.codes is not None

    def __len__(self) -> int:
        return len(self.values)
