"""A kernel that runs for weeks: nothing grows with the number of queries; any number of threads is served."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

import scidb_magic
from scidb_magic import api
from scidb_magic.shim.client import ShimClient

ROOT = Path(__file__).parents[2]
LONG = bool(os.environ.get("SCIDB_MAGIC_LONG"))

QUERIES = 10_000 if LONG else 200
THREADS = 200

NOISE = 6 * 2**20
"""Bytes that the process may grow by, whatever the number of queries.

After the warm-up glibc's arenas and pandas' caches still move by 1 to 3 MB, up or down. What leaks with
each query shows at 10,000: 630 bytes a query would be over the bound.
"""

PREPARE = """
import gc, json, os
import numpy as np, pandas as pd
import scidb_magic

%load_ext scidb_magic
session = scidb_magic.connect({url!r})
run = get_ipython()

def count():
    gc.collect()
    with open("/proc/self/statm") as file:
        resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return {{
        "threads": len(os.listdir("/proc/self/task")),
        "files": len(os.listdir("/proc/self/fd")),
        "memory": resident,
        "objects": len(gc.get_objects()),
    }}

def fetch(number):
    assert session.fetch(f"build(<x:int64>[i=0:9], i + {{number}})")["x"][0] == number

def arrow(number):
    assert session.fetch(f"build(<x:int64>[i=1:1000], i * {{number}})", "arrow").num_rows == 1000

def text(number):
    values = session.fetch(f"build(<s:string>[i=0:99], string(i + {{number}}))", "numpy")
    assert values["s"][99] == str(number + 99)

def execute(number):
    session.execute(f"store(build(<x:int64>[i=0:9], {{number}}), soak)")
    if number % 100 == 3:
        session.execute("remove(soak)")

def error(number):
    try:
        session.fetch(f"scan(nope_{{number}})")
    except scidb_magic.errors.QueryError:
        pass

def upload(number):
    session.upload(pd.DataFrame({{"x": np.arange(100) + number}}), "uploaded", mode="replace")

def line(number):
    assert run.run_line_magic("scidb", f"build(<x:int64>[i=0:9], i + {{number}})")["x"][9] == number + 9

def cell(number):
    run.user_ns["limit"] = number % 10
    run.run_cell_magic("scidb", "-o found", "filter(build(<x:int64>[i=0:9], i), x < {{{{ limit }}}})")
    assert len(run.user_ns["found"]) == number % 10

def shown(number):
    run.run_cell_magic("scidb", "", f"build(<x:int64>[i=0:9], i + {{number}})")

KINDS = [fetch, arrow, text, execute, error, line, cell, fetch, execute, fetch]
RARE = {{50: upload, 125: shown, 200: lambda number: session.release()}}

def work(numbers):
    for number in numbers:
        KINDS[number % 10](number)
        if number % 250 in RARE:
            RARE[number % 250](number)

work(range(500))
"""
"""The warm-up: every kind, each rare one twice."""

SOAK = """
before = count()
work(range(500, 500 + {queries}))
print(json.dumps([before, count()]))
"""


def taken(url: str) -> int:
    return (ShimClient(url).debug() or "").count("avail 0")


@pytest.fixture
def run() -> Iterator[Callable[[str], str]]:
    """``run(cell)``: what the cell prints, in a real kernel."""
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env={**os.environ, "PYTHONPATH": str(ROOT)})
    client: BlockingKernelClient = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)

    def run(cell: str) -> str:
        printed: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])

        reply = client.execute_interactive(cell, output_hook=hear, timeout=3500)
        assert reply["content"]["status"] == "ok", "\n".join(reply["content"]["traceback"])
        return "".join(printed)

    yield run
    client.stop_channels()
    manager.shutdown_kernel()
    manager.cleanup_resources()


@pytest.mark.timeout(3600)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="counts in /proc")
def test_nothing_grows_with_the_queries(embedded_factory: Any, run: Callable[[str], str]) -> None:
    url = embedded_factory().url
    assert run(PREPARE.format(url=url)) == ""
    before, after = json.loads(run(SOAK.format(queries=QUERIES)))
    print(before, after)
    assert after["threads"] <= before["threads"]
    assert after["files"] <= before["files"]
    assert after["memory"] - before["memory"] < NOISE
    assert after["objects"] - before["objects"] < 200
    assert taken(url) == 1


def test_two_hundred_threads_share_one_session(
    embedded_factory: Any, wait_until: Callable[..., bool]
) -> None:
    url = embedded_factory().url
    session = scidb_magic.connect(url)
    answers: dict[int, list[int]] = {}
    failures: list[BaseException] = []
    most: list[int] = []
    begin = threading.Barrier(THREADS + 1)

    def work(number: int) -> None:
        begin.wait()
        try:
            frame = scidb_magic.connect(url).fetch(f"build(<x:int64>[i=0:{number}], i * {number})")
            answers[number] = frame["x"].tolist()
        except BaseException as error:
            failures.append(error)

    try:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        begin.wait()
        while any(thread.is_alive() for thread in threads):
            most.append(taken(url))
            threads[-1].join(0.05)
        for thread in threads:
            thread.join()
        assert failures == []
        assert answers == {number: [i * number for i in range(number + 1)] for number in range(THREADS)}
        assert (max(most), session.status().queries, session.status().replays) == (1, THREADS, 0)
    finally:
        api.forget()
    assert taken(url) == 0
    assert wait_until(lambda: not [one for one in threading.enumerate() if "scidb_magic" in one.name], 10)
