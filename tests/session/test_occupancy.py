"""Whose slots they are; what a full server is told to be full of; orphans."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scidb_magic.errors import SlotsExhausted
from scidb_magic.session import occupancy
from scidb_magic.shim.client import ShimClient

READ = "build(<x:int64>[i=0:2], i)"

SCRIPT = """
import sys, scidb_magic
session = scidb_magic.connect(sys.argv[1], guardian=False)
session.fetch("build(<x:int64>[i=0:2], i)")
print("ready", flush=True)
sys.stdin.read()
"""


def taken(url: str) -> int:
    return (ShimClient(url).debug() or "").count("avail 0")


@pytest.fixture
def loader(tmp_path: Path) -> Any:
    """Start a script of this user that holds a slot, and no guardian."""
    script = tmp_path / "load_files.py"
    script.write_text(SCRIPT)
    running: list[subprocess.Popen[str]] = []

    def start(url: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(script), url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        running.append(process)
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def test_slots_tell_whose_they_are(embedded_factory: Any, make: Any, loader: Any) -> None:
    url = embedded_factory("--max-sessions", "5").url
    stranger = ShimClient(url).new_session()
    alive, dead = loader(url), loader(url)
    dead.kill()
    dead.wait()
    session = make(url)
    session.fetch(READ)
    slots = {slot.owner: slot for slot in session.slots()}
    assert set(slots) == {"mine", "notebook", "orphan", "other", "free"}
    assert (slots["notebook"].notebook, slots["notebook"].pid) == ("load_files.py", alive.pid)
    assert slots["notebook"].since is not None
    assert slots["orphan"].pid == dead.pid
    assert slots["other"].sid == stranger[:6]
    assert slots["free"].sid is None
    assert session.release_orphans() == (1, 0)
    assert taken(url) == 3
    assert "orphan" not in {slot.owner for slot in session.slots()}


def test_an_orphan_that_cannot_be_proved_is_left_alone(
    embedded_factory: Any, make: Any, loader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = embedded_factory("--repeat-ids")
    dead = loader(first.url)
    dead.kill()
    dead.wait()
    first.process.kill()
    first.process.wait()
    second = embedded_factory("--repeat-ids", "--port", str(first.port))
    client = ShimClient(second.url)
    stranger = client.new_session()
    client.execute_query(stranger, READ, save="(int64)")
    session = make(second.url)
    assert [slot.owner for slot in session.slots() if slot.sid] == ["orphan"]  # so it seems
    session.fetch(READ)
    monkeypatch.setattr(occupancy, "TRUSTED", -1.0)
    assert session.release_orphans() == (0, 1)
    assert len(client.read_bytes(stranger)) == 24
    assert taken(second.url) == 2


def test_a_full_server_is_told_with_names(
    embedded_factory: Any, make: Any, loader: Any, notices: list[str]
) -> None:
    url = embedded_factory("--max-sessions", "3").url
    ShimClient(url).new_session()
    loader(url)
    dead = loader(url)
    dead.kill()
    dead.wait()
    session = make(url, slot_wait=0.1)
    with pytest.raises(SlotsExhausted) as caught:
        session.fetch(READ)
    for line in (notices[0], str(caught.value)):
        assert "3 of 3 slots" in line
        assert "load_files.py since" in line
        assert "1 by a process of yours that is gone" in line
        assert "1 by others" in line
        assert "%scidb release --orphans" in line
    assert caught.value.ran is False
