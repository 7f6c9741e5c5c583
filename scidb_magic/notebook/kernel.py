"""What the kernel that runs the notebook is asked for, and we have a part in: its end, and help.

A kernel is asked to shut down in its control thread, also while a cell runs, and 2.5 s before it is
killed; its ``atexit`` handlers come too late or never when the cell does not end. So the request
itself gives the slot back. The request for help, Shift-Tab, has the whole cell; IPython's hooks have not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from scidb_magic.session import lifecycle

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_MARK = "_scidb_magic_former"


def watch(shell: InteractiveShell, explain: Callable[[str, int], str | None]) -> None:
    """Have the kernel of `shell` give the slot back at the shutdown request, and ask us for help.

    Parameters
    ----------
    shell : InteractiveShell
        Without a kernel nothing happens.
    explain : callable
        From a cell and a place in it to a text; None where it is not ours.
    """
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return

    def ending(former: Callable[..., Any]) -> Callable[..., Any]:
        def do_shutdown(restart: bool) -> Any:
            try:
                lifecycle.closing()
            finally:
                answer = former(restart)
            return answer

        return do_shutdown

    def helping(former: Callable[..., Any]) -> Callable[..., Any]:
        def do_inspect(code: str, cursor_pos: int, *more: Any, **named: Any) -> Any:
            text = explain(code, cursor_pos)
            if text is None:
                return former(code, cursor_pos, *more, **named)
            data = {"text/plain": text} if text else {}
            return {"status": "ok", "found": bool(text), "data": data, "metadata": {}}

        return do_inspect

    _wrap(kernel, "do_shutdown", ending)
    _wrap(kernel, "do_inspect", helping)


def unwatch(shell: InteractiveShell) -> None:
    """Take back what `watch` did, unless another extension has wrapped it since."""
    kernel: Any = getattr(shell, "kernel", None)
    for name in ("do_shutdown", "do_inspect"):
        former = getattr(getattr(kernel, name, None), _MARK, None)
        if former is not None:
            # The attribute of the instance hides the method of the class.
            delattr(kernel, name)
            if getattr(kernel, name) != former:
                setattr(kernel, name, former)


def _wrap(kernel: Any, name: str, wrapper: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    former = getattr(kernel, name)
    if hasattr(former, _MARK):
        return
    own = wrapper(former)
    setattr(own, _MARK, former)
    setattr(kernel, name, own)
