"""``%scidb load`` in a shell and in a kernel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for number in range(3):
        pd.DataFrame({"k": [number], "x": [number / 2]}).to_csv(tmp_path / f"a {number}.csv", index=False)
    (tmp_path / "bad.csv").write_text("k,y\n1,2\n")
    return tmp_path


def test_load(shell: Any, folder: Path) -> None:
    out = shell.run(f"%scidb load '{folder}/*.csv' --into loaded_here")
    first, second = out.text.splitlines()
    assert first == "3 of 4 files loaded into 'loaded_here', 3 rows, 1 failed."
    assert second.startswith(f"  {folder}/bad.csv: The data do not fit into the array 'loaded_here'")
    again = shell.run(f"%scidb load '{folder}/a *.csv' --into loaded_here")
    assert again.text.strip() == "0 of 3 files loaded into 'loaded_here', 0 rows, 3 were in already."
    more = shell.run(f"%scidb load '{folder}/a 1.csv' --again --into loaded_here")
    assert more.text.strip() == "1 of 1 files loaded into 'loaded_here', 1 row."
    shell.run("%scidb remove(loaded_here)")


def test_what_is_missing_is_said(shell: Any, folder: Path) -> None:
    assert "Which files" in shell.run("%scidb load --into A").traceback[0]
    assert "Which files" in shell.run(f"%scidb load {folder}/bad.csv").traceback[0]
    assert "No file matches" in shell.run(f"%scidb load '{folder}/*.parquet' --into A").traceback[0]
    out = shell.run(f"%scidb load '{folder}/*.csv' --into loaded_strictly --strict")
    assert out.traceback[0].startswith("UploadError: ")
    assert out.traceback[0].endswith("3 of 4 files are in.")
    shell.run("%scidb remove(loaded_strictly)")


def test_in_a_kernel_nothing_stays_of_the_progress(
    kernels: Callable[..., Any], embedded_factory: Any, folder: Path
) -> None:
    kernel = kernels(XDG_STATE_HOME=str(folder / "state"))
    kernel.run("%load_ext scidb_magic")
    kernel.run(f"%scidb connect {embedded_factory().url}")
    kernel.run("from scidb_magic.notebook import progress\nprogress.EVERY = 0")
    kernel.run("%config SciDBMagics.progress_after = 0")
    out = kernel.run(f"%scidb load '{folder}/a *.csv' --into A --dims k")
    assert out.error is None
    drawn = [out.texts[0], *out.updates]
    assert any(text.startswith(f"0 of 3: {folder}/a 0.csv · ") for text in drawn)
    assert any(text.startswith("3 of 3 · ") for text in drawn)
    assert drawn[-1] == ""
    assert out.texts[-1] == "3 of 3 files loaded into 'A', 3 rows."
