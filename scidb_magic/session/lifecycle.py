"""Every way a process can end or fork, and who has to be told.

One registry a process. What is registered here is closed

* by ``atexit``, when the interpreter ends;
* in a child of multiprocessing, where atexit does not run, by its finalizers;
* by the chained handlers of SIGTERM and SIGHUP (`signals`), but not in a worker that has a guardian;
* by the wrapped ``do_shutdown`` of an IPython kernel (the notebook room wraps it and calls `closing`);

and forgotten after a fork, in the child, for it is its parent's. A callback runs only in the process
that registered it. Where none of them runs (SIGKILL, a crash), the guardian frees the slot.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from collections.abc import Callable
from typing import Protocol

from scidb_magic.session.signals import Chain


class Endable(Protocol):
    """What a process must let go of at its end."""

    def close(self) -> None:
        """Give everything back, quickly and without waiting for a running query."""

    def reopen(self) -> None:
        """The process goes on after all."""

    def forget(self) -> None:
        """Drop everything without telling the server: it belongs to the parent process."""


log = logging.getLogger("scidb_magic")

# Reentrant, for a signal handler may come while its own thread registers.
_lock = threading.RLock()
_members: dict[int, Endable] = {}
_closed: list[Endable] = []
_ending = False
_pid = os.getpid()
_hooked_in: int | None = None
_finalized_in: int | None = None
_fork_hooked = False


def register(member: Endable, *, guarded: bool) -> None:
    """See to it that `member` is closed when this process ends, and forgotten in a forked child.

    Parameters
    ----------
    member : Endable
    guarded : bool
        Where nothing here runs, a guardian frees what `member` holds.
    """
    with _lock:
        _members[id(member)] = member
        _hook_process()
        # A pool ends its workers by SIGTERM just when they go to wait for more work. Python hears no signal
        # that comes right before a call that blocks: with a handler such a worker would live on, and its
        # pool wait for it for ever.
        if not (guarded and _is_worker()):
            _signals.hook()


def unregister(member: Endable) -> None:
    """The end of the process no longer concerns `member`; the last one out takes the hooks along."""
    global _hooked_in
    with _lock:
        _members.pop(id(member), None)
        if not _members:
            _signals.unhook()
            atexit.unregister(closing)
            _hooked_in = None


def closing() -> None:
    """Close every member now, the last one first, as atexit does.

    Safe to call twice, and in a forked child, where it does nothing.
    """
    global _ending
    if os.getpid() != _pid:
        return
    _ending = True
    _closed[:] = _members.values()
    for member in reversed(_closed):
        try:
            member.close()
        except Exception:  # the others have slots to give back too
            log.warning("A session could not be closed.", exc_info=True)


def is_ending() -> bool:
    """Whether the process is ending: no session may take a slot any more."""
    return _ending


def after_fork(renew: Callable[[], None]) -> None:
    """Call `renew` in every forked child, where locks and threads are the parent's."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=renew)


def _going_on() -> None:
    """The signal that closed the members did not end the process."""
    global _ending
    _ending = False
    for member in _closed:
        member.reopen()


_signals = Chain(closing, _going_on)


def _hook_process() -> None:
    global _hooked_in, _fork_hooked, _finalized_in
    if _hooked_in == os.getpid():
        return
    _hooked_in = os.getpid()
    atexit.register(closing)
    if not _fork_hooked:
        _fork_hooked = True
        after_fork(_forget_the_parents)
    if _finalized_in != os.getpid() and _is_worker():
        from multiprocessing.util import Finalize

        _finalized_in = os.getpid()
        Finalize(None, closing, exitpriority=100)


def _is_worker() -> bool:
    """Whether this process is a child of multiprocessing."""
    processes = sys.modules.get("multiprocessing.process")
    return processes is not None and processes.parent_process() is not None


def _forget_the_parents() -> None:
    global _pid, _lock, _hooked_in, _ending
    _ending = False
    _lock = threading.RLock()
    _pid = os.getpid()
    _hooked_in = None
    atexit.unregister(closing)
    _signals.unhook()
    members = list(_members.values())
    _members.clear()
    _closed.clear()
    for member in members:
        member.forget()
