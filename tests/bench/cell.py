"""A small ``%%scidb`` cell in a real shell, beside the requests that it makes."""

from __future__ import annotations

import io
import time
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import requests.adapters
from IPython.core.interactiveshell import InteractiveShell

from tests.bench.fetching import SMALL
from tests.bench.timing import table


class _Clock:
    """Seconds spent in requests, and how many there were."""

    def __init__(self) -> None:
        self.seconds, self.requests = 0.0, 0


def measure(url: str, rounds: int) -> None:
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "scidb_magic")
    clock, send = _Clock(), requests.adapters.HTTPAdapter.send

    def timed(self: Any, *args: Any, **options: Any) -> Any:
        start = time.perf_counter()
        try:
            return send(self, *args, **options)
        finally:
            clock.seconds += time.perf_counter() - start
            clock.requests += 1

    best: tuple[float, float, int] = (9e9, 0, 0)
    silent = io.StringIO()
    with redirect_stdout(silent), redirect_stderr(silent):
        shell.run_line_magic("scidb", f"connect {url}")
        shell.run_cell_magic("scidb", "", SMALL)
        requests.adapters.HTTPAdapter.send = timed  # type: ignore[method-assign]
        for _ in range(rounds):
            clock.__init__()  # type: ignore[misc]
            start = time.perf_counter()
            shell.run_cell_magic("scidb", "", SMALL)
            taken = time.perf_counter() - start
            best = min(best, (taken - clock.seconds, taken, clock.requests))
        requests.adapters.HTTPAdapter.send = send  # type: ignore[method-assign]
        shell.run_line_magic("scidb", "release")
    over, taken, count = best
    row = ["ten cells", f"{1e3 * taken:.1f}", str(count), f"{1e3 * over:.1f}"]
    table("A warm %%scidb cell", ["cell", "ms", "requests", "ms over its requests"], [row])
