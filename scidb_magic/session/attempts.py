"""One statement's way through the faults of a network: sent, sent again, or given up, as `recovery` says.

No decision is made here: the table names an action, and this carries it out.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from scidb_magic.errors import ScidbMagicError, SessionClosed, ShimUnreachable
from scidb_magic.session import ending, recovery
from scidb_magic.session.exchange import Exchange, Query
from scidb_magic.session.recovery import TABLE, Action, Fate, Phase, decide, final, situation
from scidb_magic.session.waiting import Backoff

if TYPE_CHECKING:
    from scidb_magic.session.keeper import SlotKeeper
    from scidb_magic.session.settings import Settings
    from scidb_magic.session.uploads import Attachment

T = TypeVar("T")
log = logging.getLogger("scidb_magic")

_TAKEN_AWAY = "The session was released while the statement ran, which was cancelled."
_AGAIN = "the statement was sent again."
_BROKEN = f"The connection to the server broke: {_AGAIN}"
_LOST = {
    "404": f"The server had dropped the session: took a new one, {_AGAIN}",
    "500": f"Shim failed and dropped the session: took a new one, {_AGAIN}",
    "502": f"Shim lost SciDB: {_AGAIN}",
    "503": f"The server was too busy: {_AGAIN}",
    "refused": f"The server refused the connection: {_AGAIN}",
    "timeout": f"The server could not be reached in time: {_AGAIN}",
}
"""What is said once, when there is a session again."""


class Attempts:
    """Runs work on the session of `keeper`, again where that is allowed.

    Attributes
    ----------
    queries, replays, bytes : int
        Statements run, sent again; data sent and received.
    may_have_run : bool
        Whether a former attempt of the statement that runs just now may have run it.
    exchange : Exchange or None
        Of the statement that runs just now.
    """

    def __init__(self, keeper: SlotKeeper, tell: Callable[[str], None]) -> None:
        self.queries = self.replays = self.bytes = 0
        self.may_have_run = False
        self.exchange: Exchange | None = None
        self._newest: threading.Event | None = None
        self._leftovers: list[Query] = []
        self._keeper = keeper
        self._tell = tell

    def run(
        self,
        work: Callable[[Exchange], T],
        attachments: Sequence[Attachment],
        statement: str,
        settings: Settings,
        retry: str,
        cancelled: threading.Event,
    ) -> T:
        """The answer of `work`, which gets an `Exchange` and may be called more than once.

        Raises
        ------
        ScidbMagicError
            Its `ran` says whether the statement ran.
        """
        self.queries += bool(statement)
        self.may_have_run = False
        self._newest = cancelled
        try:
            return self._run(work, attachments, statement, settings, retry, cancelled)
        finally:
            if self._newest is cancelled:  # else it was abandoned, and the session is another statement's
                self._tidy()

    def aside(self, work: Callable[[Exchange], T]) -> T | None:
        """The answer of `work` on the session as it is; None if there is none, or it fails.

        It is no statement of the user's: not counted, and never sent again.
        """
        session = self._keeper.session
        if session is None or self._keeper.closing or not session.trusted:
            return None
        exchange = Exchange(session, cancelled=threading.Event(), patience=0)
        session.begin()
        try:
            return work(exchange)
        except KeyboardInterrupt:
            session.proof = None  # whether there is another output by now, nobody knows
            ending.cancel(session.client, session.sid, ending.CANCEL_EVERY)
            raise
        except ScidbMagicError as error:
            log.debug("%s aside", type(error).__name__)
            if decide(exchange.phase, error).fate is not Fate.KEEP:
                session.doubt()  # the next statement has it proved, and says what became of it
            return None
        finally:
            session.finish()

    def last_words(self) -> list[str]:
        """Statements that remove what is left of former ones."""
        return [query.text for query in self._leftovers]

    def forget(self) -> None:
        """In a forked child: what is left is the parent's."""
        self.exchange = None
        self._leftovers.clear()

    def _run(
        self,
        work: Callable[[Exchange], T],
        attachments: Sequence[Attachment],
        statement: str,
        settings: Settings,
        retry: str,
        cancelled: threading.Event,
    ) -> T:
        patience = Backoff(settings.connect_wait, immediate=True)
        replayed = False
        lost: str | None = None
        while True:
            try:
                session = self._keeper.acquire(cancelled)
            except ScidbMagicError as error:
                error.ran = None if self.may_have_run else False
                raise
            self._keeper.set_state("running")
            if lost is not None and patience.pauses + replayed == 1:
                self._tell(lost)
            exchange = Exchange(session, attachments, cancelled=cancelled, patience=settings.connect_wait)
            session.begin()
            self.exchange = exchange
            try:
                return work(exchange)
            except ScidbMagicError as error:
                ran = recovery.ran(exchange.phase, error, sent=exchange.sent)
                error.ran = None if self.may_have_run and ran is False else ran
                self.may_have_run = error.ran is not False
                lost = _LOST.get(situation(error) or "", _BROKEN)
                taken_away = self._keeper.session is not session or self._keeper.closing
                action = self._after_fault(exchange, error, retry)
                once_more = (action is Action.REPLAY and not replayed and not cancelled.is_set()) or (
                    action is Action.AGAIN and patience.pause(cancelled)
                )
                if not once_more:
                    told = final(action, error, statement)
                    if taken_away and told is error and situation(error) not in (None, "406"):
                        told = SessionClosed(_TAKEN_AWAY)
                        told.ran = error.ran
                    if told is error:
                        raise
                    raise told from error
            finally:
                if self.exchange is exchange:
                    self.exchange = None
                self._leftovers += exchange.stored
                session.finish()
                self.bytes += exchange.bytes
            replayed |= action is Action.REPLAY
            self.replays += 1
            self._keeper.set_state("reconnecting")

    def _tidy(self) -> None:
        """Run what ended statements left to be run, as far as there is a session."""
        while self._leftovers:
            removal = self._leftovers[0]
            if self.aside(partial(Exchange.execute, query=removal)) is None:
                session = self._keeper.session
                if session is None or session.doubted:
                    return
                log.debug("An array of an upload could not be removed.")
            del self._leftovers[0]

    def _after_fault(self, exchange: Exchange, error: ScidbMagicError, retry: str) -> Action:
        keeper = self._keeper
        decision = decide(exchange.phase, error)
        action = decision.action(exchange.changes, retry)
        if action is Action.RESUME:
            # The exchange could not go on reading.
            action = TABLE[Phase.READ, "404"].action(exchange.changes, retry)
        if keeper.session is not exchange.session or keeper.closing:
            # Nothing is sent again.
            return Action.FAIL if action in (Action.REPLAY, Action.AGAIN) else action
        if decision.fate is not Fate.KEEP:
            keeper.drop(decision.fate, unreachable=isinstance(error, ShimUnreachable))
        return action
