"""Waiting, in one place: how long, with which pauses, and what was waited for."""

from __future__ import annotations

import random
import threading
import time

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 2.0


class Backoff:
    """Growing pauses with jitter, within a bound.

    Parameters
    ----------
    limit : float
        Seconds from now on.
    immediate : bool
        The first pause has no length.

    Attributes
    ----------
    pauses : int
        How many there were.
    """

    def __init__(self, limit: float, *, immediate: bool = False) -> None:
        self.pauses = 0
        self._limit = limit
        self._started = time.monotonic()
        self._next = 0.0 if immediate else FIRST_PAUSE

    @property
    def waited(self) -> float:
        """Seconds since the first moment."""
        return time.monotonic() - self._started

    def pause(self, cancelled: threading.Event) -> bool:
        """Wait for the next attempt; False at once past the bound, or when `cancelled` is set."""
        left = self._limit - self.waited
        if left <= 0 and self._next:
            return False
        self.pauses += 1
        length, self._next = self._next, min(max(self._next, FIRST_PAUSE) * 1.5, LONGEST_PAUSE)
        # The last attempt comes at the bound, not a pause before it.
        return not cancelled.wait(min(length * random.uniform(0.8, 1.2), max(left, 0.0)))  # noqa: S311


class Deadline:
    """A moment until which several requests have to be done."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds; never less than a request needs to be tried at all."""
        return max(self._end - time.monotonic(), 0.05)

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self._end
