"""What a person does first: load, query, complete, and get a statement wrong."""

from __future__ import annotations

from playwright.sync_api import expect

from .front_ends import Book

CELLS = (
    "%load_ext scidb_magic",
    "%%scidb\nbuild(<v:int64>[i=0:4], i*i)",
    "%%scidb\n",
    "%%scidb\nscan(nosuch)",
)


def test_cells(book: Book) -> None:
    book.open(CELLS)
    book.run(0)
    expect(book.output(0)).to_be_empty()

    book.run(1)
    table = book.output(1).locator("table")
    expect(table.locator("thead th")).to_have_text(["i", "v"])
    expect(table.locator("tbody td")).to_have_text([str(v) for i in range(5) for v in (i, i * i)])

    book.type_in(2, "redim")
    offered = book.complete()
    book.screenshot("completion")
    assert "redimension" in offered

    book.run(3)
    headline, *place = book.output(3).locator("pre").inner_text().splitlines()
    assert "'public.nosuch' does not exist" in headline
    assert place == ["  scan(nosuch)", "       ^^^^^^"]
    book.screenshot("cells")
    assert book.failures == []
