"""Looks after an idle session in a thread of its own, which is there only while something will be due."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

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

    def wake(self) -> None:
        """Have `look` called now, in the other thread."""
        with self._lock:
            self._woken.set()
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="scidb_magic idle", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # the interpreter is ending: there will be no idle time
                    return
                self._thread = thread

    def _run(self) -> None:
        while True:
            self._woken.clear()
            try:
                due = self._look()
            except Exception:
                log.warning("An idle session could not be looked after.", exc_info=True)
                due = None
            with self._lock:
                if due is None and not self._woken.is_set():
                    self._thread = None
                    return
            self._woken.wait(due)
