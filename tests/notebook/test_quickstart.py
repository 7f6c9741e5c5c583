"""The quick start as a newcomer runs it: without a server, and unchanged with one."""

from __future__ import annotations

import os
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

PATH = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"


def clean() -> Any:
    """The committed notebook without its outputs."""
    notebook = nbformat.read(PATH, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def execute(notebook: Any, **environment: str) -> list[Any]:
    """Run all cells; the outputs, in order."""
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(PATH.parents[1])}})
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
    # A cell may hand on to the next one; more than three in a row without a word are too many.
    kinds = "".join(cell.cell_type[0] for cell in cells)
    assert "cccc" not in kinds
    assert [cell.source for cell in cells if cell.cell_type == "markdown" and len(cell.source) < 40] == []


def test_it_shows_what_it_promises() -> None:
    code = "\n".join(cell.source for cell in clean().cells if cell.cell_type == "code")
    operators = ("filter", "apply", "project", "aggregate", "redimension", "window", "cross_join")
    assert [name for name in operators if f"{name}(" not in code] == []
    assert "-o " in code
    assert "{{ hot }}" in code


PROOF = """
import numpy as np

rain = weather.pivot_table(index=["year", "month"], values="precipitation", aggfunc="sum")["precipitation"]
assert np.allclose(monthly.set_index(["year", "month"])["rain"].sort_index(), rain)
mean = weather["temp_max"].rolling(31, center=True, min_periods=1).mean()
assert np.allclose(smooth.sort_values("day")["mean"], mean)
assert np.isclose(spread["mean"].iloc[0], (weather["temp_max"] - weather["temp_min"]).mean())
assert labelled["season"].value_counts()["summer"] == weather["month"].isin([6, 7, 8]).sum()
light = photograph.mean(axis=2)
around = np.lib.stride_tricks.sliding_window_view(light, (7, 7)).mean(axis=(2, 3))
edge = edges.pivot(index="y", columns="x", values="edge").to_numpy()
assert np.allclose(edge[3:-3, 3:-3], light[3:-3, 3:-3] - around)
"""
"""What pandas and NumPy say of the same data."""


def test_without_a_server_its_results_are_those_of_pandas_and_numpy() -> None:
    notebook = clean()
    notebook.cells.append(nbformat.v4.new_code_cell(PROOF))
    outputs = execute(notebook, SCIDB_URL="embedded:")
    check(outputs)
    assert "embedded:" in shown(outputs)[-1]


def test_with_a_server_it_leaves_nothing_there(embedded_factory: Any) -> None:
    server = embedded_factory()
    outputs = execute(clean(), SCIDB_URL=server.url)
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


def test_it_is_committed_with_its_outputs() -> None:
    cells = [cell for cell in nbformat.read(PATH, as_version=4).cells if cell.cell_type == "code"]
    check([output for cell in cells for output in cell.outputs])
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
