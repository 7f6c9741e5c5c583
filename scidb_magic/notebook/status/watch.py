"""Looks again in a thread of its own: at once when the session has changed, else less and less often.

Nobody is asked while nothing shows the answer, nor once the kernel has had nothing to do for `ASLEEP`:
what happens on the server then must not keep this kernel from being culled as idle.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

log = logging.getLogger("scidb_magic")

GATHER = 0.15
"""Seconds in which changes that follow each other are one."""

FIRST, LONGEST = 2.0, 60.0
"""Seconds between two questions to the server."""

ASLEEP = 600.0
"""Seconds without a change of the session after which the server is not asked any more."""


class Watch:
    """Calls `glance` when the session has changed, and `look`, which asks the server, now and then.

    Parameters
    ----------
    shown : callable
        Whether anybody sees it.
    glance : callable
        Asks nobody.
    look : callable
        Asks the server; answers whether something was new.

    Attributes
    ----------
    asleep : bool
        Whether it waits for a change of the session.
    """

    def __init__(
        self, shown: Callable[[], bool], glance: Callable[[], object], look: Callable[[], bool]
    ) -> None:
        self._shown, self._glance, self._look = shown, glance, look
        # A signal handler may wake it: a SimpleQueue can be put to inside of its own put.
        self._woken: SimpleQueue[bool] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self.asleep = self._ended = self._urgent = False

    def wake(self, *, urgent: bool = False) -> None:
        """Something has changed; `urgent`: ask the server at once. Waits for nothing and takes no lock."""
        self._woken.put(urgent)

    def start(self) -> None:
        """Begin to look, if that is not so already."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="scidb_magic status", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._ended = True
        self.wake(urgent=True)

    def _run(self) -> None:
        interval, asked, changed = FIRST, -FIRST, time.monotonic()
        while not self._ended:
            if self._shown() and (self._urgent or time.monotonic() - asked >= interval):
                self._urgent = False
                news = self._safely(self._look)
                asked = time.monotonic()
                interval = FIRST if news else min(interval * 2, LONGEST)
            self.asleep = not self._shown() or time.monotonic() - changed > ASLEEP
            if self._wait(None if self.asleep else max(asked + interval - time.monotonic(), 0.0)):
                interval, changed = FIRST, time.monotonic()
                if self._shown() and not self._urgent:
                    self._safely(self._glance)

    def _wait(self, seconds: float | None) -> bool:
        """Whether something has changed within so many seconds."""
        try:
            self._urgent = self._woken.get(timeout=seconds)
        except Empty:
            return False
        gathered = time.monotonic() + 4 * GATHER
        with contextlib.suppress(Empty):
            while not self._urgent and time.monotonic() < gathered:
                self._urgent = self._woken.get(timeout=GATHER)
        return True

    def _safely(self, call: Callable[[], object]) -> bool:
        try:
            return bool(call())
        except Exception:  # a status that cannot be shown must not end its thread
            log.debug("The status could not be shown.", exc_info=True)
            return False
