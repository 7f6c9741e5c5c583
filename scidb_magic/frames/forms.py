"""The forms a result can be brought in, and the order of its cells.

Imported only when a result is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scidb_magic.errors import SettingError
from scidb_magic.frames import download, grid
from scidb_magic.wire.columns import Column
from scidb_magic.wire.schema import Schema

FORMS: dict[str, Callable[[Sequence[Column], Schema, str | None], Any]] = {
    "dataframe": lambda columns, _, missing: download.to_dataframe(columns, missing=missing),
    "arrow": lambda columns, _, missing: download.to_arrow(columns, missing=missing),
    "numpy": lambda columns, _, __: download.to_numpy(columns),
    "xarray": lambda columns, schema, _: grid.to_xarray(columns, schema),
}


def check_form(form: str) -> None:
    """Refuse a form that there is not.

    Raises
    ------
    SettingError
    """
    if form not in FORMS:
        raise SettingError(f"A result comes as one of {', '.join(FORMS)}, not {form!r}.")


def row_major(columns: Sequence[Column], dimensions: int, rows: int) -> list[Column]:
    """The first `rows` cells in row-major order of the first `dimensions` columns."""
    if not dimensions:
        return [column.take(slice(0, rows)) for column in columns]
    order = np.lexsort([column.values for column in columns[:dimensions]][::-1])[:rows]
    return [column.take(order) for column in columns]
