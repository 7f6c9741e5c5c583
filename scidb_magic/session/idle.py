"""Looks after an idle session in a thread of its own, which is there only while something will be due."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable

SOON = 0.5
"""Seconds."""

log = logging.getLogger("scidb_magic")


class IdleWatch:
    """Calls `look` when it is due.

    Parameters
    ----------
    look : callable
        Does what is due, and answers the seconds until it wants to be called again; None: not before `wake`.
    """

    def __init__(self, look: Callable[[], float | None]) -> None:
        self._look = look
        self.forget()

    def forget(self) -> None:
        """In a forked child: the thread is the parent's."""
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        self._next = math.inf

    def wake(self) -> None:
        """Have `look` called in the other thread: now, if it will not be within `SOON` anyway."""
        with self._lock:
            if self._thread is not None and self._next - time.monotonic() < SOON:
                return
            self._woken.set()
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="scidb_magic idle", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # the interpreter is ending: there will be no idle time
                    return
                self._thread = thread

    def rest(self) -> None:
        """Nothing will be due: the other thread, if there is one, may look and go."""
        self._woken.set()

    def _run(self) -> None:
        while True:
            with self._lock:
                self._woken.clear()
                self._next = math.inf
            try:
                due = self._look()
            except Exception:
                log.warning("An idle session could not be looked after.", exc_info=True)
                due = None
            with self._lock:
                if due is None and not self._woken.is_set():
                    self._thread = None
                    return
                self._next = time.monotonic() + (due or 0.0)
            self._woken.wait(due)
