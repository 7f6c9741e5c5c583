"""Which files a statement may touch."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scidb_magic.embedded.engine.files import Files
from scidb_magic.errors import EngineError


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("x")
    return folder


def test_files_of_both_kinds_of_folders_may_be_used(scratch: Path, tmp_path: Path) -> None:
    more = tmp_path / "more"
    more.mkdir()
    files = Files(scratch, [more])
    for folder in (scratch, more):
        (folder / "a").write_text("x")
        assert files.readable(str(folder / "a")) == folder / "a"


def test_a_relative_path_starts_in_the_servers_folder(scratch: Path) -> None:
    assert Files(scratch).path("a/b") == scratch / "a" / "b"


def test_nothing_outside(scratch: Path, outside: Path) -> None:
    files = Files(scratch)
    secret = outside / "secret"
    for way in (str(secret), "../outside/secret", f"{scratch}/../outside/secret", str(scratch), "", "/"):
        with pytest.raises(EngineError) as caught:
            files.path(way)
        assert caught.value.long == "CANT_OPEN_FILE"


def test_a_neighbour_with_a_longer_name_is_outside(scratch: Path) -> None:
    neighbour = scratch.with_name("scratch2")
    neighbour.mkdir()
    with pytest.raises(EngineError):
        Files(scratch).path(str(neighbour / "a"))


def test_links_do_not_lead_outside(scratch: Path, outside: Path) -> None:
    (scratch / "link").symlink_to(outside / "secret")
    (scratch / "folder").symlink_to(outside)
    files = Files(scratch)
    for name in ("link", "folder/secret"):
        with pytest.raises(EngineError):
            files.readable(name)
        with pytest.raises(EngineError):
            files.writer(name)
    assert (outside / "secret").read_text() == "x"


def test_a_pipe_is_not_read_and_not_waited_for(scratch: Path) -> None:
    os.mkfifo(scratch / "pipe")
    files = Files(scratch)
    with pytest.raises(EngineError):
        files.readable("pipe")
    with pytest.raises(EngineError):
        files.writer("pipe")


def test_a_missing_file_and_a_zero_byte(scratch: Path) -> None:
    for name in ("missing", "a\0b"):
        with pytest.raises(EngineError) as caught:
            Files(scratch).readable(name)
        assert caught.value.long == "CANT_OPEN_FILE"


def test_writing_empties_the_file_first(scratch: Path) -> None:
    (scratch / "a").write_text("long text before")
    with Files(scratch).writer("a") as out:
        out.write(b"new")
    assert (scratch / "a").read_bytes() == b"new"
