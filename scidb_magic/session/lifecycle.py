"""Every way a process can end or fork, and who has to be told.

One registry a process. What is registered here is called

* by ``atexit``, when the interpreter ends;
* by the chained SIGTERM handler, which then hands the signal on to the former handler;
* by the wrapped ``do_shutdown`` of an IPython kernel (the notebook room wraps it and calls `closing`);
* after a fork, in the child, which forgets what is its parent's.

A callback runs only in the process that registered it.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import threading
from types import FrameType
from typing import Any, Protocol


class Endable(Protocol):
    """What a process must let go of at its end."""

    def close(self) -> None:
        """Give everything back, quickly and without waiting for a running query."""

    def forget(self) -> None:
        """Drop everything without telling the server: it belongs to the parent process."""


# Reentrant, for a signal handler may come while its own thread registers.
_lock = threading.RLock()
log = logging.getLogger("scidb_magic")
_members: dict[int, Endable] = {}
_pid = os.getpid()
_former_sigterm: Any = None
_sigterm_is_ours = False
_hooked = False


def register(member: Endable) -> None:
    """See to it that `member` is closed when this process ends, and forgotten in a forked child."""
    with _lock:
        _members[id(member)] = member
    _hook_process()
    _hook_sigterm()


def unregister(member: Endable) -> None:
    """The end of the process no longer concerns `member`; the last one out takes the signal handler along."""
    with _lock:
        _members.pop(id(member), None)
        last = not _members
    if last:
        _unhook_sigterm()


def closing() -> None:
    """Close every member now, the last one first, as atexit does.

    Safe to call twice, and in a forked child, where it does nothing.
    """
    if os.getpid() != _pid:
        return
    for member in reversed(list(_members.values())):
        try:
            member.close()
        except Exception:  # the others have slots to give back too
            log.warning("A session could not be closed.", exc_info=True)


def _hook_process() -> None:
    global _hooked
    if _hooked:
        return
    _hooked = True
    atexit.register(closing)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)


def _after_fork() -> None:
    global _pid, _lock
    _lock = threading.RLock()
    _pid = os.getpid()
    members = list(_members.values())
    _members.clear()
    for member in members:
        member.forget()


def _hook_sigterm() -> None:
    """Chain our handler in front of the former one; possible only in the main thread."""
    global _former_sigterm, _sigterm_is_ours
    if _sigterm_is_ours or threading.current_thread() is not threading.main_thread():
        return
    _former_sigterm = signal.signal(signal.SIGTERM, _on_sigterm)
    _sigterm_is_ours = True


def _unhook_sigterm() -> None:
    global _former_sigterm, _sigterm_is_ours
    if not _sigterm_is_ours or threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is _on_sigterm:
        signal.signal(signal.SIGTERM, _former_sigterm if _former_sigterm is not None else signal.SIG_DFL)
    _former_sigterm, _sigterm_is_ours = None, False


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    former = _former_sigterm  # the last member that is closed takes our handler away
    if former is signal.SIG_IGN:
        return
    closing()
    if callable(former):
        former(number, frame)
    else:
        # IPython swallows a SystemExit from a handler, so the signal itself has to end the process.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
