"""The names that completion knows: SciDB's own from the start, those of the server once a query has run.

They are asked for in the background, a moment after a cell, on the slot that the session holds and only
while nobody uses it: that takes no slot, keeps none, and is no query of the user's. Whoever asks for the
names gets those that are there.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from scidb_magic.afl.operators import AGGREGATES, FUNCTIONS, OPERATORS, TYPES
from scidb_magic.errors import ScidbMagicError, WireError
from scidb_magic.wire.schema import Schema

if TYPE_CHECKING:
    from scidb_magic.session.connection import Connection

log = logging.getLogger("scidb_magic")

QUIET = 1.0
"""Seconds without a cell after which the server is asked: the next cell of a running notebook comes first."""


@dataclass(frozen=True, slots=True)
class Names:
    """All names at a moment.

    Attributes
    ----------
    operators : mapping of str to str
        Operators and macros, and their arguments.
    functions, aggregates, types : frozenset of str
    arrays : mapping of str to Schema
    """

    operators: Mapping[str, str] = field(
        default_factory=lambda: {name: row.signature for name, row in OPERATORS.items()}
    )
    functions: frozenset[str] = FUNCTIONS
    aggregates: frozenset[str] = AGGREGATES
    types: frozenset[str] = TYPES
    arrays: Mapping[str, Schema] = field(default_factory=dict)


class Catalogue:
    """Names of the server that the session is with.

    Parameters
    ----------
    connection : callable
        Answers the connection of the session as it is now.
    """

    def __init__(self, connection: Callable[[], Connection]) -> None:
        self.names = Names()
        self._connection = connection
        self._url: str | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._due = 0.0
        self._stopped = threading.Event()

    def refresh(self) -> None:
        """Ask for the names again, soon; waits for nothing."""
        with self._lock:
            self._due = time.monotonic() + QUIET
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="scidb_magic names", daemon=True)
                self._thread.start()

    def updated(self) -> Names:
        """The names as the server has them now, if it can be asked at once."""
        self._try()
        return self.names

    def stop(self) -> None:
        """Ask for nothing any more."""
        self._stopped.set()

    def _run(self) -> None:
        while True:
            while (left := self._due - time.monotonic()) > 0:
                if self._stopped.wait(left):
                    return
            asked = self._due
            self._try()
            with self._lock:
                if self._due == asked:
                    self._thread = None
                    return

    def _try(self) -> None:
        try:
            self._fill(self._connection())
        except (ScidbMagicError, WireError) as error:
            log.debug("%s when names were asked for", type(error).__name__)

    def _fill(self, connection: Connection) -> None:
        url = connection.status().url
        if url != self._url:
            self.names = Names()
        arrays = connection.aside("project(list('arrays'), name, schema)")
        if arrays is None:
            return
        self.names = replace(self.names, arrays=_schemas(arrays))
        if url == self._url:
            return
        found: dict[str, frozenset[str]] = {}
        for kind in ("operators", "macros", "functions", "aggregates", "types"):
            text = connection.aside(f"project(list('{kind}'), name)")
            if text is None:
                return
            # Operators such as + are functions of SciDB, too.
            found[kind] = frozenset(name for name in text.splitlines() if name[:1].isalpha())
        called = {name: OPERATORS.get(name.lower()) for name in found["operators"] | found["macros"]}
        self.names = replace(
            self.names,
            operators={name: row.signature if row else "" for name, row in called.items()},
            functions=found["functions"],
            aggregates=found["aggregates"],
            types=found["types"],
        )
        self._url = url


def _schemas(text: str) -> dict[str, Schema]:
    found = {}
    for line in text.splitlines():
        name, _, schema = line.partition("\t")
        try:
            found[name] = Schema.parse(schema)
        except WireError:
            log.debug("The schema of an array cannot be read, %s", schema)
    return found
