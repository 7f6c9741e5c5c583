"""The status widget and the progress of a query, as a person meets them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from scidb_magic.shim.client import ShimClient

from .front_ends import Book

ENDLESS = "aggregate(build(<v:int64>[i=0:99999999999], i % 7), sum(v))"
LOAD = "%load_ext scidb_magic"


def button(area: Locator, name: str) -> Locator:
    return area.get_by_role("button", name=name, exact=True)


def test_the_widget_follows_the_session(book: Book) -> None:
    book.open([LOAD, "%scidb connect embedded:", "%scidb", "%%scidb\nbuild(<v:int64>[i=0:4], i)", "%scidb"])
    for index in range(3):
        book.run(index)
    first = book.output(2)
    expect(first).to_contain_text("unconnected")
    book.run(3)
    expect(first).to_contain_text("idle")
    expect(first).to_contain_text("1 of 50 slots are taken: this notebook 1")
    expect(first.get_by_role("img")).to_have_attribute("aria-label", re.compile("1 of 50 slots"))
    book.screenshot("status")

    book.run(4)
    expect(book.output(4)).to_contain_text("idle")
    button(first, "Release").click()
    for output in (first, book.output(4)):
        expect(output).to_contain_text("released")
        expect(output).to_contain_text("No slot is held")
    button(first, "Reconnect").focus()
    book.page.keyboard.press("Enter")
    expect(first).to_contain_text("A new session holds a slot.")
    expect(first).to_contain_text("this notebook 1")


def test_progress_and_cancel_while_a_query_runs(book: Book) -> None:
    cell = f"%%scidb --progress-after 0.3\nbuild(<v:int64>[i=0:1], i);\n{ENDLESS}"
    book.open([LOAD, "%scidb connect embedded:", "%scidb", cell, "%%scidb\nbuild(<v:int64>[i=0:4], i)"])
    for index in range(3):
        book.run(index)
    book.begin(3)
    output = book.output(3)
    expect(output).to_contain_text("statement 2 of 2")
    expect(output.locator("progress")).to_be_visible()
    expect(book.output(2)).to_contain_text("running")
    expect(book.output(2)).to_contain_text("99999999999")
    book.screenshot("progress")
    button(output, "Cancel").click()
    book.wait()
    expect(output).to_contain_text("CANCELLED", ignore_case=True)
    expect(output).not_to_contain_text("statement 2 of 2 ·")
    expect(output.locator("progress")).to_have_count(0)
    expect(button(output, "Cancel")).to_have_count(0)
    book.screenshot("cancelled")
    book.run(4)
    expect(book.output(4).locator("table")).to_be_visible()


@pytest.mark.parametrize("book", [("lab", "dark")], indirect=True)
def test_a_full_house_in_a_narrow_window(book: Book, embedded_factory: Callable[..., Any]) -> None:
    server = embedded_factory("--max-sessions", "100")
    client = ShimClient(server.url)
    for _ in range(30):
        client.new_session()
    book.page.set_viewport_size({"width": 480, "height": 900})
    book.open([f"{LOAD}\n%scidb connect {server.url}\n%scidb build(<v:int64>[i=0:4], i)", "%scidb"])
    book.run_all()
    expect(book.output(1)).to_contain_text("31 of 100 slots are taken: this notebook 1, others 30")
    book.screenshot("narrow")
    overflow = "element => element.scrollWidth - element.clientWidth"
    assert book.output(1).get_by_role("img").evaluate(overflow) <= 0
