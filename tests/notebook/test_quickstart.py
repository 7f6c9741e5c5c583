"""The quick start as a newcomer runs it: without a server, and unchanged with one."""

from __future__ import annotations

import os
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

PATH = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"


def clean() -> Any:
    """The committed notebook without its outputs."""
    notebook = nbformat.read(PATH, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def execute(notebook: Any, folder: Path, **environment: str) -> list[Any]:
    """Run all cells; the outputs, in order."""
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}})
    client.execute(env={**os.environ, **environment})
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def shown(outputs: list[Any], kind: str = "text/plain") -> list[str]:
    return [output["data"][kind] for output in outputs if kind in output.get("data", {})]


def check(outputs: list[Any]) -> None:
    assert [output for output in outputs if output.output_type in ("error", "stream")] == []
    assert len(shown(outputs, "image/png")) == 2
    assert sum("<table" in html for html in shown(outputs, "text/html")) >= 8
    last = shown(outputs)[-1]
    assert last.startswith("SciDB session")
    assert "idle" in last


def test_every_cell_is_told_about() -> None:
    cells = clean().cells
    assert cells[0].cell_type == "markdown"
    # A cell may hand on to the next one; three in a row without a word are too many.
    kinds = "".join(cell.cell_type[0] for cell in cells)
    assert "cccc" not in kinds
    assert all(len(cell.source) > 40 for cell in cells if cell.cell_type == "markdown")


def test_it_shows_what_it_promises() -> None:
    code = "\n".join(cell.source for cell in clean().cells if cell.cell_type == "code")
    operators = ("filter", "apply", "project", "aggregate", "redimension", "window", "cross_join")
    assert [name for name in operators if f"{name}(" not in code] == []
    assert "-o " in code
    assert "{{ hot }}" in code


def test_without_a_server(tmp_path: Path) -> None:
    outputs = execute(clean(), tmp_path, SCIDB_URL="embedded:")
    check(outputs)
    assert "embedded:" in shown(outputs)[-1]


def test_with_a_server_it_leaves_nothing_there(tmp_path: Path, embedded_factory: Any) -> None:
    server = embedded_factory()
    outputs = execute(clean(), tmp_path, SCIDB_URL=server.url)
    check(outputs)
    assert server.url in shown(outputs)[-1]

    def ask(endpoint: str, **arguments: str) -> str:
        address = f"{server.url}/{endpoint}?{urllib.parse.urlencode(arguments)}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            return str(answer.read().decode())

    assert "avail 0" not in ask("debug")
    sid = ask("new_session")
    ask("execute_query", id=sid, query="project(list('arrays'), name)", save="csv")
    assert ask("read_lines", id=sid, n="0") == ""


@pytest.mark.parametrize(
    "cell", [cell for cell in nbformat.read(PATH, as_version=4).cells if cell.cell_type == "code"]
)
def test_it_is_committed_with_its_outputs(cell: Any) -> None:
    silent = cell.source.startswith(("%load_ext", "hot, kind", "import", "by_day =", "%%scidb -o"))
    assert silent or cell.outputs
