"""Progress: it appears only when something takes long, tells how far it is, and is gone at the end."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from scidb_magic.notebook import progress
from scidb_magic.session import interrupt
from scidb_magic.session.exchange import Transfer

LONG = "aggregate(build(<v:int64>[i=0:{cells}], i % 7), sum(v))"
ENDLESS = LONG.format(cells=99999999999)

LOAD = """\
%load_ext scidb_magic
%scidb connect {url}
from scidb_magic.session import interrupt
interrupt.TICK_EVERY = 0.01
"""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    found = Terminal()
    # Not sys.stderr itself, which pytest sets again when the test begins.
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=found))
    monkeypatch.setattr(progress, "EVERY", 0.0)
    monkeypatch.setattr(interrupt, "TICK_EVERY", 0.01)
    return found


def test_in_a_terminal_it_is_a_line_that_is_wiped_out(terminal: Terminal) -> None:
    with progress.task("loading", 0.0, lambda: None) as task:
        task.step(3, 400, "a.csv")
        task.tick(Transfer(1_500_000, 3_000_000))
    shown = terminal.getvalue().split("\r")
    assert shown[1].rstrip() == "3 of 400: a.csv · 0 s"
    assert shown[2].rstrip() == "3 of 400: a.csv · 0 s · 1.5 MB of 3.0 MB"
    assert shown[-2].strip() == shown[-1] == ""


def test_what_is_quick_shows_nothing(terminal: Terminal) -> None:
    with progress.task("loading", 60.0, lambda: None) as task:
        task.step(3, 400, "a.csv")
    assert terminal.getvalue() == ""


def test_where_errors_are_not_read_by_a_person_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=written))
    with progress.task("loading", 0.0, lambda: None) as task:
        task.tick()
    assert written.getvalue() == ""


def test_a_statement_of_the_cell_tells_its_number(shell: Any, terminal: Terminal) -> None:
    cells = 40_000_000
    shell.ip.run_cell(f"%%scidb --progress-after 0\n{LONG.format(cells=9)};\n{LONG.format(cells=cells)}")
    shown = re.findall(r"statement \d of \d · \d+ s", terminal.getvalue())
    assert shown
    assert shown[-1].startswith("statement 2 of 2")


def test_bytes_of_a_download_and_an_upload_are_told(shell: Any, terminal: Terminal) -> None:
    import numpy as np

    shell["many"] = np.zeros(10_000_000)
    shell.ip.run_cell("%scidb --progress-after 0 store({{ many }}, progress_many)")
    assert re.search(r"running · \d+ s · [\d.]+ [kM]?B of 80.0 MB", terminal.getvalue())
    shell.run("%scidb remove(progress_many)")


def test_the_setting_and_the_option(shell: Any) -> None:
    assert "a number of seconds" in shell.run("%scidb --progress-after soon scan(A)").traceback[0]
    assert shell.run("%config SciDBMagics.progress_after = 3").error is None
    assert "3" in shell.run("%scidb config progress_after").text


def test_a_python_call_shows_it_too(shell: Any, terminal: Terminal) -> None:
    shell.run("%config SciDBMagics.progress_after = 0")
    shell.ip.run_cell(f"import scidb_magic; scidb_magic.current().fetch({LONG.format(cells=40_000_000)!r})")
    assert "running · " in terminal.getvalue()


def test_a_notebook_run_without_a_reader_keeps_nothing_of_it(embedded: Any, tmp_path: Any) -> None:
    book = nbformat.v4.new_notebook()
    book.cells = [
        nbformat.v4.new_code_cell(LOAD.format(url=embedded.url)),
        nbformat.v4.new_code_cell(f"%%scidb --progress-after 0\n{LONG.format(cells=40_000_000)}"),
    ]
    NotebookClient(book, timeout=120, kernel_name="python3").execute()
    shown = [output.get("data", {}).get("text/plain", "") for output in book.cells[1].outputs]
    assert not any("running" in text for text in shown)
    assert any("v_sum" in text for text in shown)


def test_the_kernel_has_one_place_for_it(kernels: Callable[..., Any], embedded: Any) -> None:
    kernel = kernels()
    kernel.run(LOAD.format(url=embedded.url))
    out = kernel.run(f"%%scidb --progress-after 0\n{LONG.format(cells=40_000_000)}")
    assert out.error is None
    assert sum("running" in text for text in out.texts) == 1


def test_what_cannot_be_drawn_does_no_harm(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def fail(cancel: Any) -> Any:
        drawn.append(1)
        raise OSError("no front end")

    monkeypatch.setattr(progress, "_line", fail)
    monkeypatch.setattr(interrupt, "TICK_EVERY", 0.01)
    out = shell.run(f"%%scidb --progress-after 0\n{LONG.format(cells=40_000_000)}")
    assert out.error is None
    assert "v_sum" in out.text
    assert drawn == [1]


def test_another_thread_shows_none(terminal: Terminal) -> None:
    def work() -> None:
        with progress.task("loading", 0.0, lambda: None) as task:
            task.tick()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert terminal.getvalue() == ""
