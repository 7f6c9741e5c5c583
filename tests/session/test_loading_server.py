"""Files on the server's disks, read by ``aio_input``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scidb_magic.errors import UploadError
from scidb_magic.storing.journal import Journal
from scidb_magic.storing.remote import ServerFiles


@pytest.fixture(autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    yield folder


@pytest.fixture
def session(embedded_factory: Any, make: Any, tmp_path: Path) -> Any:
    session = make(embedded_factory("--io-path", str(tmp_path)).url)
    session.execute("create array A <x:double,name:string,seen:datetime>[i=0:*]")
    return session


def written(folder: Path, count: int) -> list[str]:
    paths = []
    for number in range(count):
        lines = [f"{number}\t{n + number / 10}\tä{n}\t2020-01-0{n + 1} 00:00:00" for n in range(3)]
        path = folder / f"part_{number}.tsv"
        path.write_text("\n".join(["station\tx\tname\tseen", *lines, ""]))
        paths.append(str(path))
    return paths


def test_rows(session: Any, tmp_path: Path) -> None:
    paths = written(tmp_path, 3)
    told: list[tuple[int, int, str]] = []
    loaded = session.load(paths, "A", server=True, on_file=lambda *each: told.append(each))
    assert [(file.state, file.rows) for file in loaded.files] == [("loaded", 3)] * 3
    frame = session.fetch("scan(A)", order=True)
    assert frame["i"].tolist() == list(range(9))
    assert frame["x"].tolist() == [n + number / 10 for number in range(3) for n in range(3)]
    assert frame["name"].tolist() == ["ä0", "ä1", "ä2"] * 3
    assert str(frame["seen"][2]) == "2020-01-03 00:00:00"
    assert told == [*((n, 3, path) for n, path in enumerate(paths)), (3, 3, "")]
    again = session.load(paths, "A", server=True)
    assert [file.state for file in again.files] == ["skipped"] * 3
    assert set(session.fetch("list('arrays')")["name"]) == {"A"}


def test_bad_files(session: Any, tmp_path: Path) -> None:
    paths = written(tmp_path, 4)
    Path(paths[1]).write_text("station\tx\tname\tseen\n1\tnumber\tz\t2020-01-01 00:00:00\n")
    Path(paths[2]).write_text("station\tx\tname\tseen\n1\t2\tz\tyesterday\n")
    missing = str(tmp_path / "not_there.tsv")
    loaded = session.load([*paths, missing], "A", server=True)
    assert [file.state for file in loaded.files] == ["loaded", "failed", "failed", "loaded", "failed"]
    assert loaded.files[1].message.startswith("1 of its 1 lines do not fit")
    assert "not_there" in loaded.files[4].message
    assert len(session.fetch("scan(A)")) == 6
    with pytest.raises(UploadError, match="part_1"):
        session.load(paths, "A", server=True, strict=True)


@pytest.fixture
def three_instances(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a cluster; the embedded server has one instance, and reads for all of them."""
    made = ServerFiles.__init__

    def of_three(self: Any, *args: Any) -> None:
        made(self, *args)
        self._instances = 3

    monkeypatch.setattr(ServerFiles, "__init__", of_three)


@pytest.mark.usefixtures("three_instances")
def test_several_at_once(session: Any, tmp_path: Path) -> None:
    paths = written(tmp_path, 5)
    Path(paths[1]).write_text("station\tx\tname\tseen\n1\tnumber\tz\t2020-01-01 00:00:00\n")
    queries = session.status().queries
    loaded = session.load(paths, "A", server=True)
    assert [file.state for file in loaded.files] == ["loaded", "failed", "loaded", "loaded", "loaded"]
    frame = session.fetch("scan(A)", order=True)
    assert frame["i"].tolist() == list(range(12))
    assert sorted(frame["x"]) == sorted(n + number / 10 for number in (0, 2, 3, 4) for n in range(3))
    assert session.status().queries - queries < 25
    assert [file.state for file in session.load(paths, "A", server=True).files].count("skipped") == 4


def test_an_insert_that_nobody_saw_end(session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = written(tmp_path, 2)

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        # The look behind the insert is the first one after it.
        patch.setattr(Journal, "write", _second(Journal.write, die))
        with pytest.raises(KeyboardInterrupt):
            session.load(paths, "A", server=True)
    assert [file.state for file in session.load(paths, "A", server=True).files] == ["skipped", "loaded"]
    assert len(session.fetch("scan(A)")) == 6


def _second(first: Any, then: Any) -> Any:
    """`first` at the first call, `then` at the others."""
    calls: list[int] = []

    def call(*args: Any) -> None:
        calls.append(1)
        (first if len(calls) == 1 else then)(*args)

    return call


def test_cells(session: Any, tmp_path: Path) -> None:
    session.execute("create array G <v:int64>[x=0:9; y=0:9]")
    (tmp_path / "g.csv").write_text("y,v,x\n1,10,2\n3,,4\n")
    assert session.load(str(tmp_path / "g.csv"), "G", server=True).rows == 2
    frame = session.fetch("scan(G)", order=True)
    assert frame[["x", "y"]].values.tolist() == [[2, 1], [4, 3]]
    assert frame["v"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("schema", "header", "message"),
    [
        (None, "k", "There is no array 'B'"),
        ("<k:int64,other:int64>[i=0:*]", "k\tx", "no column 'other', only k, x"),
        ("<k:int64 not null>[i=0:*]", "k", "'k' takes no missing value"),
        ("<k:binary>[i=0:*]", "k", "'k' is binary"),
        ("<k:int64>[p=0:9; q=0:9]", "k", "lack a column for a dimension of 'B': p, q"),
        ("<a0:int64>[i=0:*]", "a0", "an attribute 'a0' cannot be loaded"),
    ],
)
def test_what_does_not_fit(
    session: Any, tmp_path: Path, schema: str | None, header: str, message: str
) -> None:
    (tmp_path / "b.tsv").write_text(f"{header}\n1\n")
    if schema is not None:
        session.execute(f"create array B {schema}")
    with pytest.raises(UploadError, match=message):
        session.load(tmp_path / "b.tsv", "B", server=True, strict=True)


@pytest.mark.usefixtures("three_instances")
def test_files_with_other_headers_are_not_read_as_one(session: Any, tmp_path: Path) -> None:
    session.execute("create array H <x:int64, y:int64>[i=0:*]")
    files = {"a.tsv": "x\ty\n1\t2\n", "b.tsv": "y\tx\n20\t10\n", "c.csv": "x,y\n100,200\n"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    loaded = session.load([str(tmp_path / name) for name in files], "H", server=True)
    assert [file.state for file in loaded.files] == ["loaded"] * 3
    frame = session.fetch("scan(H)", order=True)
    assert frame[["x", "y"]].to_numpy().tolist() == [[1, 2], [10, 20], [100, 200]]


def test_dims_do_not_go_with_files_on_the_server(session: Any) -> None:
    with pytest.raises(UploadError, match="dims and chunks"):
        session.load(["/nowhere.csv"], "A", server=True, dims=["i"])
