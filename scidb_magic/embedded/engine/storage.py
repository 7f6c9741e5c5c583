"""DuckDB as the place where cells are: opened, locked down, shared by all sessions.

One DuckDB instance holds two databases: `STORED` keeps versioned arrays (a file, or memory), and
`TEMPORARY` keeps temp arrays, always in memory. Every session has a cursor of its own.

SQL can reach nothing outside: no files, no extensions, and its settings cannot be changed.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from weakref import WeakValueDictionary

import duckdb

from scidb_magic.embedded.engine.errors import from_duckdb
from scidb_magic.embedded.engine.sql import quote
from scidb_magic.errors import EngineError

STORED, TEMPORARY = "stored", "temporary"
_FILE = "arrays.duckdb"
_POLL = 0.05
"""Seconds between two looks at whether a query that waits for an array was cancelled."""


def single(cursor: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    """The one statement that `sql` is; more can only be somebody's who broke out of a literal.

    Raises
    ------
    EngineError
    """
    found = cursor.extract_statements(sql)
    if len(found) != 1:
        raise EngineError("EXECUTION", "UNKNOWN_ERROR", "The embedded engine makes one statement of this.")
    return found[0]


class Storage:
    """The DuckDB instance of an engine.

    Parameters
    ----------
    folder : Path, optional
        Where stored arrays live on; memory if None.
    spill : Path
        Folder for intermediate results that do not fit in memory.
    memory_limit, temp_limit : str, optional
        DuckDB's sizes, such as ``"4GB"``.

    Raises
    ------
    EngineError
        The file cannot be opened, for example because another server has it open.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        spill: Path,
        memory_limit: str | None = None,
        temp_limit: str | None = None,
    ) -> None:
        place = ":memory:" if folder is None else os.fspath(folder / _FILE)
        options = {
            "memory_limit": memory_limit,
            "temp_directory": os.fspath(spill),
            "preserve_insertion_order": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        config: dict[str, str | bool | int | float | list[str]] = {
            key: value for key, value in options.items() if value is not None
        }
        try:
            self._root = duckdb.connect(":memory:", config=config)
            if temp_limit is not None:
                # DuckDB keeps to it only where it is set after the folder.
                self._root.execute(f"SET max_temp_directory_size = {quote(temp_limit)}")
            self._root.execute(f"ATTACH {quote(place)} AS {STORED}")
            self._root.execute(f"ATTACH ':memory:' AS {TEMPORARY}")
            self._root.execute("SET python_enable_replacements = false")
            self._root.execute("SET enable_external_access = false")
            self._root.execute("SET lock_configuration = true")
        except duckdb.Error as error:
            raise from_duckdb(error) from error
        self._in_file = folder is not None
        self._locks: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        self._guard = threading.Lock()

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own to the same databases."""
        with self._guard:
            return self._root.cursor()

    def reclaim(self) -> None:
        """Let the file use the space of tables that are gone again; later, if somebody is writing now."""
        if self._in_file:
            with suppress(duckdb.Error), closing(self.cursor()) as cursor:
                cursor.execute(f"CHECKPOINT {STORED}")

    def close(self) -> None:
        """Close the database; open cursors end with it."""
        self._root.close()

    @contextmanager
    def writing(self, names: Collection[str], check: Callable[[], None]) -> Iterator[None]:
        """Hold the locks of the arrays that a statement changes.

        Parameters
        ----------
        names : collection of str
            Taken in alphabetical order, so that two statements never wait for each other.
        check : callable
            Called while waiting; raises to give up.
        """
        with ExitStack() as held:
            for name in sorted(names):
                lock = self._lock(name)
                while not lock.acquire(timeout=_POLL):
                    check()
                held.callback(lock.release)
            yield

    def _lock(self, name: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(name, threading.Lock())
