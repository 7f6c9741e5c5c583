"""The statements of this kernel: when, how long, how many rows, how they ended.

What a statement was in the cell is kept, with its ``{{ }}``: run again, these are looked up again. The
latest are kept, and nothing of results or data.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone

from scidb_magic.errors import MagicUsageError

KEPT = 1000
"""Statements."""


@dataclass(slots=True)
class Entry:
    """One statement.

    Attributes
    ----------
    number : int
        From 1.
    source : str
        As it stood in the cell.
    began : datetime
        UTC.
    seconds : float or None
        None while it runs.
    rows : int or None
        Of its result that came, where one came.
    outcome : str
        ``"done"``, ``"running"``, or the error's code or class.
    """

    number: int
    source: str
    began: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    seconds: float | None = None
    rows: int | None = None
    outcome: str = "running"


class History:
    """The latest statements, in order."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._count = 0

    @contextmanager
    def statement(self, source: str) -> Iterator[Entry]:
        """A statement that runs now; whoever runs it may fill in its rows."""
        self._count += 1
        entry = Entry(self._count, source)
        self._entries.append(entry)
        start = time.monotonic()
        try:
            yield entry
            entry.outcome = "done"
        except BaseException as error:
            entry.outcome = getattr(error, "code", None) or type(error).__name__
            raise
        finally:
            entry.seconds = time.monotonic() - start

    def entries(self, pattern: str = "") -> list[Entry]:
        """Those with `pattern` in their text, the oldest first."""
        return [entry for entry in self._entries if pattern.lower() in entry.source.lower()]

    def source(self, number: str) -> str:
        """The statement of a number.

        Raises
        ------
        MagicUsageError
            There is none.
        """
        for entry in self._entries:
            if number == str(entry.number):
                return entry.source
        raise MagicUsageError(f"There is no statement {number!r}; %scidb history lists them.")


statements = History()
"""Of this kernel."""
