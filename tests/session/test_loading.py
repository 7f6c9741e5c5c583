"""Many files into one array: bad ones among them, and again after whatever broke off."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from scidb_magic.errors import QueryError, ShimUnreachable, UploadError
from scidb_magic.storing.arrays import Storing
from scidb_magic.storing.loading import expand

ROWS = 5


@pytest.fixture(autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state folder of the test's own: other tests' servers may have had the same port."""
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    yield folder


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Eight files of five rows each; the fourth and the sixth are bad."""
    made = []
    for number in range(8):
        path = tmp_path / f"part_{number}.csv"
        frame = pd.DataFrame({"k": range(number * ROWS, (number + 1) * ROWS), "word": f"ä{number}"})
        frame.to_csv(path, index=False)
        made.append(path)
    made[3].write_text("k,word\n15,x\nsixteen,y\n")
    made[5].write_text("k,other\n25,x\n")
    return made


GOOD = [k for k in range(8 * ROWS) if k // ROWS not in (3, 5)]


def test_bad_files_neither_stop_nor_spoil(embedded_factory: Any, make: Any, files: list[Path]) -> None:
    session = make(embedded_factory().url)
    told: list[tuple[int, int, str]] = []
    pattern = str(files[0].parent / "part_*.csv")
    loaded = session.load(pattern, "A", on_file=lambda *each: told.append(each))
    states = [file.state for file in loaded.files]
    assert states == ["loaded"] * 3 + ["failed", "loaded", "failed", "loaded", "loaded"]
    assert loaded.rows == len(GOOD)
    assert "sixteen" in loaded.files[3].message
    assert "'word'" in loaded.files[5].message
    frame = session.fetch("scan(A)", order=True)
    assert frame["i"].tolist() == list(range(len(GOOD)))
    assert frame["k"].tolist() == GOOD
    assert frame["word"].tolist()[-1] == "ä7"
    assert told == [*((n, 8, str(path)) for n, path in enumerate(files)), (8, 8, "")]
    assert str(loaded).startswith("6 of 8 files loaded into 'A', 30 rows, 2 failed.\n  ")
    (slot,) = [slot for slot in session.slots() if slot.owner != "free"]
    assert slot.owner == "mine"


def test_strict_stops_at_the_first(embedded_factory: Any, make: Any, files: list[Path]) -> None:
    session = make(embedded_factory().url)
    with pytest.raises(UploadError, match=r"part_3\.csv: .*sixteen.* 3 of 8 files are in\.") as caught:
        session.load(files, "A", strict=True)
    assert [file.state for file in caught.value.loaded.files] == ["loaded"] * 3 + ["failed"]
    assert len(session.fetch("scan(A)")) == 3 * ROWS


def test_the_same_again_goes_on(embedded_factory: Any, make: Any, files: list[Path], state: Path) -> None:
    server = embedded_factory()
    first = make(server.url)
    first.load(files, "A")
    files[3].write_text("k,word\n15,x\n")
    again = make(server.url).load(files, "A")
    states = [file.state for file in again.files]
    assert states == ["skipped"] * 3 + ["loaded", "skipped", "failed", "skipped", "skipped"]
    assert again.rows == 1
    assert sorted(first.fetch("scan(A)")["k"]) == sorted([*GOOD, 15])
    (journal,) = (state / "scidb_magic" / "loads").iterdir()
    assert journal.stat().st_mode & 0o777 == 0o600


def test_an_embedded_server_that_was_started_again(make: Any, files: list[Path], tmp_path: Path) -> None:
    """It has another port each time, and the same folder."""
    for expected in ("loaded", "skipped"):
        session = make(f"embedded:{tmp_path / 'data'}")
        (file,) = session.load(files[0], "A").files
        assert file.state == expected
        session.close()


def test_a_file_that_has_changed_is_said(embedded_factory: Any, make: Any, files: list[Path]) -> None:
    session = make(embedded_factory().url)
    session.load(files[:2], "A")
    files[0].write_text("k,word\n1000,x\n")
    (file,) = session.load(files[0], "A").files
    assert (file.state, "has changed since" in file.message) == ("failed", True)
    assert session.load(files[0], "A", again=True).rows == 1
    assert len(session.fetch("scan(A)")) == 2 * ROWS + 1


def test_another_array_of_that_name_is_empty(embedded_factory: Any, make: Any, files: list[Path]) -> None:
    session = make(embedded_factory().url)
    assert session.load(files[:2], "A").rows == 2 * ROWS
    session.execute("remove(A)")
    assert session.load(files[:2], "A").rows == 2 * ROWS
    session.execute("remove(A)")
    session.execute("create array A <k:int64,word:string>[i=0:*]")
    assert session.load(files[:2], "A").rows == 2 * ROWS
    assert session.load(files[:2], "A").rows == 0


def test_rows_of_others_stay(embedded_factory: Any, make: Any, files: list[Path]) -> None:
    session = make(embedded_factory().url)
    other = pd.DataFrame({"k": [-1], "word": ["other"]})
    session.load(files[0], "A", on_file=lambda *_: None)
    appended: list[int] = []

    def between(done: int, total: int, path: str) -> None:
        if done == 1:
            appended.append(1)
            make(session.status().url).upload(other, "A", mode="append")

    session.load(files[:3], "A", on_file=between)
    assert appended
    assert sorted(session.fetch("scan(A)")["k"]) == [-1, *range(3 * ROWS)]


def test_cells_go_where_they_belong(embedded_factory: Any, make: Any, files: list[Path]) -> None:
    session = make(embedded_factory().url)
    session.execute("create array A <word:string>[k=0:999]")
    session.load(files[:3], "A")
    assert session.fetch("scan(A)", order=True)["k"].tolist() == list(range(3 * ROWS))
    session.load(files[:3], "B", dims=["k"])
    assert session.fetch("scan(B)", order=True)["k"].tolist() == list(range(3 * ROWS))


def test_other_kinds_of_files(embedded_factory: Any, make: Any, tmp_path: Path) -> None:
    session = make(embedded_factory().url)
    frame = pd.DataFrame({"k": [1, 2], "x": [0.5, None]})
    frame.to_csv(tmp_path / "a.csv.gz", index=False)
    frame.to_csv(tmp_path / "b.tsv", index=False, sep="\t")
    frame.to_parquet(tmp_path / "c.parquet")
    (tmp_path / "d.csv").write_text("k,x\n")
    loaded = session.load([tmp_path / name for name in ("d.csv", "a.csv.gz", "b.tsv", "c.parquet")], "A")
    assert [(file.state, file.rows) for file in loaded.files] == [("loaded", n) for n in (0, 2, 2, 2)]
    assert session.fetch("aggregate(A, count(x), count(*))").iloc[0].tolist()[-2:] == [3, 6]


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ("nothing_*.csv", r"No file matches 'nothing_\*.csv'"),
        (["nothing.csv"], "There is no file 'nothing.csv'"),
        ([], "the list of paths is empty"),
    ],
)
def test_no_files(make: Any, embedded: Any, paths: Any, message: str) -> None:
    with pytest.raises(UploadError, match=message):
        make(embedded.url).load(paths, "never_made")


def test_a_file_is_loaded_once_however_often_it_is_named(files: list[Path]) -> None:
    pattern = str(files[0].parent / "*.csv")
    assert expand([files[2], pattern, files[2]]) == [str(files[n]) for n in (2, 0, 1, 3, 4, 5, 6, 7)]


def test_a_server_that_is_gone_stops_the_load(
    embedded_factory: Any, make: Any, files: list[Path], notices: list[str]
) -> None:
    server = embedded_factory()
    session = make(server.url, connect_wait=0.2)

    def stop(done: int, total: int, path: str) -> None:
        if done == 2:
            server.stop()

    with pytest.raises(ShimUnreachable) as caught:
        session.load(files, "A", on_file=stop)
    assert [file.state for file in caught.value.loaded.files] == ["loaded", "loaded"]
    assert notices[-1] == "2 of 8 files are in. The same call goes on from there."


def test_a_process_that_was_killed_in_the_middle(
    embedded_factory: Any, make: Any, files: list[Path], tmp_path: Path
) -> None:
    """Killed behind each of its requests in turn; whatever was in by then, every cell is there once."""
    server = embedded_factory()
    script = tmp_path / "load.py"
    script.write_text(
        textwrap.dedent(
            """
            import os, signal, sys
            import scidb_magic
            from scidb_magic.session.connection import Connection

            count = int(sys.argv[2])
            execute = Connection.execute

            def counted(*args, **options):
                global count
                count -= 1
                if count == 0 and sys.argv[3] == "before":
                    os.kill(os.getpid(), signal.SIGKILL)
                answer = execute(*args, **options)
                if count == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return answer

            Connection.execute = counted
            scidb_magic.connect(sys.argv[1]).load(sys.argv[4:], "A")
            """
        )
    )
    good = [str(files[number]) for number in (0, 1, 2, 4)]
    for statement, when in (("1", "after"), ("2", "before"), ("2", "after")):
        done = subprocess.run(
            [sys.executable, str(script), server.url, statement, when, *good], timeout=60, env=os.environ
        )
        assert done.returncode == -signal.SIGKILL
    session = make(server.url)
    session.load(good, "A")
    assert sorted(session.fetch("scan(A)")["k"]) == [*range(3 * ROWS), *range(4 * ROWS, 5 * ROWS)]


def cut_off(session: Any, files: list[Path], monkeypatch: pytest.MonkeyPatch, *, after: bool) -> None:
    """Load two files, and break off at the insert of the second."""
    insert = Storing.insert

    def broken(*args: Any, **options: Any) -> None:
        if after:
            insert(*args, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Storing, "insert", broken)
        session.load(files[:2], "A")


@pytest.mark.parametrize("after", [False, True])
def test_rows_of_others_are_not_taken_for_a_files_own(
    embedded_factory: Any, make: Any, files: list[Path], monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    session = make(embedded_factory().url)
    cut_off(session, files, monkeypatch, after=after)
    others = pd.read_csv(files[0]).assign(k=range(-ROWS, 0))
    session.upload(others, "A", mode="append")
    loaded = session.load([files[0], files[1], files[2]], "A")
    assert [file.state for file in loaded.files] == ["skipped", "skipped" if after else "loaded", "loaded"]
    assert sorted(session.fetch("scan(A)")["k"]) == list(range(-ROWS, 3 * ROWS))


def test_an_array_that_was_made_again_has_nothing_in_it(
    embedded_factory: Any, make: Any, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = make(embedded_factory().url)
    cut_off(session, files, monkeypatch, after=False)
    session.execute("remove(A)")
    for path in files[6:]:
        session.upload(path, "A", mode="append")
    session.load(files[:2], "A")
    assert sorted(session.fetch("scan(A)")["k"]) == [*range(2 * ROWS), *range(6 * ROWS, 8 * ROWS)]


def test_a_look_that_fails_is_no_failure_of_the_file(
    embedded_factory: Any, make: Any, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = make(embedded_factory().url)
    session.load(files[:1], "A")
    versions, asked = Storing.versions, []

    def broken(self: Storing, target: str) -> dict[int, str]:
        asked.append(target)
        if len(asked) == 2:
            raise QueryError("SCIDB_LE_UNKNOWN_ERROR", "It failed.")
        return versions(self, target)

    with monkeypatch.context() as patch, pytest.raises(QueryError) as caught:
        patch.setattr(Storing, "versions", broken)
        session.load(files[:3], "A")
    assert caught.value.ran is True
    assert [file.state for file in session.load(files[:3], "A").files] == ["skipped", "skipped", "loaded"]
    assert sorted(session.fetch("scan(A)")["k"]) == list(range(3 * ROWS))


def test_a_journal_that_was_cut_off_goes_on(
    embedded_factory: Any, make: Any, files: list[Path], state: Path
) -> None:
    session = make(embedded_factory().url)
    session.load(files[:1], "A")
    (journal,) = state.rglob("*.jsonl")
    with journal.open("a") as file:
        file.write('{"mark": {"pa')
    session.load(files[:2], "A")
    assert [file.state for file in session.load(files[:2], "A").files] == ["skipped", "skipped"]
