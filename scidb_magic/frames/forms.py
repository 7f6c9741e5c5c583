"""The forms a result can be brought in, and the order of its cells.

Imported only when a result is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scidb_magic.errors import SettingError
from scidb_magic.frames import download, grid
from scidb_magic.wire.columns import Column
from scidb_magic.wire.schema import Schema


@dataclass(frozen=True, slots=True)
class Preview:
    """A look at a result: `data` in the form asked for, `complete` if that is all of it."""

    data: Any
    complete: bool


Origin = Mapping[str, str]
"""Statement, schema and query id, for ``DataFrame.attrs``."""


def _dataframe(columns: Sequence[Column], _: Schema, missing: str | None, origin: Origin) -> Any:
    frame = download.to_dataframe(columns, missing=missing)
    frame.attrs.update(origin)
    return frame


FORMS: dict[str, Callable[[Sequence[Column], Schema, str | None, Origin], Any]] = {
    "dataframe": _dataframe,
    "arrow": lambda columns, _, missing, __: download.to_arrow(columns, missing=missing),
    "numpy": lambda columns, *_: download.to_numpy(columns),
    "xarray": lambda columns, schema, *_: grid.to_xarray(columns, schema),
}


def check_form(form: str) -> None:
    """Refuse a form that there is not.

    Raises
    ------
    SettingError
    """
    if form not in FORMS:
        raise SettingError(f"A result comes as one of {', '.join(FORMS)}, not {form!r}.")


def row_major(columns: Sequence[Column], dimensions: int) -> list[Column]:
    """The cells in row-major order of the first `dimensions` columns."""
    if not dimensions:
        return list(columns)
    order = np.lexsort([column.values for column in columns[:dimensions]][::-1])
    return [column.take(order) for column in columns]
