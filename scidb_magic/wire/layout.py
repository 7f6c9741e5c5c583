"""How fields lie in a row, in NumPy's terms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scidb_magic.wire.columns import VARIABLE_TYPES, dtype_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scidb_magic.wire.binary import Field

LENGTH = np.dtype("<u4")
CODE = np.dtype("i1")


def is_variable(field: Field) -> bool:
    """Whether each value of a field has a length of its own."""
    return field.size is None and field.type in (*VARIABLE_TYPES, "skip")


def wire_dtype(field: Field) -> np.dtype[Any]:
    """How a field of fixed size lies in a row."""
    if field.size is not None:
        return np.dtype((np.void, field.size))
    return np.dtype("u1") if field.type == "bool" else dtype_of(field.type)


def row_dtype(fields: Sequence[Field]) -> np.dtype[Any]:
    """Rows of fixed size: the k-th field's value is ``v{k}``, its missing reason ``m{k}``."""
    parts: list[tuple[str, np.dtype[Any]]] = []
    for k, field in enumerate(fields):
        if field.nullable:
            parts.append((f"m{k}", CODE))
        parts.append((f"v{k}", wire_dtype(field)))
    return np.dtype(parts)


def gaps(fields: Sequence[Field]) -> tuple[list[int], int]:
    """Bytes of fixed size in front of each variable field's length, and after the last such field."""
    before, fixed = [], 0
    for field in fields:
        fixed += field.nullable
        if is_variable(field):
            before.append(fixed)
            fixed = 0
        else:
            fixed += wire_dtype(field).itemsize
    return before, fixed


def everywhere(body: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """An array with one element of `dtype` starting at each byte of `body`, shape (len - size + 1,)."""
    return np.ndarray((max(0, len(body) - dtype.itemsize + 1),), dtype, body, strides=(1,))
