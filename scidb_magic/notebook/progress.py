"""One line that says how far something is, in the place where it was first shown.

In a notebook it is an output that is rewritten, in a terminal a line that is written over. It appears
only when something takes long, and is gone at the end: a notebook that is run without a reader, which
keeps each output as it was last, keeps nothing of it.
"""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display

EVERY = 0.2
"""Seconds between two changes: what changes faster nobody reads."""

_BAR = '<progress value="{done}" max="{total}" style="width: 20em; vertical-align: middle"></progress> {text}'

# IPython has types for it in some of its versions.
_display: Callable[..., Any] = display


class Progress:
    """A line with a bar; a context manager that takes it away at its end.

    Parameters
    ----------
    after : float
        Seconds before it appears.
    """

    def __init__(self, after: float = 1.0) -> None:
        self._due = time.monotonic() + after
        self._handle: Any = None
        self._width = 0
        self._in_notebook = hasattr(InteractiveShell._instance, "kernel")

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            self._handle.update({"text/plain": ""}, raw=True)
        elif self._width:
            self._write("\r" + " " * self._width + "\r")

    def show(self, done: int, total: int, text: str) -> None:
        """Show that `done` of `total` are done, and what is done now."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + EVERY
        line = f"{done:,} of {total:,}  {text}"
        if not self._in_notebook:
            if sys.stderr.isatty():
                self._write("\r" + line.ljust(self._width))
                self._width = max(self._width, len(line))
            return
        bundle = {
            "text/plain": line,
            "text/html": _BAR.format(done=done, total=total, text=html.escape(line)),
        }
        if self._handle is None:
            self._handle = _display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
