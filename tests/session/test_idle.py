"""A slot that nobody uses is given back by itself, and taken again unseen."""

from __future__ import annotations

from typing import Any

import numpy as np

from scidb_magic.session.idle import IdleWatch
from scidb_magic.shim.client import ShimClient

READ = "build(<x:int64>[i=0:2], i)"


def taken(url: str) -> int:
    return (ShimClient(url).debug() or "").count("avail 0")


def test_an_idle_slot_is_given_back_and_taken_again_unseen(
    embedded_factory: Any, make: Any, notices: list[str], wait_until: Any
) -> None:
    url = embedded_factory().url
    session = make(url, idle_release=0.2)
    session.fetch(READ)
    assert wait_until(lambda: taken(url) == 0)
    assert wait_until(lambda: session.status().state == "released")
    assert len(session.fetch(READ)) == 3
    assert taken(url) <= 1
    assert (notices, session.status().replays) == ([], 0)
    assert wait_until(lambda: taken(url) == 0)


def test_a_running_query_is_not_idle(embedded_factory: Any, make: Any) -> None:
    url = embedded_factory().url
    session = make(url, idle_release=0.05)
    frame = session.fetch("aggregate(build(<x:int64>[i=0:20000000], i % 7), sum(x))")
    assert len(frame) == 1
    assert session.status().replays == 0


def test_never_means_never(embedded_factory: Any, make: Any) -> None:
    url = embedded_factory().url
    session = make(url, idle_release=0)
    session.fetch(READ)
    kept = session.connection._keeper.session
    kept.used = type(kept.used)(kept.used.monotonic - 1e6, kept.used.wall)
    session.connection._keeper.look_after()
    assert taken(url) == 1


def test_a_lazy_operator_keeps_its_upload(embedded_factory: Any, make: Any, wait_until: Any) -> None:
    url = embedded_factory().url
    session = make(url, idle_release=0.2)
    lazy = session.db.input(upload_data=np.arange(3))
    session.fetch(READ)
    assert wait_until(lambda: taken(url) == 0)
    assert lazy[:]["x"].tolist() == [0, 1, 2]


def test_the_watch_goes_when_nothing_is_due_and_comes_back(wait_until: Any) -> None:
    looks: list[float | None] = [0.01, None, None]
    watch = IdleWatch(looks.pop)
    watch.wake()
    assert wait_until(lambda: len(looks) == 2 and watch._thread is None)
    watch.wake()
    assert wait_until(lambda: len(looks) == 1 and watch._thread is None)


def test_a_look_that_fails_is_logged(caplog: Any, wait_until: Any) -> None:
    def broken() -> float | None:
        raise OSError("no")

    watch = IdleWatch(broken)
    watch.wake()
    assert wait_until(lambda: watch._thread is None and "could not be looked after" in caplog.text)
