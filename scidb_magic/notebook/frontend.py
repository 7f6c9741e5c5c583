"""What the place can do where outputs are shown, as far as the kernel tells."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

_PID = os.getpid()

WIDGET = "application/vnd.jupyter.widget-view+json"

ROW = {"flex_flow": "wrap", "align_items": "center"}
"""Layout of widgets in a row that is broken where the window is narrow."""


def in_kernel() -> bool:
    """Whether this is a kernel's shell, and not that of a terminal."""
    return _kernel() is not None


def draws_widgets() -> bool:
    """Whether a person may look at widgets here.

    Not in a terminal, and not where the cell was sent by Python's jupyter_client, as nbclient, papermill
    and consoles do: nobody is there, and nbconvert would show the widget's saved state, which needs the
    network, instead of the HTML beside it. That client's message ids begin with the session's id.
    """
    kernel = _kernel()
    if kernel is None:
        return False
    header: dict[str, str] = kernel.get_parent().get("header", {})
    return not header.get("msg_id", "").startswith(f"{header.get('session', '')}_")


def hears_buttons() -> bool:
    """Whether a button can act while a cell runs: in JupyterLab from 4.4 on with ipykernel from 7 on."""
    info: dict[str, Any] = getattr(_kernel(), "kernel_info", {})
    return "kernel subshells" in info.get("supported_features", ())


def view(widget: Any) -> dict[str, Any]:
    """The part of an output that is a widget's view."""
    return {WIDGET: {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}}


def button(name: str, tooltip: str, act: Callable[[], object]) -> Any:
    """A button that calls `act` in a thread of its own, also while a cell runs, where that `hears_buttons`.

    Raises
    ------
    ImportError
        There is no ipywidgets.
    """
    import ipywidgets

    made = ipywidgets.Button(description=name, tooltip=tooltip, layout={"width": "auto"})
    made.on_click(lambda _: threading.Thread(target=act, name=f"scidb_magic {name}", daemon=True).start())
    # ipykernel 7.4 sends a click to the shell that has written to the comm last, which is the one that runs
    # the cell, and not to the one that the front end chose; without this mark it does (its comm/comm.py).
    vars(made.comm).pop("_reply_subshell_id", None)
    return made


def close(widget: Any) -> None:
    """Close a widget with all that is in it, so that nothing of it is kept."""
    for child in getattr(widget, "children", ()):
        close(child)
    for part in ("style", "layout"):
        if hasattr(widget, part):
            getattr(widget, part).close()
    widget.close()


def _kernel() -> Any:
    # A forked child has its parent's shell, but none of the parent's sockets.
    if os.getpid() != _PID or not InteractiveShell.initialized():
        return None
    return getattr(InteractiveShell.instance(), "kernel", None)
