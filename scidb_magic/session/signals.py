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
        self._former: dict[int, Any] = {}

    def hook(self) -> None:
        """Put the handlers in place, unless they are; possible only in the main thread."""
        if self._former or threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            former = signal.getsignal(number)
            # What is ignored (nohup) stays ignored, by programs that this process starts too.
            if former is not signal.SIG_IGN:
                self._former[number] = former
                signal.signal(number, self._on_signal)

    def unhook(self) -> None:
        """Put the former handlers back, where nobody has set another since."""
        if threading.current_thread() is not threading.main_thread():
            return
        former, self._former = self._former, {}
        for number, handler in former.items():
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        former = self._former.get(number)  # the last member that is closed takes our handlers away
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
