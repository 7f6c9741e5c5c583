"""The notebook that tells the story, as a reader runs it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
PATH = ROOT / "notebooks" / "many_files.ipynb"

PROOF = """
assert 1 < max(taken for _, taken in managed) <= 8, managed
assert managed[-1][1] == 0
assert max(taken for _, taken in alone) > 40, alone
"""
"""What the picture has to show."""


def check(outputs: list[Any]) -> None:
    assert [output for output in outputs if output.output_type == "error"] == []
    assert {output.name for output in outputs if output.output_type == "stream"} == {"stdout"}
    said = "".join(output.text for output in outputs if output.output_type == "stream")
    assert "HTTPError 503" in said
    _, managed = re.findall(r"^(\d+) slots are still taken", said, re.MULTILINE)
    assert managed == "0"
    assert "320 arrays of 320\nevery value of the first file is there: True\n" in said
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 1


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.timeout(600)
def test_it_runs_and_shows_what_it_says() -> None:
    notebook = nbformat.read(PATH, as_version=4)
    for cell in code(notebook):
        cell.outputs, cell.execution_count = [], None
    notebook.cells.append(nbformat.v4.new_code_cell(PROOF))
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(ROOT)}})
    client.execute(env={**os.environ, "PYTHONPATH": str(ROOT)})
    check([output for cell in code(notebook) for output in cell.outputs])


def test_it_is_committed_with_its_outputs() -> None:
    cells = code(nbformat.read(PATH, as_version=4))
    check([output for cell in cells for output in cell.outputs])
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    # Nothing of the machine that it ran on.
    assert "/tmp" not in PATH.read_text() and "127.0.0.1:" not in PATH.read_text()
