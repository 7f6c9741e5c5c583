"""100,000 hostile queries and 20,000 hostile requests at a real server; in the gate a seeded tenth of them.

``SCIDB_MAGIC_LONG=1`` runs them all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from .shooting import Report, queries, requests, shoot
from .target import Target

LONG = bool(os.environ.get("SCIDB_MAGIC_LONG"))
SEED = int(os.environ.get("SCIDB_MAGIC_FUZZ_SEED", "1"))
QUERIES = 100_000 if LONG else 10_000
REQUESTS = 20_000 if LONG else 2_000
FIRST = 300
"""Queries after which the libraries have started the threads that they keep."""

MORE = {"threads": 8, "files": 2}
"""That there may be afterwards; a leak would be one for each query of some kind, so dozens."""

CLIENTS = 49
"""Sessions at once; with the witness's all 50 slots are taken."""


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as target:
        yield target


def complaints(
    target: Target, report: Report, wait_until: Callable[..., bool], before: dict[str, int]
) -> str:
    """All that is wrong after the shooting, with the seeds; empty if nothing is."""
    wrong = target.damage()
    if before and not wrong:
        wait_until(lambda: target.usage()["threads"] <= before["threads"] + MORE["threads"])
        after = target.usage()
        print(report.statuses, before, after)
        wrong += [name for name, more in MORE.items() if after[name] > before[name] + more]
    return "\n".join((*wrong, report.summary())) if wrong or report.findings else ""


@pytest.mark.timeout(7200)
def test_hostile_queries(
    target: Target, wait_until: Callable[..., bool], tell: Callable[[str], None]
) -> None:
    shoot(target, queries, seed=SEED + 1, count=FIRST, workers=1)
    before = target.usage()
    report = shoot(target, queries, seed=SEED, count=QUERIES, workers=CLIENTS)
    tell(f"hostile queries: {QUERIES:,}, {len(report.codes)} kinds of errors")
    assert not (wrong := complaints(target, report, wait_until, before)), wrong
    assert sum(report.statuses.values()) == QUERIES
    assert report.statuses["200"] > 0.25 * QUERIES, "most queries have to get past the parser"
    assert len(report.codes) > 50, "errors of every kind"


@pytest.mark.timeout(3600)
def test_hostile_requests(
    target: Target, wait_until: Callable[..., bool], tell: Callable[[str], None]
) -> None:
    before = target.usage()
    report = shoot(target, requests, seed=SEED, count=REQUESTS, workers=10)
    tell(f"hostile requests: {REQUESTS:,}, {len(report.statuses)} kinds of answers")
    assert not (wrong := complaints(target, report, wait_until, before)), wrong
    assert sum(report.statuses.values()) == REQUESTS
    answered = {int(name.split()[1]) for name in report.statuses}
    assert answered >= {200, 206, 400, 403, 404, 406, 410, 411, 416, 500, 501, 505}
