"""The session's status: one widget a kernel, and text and HTML where there are no widgets.

::

    connection.on_change ──▶ watch ──▶ overview ──▶ page ──▶ panel
                              │ now and then: the slots, as the server lists them
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

from scidb_magic.notebook import display, frontend, shared
from scidb_magic.notebook.status import page
from scidb_magic.notebook.status.overview import Overview, look

if TYPE_CHECKING:
    from scidb_magic.notebook.status.panel import Panel

PATIENCE = 1.0
"""Seconds for which the first look waits for the server's list of slots."""

_panel: Panel | None = None


def show() -> None:
    """Display the status: widget, HTML and text in one output."""
    overview = _soon()
    more = {}
    if frontend.draws_widgets():
        with contextlib.suppress(ImportError):
            more = frontend.view(widget())
    display.bundle(page.as_text(overview), page.as_html(overview), more)


def widget() -> Any:
    """The status widget of this kernel; made at the first call, the same one at every other.

    Returns
    -------
    ipywidgets.VBox

    Raises
    ------
    ImportError
        There is no ipywidgets.
    """
    global _panel
    from scidb_magic.notebook.status.panel import Panel

    if _panel is None:
        _panel = Panel()
    _panel.changed()
    return _panel.root


def close() -> None:
    """Take the widget away and look no more; the next `widget` is another one."""
    global _panel
    panel, _panel = _panel, None
    if panel is not None:
        panel.close()


def _soon() -> Overview:
    """The session and the slots; without the slots, where the server takes its time."""
    session = shared.session()
    found: list[Overview] = []
    thread = threading.Thread(target=lambda: found.append(look(session)), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if found:
        return found[0]
    return Overview(session.status(), trouble=f"the server has not listed them within {PATIENCE:.0f} s.")
