"""``--plot``: what is drawn, and what is refused."""

from __future__ import annotations

import io
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
