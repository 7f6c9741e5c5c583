"""``--plot``: a result as a picture. One dimension is a line, two are a heat map.

The figure is Matplotlib's, but not pyplot's: nothing of the user's own figures is touched.
"""

from __future__ import annotations

import io
import math
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from scidb_magic.errors import MagicUsageError
from scidb_magic.notebook import display
from scidb_magic.wire.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

MOST_PIXELS = 4_000_000
"""Cells of the bounding box of a heat map; more than a screen has."""

_SIZE = (8.0, 4.0)
_DOTS = 100


def draw(data: pd.DataFrame) -> None:
    """Display a result as `ManagedSession.fetch` brings it, as a picture.

    Parameters
    ----------
    data : pandas.DataFrame
        With ``attrs["scidb_schema"]``; of one dimension or two.

    Raises
    ------
    MagicUsageError
        It cannot be drawn, or Matplotlib is missing; the sentence says why and what to do.
    """
    schema = Schema.parse(data.attrs["scidb_schema"])
    dimensions = [dimension.name for dimension in schema.dimensions]
    attributes = [name for name in data.columns[len(dimensions) :] if _is_number(data[name])]
    _refuse(data, dimensions, attributes)
    figure = _figure()
    axes = figure.add_subplot()
    told = (_line if len(dimensions) == 1 else _heat_map)(axes, data, dimensions, attributes)
    _show(figure, f"{told}, {len(data):,} cells")


def _refuse(data: pd.DataFrame, dimensions: list[str], attributes: list[str]) -> None:
    if len(dimensions) not in (1, 2):
        raise MagicUsageError(
            f"--plot draws one dimension as a line and two as a heat map; this result has {len(dimensions)}:"
            " slice it, or aggregate it over the others."
        )
    if not len(data):
        raise MagicUsageError("--plot has nothing to draw: the result is empty.")
    if not attributes:
        raise MagicUsageError("--plot draws numbers, and no attribute of the result is one.")


def _line(axes: Any, data: pd.DataFrame, dimensions: list[str], attributes: list[str]) -> str:
    (along,) = dimensions
    ordered = data.sort_values(along)
    for name in attributes:
        axes.plot(ordered[along], ordered[name].astype("float64"), label=name)
    axes.set_xlabel(along)
    if len(attributes) == 1:
        axes.set_ylabel(attributes[0])
    else:
        axes.legend()
    return f"line plot of {', '.join(attributes)} over {along}"


def _heat_map(axes: Any, data: pd.DataFrame, dimensions: list[str], attributes: list[str]) -> str:
    import numpy as np

    down, across = dimensions
    name = attributes[0]
    low = [int(data[each].min()) for each in dimensions]
    shape = [int(data[each].max()) - start + 1 for each, start in zip(dimensions, low, strict=True)]
    if math.prod(shape) > MOST_PIXELS:
        raise MagicUsageError(
            f"--plot draws at most {MOST_PIXELS:,} places, and the bounding box of this result has"
            f" {shape[0]:,} × {shape[1]:,}: select a part with between(…), or use regrid(…)."
        )
    grid = np.full(shape, np.nan)
    grid[data[down] - low[0], data[across] - low[1]] = data[name].astype("float64")
    edges = (low[1] - 0.5, low[1] + shape[1] - 0.5, low[0] + shape[0] - 0.5, low[0] - 0.5)
    picture = axes.imshow(grid, extent=edges, aspect="auto", interpolation="nearest")
    axes.set_xlabel(across)
    axes.set_ylabel(down)
    axes.figure.colorbar(picture, ax=axes, label=name)
    return f"heat map of {name} over {down} and {across}"


def _is_number(column: pd.Series[Any]) -> bool:
    return column.dtype.kind in "iufb"


def _figure() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MagicUsageError('--plot needs Matplotlib: pip install "scidb_magic[plot]".') from None
    return Figure(figsize=_SIZE, dpi=_DOTS, layout="constrained", facecolor="white")


def _show(figure: Any, told: str) -> None:
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    display.picture(told, b64encode(picture.getvalue()).decode())
