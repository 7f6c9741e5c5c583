"""The notebook about the session, as a reader runs it, and as it is committed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
PATH = ROOT / "notebooks" / "sessions.ipynb"

STORY = (
    "0 of 6 slots are taken",
    "1 of 6 slots are taken: this notebook 1",
    "2 of 6 slots are taken.",
    "free again within 3 s: True",
    "1 of 6 slots are taken.",
    "The server had dropped the session",
    "No slot is held",
    "○ released",
)
"""What its outputs say, in this order."""


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def check(cells: list[Any]) -> None:
    outputs = [output for cell in cells for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "error"] == []
    said = "\n".join(output.get("text") or output["data"]["text/plain"] for output in outputs)
    for sentence in STORY:
        assert sentence in said
        said = said.split(sentence, 1)[1]


def test_it_runs_and_tells_its_story() -> None:
    notebook = nbformat.read(PATH, as_version=4)
    for cell in code(notebook):
        cell.outputs, cell.execution_count = [], None
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(ROOT)}})
    client.execute(env={**os.environ, "PYTHONPATH": str(ROOT)})
    check(code(notebook))


def test_it_is_committed_with_its_outputs() -> None:
    cells = code(nbformat.read(PATH, as_version=4))
    check(cells)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
