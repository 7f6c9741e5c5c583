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
    from numpy.typing import NDArray

MOST_PIXELS = 4_000_000
"""Cells of the bounding box of a heat map; more than a screen has."""

_SIZE = (8.0, 4.0)
_DOTS = 100
_PLACES = (300, 500)
"""Places of a heat map, down and across: one that is smaller than a dot might not be drawn at all."""
_TICKS = 9
_TICK_DIGITS = 60
"""Digits under an axis, all its ticks together: more would run into each other."""


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
    if schema.is_dataframe:
        raise MagicUsageError(
            "--plot needs coordinates, and the cells of a data frame have none: redimension(…) gives them."
        )
    dimensions = [dimension.name for dimension in schema.dimensions]
    attributes = [name for name in data.columns[len(dimensions) :] if _is_number(data[name])]
    _refuse(data, dimensions, attributes)
    figure = _figure()
    axes = figure.add_subplot()
    told = (_line if len(dimensions) == 1 else _heat_map)(axes, data, dimensions, attributes)
    _show(figure, f"{told}, {len(data):,} cell{'s' if len(data) > 1 else ''}")


def _refuse(data: pd.DataFrame, dimensions: list[str], attributes: list[str]) -> None:
    if len(dimensions) not in (1, 2):
        raise MagicUsageError(
            f"--plot draws one dimension as a line and two as a heat map; this result has {len(dimensions)}:"
            " slice it, or aggregate it over the others."
        )
    if not len(data):
        raise MagicUsageError(
            "--plot has nothing to draw: the result is empty; without --plot its schema is shown."
        )
    if not attributes:
        raise MagicUsageError(
            "--plot draws numbers, and no attribute of the result is one: apply(…) makes one of another."
        )
    # Of a heat map only the first is drawn.
    drawn = attributes[: 1 if len(dimensions) == 2 else None]
    if not any(_finite(data[name]).any() for name in drawn):
        raise MagicUsageError(
            f"--plot has nothing to draw: {', '.join(drawn)} is null or not finite in every cell;"
            " without --plot the result is shown as a table."
        )


def _line(axes: Any, data: pd.DataFrame, dimensions: list[str], attributes: list[str]) -> str:
    (along,) = dimensions
    ordered = data.sort_values(along)
    for name in attributes:
        values = ordered[name].astype("float64")
        alone = _alone(_finite(values))
        # A line needs two neighbours; a value without any is drawn as a dot.
        dots = {"marker": "o", "markersize": 4, "markevery": alone} if alone else {}
        axes.plot(ordered[along], values, **dots)
    axes.set_xlabel(along)
    _whole_numbers(axes.xaxis, data[along])
    if len(attributes) == 1:
        axes.set_ylabel(attributes[0])
    else:
        _legend(axes, attributes)
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
    places = [min(length, most) for length, most in zip(shape, _PLACES, strict=True)]
    at = [
        (data[each].to_numpy() - start) * count // length
        for each, start, count, length in zip(dimensions, low, places, shape, strict=True)
    ]
    edges = (low[1] - 0.5, low[1] + shape[1] - 0.5, low[0] + shape[0] - 0.5, low[0] - 0.5)
    means = _means(np.ravel_multi_index(at, places), data[name], math.prod(places)).reshape(places)
    picture = axes.imshow(means, extent=edges, aspect="auto", interpolation="nearest")
    axes.set_xlabel(across)
    axes.set_ylabel(down)
    _whole_numbers(axes.xaxis, data[across])
    _whole_numbers(axes.yaxis, data[down])
    axes.figure.colorbar(picture, ax=axes, label=name)
    block = [math.ceil(length / count) for length, count in zip(shape, places, strict=True)]
    mean = "" if block == [1, 1] else f", each place the mean of up to {block[0]} × {block[1]}"
    return f"heat map of {name} over {down} and {across}{mean}"


def _means(at: NDArray[Any], values: pd.Series[Any], count: int) -> NDArray[Any]:
    """The mean of the finite values at each of `count` places, NaN where there are none."""
    import numpy as np

    finite = _finite(values)
    at, finite_values = at[finite], values.astype("float64").to_numpy()[finite]
    numbers = np.bincount(at, minlength=count)
    sums = np.bincount(at, finite_values, minlength=count)
    means: NDArray[Any] = np.full(count, np.nan)
    np.divide(sums, numbers, out=means, where=numbers > 0)
    return means


def _finite(values: pd.Series[Any]) -> NDArray[Any]:
    """Which values can be drawn."""
    import numpy as np

    found: NDArray[Any] = np.isfinite(values.astype("float64").to_numpy())
    return found


def _alone(finite: NDArray[Any]) -> list[int]:
    """The places of the finite values without a finite neighbour."""
    import numpy as np

    padded = np.pad(finite, 1)
    lonely: list[int] = np.flatnonzero(finite & ~padded[:-2] & ~padded[2:]).tolist()
    return lonely


def _whole_numbers(axis: Any, coordinates: pd.Series[Any]) -> None:
    """Ticks at coordinates only, each written in full."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    digits = max(len(str(coordinates.min())), len(str(coordinates.max())))
    most = max(2, min(_TICKS, _TICK_DIGITS // digits))
    axis.set_major_locator(MaxNLocator(most, integer=True, min_n_ticks=1))
    axis.set_major_formatter(StrMethodFormatter("{x:.0f}"))


def _legend(axes: Any, attributes: list[str]) -> None:
    # Matplotlib leaves a label out that begins with an underscore: the names come afterwards.
    legend = axes.legend(axes.get_lines(), list(map(str, range(len(attributes)))))
    for text, name in zip(legend.get_texts(), attributes, strict=True):
        text.set_text(name)


def _is_number(column: pd.Series[Any]) -> bool:
    return column.dtype.kind in "iufb"


def _figure() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MagicUsageError('--plot needs Matplotlib: pip install "scidb_magic[plot]".') from None
    figure = Figure(figsize=_SIZE, dpi=_DOTS, layout="constrained")
    # The user's style decides of ground and letters together; seen through, the page would of the ground.
    figure.patch.set_alpha(1.0)
    return figure


def _show(figure: Any, told: str) -> None:
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=_DOTS, facecolor=figure.get_facecolor(), transparent=False)
    display.picture(told, b64encode(picture.getvalue()).decode())
