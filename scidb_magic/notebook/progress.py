"""How far a statement is: shown once it takes long, gone at its end.

`task` opens a task, `watching` has it drawn while the main thread waits for the session. A task is drawn
in one of three ways: as a widget with a Cancel button, where the kernel hears of buttons while a cell
runs; as an output that is rewritten; in a terminal as a line that is written over. A notebook that is run
without a reader, which keeps each output as it was last, keeps nothing of it.
"""

from __future__ import annotations

import html
import logging
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from IPython.display import display

from scidb_magic.notebook import frontend
from scidb_magic.notebook.units import sizes

if TYPE_CHECKING:
    from scidb_magic.session.connection import Connection

log = logging.getLogger("scidb_magic")

EVERY = 0.2
"""Seconds between two changes: what changes faster nobody reads."""

RUNNING = "running"
"""What a statement is called that has no number."""

_BAR = '<progress aria-label="progress" {range} style="{style}"></progress> {text}'
_STYLE = "width: 20em; vertical-align: middle"

# IPython has types for it in some of its versions.
_display: Callable[..., Any] = display


class Line(Protocol):
    """Where a task is drawn."""

    def draw(self, text: str, markup: str) -> None:
        """Show this now."""

    def close(self) -> None:
        """Take it away."""


class Task:
    """Something that takes time.

    Parameters
    ----------
    label : str
        What it is.
    after : float
        Seconds before it appears.
    cancel : callable
        Ends it, from whatever thread.
    """

    def __init__(self, label: str, after: float, cancel: Callable[[], object]) -> None:
        self._label = label
        self._cancel = cancel
        self._began = time.monotonic()
        self._due = self._began + after
        self._line: Line | None = None
        self._part: tuple[int, int | None] | None = None

    def step(self, done: int, total: int, text: str) -> None:
        """`done` of `total` pieces are done, and now comes `text`."""
        self._label = f"{done:,} of {total:,}" + (f": {text}" if text else "")
        self._part = done, total
        self.tick()

    def tick(self, transferred: tuple[int, int | None] | None = None) -> None:
        """Draw it, if that is due; `transferred` are bytes, and of how many, if that is known."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + EVERY
        told = (self._label, f"{now - self._began:.0f} s", transferred and sizes(*transferred))
        text = " · ".join(filter(None, told))
        try:
            if self._line is None:
                self._line = _line(self._cancel)
            self._line.draw(text, _bar(text, *(self._part or transferred or (0, None))))
        except Exception:  # what cannot be drawn is no reason to leave the work
            log.debug("Progress could not be shown.", exc_info=True)
            self._due = math.inf

    def close(self) -> None:
        """It has ended."""
        if self._line is None:
            return
        try:
            self._line.close()
        except Exception:  # nor to lose its result
            log.debug("Progress could not be taken away.", exc_info=True)


_task: Task | None = None
"""The one that is open, in the main thread."""


@contextmanager
def task(label: str, after: float, cancel: Callable[[], object]) -> Iterator[Task]:
    """A task that is open meanwhile; see `Task`. It is drawn in the main thread alone, where cells run."""
    global _task
    if threading.current_thread() is not threading.main_thread():
        yield Task(label, math.inf, cancel)
        return
    outer, _task = _task, Task(label, after, cancel)
    try:
        yield _task
    finally:
        opened, _task = _task, outer
        opened.close()


@contextmanager
def watching(connection: Connection) -> Iterator[Callable[[], None] | None]:
    """For `Connection.watching`: a statement runs, as the open task or as one of its own."""
    if threading.current_thread() is not threading.main_thread():
        yield None
        return

    if _task is not None:
        opened = _task
        yield lambda: opened.tick(connection.transfer())
        return
    with task(RUNNING, connection.settings.progress_after, connection.cancel) as own:
        yield lambda: own.tick(connection.transfer())


def _bar(text: str, done: int, total: int | None) -> str:
    known = f'value="{done}" max="{total}"' if total else ""
    return _BAR.format(range=known, style=_STYLE, text=html.escape(text))


def _line(cancel: Callable[[], object]) -> Line:
    if not frontend.in_kernel():
        return _Terminal()
    if not (frontend.draws_widgets() and frontend.hears_buttons()):
        return _Output()
    try:
        return _Widget(cancel)
    except ImportError:
        return _Output()


class _Terminal:
    """A line that is written over."""

    def __init__(self) -> None:
        self._width = 0

    def draw(self, text: str, markup: str) -> None:  # noqa: ARG002 - one interface
        if sys.stderr.isatty():
            self._write("\r" + text.ljust(self._width))
            self._width = max(self._width, len(text))

    def close(self) -> None:
        if self._width:
            self._write("\r" + " " * self._width + "\r")

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


class _Output:
    """An output that is rewritten."""

    def __init__(self) -> None:
        self._handle: Any = None

    def draw(self, text: str, markup: str) -> None:
        bundle = {"text/plain": text, "text/html": markup}
        if self._handle is None:
            self._handle = _display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)

    def close(self) -> None:
        self._handle.update({"text/plain": ""}, raw=True)


class _Widget:
    """A line with a Cancel button."""

    def __init__(self, cancel: Callable[[], object]) -> None:
        import ipywidgets

        self._text = ipywidgets.HTML()
        button = frontend.button("Cancel", "Cancel the query on the server", cancel)
        self._box = ipywidgets.HBox([self._text, button], layout=frontend.ROW)
        self._handle: Any = None

    def draw(self, text: str, markup: str) -> None:
        self._text.value = markup
        if self._handle is None:
            bundle = {"text/plain": text, **frontend.view(self._box)}
            self._handle = _display(bundle, raw=True, display_id=True)

    def close(self) -> None:
        self._handle.update({"text/plain": ""}, raw=True)
        frontend.close(self._box)
