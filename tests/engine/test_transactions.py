"""What was answered is kept, what was not is whole or not there: a process killed while it writes."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event
from typing import Any

CELLS = 20_000
ROUNDS = {False: 4, True: 60}
WRITER = f"""
import sys
from pathlib import Path
from scidb_magic.embedded.engine import Engine
data, scratch, number = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
session = Engine(data, scratch=scratch).session()
while True:
    number += 1
    session.execute(f"store(build(<v:int64>[i=0:{CELLS - 1}], {{number}}), A)")
    print(number, flush=True)
"""


def asked(session: Any, query: str, scratch: Path) -> str:
    session.execute(f"save({query}, '{scratch}/out', 0, 'csv')")
    return (scratch / "out").read_text().strip()


def written_until_killed(data: Path, scratch: Path, last: int, seconds: float) -> int:
    """A process stores version after version after `last`; the last one that it said was stored."""
    command = [sys.executable, "-c", WRITER, str(data), str(scratch), str(last)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        first = writer.stdout.readline()
        Event().wait(seconds)  # any moment will do
        writer.send_signal(signal.SIGKILL)
        return int([first, *writer.stdout.read().splitlines()][-1])


def test_a_kill_in_the_middle_of_writes_loses_no_committed_version(
    make_engine: Any, scratch: Path, tmp_path: Path, long: bool
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    kept, rng = 0, random.Random(1)
    for _ in range(ROUNDS[long]):
        said = written_until_killed(data, scratch, kept, rng.uniform(0, 0.2))
        engine = make_engine(data)
        session = engine.session()
        kept = int(asked(session, "aggregate(versions(A), count(*))", scratch))
        assert kept in (said, said + 1)
        for version in range(max(1, said - 3), kept + 1):
            found = asked(session, f"aggregate(A@{version}, count(*), min(v), max(v))", scratch)
            assert found == f"{CELLS},{version},{version}"
        session.close()
        engine.close()


def test_the_space_of_versions_that_are_gone_is_used_again(
    make_engine: Any, scratch: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    engine = make_engine(data)
    session = engine.session()

    def grown(times: int) -> int:
        for number in range(times):
            session.execute(f"store(build(<v:double>[i=0:299999], random() + {number}), A)")
            session.execute("remove_versions(A, keep: 1)")
        return sum(path.stat().st_size for path in data.iterdir())

    few, many = grown(5), grown(25)
    assert many < 3 * few
    session.close()
    engine.close()
