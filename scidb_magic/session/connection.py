"""One slot of shim for this process: taken at the first query, renewed when it was lost, given back.

A statement goes `_run` -> `Attempts` -> `Exchange`; after a fault `recovery` says what may be done.
The thread whose statement runs holds `_turn`; a second thread waits for it. A statement whose session
was taken away meanwhile (released, closing) is not sent again. Between statements an `IdleWatch` looks
after the session.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TypeVar

from scidb_magic.afl import script
from scidb_magic.errors import ScidbMagicError
from scidb_magic.session import ending, lifecycle, occupancy
from scidb_magic.session.attempts import Attempts
from scidb_magic.session.exchange import Exchange, Query, Transfer
from scidb_magic.session.fetching import Abilities, Fetching
from scidb_magic.session.guard import can_guard
from scidb_magic.session.idle import IdleWatch
from scidb_magic.session.interrupt import in_waiting_thread, interruptible
from scidb_magic.session.keeper import SlotKeeper
from scidb_magic.session.result import Result
from scidb_magic.session.settings import Settings, check
from scidb_magic.session.status import SessionStatus, Slot
from scidb_magic.session.uploads import Attachment
from scidb_magic.wire.schema import Schema

T = TypeVar("T")
log = logging.getLogger("scidb_magic")


class Connection:
    """The managed session below frames and notebooks: statements in, bytes and schema out.

    Parameters
    ----------
    settings : Settings
    notify : callable
        Takes the one-line notices (a renewed session, a full server).

    Attributes
    ----------
    last_words : callable
        Answers statements to run for their effect before the slot is given back for good.
    watching : callable
        Makes of this a context manager that is entered around each statement; what it yields, if anything, is
        called now and then in the main thread while that waits for the statement.
    """

    def __init__(self, settings: Settings, notify: Callable[[str], None] = log.warning) -> None:
        self.settings = settings
        self.notify = notify
        self.last_words: Callable[[], Iterable[str]] = tuple
        self.watching: Callable[[Connection], AbstractContextManager[Callable[[], object] | None]] = unwatched
        self._keeper = SlotKeeper(settings, self._tell)
        self._pid = os.getpid()
        self._attempts = Attempts(self._keeper, self._tell)
        self._watch = IdleWatch(self._look_after)
        self._turn = threading.Lock()
        self._owner: int | None = None
        self._running: str | None = None
        self._cancelled = threading.Event()
        self._abilities = Abilities()

    def adopt(self, settings: Settings) -> None:
        """Go on with other settings, of which only those that are not the session's own may differ."""
        self.settings = settings
        self._keeper.adopt(settings)
        if self._keeper.session is not None:
            self._watch.wake()

    # Statements

    def fetch(
        self,
        afl: str,
        *,
        retry: str | None = None,
        namespace: str | None = None,
        attachments: Sequence[Attachment] = (),
        rows: int | None = None,
        schema: Schema | None = None,
        dimensions: bool = True,
        format: str = "binary",
        decoded: bool = True,
    ) -> Result:
        """Run one statement and bring its cells, dimensions first. Requests: see `fetching`.

        Parameters
        ----------
        afl : str
            One AFL statement.
        retry : str, optional
            ``safe``, ``never`` or ``always``; else the setting.
        namespace : str, optional
            Else the setting.
        attachments : sequence of Attachment
            Data that the statement reads.
        rows : int, optional
            Only a look is wanted: at most `rows` cells, any of them, and one more if there are more.
        schema : Schema, optional
            Of the statement, where it is known: saves asking for it, and is not checked.
        dimensions : bool
            Else only the attributes come.
        format : str
            ``binary``, ``arrow`` or ``auto``; see `fetching`.
        decoded : bool
            Rows in the binary format are decoded while they come; else the result's `body` is their bytes.

        Raises
        ------
        QueryError, QueryOutcomeUnknown, ResultLost, ResultTooLarge, SlotsExhausted, ShimUnreachable
        """
        statement = script.only(afl)
        work = Fetching(
            statement.text,
            self._query(statement, namespace),
            self._abilities,
            self.settings.max_result_bytes,
            rows,
            schema,
            dimensions,
            format,
            decoded,
        )
        return self._run(work, attachments, retry, statement.text)

    def execute(
        self,
        afl: str,
        *,
        retry: str | None = None,
        namespace: str | None = None,
        attachments: Sequence[Attachment] = (),
    ) -> str:
        """Run one statement for its effect; the answer is SciDB's query id.

        Raises
        ------
        QueryError, QueryOutcomeUnknown, SlotsExhausted, ShimUnreachable
        """
        statement = script.only(afl)
        query = self._query(statement, namespace)
        return self._run(lambda exchange: exchange.execute(query), attachments, retry, statement.text)

    def text(self, afl: str, *, namespace: str | None = None) -> str:
        """Run one statement and bring its result as SciDB's ``tsv``; raises as `fetch`."""
        statement = script.only(afl)
        query = self._query(statement, namespace)

        def work(exchange: Exchange) -> str:
            exchange.execute(query, save="tsv")
            return exchange.read_text(self.settings.max_result_bytes)

        return self._run(work, (), None, statement.text)

    def aside(self, afl: str) -> str | None:
        """The result of a statement that only asks, as ``tsv``; None where no slot is held, or it is in use.

        Takes no slot, counts as no query, and is not sent again.
        """
        statement = script.only(afl)
        query = replace(self._query(statement, None), auxiliary=True)

        def work(exchange: Exchange) -> str:
            exchange.execute(query, save="tsv")
            return exchange.read_text()

        if os.getpid() != self._pid or not self._turn.acquire(blocking=False):
            return None
        try:
            return self._attempts.aside(work)
        finally:
            self._turn.release()
            self._watch.wake()

    def run(self, work: Callable[[Exchange], T], *, statement: str = "") -> T:
        """Run `work` with the session to itself; after a fault that allows it, once more in a new one."""
        return self._run(work, (), None, statement)

    def changes(self, bare: str) -> bool:
        """Whether running the statement twice could change something, for all that we and the user know."""
        reads = {name.strip().lower() for name in self.settings.read_operators.split(",")}
        return script.kind_of(bare, reads) != "read"

    @property
    def closed(self) -> bool:
        """Whether no slot will be taken any more."""
        return self._keeper.closing

    @property
    def running(self) -> str | None:
        """The statement that runs just now; empty where work of another kind has the session."""
        return self._running

    @property
    def on_change(self) -> Callable[[], object]:
        """Called when the state has changed, in whatever thread; it must neither wait nor raise."""
        return self._keeper.on_change

    @on_change.setter
    def on_change(self, on_change: Callable[[], object]) -> None:
        self._keeper.on_change = on_change

    @property
    def busy(self) -> bool:
        """Whether a statement runs, in whatever thread."""
        return self._turn.locked()

    def cancel(self) -> bool:
        """Cancel the running statement on the server; False if none runs. Does not wait for its end.

        Between two requests of a statement nothing runs that could be cancelled: its next one is not sent.
        """
        if self._running is None:
            return False
        self._cancelled.set()
        session = self._keeper.session
        if session is not None and session.running:
            ending.cancel(session.client, session.sid, self.settings.connect_timeout)
        return True

    def _interrupt(self) -> bool:
        """Cancel the running statement; False if the server is not at it, and nobody has to be waited for."""
        session = self._keeper.session
        at_it = session is not None and session.running
        self.cancel()
        return at_it

    def _abandon(self) -> bool | None:
        """Wait for the running statement no longer; whether it ran, for all that we know."""
        may_have_run = self._attempts.may_have_run
        self._keeper.retire()
        return None if may_have_run else False

    # The slot

    def release(self, *, wait: bool = False) -> None:
        """Give the slot back; the next query takes a new one.

        A running query is cancelled first, or, with `wait`, waited for.
        """
        if wait and not self._in_own_turn():
            with self._turn:
                self._keeper.give_back(running=False)
                lifecycle.unregister(self)
            self.rest()
            return
        self._keeper.give_back(running=self._running is not None)
        if self._turn.acquire(blocking=False):
            try:
                if self._keeper.holds_nothing:
                    lifecycle.unregister(self)
            finally:
                self._turn.release()
        self.rest()

    def rest(self) -> None:
        """Let the thread that looks after an idle session go, once there is none."""
        self._watch.rest()

    def release_orphans(self) -> tuple[int, int]:
        """Free the slots of this user's processes that are gone; how many were freed, and were not.

        What cannot be proved to be ours is left to shim's reaping.
        """
        endpoint = self._keeper.endpoint
        if endpoint.client_to_ask() is None and endpoint.in_memory:
            return 0, 0
        return self._keeper.asking(lambda: occupancy.release_orphans(endpoint.client()))

    def reconnect(self) -> None:
        """Give the slot back and take a new one."""
        self.release()
        self.run(lambda exchange: exchange.sid)

    def close(self) -> None:
        """Give everything back for good: at the end of the process, or when the settings change."""
        words = [*self._attempts.last_words(), *self.last_words()]
        self._keeper.close(running=self._running is not None, last_words=words)
        lifecycle.unregister(self)

    def reopen(self) -> None:
        """The process goes on after all: a new slot may be taken."""
        self._keeper.reopen()

    def forget(self) -> None:
        """In a forked child: slot, lock and thread are the parent's."""
        self._pid = os.getpid()
        self._turn = threading.Lock()
        self._owner = None
        self._running = None
        self._attempts.forget()
        self._watch.forget()
        self._keeper.forget()

    def status(self) -> SessionStatus:
        """State and counters now; asks nobody and waits for nothing."""
        keeper = self._keeper
        return SessionStatus(
            keeper.state,
            keeper.endpoint.url,
            keeper.version,
            self.settings.user,
            self.settings.namespace,
            keeper.since,
            self._attempts.queries,
            self._attempts.replays,
            self._attempts.bytes,
            keeper.abandoned,
        )

    def transfer(self) -> Transfer | None:
        """How far the upload or download is that goes on just now; None where there is none."""
        exchange = self._attempts.exchange
        return None if exchange is None else exchange.transfer

    def slots(self) -> list[Slot]:
        """All slots as the server lists them, or those that the ledger knows where it does not."""
        return self._keeper.slots()

    # Inside

    def _query(self, statement: script.Statement, namespace: str | None) -> Query:
        changes = self.changes(statement.bare)
        return Query(statement.bare, statement.bare, 0, changes, namespace or self.settings.namespace)

    def _run(
        self,
        work: Callable[[Exchange], T],
        attachments: Sequence[Attachment],
        retry: str | None,
        statement: str,
    ) -> T:
        if os.getpid() != self._pid:
            self.forget()
        retry = check("retry", retry or self.settings.retry)
        if self._in_own_turn():
            raise ScidbMagicError(
                "A statement of this session runs just now: ask for the next after its end."
            )
        try:
            with self._turn:
                return self._in_turn(work, attachments, retry, statement)
        finally:
            self._watch.wake()

    def _in_turn(
        self, work: Callable[[Exchange], T], attachments: Sequence[Attachment], retry: str, statement: str
    ) -> T:
        try:
            self._owner = threading.get_ident()
            lifecycle.register(self, guarded=self.settings.guardian and can_guard())
            # Of this statement alone: one that was abandoned keeps its own, which stays set.
            cancelled = self._cancelled = threading.Event()
            self._running = statement
            with self.watching(self) as tick:
                return interruptible(
                    lambda: self._attempts.run(work, attachments, statement, self.settings, retry, cancelled),
                    self._interrupt,
                    self._abandon,
                    tick,
                )
        finally:
            self._owner = None
            self._running = None
            if self._keeper.state in ("running", "reconnecting"):
                self._keeper.set_state("idle" if self._keeper.session is not None else "released")

    def _in_own_turn(self) -> bool:
        return self._turn.locked() and self._owner == threading.get_ident()

    def _look_after(self) -> float | None:
        if not self._turn.acquire(blocking=False):
            return None  # the running statement wakes the watch at its end
        try:
            return self._keeper.look_after()
        finally:
            self._turn.release()

    def _tell(self, notice: str) -> None:
        in_waiting_thread(lambda: self.notify(notice))


def unwatched(_: Connection) -> AbstractContextManager[None]:
    """For `Connection.watching`, where nobody watches."""
    return nullcontext()
