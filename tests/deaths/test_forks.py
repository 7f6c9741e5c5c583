"""A child never uses nor frees its parent's slot; it takes its own at its first query, and frees it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).with_name("family.py")

BY_HAND = ("os.fork", "os.fork, os._exit")
PROCESSES = ("Process, fork", "Process, spawn", "Process, forkserver")
POOLS = ("Pool, fork", "Pool, spawn", "ProcessPoolExecutor, fork", "ProcessPoolExecutor, spawn", "joblib")
TERMINATED = ("Pool, fork, terminate", "Pool, spawn, terminate", "Pool, forkserver, terminate")
ENDS = ("return", "sys.exit", "an exception", "os._exit", "SIGKILL", "SIGTERM", "SIGHUP")


@dataclass(frozen=True)
class Row:
    """How a child is made, what it does and how it ends."""

    way: str
    task: str
    end: str = "return"

    @property
    def name(self) -> str:
        return f"{self.way}, {self.task}, {self.end}"

    @property
    def quick(self) -> bool:
        return (self.way, self.task, self.end) in QUICK


QUICK = {
    ("os.fork", "let go", "return"),
    ("Process, fork", "long", "return"),
    ("Pool, fork", "look", "return"),
    ("Process, spawn", "query", "os._exit"),
    ("os.fork", "query", "return"),
    ("Pool, fork, terminate", "query", "return"),
    ("Pool, fork, terminate", "deaf", "return"),
    ("Process, fork", "look", "killed"),
}


def alone() -> Iterator[Row]:
    """Children without a query of their own."""
    for way in (*BY_HAND, *PROCESSES):
        for end in ENDS:
            yield Row(way, "look", end)
        yield Row(way, "let go")
    for way in (*POOLS, *TERMINATED):
        yield Row(way, "look")
        yield Row(way, "let go")


def with_their_own() -> Iterator[Row]:
    for way in (*BY_HAND, *PROCESSES):
        for end in ENDS:
            yield Row(way, "query", end)
    for way in (*POOLS, *TERMINATED):
        yield Row(way, "query")
    # A pool that is terminated waits for all of its workers.
    for way in TERMINATED:
        yield Row(way, "deaf")


class Family:
    """The parent, spoken to by lines."""

    def __init__(self, row: Row, scene: Any, start: Callable[..., Any]) -> None:
        self.scene = scene
        self.way = row.way
        self.parent = start(PROGRAM, scene.server.url, row.way, row.task, row.end)
        _, self.pid, self.sid = self.hear()

    def say(self, line: str) -> None:
        self.parent.stdin.write(f"{line}\n")
        self.parent.stdin.flush()

    def hear(self) -> list[str]:
        return str(self.parent.stdout.readline()).split()

    def child(self) -> tuple[int, list[str]]:
        """Have a child; its pid and what it says."""
        self.say("child")
        word, pid, *rest = self.hear()
        assert word == "child"
        return int(pid), rest

    def end_child(self) -> None:
        # A Pool that is terminated ends its worker while that waits.
        if self.way not in TERMINATED:
            (self.scene.folder / "end").touch()
        self.say("finish")

    def check_parent(self) -> None:
        """The parent goes on with its own slot, and ends."""
        self.say("query")
        assert self.hear() == ["parent", self.pid, self.sid]
        assert self.scene.server.sids == [self.sid]
        with self.scene.death("parent: the last line", "after a child", self.parent.pid):
            self.parent.stdin.close()
        assert self.parent.wait() == 0


FamilyFactory = Callable[[Row], Family]


@pytest.fixture
def family(scene: Any, start_program: Callable[..., Any]) -> FamilyFactory:
    return lambda row: Family(row, scene, start_program)


@pytest.mark.rows(list(alone()))
def test_a_child_leaves_the_parents_slot_alone(row: Row, family: FamilyFactory) -> None:
    parent = family(row)
    pid, (state,) = parent.child()
    assert state == "unconnected"
    end = parent.scene.end(pid)
    assert parent.scene.server.sids == [parent.sid]
    parent.end_child()
    assert end.wait(10)
    assert parent.hear() == ["finished"]
    assert parent.scene.server.sids == [parent.sid]
    parent.check_parent()


@pytest.mark.rows(list(with_their_own()))
def test_a_child_has_a_slot_of_its_own(row: Row, family: FamilyFactory) -> None:
    parent = family(row)
    pid, (first, second) = parent.child()
    assert first == second
    assert sorted(parent.scene.server.sids) == sorted([parent.sid, first])
    with parent.scene.death(f"child: {row.end}", row.way, pid, keeps=[parent.sid]):
        parent.end_child()
    assert parent.hear() == ["finished"]
    parent.check_parent()


# The parent dies, and its child lives


def orphans() -> Iterator[Row]:
    for way in ("os.fork", *PROCESSES[:1], "Pool, fork", "ProcessPoolExecutor, fork", "joblib"):
        yield Row(way, "look", "killed")
        yield Row(way, "query", "killed")


@pytest.mark.rows(list(orphans()))
def test_a_child_does_not_keep_the_slot_of_a_killed_parent(row: Row, family: FamilyFactory) -> None:
    parent = family(row)
    pid, (*own, _) = parent.child()
    end = parent.scene.end(pid)
    with parent.scene.death(
        "parent: SIGKILL", f"{row.way}, the child has {len(own)} slot", parent.parent.pid, keeps=own[:1]
    ):
        parent.parent.kill()
    assert not end.wait(0), "the child has ended with its parent"
    if own:
        # Workers of a pool whose master is gone may wait for ever.
        with parent.scene.death("orphaned child: SIGTERM", row.way, pid):
            os.kill(pid, signal.SIGTERM)


# Queries that run


@pytest.mark.rows([Row(way, "query") for way in ("os.fork", *PROCESSES, "Pool, fork")])
def test_a_child_of_a_busy_parent_has_a_slot_of_its_own(row: Row, family: FamilyFactory) -> None:
    parent = family(row)
    parent.say("busy")
    parent.scene.server.until_runs("99999999999")
    pid, _ = parent.child()
    with parent.scene.death("child: return", f"{row.way}, the parent is in a query", pid, keeps=[parent.sid]):
        parent.end_child()
    assert parent.hear() == ["finished"]
    with parent.scene.death("parent: SIGKILL", "a thread is in a query", parent.parent.pid):
        parent.parent.kill()


@pytest.mark.rows([Row(way, "long") for way in (*BY_HAND, *PROCESSES, *TERMINATED)])
def test_a_child_that_is_ended_in_a_query_leaves_no_slot(row: Row, family: FamilyFactory) -> None:
    parent = family(row)
    pid, _ = parent.child()
    parent.scene.server.until_runs("99999999999")
    with parent.scene.death("child: SIGTERM", f"{row.way}, in a query", pid, keeps=[parent.sid]):
        if row.way not in TERMINATED:
            os.kill(pid, signal.SIGTERM)
        parent.end_child()
    assert parent.hear() == ["finished"]
    parent.check_parent()
