"""SIGTERM and SIGHUP, of which the interpreter dies without a word: handlers chained before the former ones.

What is to be done is done in the handler itself, for IPython swallows a SystemExit from one; then the
former handler has its turn, and where there was none, the signal is raised again and ends the process.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

SIGNALS = [number for number in (signal.SIGTERM, getattr(signal, "SIGHUP", None)) if number is not None]


class Chain:
    """Our handlers in front of the former ones.

    Parameters
    ----------
    ending : callable
        Called first.
    going_on : callable
        Called when the former handler has let the process live.
    """

    def __init__(self, ending: Callable[[], None], going_on: Callable[[], None]) -> None:
        self._ending = ending
        self._going_on = going_on
        self._hooked = False
        self._formers: dict[int, list[Any]] = {number: [] for number in SIGNALS}
        self._at_it: dict[int, list[Any]] = {}

    def hook(self) -> None:
        """Put the handlers in place, unless they are; possible only in the main thread."""
        if self._hooked or threading.current_thread() is not threading.main_thread():
            return
        self._hooked = True
        for number, formers in self._formers.items():
            former = signal.getsignal(number)
            # What is ignored (nohup) stays ignored, by programs that this process starts too.
            if former is not signal.SIG_IGN:
                formers.append(former)
                signal.signal(number, self._on_signal)

    def unhook(self) -> None:
        """Put the former handlers back, where nobody has set another since."""
        if not self._hooked or threading.current_thread() is not threading.main_thread():
            return
        self._hooked = False
        for number, formers in self._formers.items():
            if signal.getsignal(number) == self._on_signal:
                former = formers.pop()
                signal.signal(number, former if former is not None else signal.SIG_DFL)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        # A handler that was set in front of ours may hand on to us, and have us in front of it again. And the
        # last member that is closed takes our handlers away.
        outermost = number not in self._at_it
        formers = self._at_it.setdefault(number, [*self._formers[number]])
        former = formers.pop() if formers else None
        try:
            self._ending()
            if callable(former):
                try:
                    former(number, frame)
                finally:
                    # Also after a SystemExit, which IPython swallows while a cell runs.
                    self._going_on()
            else:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
        finally:
            if outermost:
                del self._at_it[number]
