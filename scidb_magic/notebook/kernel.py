"""The end of the kernel that runs the notebook.

A kernel is asked to shut down in its control thread, also while a cell runs, and 2.5 s before it is
killed; its ``atexit`` handlers come too late or never when the cell does not end. So the request
itself gives the slot back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scidb_magic.session import lifecycle

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_MARK = "_scidb_magic_former"


def watch(shell: InteractiveShell) -> None:
    """Have the kernel of `shell` give the slot back at the shutdown request; without a kernel, nothing."""
    kernel = getattr(shell, "kernel", None)
    if kernel is None or hasattr(kernel.do_shutdown, _MARK):
        return
    former = kernel.do_shutdown

    def do_shutdown(restart: bool) -> Any:
        try:
            lifecycle.closing()
        finally:
            answer = former(restart)
        return answer

    setattr(do_shutdown, _MARK, former)
    kernel.do_shutdown = do_shutdown


def unwatch(shell: InteractiveShell) -> None:
    """Take back what `watch` did, unless another extension has wrapped it since."""
    kernel: Any = getattr(shell, "kernel", None)
    former = getattr(getattr(kernel, "do_shutdown", None), _MARK, None)
    if former is not None:
        # The attribute of the instance hides the method of the class.
        del kernel.do_shutdown
        if kernel.do_shutdown != former:
            kernel.do_shutdown = former
