"""A blocking call that a KeyboardInterrupt can end without losing what the server is doing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeVar

from scidb_magic.errors import QueryInterrupted

T = TypeVar("T")


log = logging.getLogger("scidb_magic")

CANCEL_EVERY = 0.5
"""Seconds."""

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


def interruptible(
    work: Callable[[], T],
    cancel: Callable[[], bool],
    abandon: Callable[[], object],
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
        Called at the second interrupt; `work` is not waited for any more.
    tick : callable, optional
        Called now and then in the main thread while it waits.

    Raises
    ------
    QueryInterrupted
        After an interrupt, however `work` ended.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    results: list[T] = []
    failures: list[BaseException] = []
    begun, done = threading.Event(), threading.Event()
    mailbox: SimpleQueue[Callable[[], object]] = SimpleQueue()

    def run() -> None:
        begun.set()
        _here.mailbox = mailbox
        try:
            results.append(work())
        except BaseException as failure:  # handed over to the waiting thread, whatever it is
            failures.append(failure)
        finally:
            done.set()
            mailbox.put(_nothing)

    def ended(within: float | None = None) -> bool:
        while not (done.is_set() and mailbox.empty()):
            try:
                call = mailbox.get(timeout=within)
            except Empty:
                return False
            try:
                call()
            except Exception:  # a notice that cannot be shown is no reason to leave a query alone
                log.warning("A notice could not be shown.", exc_info=True)
        return True

    thread = threading.Thread(target=run, name="scidb_magic query", daemon=True)
    try:
        try:
            thread.start()
        except RuntimeError:
            # Python 3.12 starts no thread once the interpreter is ending: a query in somebody's atexit.
            return work()
        while not ended(TICK_EVERY if tick else None):
            mailbox.put(tick or _nothing)
    except KeyboardInterrupt:
        try:
            if not cancel():
                abandon()
                raise QueryInterrupted("Interrupted; nothing was running on the server.", ran=False) from None
            # Again and again, for the first may come just before the query reaches the server.
            while begun.wait(CANCEL_EVERY) and not ended(CANCEL_EVERY):
                cancel()
        except QueryInterrupted:
            raise
        except KeyboardInterrupt:
            abandon()
            raise QueryInterrupted("Interrupted: not waiting for the server any more.") from None
        raise _outcome(failures) from None
    if failures:
        raise failures[0]
    return results[0]


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
            "Interrupted: the query was cancelled on the server; the session stays usable.", ran=False
        )
    interrupted = QueryInterrupted(f"Interrupted. {failure}", ran=getattr(failure, "ran", None))
    interrupted.__cause__ = failure
    return interrupted
