"""The temporary arrays of SciDB-Py: removed from the server when nobody has them any more.

``db.build(…).store()`` stores under a name that only its `scidbpy.Array` knows. When that object is
gone the array is removed, as SciDB-Py does, but with the next statement: Python may collect the object in
any thread and in the middle of anything, where asking for the session could wait for ever or take a slot.
At the end of the process those still there are removed before the slot is given back.
"""

from __future__ import annotations

import logging
import os
import weakref
from collections import deque
from typing import Any

from scidb_magic.errors import QueryError, ScidbMagicError
from scidb_magic.session.connection import Connection

log = logging.getLogger("scidb_magic")


class Collector:
    """Removes the temporary arrays of one `Connection`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._pid = os.getpid()
        self._alive: dict[int, str] = {}
        self._due: deque[str] = deque()
        connection.last_words = self._last_words

    def watch(self, owner: object, array: str) -> None:
        """Remove the array of this name once `owner` is gone."""
        self._leave_the_parents()
        watch = weakref.finalize(owner, self._gone, id(owner))
        watch.atexit = False
        self._alive[id(owner)] = array

    def sweep(self) -> None:
        """Remove what is due, unless a statement runs just now. Never raises an error of the server."""
        self._leave_the_parents()
        while self._due and not self._connection.busy:
            try:
                array = self._due.popleft()
            except IndexError:  # another thread was first
                return
            try:
                self._connection.execute(_removal(array))
            except QueryError as error:
                log.debug("A temporary array was not removed: %s", error)
            except ScidbMagicError as error:
                self._due.append(array)
                log.debug("%s at the removal of a temporary array: %s", type(error).__name__, error)
                return

    def _gone(self, owner: int) -> None:
        self._leave_the_parents()
        if owner in self._alive:
            self._due.append(self._alive.pop(owner))

    def _last_words(self) -> list[str]:
        self._leave_the_parents()
        names = [*self._due, *self._alive.values()]
        self._due.clear()
        self._alive.clear()
        return [_removal(name) for name in names]

    def _leave_the_parents(self) -> None:
        """In a forked child: what was there before is the parent's."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._alive.clear()
            self._due.clear()


def _removal(array: str) -> str:
    return f"remove({array})"


def qualified(array: Any, namespace: str | None) -> str:
    """The array's name, with the namespace that it was stored in."""
    name = str(array)
    return name if "." in name or not namespace else f"{namespace}.{name}"
