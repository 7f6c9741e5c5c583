"""What other users of the host can read of us: nothing, whatever the umask lets through."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, sys
os.umask(0)
import scidb_magic
with scidb_magic.connect(f"embedded:{sys.argv[1]}") as session:
    session.execute("store(build(<v:int64>[i=0:9], i), A)")
    session.fetch("save(A, 'mine.csv', -2, 'csv')")
    session.load([sys.argv[2]], "loaded")
    for folder in (sys.argv[1], os.environ["XDG_STATE_HOME"], os.environ["TMPDIR"]):
        for place, folders, files in os.walk(folder):
            for name in folders + files:
                path = os.path.join(place, name)
                print(oct(os.lstat(path).st_mode), path)
"""


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="POSIX")
def test_only_the_user_can_read_what_is_written(tmp_path: Path) -> None:
    own = {name: tmp_path / name for name in ("XDG_STATE_HOME", "TMPDIR")}
    for folder in own.values():
        folder.mkdir()
    table = tmp_path / "table.csv"
    table.write_text("a,b\n1,2\n")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "arrays"), str(table)],
        env={**os.environ, **{name: str(folder) for name, folder in own.items()}},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = [(int(mode, 8), path) for mode, path in (line.split(" ", 1) for line in done.stdout.splitlines())]
    names = " ".join(path for _, path in found)
    for expected in ("server.json", "server.lock", "/sessions/", "/loads/", "/scidb_magic_", "duckdb"):
        assert expected in names
    # The state folder's parents are the user's own affair.
    assert [path for mode, path in found if mode & 0o077 and not path.endswith("/scidb_magic")] == []
    assert stat.S_IMODE((tmp_path / "arrays").stat().st_mode) == 0o700
