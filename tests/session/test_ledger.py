"""The ledger: one small file a session, whatever else lies beside it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scidb_magic.session import ledger as ledger_module
from scidb_magic.session.ledger import KEPT_SECONDS, LARGEST_FILE, TEMPORARY_SECONDS, Entry, Ledger
from scidb_magic.shim.secret import Secret

SID = "0123456789abcdefghijklmnopqrstuv"


def entry(**more: Any) -> Entry:
    facts = {
        "url": "http://localhost:8080",
        "sid": SID,
        "host": "lab",
        "pid": 4711,
        "started": "boot 1 2",
        "kernel": "k",
        "notebook": "a.ipynb",
        "taken": 1.0,
        "used": 2.0,
        "lines": False,
        "etag": '"1.2"',
    }
    return Entry(**(facts | more))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "sessions")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_write_read_remove(ledger: Ledger, tmp_path: Path) -> None:
    assert ledger.entries() == []
    file = ledger.write(entry())
    assert file is not None and file.parent == tmp_path / "sessions"
    (found,) = ledger.entries()
    assert found == entry() and found.file == file
    assert type(found.sid) is Secret
    ledger.remove(file)
    ledger.remove(file)
    ledger.remove(found)
    ledger.remove(entry())
    ledger.remove(None)
    assert ledger.entries() == [] and list(file.parent.iterdir()) == []


def test_an_entry_is_written_over(ledger: Ledger) -> None:
    file = ledger.write(entry())
    assert ledger.write(entry(used=3.0, lines=None, etag=None, file=file)) == file
    assert [(found.used, found.etag) for found in ledger.entries()] == [(3.0, None)]
    assert file is not None and len(list(file.parent.iterdir())) == 1
    # Also where somebody has removed it.
    file.unlink()
    assert ledger.write(entry(file=file)) == file and len(ledger.entries()) == 1


def test_the_longest_held_first(ledger: Ledger) -> None:
    for taken in (3.0, 1.0, 2.0):
        ledger.write(entry(taken=taken))
    assert [found.taken for found in ledger.entries()] == [1.0, 2.0, 3.0]


def test_only_the_user_may_look(ledger: Ledger, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        file = ledger.write(entry())
        assert file is not None and (mode(file), mode(file.parent)) == (0o600, 0o700)
        file.parent.chmod(0o755)
        ledger.write(entry())
        assert mode(file.parent) == 0o700
    finally:
        os.umask(before)


def test_the_id_is_only_in_the_file(ledger: Ledger) -> None:
    file = ledger.write(entry(host="../we ird/ö", pid=12))
    assert SID not in repr(entry()) and SID not in str(entry())
    assert file is not None and SID not in file.name and SID in file.read_text()
    assert file.name.startswith(".._we_ird__-12-")
    assert [found.host for found in ledger.entries()] == ["../we ird/ö"]


def test_garbage_is_neither_read_nor_removed(ledger: Ledger, tmp_path: Path) -> None:
    good = ledger.write(entry())
    assert good is not None
    folder = good.parent
    facts = json.loads(good.read_text())
    names = (f"lab-1-{number:016x}.json" for number in range(100))
    texts: list[bytes] = [
        b"",
        b"{",
        good.read_bytes()[:-20],
        b"\xff\xfe",
        b"[]",
        b"null",
        b"[" * 60_000,
        json.dumps({name: value for name, value in facts.items() if name != "sid"}).encode(),
        *(
            json.dumps(facts | change).encode()
            for change in (
                {"pid": "1"},
                {"pid": True},
                {"used": None},
                {"lines": 1},
                {"url": 5},
                {"etag": []},
            )
        ),
        json.dumps(facts | {"notebook": "x" * LARGEST_FILE}).encode(),
    ]
    for text in texts:
        (folder / next(names)).write_bytes(text)
    (folder / next(names)).mkdir()
    (folder / next(names)).symlink_to(good)
    (folder / next(names)).symlink_to("nowhere")
    os.mkfifo(folder / next(names))
    with (folder / next(names)).open("wb") as huge:
        huge.truncate(2**40)
    (folder / "notes.json").write_bytes(good.read_bytes())
    (folder / "core").write_bytes(b"x")
    unreadable = folder / next(names)
    unreadable.write_bytes(good.read_bytes())
    unreadable.chmod(0)
    before = sorted(folder.iterdir())
    expected = 1 if os.geteuid() else 2  # root reads everything
    begun = time.monotonic()
    assert len(ledger.entries()) == expected
    assert time.monotonic() - begun < 2
    ledger.write(entry(file=good))
    assert sorted(folder.iterdir()) == before


def test_what_an_entry_has_more_is_no_matter(ledger: Ledger) -> None:
    file = ledger.write(entry())
    assert file is not None
    file.write_text(json.dumps(json.loads(file.read_text()) | {"colour": "blue"}))
    assert ledger.entries() == [entry()]


def test_other_users_files_are_not_ours(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.write(entry())
    user = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: user + 1)
    assert ledger.entries() == []


def test_what_dead_writers_left_is_swept(ledger: Ledger) -> None:
    file = ledger.write(entry())
    assert file is not None
    old = time.time() - max(KEPT_SECONDS, TEMPORARY_SECONDS) - 60
    left = [file.parent / f"{file.stem}.abc_1.tmp", file.parent / "lab-2-00000000000000ff.json"]
    kept = [file.parent / "mine.tmp", file.parent / "mine.json", file.parent / f"{file.stem}.new.tmp"]
    for path in (*left, *kept):
        path.write_text("x")
    for path in (*left, *kept[:2]):
        os.utime(path, (old, old))
    new = ledger.write(entry())
    assert new is not None
    assert sorted(file.parent.iterdir()) == sorted([*kept, file, new])


@pytest.mark.parametrize("hindrance", ["a file", "no permission", "no home", "full"])
def test_a_folder_that_cannot_be_used(
    hindrance: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    place = tmp_path / "place"
    if hindrance == "a file":
        place.write_text("")
    elif hindrance == "no permission":
        monkeypatch.setattr(Path, "mkdir", refuse)
    elif hindrance == "no home":
        monkeypatch.setenv("XDG_STATE_HOME", "relative")
        monkeypatch.setattr("platformdirs.user_state_path", lambda *_: Path("~/.local/state/scidb_magic"))
    else:
        monkeypatch.setattr(Path, "replace", refuse)
    ledger = Ledger(None if hindrance == "no home" else place)
    caplog.set_level("DEBUG", "scidb_magic")
    assert ledger.write(entry()) is None
    assert ledger.entries() == []
    assert "ledger" in caplog.text and SID not in caplog.text
    assert not place.is_dir() or list(place.iterdir()) == []


def test_the_user_s_own_folder(tmp_path: Path) -> None:
    code = (
        "from scidb_magic.session.ledger import *\n"
        "print(Ledger().write(Entry('http://h', 's', 'lab', 1, taken=1.0)), len(Ledger().entries()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    path, count = done.stdout.split()
    assert count == "1" and Path(path).parent.parts[-2:] == ("scidb_magic", "sessions")
    assert Path(path).is_relative_to(tmp_path)


def test_readers_never_see_half_a_file(ledger: Ledger) -> None:
    """Processes that write and read at once, without locks."""
    file = ledger.write(entry())
    assert file is not None
    code = (
        "import sys; from pathlib import Path; from dataclasses import replace\n"
        "from scidb_magic.session.ledger import *\n"
        "ledger = Ledger(Path(sys.argv[1])); one = ledger.entries()[0]\n"
        "for number in range(300): assert ledger.write(replace(one, used=float(number))) == one.file"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(file.parent)]) for _ in range(2)]
    reads = 0
    while any(writer.poll() is None for writer in writers):
        found = ledger.entries()
        assert [replace(one, used=2.0) for one in found] == [entry()]
        reads += 1
    assert reads > 10 and [writer.returncode for writer in writers] == [0, 0]
    assert ledger.entries()[0].used == 299.0
    assert len(list(file.parent.iterdir())) == 1


def test_no_descriptor_stays_open(ledger: Ledger) -> None:
    file = ledger.write(entry())
    assert file is not None
    (file.parent / "lab-1-0000000000000000.json").mkdir()
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(5):
        ledger.entries()
        ledger.write(entry(file=file))
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_every_field_is_checked() -> None:
    assert {*ledger_module._TYPES, "file"} == set(Entry.__slots__)
