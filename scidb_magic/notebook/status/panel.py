"""The session status widget: plain ipywidgets, so that it works offline and in every front end.

What is shown comes from `page`; `Watch` calls `refresh` in its thread. A button acts in a thread of its
own and tells in the last line what came of it, so neither the kernel nor another button waits for it.
"""

from __future__ import annotations

import contextlib
import html
from collections.abc import Callable
from typing import Any

import ipywidgets

from scidb_magic.errors import QueryInterrupted, ScidbMagicError, SettingError
from scidb_magic.notebook import actions, display, failure, frontend, shared
from scidb_magic.notebook.status import page
from scidb_magic.notebook.status.overview import Overview, look
from scidb_magic.notebook.status.watch import Watch

_PARTS: tuple[Callable[[Overview], str], ...] = (page.state, page.facts, page.slots, page.sessions)
_BUTTONS = (
    ("Reconnect", "Give the slot back and take a new one", actions.reconnect),
    ("Release", "Give the slot back; the next query takes a new one", actions.release),
    ("Release orphans", "Free the slots of your processes that are gone", actions.release_orphans),
)

# The height of a line would be that of a button.
_DENSE = '<div style="line-height: 1.4">{}</div>'


class Panel:
    """The widget of a kernel.

    Attributes
    ----------
    root : ipywidgets.VBox
    overview : Overview
        As it is shown.
    """

    def __init__(self) -> None:
        self._closed = False
        self._parts = [ipywidgets.HTML() for _ in _PARTS]
        self._running = ipywidgets.HTML()
        self._cancel = self._button("Cancel", "Cancel the running query on the server", actions.cancel)
        self._message = ipywidgets.HTML()
        buttons = [self._button(*row) for row in _BUTTONS]
        again = frontend.button("Refresh", "Ask the server for its slots", self.changed)
        self._running_row = ipywidgets.HBox([self._running, self._cancel], layout=frontend.ROW)
        self.root = ipywidgets.VBox(
            [
                self._parts[0],
                self._running_row,
                *self._parts[1:],
                ipywidgets.HBox([*buttons, again], layout=frontend.ROW),
                self._message,
            ],
            # From 0 on the front end counts the views.
            _view_count=0,
        )
        self.overview = Overview(shared.session().status())
        self._draw(self.overview)
        self._watch = Watch(lambda: self.shown, self.glance, self.refresh)
        self.root.observe(lambda _: self.changed(), "_view_count")

    @property
    def shown(self) -> bool:
        """Whether a view of it is open, as far as the front end tells."""
        return not self._closed and self.root._view_count != 0  # noqa: SLF001 (ipywidgets' documented trait)

    def changed(self) -> None:
        """Look again, now; waits for nothing."""
        self._watch.start()
        self._watch.wake(urgent=True)

    def glance(self) -> bool:
        """Show the session as it is, and the slots as they were; whether something was new."""
        return self._show(self.overview.now(self._session()))

    def refresh(self) -> bool:
        """Show the session and the slots as they are; whether something was new. Asks the server."""
        return self._show(look(self._session()))

    def close(self) -> None:
        """Take it away wherever it is shown, and look no more."""
        self._closed = True
        self._watch.stop()
        with contextlib.suppress(SettingError):
            shared.session().connection.on_change = _nobody
        frontend.close(self.root)

    def _session(self) -> Any:
        session = shared.session()
        session.connection.on_change = self._watch.wake
        return session

    def _show(self, overview: Overview) -> bool:
        if overview == self.overview or self._closed:
            return False
        self.overview = overview
        self._draw(overview)
        return True

    def _draw(self, overview: Overview) -> None:
        for part, draw in zip(self._parts, _PARTS, strict=True):
            part.value = _DENSE.format(draw(overview))
        too = ", too" if frontend.hears_buttons() else ""
        self._running.value = page.running(overview, f"Interrupting the kernel (■) cancels it{too}.")
        self._running_row.layout.display = "flex" if overview.running else "none"

    def _button(self, name: str, tooltip: str, action: Callable[[Any], str]) -> Any:
        def act() -> None:
            self._tell(f"{name} …")
            try:
                with display.notices_to(self._tell):
                    self._tell(action(self._session()))
            except (ScidbMagicError, QueryInterrupted) as error:
                self._tell(failure.headline(error))
            finally:
                self.changed()

        return frontend.button(name, tooltip, act)

    def _tell(self, sentence: str) -> None:
        self._message.value = f'<div role="status">{html.escape(sentence)}</div>'


def _nobody() -> None:
    """Hears of changes where no panel does."""
