"""``%scidb history`` and ``%scidb rerun``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from scidb_magic.notebook import history


@pytest.fixture(autouse=True)
def nothing_yet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(history, "statements", history.History())
    yield


def test_statements_with_their_ends(shell: Any) -> None:
    assert "No statement yet" in shell.run("%scidb history").text
    shell["n"] = 3
    shell.run("%%scidb\nbuild(<v:int64>[i=0:{{ n }}],\n  i);\nscan(not_there)")
    shell.run("%scidb create temp array kept <v:int64>[i=0:9]")
    lines = shell.run("%scidb history").text.splitlines()
    assert lines[0].split() == ["number", "began", "seconds", "rows", "outcome", "statement"]
    found = [re.split(r"\s{2,}", line.strip(), maxsplit=5) for line in lines[1:4]]
    assert [row[0] for row in found] == ["1", "2", "3"]
    assert found[0][-3:] == ["4", "done", "build(<v:int64>[i=0:{{ n }}], i)"]
    assert found[1][-2:] == ["SCIDB_LE_ARRAY_DOESNT_EXIST", "scan(not_there)"]
    assert found[2][-2:] == ["done", "create temp array kept <v:int64>[i=0:9]"]
    only = shell.run("%scidb history not_there").text
    assert "scan(not_there)" in only and "build" not in only
    shell.run("%scidb remove(kept)")


def test_again(shell: Any) -> None:
    shell["n"] = 3
    shell.run("%scidb build(<v:int64>[i=0:{{ n }}], i)")
    shell["n"] = 1
    shell.run("found = %scidb rerun 1")
    assert shell["found"]["v"].tolist() == [0, 1]
    shell.run("%scidb --as numpy rerun 1")
    assert shell.run("%scidb rerun 9").traceback[0].startswith("MagicUsageError: There is no statement '9'")


def test_only_the_latest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = history.History()
    for number in range(history.KEPT + 5):
        with kept.statement(f"scan(A{number})"):
            pass
    entries = kept.entries()
    assert (len(entries), entries[0].number, entries[-1].number) == (history.KEPT, 6, history.KEPT + 5)
