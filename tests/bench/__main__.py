"""What scidb_magic costs, beside what it cannot do without: ``python -m tests.bench``.

Times are the best of the rounds; what counts are the ratios. Everything runs against one embedded server,
or a shim given by ``--url``; where Numba is there, with and without it.
"""

from __future__ import annotations

import argparse
import time
from contextlib import nullcontext

from tests.bench import cell, codec, engine, fetching, memory, servers, uploading


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Ratios, as Markdown tables.")
    parser.add_argument("--url", help="of a shim; without, an embedded server")
    parser.add_argument("--cells", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    start = time.monotonic()
    engine.measure(2 * chosen.rounds)
    codec.measure(chosen.cells, 3 * chosen.rounds)
    with nullcontext(chosen.url) if chosen.url else servers.embedded() as url:
        cell.measure(url, 50)
        memory.measure(500_000_000, url)
        fetching.measure(url, chosen.cells, chosen.rounds)
        uploading.measure(url, chosen.cells, chosen.rounds)
    print(f"\n{time.monotonic() - start:.0f} s in all")


if __name__ == "__main__":
    main()
