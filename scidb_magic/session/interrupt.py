"""A blocking call that a KeyboardInterrupt can end without losing what the server is doing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from scidb_magic.errors import QueryInterrupted
from scidb_magic.session.ending import CANCEL_EVERY

T = TypeVar("T")


log = logging.getLogger("scidb_magic")

TICK_EVERY = 0.2
"""Seconds."""

CANCELLED = "SCIDB_LE_QUERY_CANCELLED"

_here = threading.local()


def in_waiting_thread(call: Callable[[], object]) -> None:
    """Run `call` in the thread that waits for this one in `interruptible`; here, if none does.

    So a notice comes out of the thread whose cell runs the query, and at once.
    """
    mailbox: SimpleQueue[Callable[[], object]] | None = getattr(_here, "mailbox", None)
    if mailbox is None:
        call()
    else:
        mailbox.put(call)


class _Task(Generic[T]):
    """`work` in a thread of its own, and what that thread has to say to the one that waits."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._results: list[T] = []
        self.failures: list[BaseException] = []
        self.begun = threading.Event()
        self._done = threading.Event()
        self.mailbox: SimpleQueue[Callable[[], object]] = SimpleQueue()

    def run(self) -> None:
        self.begun.set()
        _here.mailbox = self.mailbox
        try:
            self._results.append(self._work())
        except BaseException as failure:  # noqa: BLE001 (handed over to the waiting thread, whatever it is)
            self.failures.append(failure)
        finally:
            self._done.set()
            self.mailbox.put(_nothing)

    def ended(self, within: float | None = None) -> bool:
        """Do what it asks for until it has ended, or has not asked for anything so many seconds long."""
        while not (self._done.is_set() and self.mailbox.empty()):
            try:
                call = self.mailbox.get(timeout=within)
            except Empty:
                return False
            try:
                call()
            except Exception:
                log.warning("A notice could not be shown.", exc_info=True)
        return True

    def result(self) -> T:
        if self.failures:
            raise self.failures[0]
        return self._results[0]


def interruptible(
    work: Callable[[], T],
    cancel: Callable[[], bool],
    abandon: Callable[[], bool | None],
    tick: Callable[[], object] | None = None,
) -> T:
    """Run `work` in a thread of its own, so that the main thread can hear the user.

    An interrupt arrives only in the main thread; elsewhere `work` is simply called.

    Parameters
    ----------
    work : callable
        The blocking call.
    cancel : callable
        Called at the first interrupt, and again until `work` has ended. Where it answers False the server
        is not at it, and nobody is waited for.
    abandon : callable
        Called where `work` is not waited for any more, as after the second interrupt. Answers whether the
        statement ran in an attempt before, None where that is not known.
    tick : callable, optional
        Called now and then in the main thread while it waits.

    Raises
    ------
    QueryInterrupted
        After an interrupt, however `work` ended.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    task = _Task(work)
    try:
        try:
            threading.Thread(target=task.run, name="scidb_magic query", daemon=True).start()
        except RuntimeError:
            # Python 3.12 starts no thread once the interpreter is ending: a query in somebody's atexit.
            return work()
        while not task.ended(TICK_EVERY if tick else None):
            task.mailbox.put(tick or _nothing)
    except KeyboardInterrupt:
        raise _interrupted(task, cancel, abandon) from None
    return task.result()


def _interrupted(
    task: _Task[T], cancel: Callable[[], bool], abandon: Callable[[], bool | None]
) -> QueryInterrupted:
    """Cancel what runs, again and again; another interrupt ends the waiting."""
    try:
        if not cancel():
            ran = abandon()
            before = "" if ran is False else "; an attempt before may have run the statement"
            return QueryInterrupted(f"Interrupted; nothing was running on the server{before}.", ran=ran)
        # Again and again, for the first may come just before the query reaches the server.
        while task.begun.wait(CANCEL_EVERY) and not task.ended(CANCEL_EVERY):
            cancel()
    except KeyboardInterrupt:
        abandon()
        return QueryInterrupted("Interrupted: not waiting for the server any more.")
    return _outcome(task.failures)


def _nothing() -> None:
    pass


def _outcome(failures: list[BaseException]) -> QueryInterrupted:
    """What became of the statement after the first interrupt."""
    if not failures:
        return QueryInterrupted(
            "Interrupted, but the query had already ended on the server; the session stays usable.", ran=True
        )
    failure = failures[0]
    if getattr(failure, "code", None) == CANCELLED:
        return QueryInterrupted(
            "Interrupted: the query was cancelled on the server; the session stays usable.",
            ran=getattr(failure, "ran", None),
        )
    return QueryInterrupted(f"Interrupted. {failure}", ran=getattr(failure, "ran", None))
