"""``--plot``: what is drawn, and what is refused."""

from __future__ import annotations

import io
import itertools
import secrets
import subprocess
import sys
from base64 import b64decode
from typing import Any

import numpy as np
import pytest

from scidb_magic.notebook import display, plot

LINE = "apply(build(<v:double>[i=10:19], i * i), w, 100.0 - i)"
IMAGE = "filter(build(<v:double>[row=5:7; col=0:3], row * 10 + col), not (row = 6 and col = 2))"


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The figures, as they are drawn, and what is told of them."""
    figures: list[Any] = []
    show = plot._show

    def keep(figure: Any, told: str) -> None:
        figures.extend((figure, told))
        show(figure, told)

    monkeypatch.setattr(plot, "_show", keep)
    return figures


def test_one_dimension_is_a_line_for_each_number(shell: Any, drawn: list[Any]) -> None:
    out = shell.run(f"%%scidb --plot\n{LINE}")
    assert out.error is None
    figure, told = drawn
    (axes,) = figure.axes
    first, second = axes.get_lines()
    assert first.get_xdata().tolist() == list(range(10, 20))
    assert first.get_ydata().tolist() == [i * i for i in range(10, 20)]
    assert second.get_ydata().tolist() == [100 - i for i in range(10, 20)]
    assert (axes.get_xlabel(), [text.get_text() for text in axes.get_legend().texts]) == ("i", ["v", "w"])
    assert told == out.texts[0] == "line plot of v, w over i, 10 cells"


def test_two_dimensions_are_a_heat_map(shell: Any, drawn: list[Any]) -> None:
    assert shell.run(f"%%scidb --plot\n{IMAGE}").error is None
    figure, told = drawn
    (image,) = figure.axes[0].get_images()
    expected = np.array([[row * 10.0 + col for col in range(4)] for row in (5, 6, 7)])
    expected[1, 2] = np.nan
    assert np.array_equal(np.ma.filled(image.get_array(), np.nan), expected, equal_nan=True)
    assert list(image.get_extent()) == [-0.5, 3.5, 7.5, 4.5]
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("col", "row")
    assert figure.axes[1].get_ylabel() == "v"
    assert told == "heat map of v over row and col, 11 cells"


def test_null_is_a_gap(shell: Any, drawn: list[Any]) -> None:
    shell.run("%%scidb --plot\napply(build(<x:int64>[i=0:3], i), v, iif(i = 2, int64(null), i))")
    assert drawn[0].axes[0].get_lines()[1].get_ydata().tolist()[:2] == [0, 1]
    assert np.isnan(drawn[0].axes[0].get_lines()[1].get_ydata()[2])


def test_it_is_a_picture_and_pyplot_is_left_alone(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures: list[str] = []
    monkeypatch.setattr(display, "picture", lambda plain, png: pictures.append(png))
    shell.run(f"%%scidb --plot\n{LINE}")
    from matplotlib import pyplot
    from matplotlib.image import imread

    pixels = imread(io.BytesIO(b64decode(pictures[0])), format="png")
    assert pixels.shape[:2] == (400, 800)
    assert len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 10
    assert pyplot.get_fignums() == []


def test_with_a_variable(shell: Any, drawn: list[Any]) -> None:
    assert shell.run(f"%%scidb --plot -o kept\n{LINE}").error is None
    assert len(shell["kept"]) == 10
    assert len(drawn) == 2
    assert shell.run(f"%scidb --plot {LINE}").value is None
    assert len(drawn) == 4


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--plot build(<v:int64>[i=0:1; j=0:1; k=0:1], i)", "this result has 3"),
        ("--plot filter(build(<v:int64>[i=0:1], i), v > 5)", "the result is empty"),
        ("--plot build(<v:string>[i=0:1], 'x')", "no attribute of the result is one"),
        ("--plot build(<v:double>[i=0:1; j=0:1], null)", "v is null or not finite in every cell"),
        ("--plot filter(build(<v:int64>[i=0:9999; j=0:9999], i), i + j = 0 or i + j = 19998)", "between"),
        ("--plot remove(nothing)", "--plot draws a result, and remove has none"),
        ("--plot --limit 3 scan(A)", "--plot draws the whole result"),
        ("--plot --as arrow scan(A)", "--plot draws a DataFrame"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_sentence(shell: Any, line: str, message: str) -> None:
    out = shell.run(f"%scidb {line}")
    assert len(out.traceback) == 1
    assert out.traceback[0].startswith("MagicUsageError: ")
    assert message in out.traceback[0]


def test_without_matplotlib(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    out = shell.run(f"%scidb --plot {LINE}")
    assert out.traceback == ['MagicUsageError: --plot needs Matplotlib: pip install "scidb_magic[plot]".']


def pixels_of(figure: Any) -> np.ndarray:
    """A figure's dots, row by row from the top, as red, green, blue and opacity from 0 to 255."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def near(figure: Any, x: float, y: float) -> np.ndarray:
    """The dots around a place of the first axes."""
    pixels = pixels_of(figure)
    column, line = figure.axes[0].transData.transform((x, y))
    row = pixels.shape[0] - line
    return pixels[round(row) - 2 : round(row) + 3, round(column) - 2 : round(column) + 3, :3].reshape(-1, 3)


def test_a_value_without_neighbours_is_seen(shell: Any, drawn: list[Any]) -> None:
    shell.run("%%scidb --plot\naggregate(build(<x:int64>[i=1:4], i), sum(x))")
    assert drawn[1] == "line plot of x_sum over i, 1 cell"
    assert (near(drawn[0], 0, 10) != 255).any()
    shell.run("%%scidb --plot\nbuild(<v:double>[i=0:4], iif(i = 2 or i = 3, double(null), double(i)))")
    (line,) = drawn[2].axes[0].get_lines()
    assert list(line.get_markevery()) == [4]


def test_no_cell_of_a_wide_heat_map_is_lost(shell: Any, drawn: list[Any]) -> None:
    places = [(0, 0), (1, 1998), (7, 1001), (997, 3), (1500, 1500), (1999, 1999)]
    chosen = " or ".join(f"(i = {i} and j = {j})" for i, j in places)
    shell.run(f"%%scidb --plot\nfilter(build(<v:int64>[i=0:1999; j=0:1999], 1), {chosen})")
    assert [(near(drawn[0], j, i) != 255).any() for i, j in places] == [True] * len(places)
    assert not (near(drawn[0], 400, 400) != 255).any()
    assert "each place the mean of up to 7 × 4" in drawn[1]


def test_places_are_means(shell: Any, drawn: list[Any]) -> None:
    shell.run("%%scidb --plot\nbuild(<v:int64>[i=0:599; j=10:11], i)")
    (image,) = drawn[0].axes[0].get_images()
    found = image.get_array()
    assert found.shape == (300, 2)
    assert found[0].tolist() == [0.5, 0.5]
    assert found[-1].tolist() == [598.5, 598.5]
    assert list(image.get_extent()) == [9.5, 11.5, 599.5, -0.5]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("build(<v:int64>[t=1767225600:1767225699], t % 7)", {"1767225600", "1767225700"}),
        ("build(<v:int64>[t=0:1], t)", {"0", "1"}),
        ("build(<v:int64>[t=5:5], t)", {"5"}),
    ],
)
def test_ticks_are_whole_coordinates_in_full(
    shell: Any, drawn: list[Any], query: str, wanted: set[str]
) -> None:
    shell.run(f"%%scidb --plot\n{query}")
    pixels_of(drawn[0])
    axis = drawn[0].axes[0].xaxis
    low, high = sorted(axis.get_view_interval())
    labels = [
        (text.get_text(), tick)
        for text, tick in zip(axis.get_ticklabels(), axis.get_ticklocs(), strict=True)
        if low - 1 <= tick <= high + 1
    ]
    assert wanted <= {text for text, _ in labels}
    assert all(float(text.replace("\N{MINUS SIGN}", "-")) == tick for text, tick in labels)
    boxes = [text.get_window_extent() for text in axis.get_ticklabels()]
    assert all(one.x1 < other.x0 for one, other in itertools.pairwise(boxes))


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_letters_are_read_on_their_ground(shell: Any, drawn: list[Any], style: str) -> None:
    import matplotlib.style

    with matplotlib.style.context(style):
        shell.run(f"%%scidb --plot\n{LINE}")
    pixels = pixels_of(drawn[0])
    assert (pixels[..., 3] == 255).all(), "the page's own colour shows through"
    label = drawn[0].axes[0].xaxis.label.get_window_extent()
    rows = slice(round(pixels.shape[0] - label.y1), round(pixels.shape[0] - label.y0))
    light = pixels[rows, round(label.x0) : round(label.x1), :3].mean(axis=-1)
    assert light.max() - light.min() > 150


def test_names_with_underscores_are_in_the_legend(shell: Any, drawn: list[Any]) -> None:
    assert shell.run("%%scidb --plot\napply(build(<_v:int64>[i=0:9], i), _w, i * 2)").error is None
    assert [text.get_text() for text in drawn[0].axes[0].get_legend().texts] == ["_v", "_w"]


def test_the_cells_of_a_data_frame_have_no_place(shell: Any) -> None:
    name = f"plot_{secrets.token_hex(4)}"
    shell.run(f"%scidb create array {name} <a:int64, b:int64, c:int64, d:int64>")
    out = shell.run(f"%scidb --plot scan({name})")
    (told,) = out.traceback
    assert told.startswith(
        "MagicUsageError: --plot needs coordinates, and the cells of a data frame have none"
    )
    shell.run(f"%scidb remove({name})")


def test_pyplot_is_not_even_loaded() -> None:
    code = """
import sys
import pandas as pd
from scidb_magic.notebook import plot
frame = pd.DataFrame({"i": [0, 1, 2], "v": [1.0, 4.0, 9.0]})
frame.attrs["scidb_schema"] = "<v:double> [i=0:2]"
plot.draw(frame)
print([name for name in sys.modules if name.startswith(("matplotlib.pyplot", "tkinter"))])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "line plot of v over i, 3 cells" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
