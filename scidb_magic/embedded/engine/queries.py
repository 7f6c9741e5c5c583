"""Which queries are running: for ``list('queries')`` and ``cancel``."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NewType

QueryId = NewType("QueryId", str)
"""Decimal, as shim answers it; in SciDB's texts it stands as ``0.<id>``."""


@dataclass(frozen=True, slots=True)
class Running:
    """A query under way; `started` is seconds since 1970 UTC."""

    id: QueryId
    text: str
    started: int
    cancel: Callable[[], bool]


class Queries:
    """The running queries of an engine, and the source of their ids."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._running: dict[QueryId, Running] = {}
        self._last = 0

    @contextmanager
    def run(self, text: str, cancel: Callable[[], bool]) -> Iterator[QueryId]:
        """Count a query among the running ones; gives its id, ascending in time."""
        with self._guard:
            self._last = max(self._last + 1, time.time_ns())
            id_ = QueryId(str(self._last))
            self._running[id_] = Running(id_, text, int(time.time()), cancel)
        try:
            yield id_
        finally:
            with self._guard:
                del self._running[id_]

    def running(self) -> list[Running]:
        """The running queries, oldest first."""
        with self._guard:
            return list(self._running.values())
