"""What results look like, and help while typing."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .front_ends import Book

WIDE = "apply(build(<a0:string>[i=0:1], 'a long text in a cell'), " + ", ".join(
    f"a{number}, 'a long text in a cell'" for number in range(1, 30)
)
CELLS = (
    "%load_ext scidb_magic",
    f"%%scidb\n{WIDE})",
    "%%scidb\nstore(build(<v:double>[y=0:29; x=0:49], sin(x / 8.0) * cos(y / 6.0)), waves)",
    "%scidb arrays --versions --count",
    "%scidb show waves",
    "%%scidb --plot\nscan(waves)",
    "%%scidb\nfilter(waves, v > 2)",
    "%%scidb\nbetween(waves, 0, 0, 1, 1)",
)
IS_SCROLLED = """table => {
    const box = table.closest('div[style*="overflow-x"]');
    return [box.scrollWidth > box.clientWidth, getComputedStyle(box).overflowX];
}"""


def test_results(book: Book) -> None:
    book.open(CELLS)
    book.run_all()
    assert book.output(1).locator("table").evaluate(IS_SCROLLED) == [True, "auto"]
    expect(book.output(1)).to_contain_text("rows 2 of 2")
    expect(book.output(2)).to_have_text("stored array waves, version 1")
    expect(book.output(3).locator("td")).to_contain_text(["waves", "y=0:29, x=0:49", "v: double", "1,500"])
    expect(book.output(4).locator("table")).to_have_count(2)
    picture = book.output(5).locator("img")
    assert picture.evaluate("image => image.naturalWidth") == 800
    expect(book.output(6)).to_contain_text("The result is empty")
    book.screenshot("results")
    book.cell(5).scroll_into_view_if_needed()
    book.screenshot("plot")


@pytest.mark.parametrize("book", [("lab", "light")], indirect=True)
def test_shift_tab_shows_help(book: Book) -> None:
    book.open((CELLS[0], "%%scidb\nredimension"))
    book.run(0)
    book.type_in(1, "")
    book.page.keyboard.press("Shift+Tab")
    expect(book.page.locator(".jp-Tooltip")).to_contain_text("redimension(array, schema or array")
    book.screenshot("help")
