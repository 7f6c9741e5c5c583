"""AFL is coloured in ``%%scidb`` cells, and nowhere else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import scidb_magic

from .front_ends import Book

AFL = """%%scidb -o hot
/* nested /* comment */ still */
filter(apply(A, w, 'a string'), temp >= {{ limit }} and v < 3);
create array B <v:int64 null>[i=0:9]"""
PYTHON = "sum([1, 2])"
MIMES = "jupyterapp.shell.currentWidget.content.widgets.map(widget => widget.model.mimeType)"
OURS, OTHER = "text/x-scidb-afl", "text/x-ipython"


def styles(book: Book, index: int) -> dict[str, tuple[str, str]]:
    """Colour and weight of each coloured piece of a cell."""
    spans = book.cell(index).locator(".cm-line span")
    look = (
        "nodes => nodes.map(n => [n.textContent, getComputedStyle(n).color, getComputedStyle(n).fontWeight])"
    )
    return {text: (colour, weight) for text, colour, weight in spans.evaluate_all(look)}


def test_afl_is_coloured(book: Book) -> None:
    book.open(["%load_ext scidb_magic", AFL, PYTHON])
    found = styles(book, 1)
    pieces = ("%%scidb -o hot", "filter", "'a string'", "{{ limit }}", "and", "int64", "null", "create array")
    assert found.keys() >= {*pieces, "/* nested /* comment */ still */"}
    assert "temp" not in found
    assert len(set(found.values())) >= 6
    book.screenshot("highlighting")


@pytest.mark.parametrize("book", [("lab", "light")], indirect=True)
def test_the_language_follows_the_first_line_and_outlives_the_kernel(book: Book) -> None:
    book.open(["%load_ext scidb_magic", AFL, PYTHON])
    assert book.page.evaluate(MIMES) == [OTHER, OURS, OTHER]
    book.cell(2).locator(".cm-content").click()
    book.page.keyboard.press("ControlOrMeta+Home")
    book.page.keyboard.type("%%scidb\n")
    assert book.page.evaluate(MIMES)[2] == OURS
    for _ in range(8):
        book.page.keyboard.press("Backspace")
    assert book.page.evaluate(MIMES)[2] == OTHER
    book.page.evaluate("jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    book.run(0)
    assert book.page.evaluate(MIMES) == [OTHER, OURS, OTHER]
    book.command("notebook:insert-cell-above")
    book.wait()
    assert book.page.evaluate(MIMES).count(OURS) == 1


def test_its_script_is_registered_under_its_name() -> None:
    folder = Path(scidb_magic.__file__).parent / "labextension"
    package = json.loads((folder / "package.json").read_text())
    script = (folder / package["jupyterlab"]["_build"]["load"]).read_text()
    assert re.search(rf"_JUPYTERLAB\['{package['name']}'\]", script)
