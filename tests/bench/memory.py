"""Peak memory of a large result with strings: decoded alone, and fetched, each in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa

import scidb_magic
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


def _decoded(size: int) -> None:
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


def _fetched(size: int, url: str, format: str, form: str) -> None:
    """The same for a whole fetch, the coordinates of the cells with it."""
    query = "build(<s:string>[i=0:{}], 'a text of some length, as they are: ' + string(i))"
    with scidb_magic.connect(url, format=format, max_result_bytes=2 * size) as session:
        session.fetch(query.format(99), form)
        before = _peak()
        result = session.fetch(query.format(size // 52), form)
        grown = _peak() - before
    whole = result if form == "arrow" else pa.Table.from_pandas(result, preserve_index=False)
    print(whole.nbytes, grown)


def measure(size: int, url: str) -> None:
    cases = {
        "decoded in pieces": [],
        **{f"fetched, {how}, {form}": [url, how, form] for how in FORMATS for form in FORMS},
    }
    rows = []
    for name, arguments in cases.items():
        command = [sys.executable, "-m", "tests.bench.memory", str(size), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        result, grown = map(int, done.stdout.split())
        rows.append([name, f"{result / 1e6:.0f}", f"{grown / 1e6:.0f}", f"{grown / result:.2f}"])
    heads = ["strings", "result MB", "peak MB", "peak ÷ result"]
    table("Peak memory, the process before it not counted", heads, rows)


FORMATS, FORMS = ("binary", "arrow"), ("arrow", "dataframe")

if __name__ == "__main__":
    given = sys.argv[2:]
    _fetched(int(sys.argv[1]), *given) if given else _decoded(int(sys.argv[1]))
