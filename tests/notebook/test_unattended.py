"""Notebooks that run without a reader: nbclient, papermill, nbconvert."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter

BAD = "%%scidb\nbuild(<v:int64>[i=0:2], i);\nscan(nosuch)"


def book(url: str, *cells: str) -> Any:
    first = f"%load_ext scidb_magic\n%scidb connect {url}"
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in (first, *cells)])
    made.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "Python 3"}
    return made


def short(cell: Any) -> list[str]:
    """The error of a cell, as a reader sees it."""
    (error,) = (output for output in cell.outputs if output.output_type == "error")
    assert error.ename == "QueryError"
    return list(error.traceback)


def test_nbclient_fails_with_the_short_error(embedded: Any) -> None:
    made = book(embedded.url, BAD, "print('never')")
    with pytest.raises(CellExecutionError, match="nosuch"):
        NotebookClient(made, timeout=120).execute()
    headline, line, caret, before = short(made.cells[1])
    assert "nosuch" in headline
    assert (line, caret) == ("  scan(nosuch)", "       ^^^^^^")
    assert before == "Statement 2 of 2 failed; statement 1 had run: build."
    assert made.cells[2].outputs == []


def test_papermill_fails_with_the_short_error(embedded: Any, tmp_path: Path) -> None:
    source, result = tmp_path / "source.ipynb", tmp_path / "result.ipynb"
    nbformat.write(book(embedded.url, BAD), source)
    with pytest.raises(papermill.PapermillExecutionError, match="nosuch"):
        papermill.execute_notebook(source, result, progress_bar=False)
    cells = nbformat.read(result, as_version=4).cells
    failed = next(cell for cell in cells if cell.source == BAD)
    assert len(short(failed)) == 4


def test_the_status_is_html_where_nobody_draws_widgets(embedded: Any) -> None:
    made = book(embedded.url, "%scidb")
    NotebookClient(made, timeout=120).execute()
    (shown,) = made.cells[1].outputs
    assert sorted(shown.data) == ["text/html", "text/plain"]
    assert "widgets" not in made.metadata
    page, _ = HTMLExporter().from_notebook_node(made)
    assert "slots are taken" in page
    assert 'role="img"' in page
