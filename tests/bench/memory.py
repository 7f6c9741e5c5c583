"""Peak memory of a large result with strings, in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa

from scidb_magic.wire import binary
from scidb_magic.wire.columns import Column
from scidb_magic.wire.schema import Attribute
from tests.bench.timing import table

ROWS, ROW_BYTES = 20_000, 44


def _peak() -> int:
    """Bytes; of this program alone, where ``ru_maxrss`` remembers the one that started it."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def child(size: int) -> None:
    """Print the result's size and what the process grew by."""
    texts = [f"cell {k:0{ROW_BYTES - 10}d}" for k in range(ROWS)]
    piece = binary.encode([Column("s", "string", pa.array(texts, pa.large_string()))])
    attributes = [Attribute("s", "string", nullable=False)]
    binary.decode(piece, attributes)
    before, times = _peak(), size // len(piece)
    rows = binary.Decoder(attributes, size=len(piece) * times)
    for _ in range(times):
        rows.feed(piece)
    (column,) = rows.columns()
    print(column.values.nbytes, _peak() - before)


def measure(size: int) -> None:
    command = [sys.executable, "-m", "tests.bench.memory", str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result, grown = map(int, done.stdout.split())
    heads = ["strings", "result MB", "peak MB", "peak ÷ result"]
    row = ["decoded in pieces", f"{result / 1e6:.0f}", f"{grown / 1e6:.0f}", f"{grown / result:.2f}"]
    table("Peak memory, the process before it not counted", heads, [row])


if __name__ == "__main__":
    child(int(sys.argv[1]))
