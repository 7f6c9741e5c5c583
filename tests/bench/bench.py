"""What scidb_magic costs, beside raw SciDB-Py on the same server in the same run.

::

    python tests/bench/bench.py [--url URL] [--cells 1000000] [--rounds 5]

Times are the best of the rounds, so that another process on the machine disturbs least; what counts are
the ratios. Without a URL an embedded server is started and ended again.
"""

from __future__ import annotations

import argparse
import gc
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

LOADING = """
import sys, time
import numpy, pandas
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
start = time.perf_counter()
shell.run_line_magic("load_ext", "scidb_magic")
print(time.perf_counter() - start)
"""

TIMES = 20
"""Rounds of a small fetch for each round of a large one."""

FETCHES = {
    "fixed size, not null": "build(<v:int64 not null>[i=0:{last}], i)",
    "fixed size, nullable": "apply(build(<v:int64>[i=0:{last}], i), d, double(i) / 3)",
    "with a string": "apply(build(<v:int64>[i=0:{last}], i), s, 'cell ' + string(i % 1000))",
}


def best(work: Callable[[], object], rounds: int) -> float:
    """Seconds of the fastest round."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


@contextmanager
def server(url: str | None) -> Iterator[str]:
    if url is not None:
        yield url
        return
    command = [sys.executable, "-m", "scidb_magic.embedded", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.terminate()


def loading(rounds: int) -> None:
    def once() -> float:
        done = subprocess.run([sys.executable, "-c", LOADING], capture_output=True, text=True, check=True)
        return float(done.stdout)

    print(f"%load_ext beside pandas: {1000 * min(once() for _ in range(rounds)):.0f} ms")


def fetching(url: str, cells: int, rounds: int) -> None:
    import scidb_magic  # isort: skip - the import adapter, before scidbpy
    import scidbpy

    warnings.simplefilter("ignore")  # scidbpy warns at each fetch that it promotes
    session = scidb_magic.connect(url)
    raw = scidbpy.connect(url)
    print(f"\nfetch of {cells:,} cells as a DataFrame, seconds (ratio to scidbpy)")
    print(f"{'':24}{'scidbpy':>10}{'session':>10}{'ratio':>8}{'session.db':>12}{'ratio':>8}")
    for name, text in FETCHES.items():
        query = text.format(last=cells - 1)
        theirs = best(partial(raw.iquery, query, fetch=True), rounds)
        ours = best(partial(session.fetch, query), rounds)
        bridged = best(partial(session.db.iquery, query, fetch=True), rounds)
        row = f"{name:24}{theirs:10.3f}{ours:10.3f}{ours / theirs:8.2f}{bridged:12.3f}{bridged / theirs:8.2f}"
        print(row, flush=True)
    small = "build(<v:int64>[i=0:9], i)"
    theirs = best(partial(raw.iquery, small, fetch=True), TIMES * rounds)
    ours = best(partial(session.fetch, small), TIMES * rounds)
    print(f"{'ten cells':24}{theirs:10.4f}{ours:10.4f}{ours / theirs:8.2f}")
    session.close()
    del raw
    gc.collect()  # scidbpy gives its session back only when its cycle is collected


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", help="of a shim; without, an embedded server")
    parser.add_argument("--cells", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    loading(chosen.rounds)
    with server(chosen.url) as url:
        fetching(url, chosen.cells, chosen.rounds)


if __name__ == "__main__":
    main()
