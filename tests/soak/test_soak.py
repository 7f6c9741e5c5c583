"""A kernel that runs for weeks: nothing grows with the number of queries; any number of threads is served."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import scidb_magic
from scidb_magic import api
from scidb_magic.shim.client import ShimClient

ROOT = Path(__file__).parents[2]
LONG = bool(os.environ.get("SCIDB_MAGIC_LONG"))

QUERIES = 10_000 if LONG else 1_000
THREADS = 200

NOISE = 6 * 2**20
"""Bytes that the process may grow by, whatever the number of queries.

After the warm-up glibc's arenas and pandas' caches still move by 1 to 3 MB, up or down. What leaks with
each query shows at 10,000: 630 bytes a query would be over the bound.
"""

KERNEL = """
import gc, json, logging, os, sys, threading
import scidb_magic

session = scidb_magic.connect(sys.argv[1])
session.notify = lambda line: None

def now():
    gc.collect()
    with open("/proc/self/statm") as file:
        resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return {
        "threads": threading.active_count(),
        "files": len(os.listdir("/proc/self/fd")),
        "memory": resident,
        "objects": len(gc.get_objects()),
    }

def work(number):
    kind = number % 10
    if kind < 6:
        assert session.fetch(f"build(<x:int64>[i=0:9], i + {number})")["x"][0] == number
    elif kind < 8:
        session.execute(f"store(build(<x:int64>[i=0:9], {number}), soak)")
        if number % 100 == 7:
            session.execute("remove(soak)")
    elif kind == 8:
        try:
            session.fetch("scan(nope)")
        except scidb_magic.errors.QueryError:
            pass
    else:
        session.fetch("aggregate(build(<x:int64>[i=1:1000], i), sum(x))", "arrow")
    if number % 250 == 249:
        session.release()

for number in range(300):
    work(number)
before = now()
for number in range(300, 300 + int(sys.argv[2])):
    work(number)
print(json.dumps({"before": before, "after": now()}))
"""


def taken(url: str) -> int:
    return (ShimClient(url).debug() or "").count("avail 0")


@pytest.mark.timeout(3600)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="counts in /proc")
def test_nothing_grows_with_the_queries(embedded_factory: Any) -> None:
    url = embedded_factory().url
    # In a process of its own: what the other tests left in this one would be counted too.
    done = subprocess.run(
        [sys.executable, "-c", KERNEL, url, str(QUERIES)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    counted = json.loads(done.stdout)
    before, after = counted["before"], counted["after"]
    print(before, after)
    assert after["threads"] <= before["threads"]
    assert after["files"] <= before["files"]
    assert after["memory"] - before["memory"] < NOISE
    assert after["objects"] - before["objects"] < 200
    assert taken(url) == 0


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
