"""The slot itself: taken when it is needed, waited for on a full server, proved, given back.

::

    acquire ──▶ session (a `Held`) ──▶ give_back, close ──▶ free
                   │        ▲                 │ no answer in time
                   │        └── acquire ◀──   ▼
                   ├─▶ drop: gone, or perhaps somebody else's
                   └─▶ retire ────────────▶ leaving: ended in the background, before a new one is taken

`session` is set and cleared without a lock, so that the end of the process, which may interrupt anything,
can always give the slot back. `closing` is set first, and forbids any new session.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, TypeVar

from scidb_magic.errors import (
    ScidbMagicError,
    SessionClosed,
    ShimUnreachable,
    SlotsExhausted,
)
from scidb_magic.session import ending, lifecycle, occupancy, proof
from scidb_magic.session.endpoint import Endpoint
from scidb_magic.session.guard import Guard
from scidb_magic.session.held import Held
from scidb_magic.session.recovery import Action, Fate, Phase, decide, still_unreachable, tells_of_a_restart
from scidb_magic.session.waiting import Backoff, Deadline

if TYPE_CHECKING:
    from scidb_magic.session.settings import Settings
    from scidb_magic.session.status import Slot
    from scidb_magic.shim.client import ShimClient

T = TypeVar("T")
log = logging.getLogger("scidb_magic")

TELL_AFTER = 1.0
"""Seconds without a connection after which a line says so."""

RECORD_AFTER = 2.0
"""Seconds after a use at which the ledger hears of it."""

_GONE = "The server had dropped the session: took a new one."
_UNPROVED = "The session could not be proved to be still ours: left it to the server and took a new one."
_CANCELLED = "The statement was cancelled before it had a slot."


class SlotKeeper:
    """At most one slot of one server, for this process.

    Parameters
    ----------
    settings : Settings
    notify : callable
        Takes one-line notices.

    Attributes
    ----------
    session : Held or None
    abandoned : int
        Sessions left to shim's reaping, because they may be somebody else's by now.
    state, since : str, datetime
        See `scidb_magic.session.status.SessionStatus`.
    on_change : callable
        Called when the state has changed, in whatever thread, also in a signal handler.
    """

    def __init__(self, settings: Settings, notify: Callable[[str], None]) -> None:
        self.endpoint = Endpoint(settings, notify)
        self.session: Held | None = None
        self.version: str | None = None
        self.abandoned = 0
        self.state = "unconnected"
        self.since = datetime.now(timezone.utc)
        self.closing = False
        self.on_change: Callable[[], object] = lambda: None
        self._settings = settings
        self._notify = notify
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._generation = 0
        # Plain attributes, for a signal handler must not meet a lock that its own thread holds.
        self._leaving: Held | None = None
        self._taking: list[object] = []

    @property
    def sid(self) -> str | None:
        """The session id that we hold; never shown to anybody."""
        session = self.session
        return session.sid if session is not None else None

    @property
    def holds_nothing(self) -> bool:
        """Whether no slot is held, on its way, or on its way back."""
        return self.session is None and self._leaving is None and not self._taking

    def adopt(self, settings: Settings) -> None:
        """Go on with other settings for the same session."""
        self._settings = settings

    def acquire(self, cancelled: threading.Event) -> Held:
        """The session to send a statement with; takes a slot if there is none.

        `cancelled` ends every wait; a slot that comes after it, or after `retire`, is given back.

        Raises
        ------
        SessionClosed, SlotsExhausted, ShimUnreachable, AuthenticationFailed
        """
        generation = self._generation
        self._refuse_while_closing()
        self._wait_for_the_old_slot(cancelled)
        try:
            client = self.endpoint.client()
            session, lost = self.session, None
            if session is not None and session.client is not client:
                # The embedded server was started anew: nothing of the old one is left.
                self.drop(Fate.FORGET)
                session = None
            if session is not None and not session.trusted:
                session, lost = self._proved(session, cancelled)
            if session is None:
                session = self._take(client, cancelled, generation)
                self.set_state("idle")
                if lost is not None:
                    self._notify(lost)
        except ShimUnreachable:
            self.set_state("unreachable")
            raise
        return session

    def give_back(self, *, running: bool) -> None:
        """Release the slot, if there is one; a running query is cancelled first."""
        self._give_back(running, Deadline(self._settings.release_timeout))

    def drop(self, fate: Fate, *, unreachable: bool = False) -> None:
        """Stop using an id; what becomes of it, `fate` says."""
        session = self.session
        if session is None:
            return
        if fate is Fate.DOUBT:
            session.doubt()
            return
        self._leaving = session
        self.session = None
        self.set_state("unreachable" if unreachable else "released")
        if fate in (Fate.RETURN, Fate.PROVE):
            fate = proof.fate_at_once(session.client, session.sid, session.proof) or Fate.ABANDON
            if fate is Fate.KEEP:
                session.is_ours()
                self._leave(session)
                return
        self._over(session, Fate.FORGET if fate is Fate.FORGET else Fate.ABANDON)

    def retire(self) -> None:
        """Leave a query to itself: its slot is cancelled and released in the background."""
        self._generation += 1
        session = self.session
        if session is not None:
            self._leaving = session
            self.session = None
            self.set_state("released")
            self._leave(session)

    def close(self, *, running: bool, last_words: Iterable[str] = ()) -> None:
        """Give everything back for good; no slot is ever taken again, unless `reopen` allows it.

        All of it within `release_timeout`; what is not done by then the guardian does.
        `last_words` are statements to run before, if there is time.
        """
        self.closing = True
        if self._pid != os.getpid():
            return
        deadline = Deadline(self._settings.release_timeout)
        # A slot that is on its way: the thread that takes it sees `closing` and gives it back.
        while self._taking and not deadline.over:
            time.sleep(0.01)
        leaving = self._leaving
        if leaving is not None:
            self._answered(leaving, leaving.end(running=leaving.running, seconds=deadline.left))
        session = self.session
        if session is not None and not running and session.trusted:
            ending.speak(session, last_words, deadline.left / 2)
        self._give_back(running, deadline)
        self.endpoint.close(deadline.left)

    def reopen(self) -> None:
        """The process goes on after all."""
        self.closing = False

    def forget(self) -> None:
        """In a forked child: the slot is the parent's."""
        for session in (self.session, self._leaving):
            if session is not None:
                session.forget()
        self.session = None
        self._begin()
        self.endpoint.forget()
        self.set_state("unconnected")

    def look_after(self) -> float | None:
        """Tell the ledger of the last use, get a proof, give an idle slot back: whichever is due.

        Returns
        -------
        float or None
            Seconds until something is due again; None: nothing will be, before the next statement.
        """
        session, idle_release = self.session, self._settings.idle_release
        if session is None or self.closing:
            return None
        idle = session.used.age
        if idle_release and idle >= idle_release:
            self.give_back(running=False)
            return None
        if not session.recorded and idle >= RECORD_AFTER:
            session.record()
        if session.unproved and session.trusted and idle >= proof.FRESH_PROOF:
            fate = session.get_proof()
            if fate is not Fate.KEEP:
                self.drop(fate)
                return None
        due = [
            *([RECORD_AFTER] if not session.recorded else []),
            *([proof.FRESH_PROOF] if session.unproved and session.trusted else []),
            *([idle_release] if idle_release else []),
        ]
        return max(min(due) - idle, 0.01) if due else None

    def set_state(self, state: str) -> None:
        """Change the state, and tell who watches."""
        if state != self.state:
            self.state, self.since = state, datetime.now(timezone.utc)
            self.on_change()

    def slots(self) -> list[Slot]:
        """All slots as the server lists them, or those that the ledger knows where it does not."""
        client = self.endpoint.client_to_ask()
        return self.asking(lambda: occupancy.slots(client, self.sid)) if client is not None else []

    def asking(self, question: Callable[[], T]) -> T:
        """The answer to a question beside the session; no answer may be a sign of a restart."""
        session = self.session
        try:
            return question()
        except ScidbMagicError as error:
            if session is not None and tells_of_a_restart(error):
                session.doubt()
            raise

    def _refuse_while_closing(self) -> None:
        if lifecycle.is_ending():
            raise SessionClosed("The process is ending: no new query is taken.")
        if self.closing:
            raise SessionClosed("The session is closed and takes no new query; connect() makes another.")

    def _wait_for_the_old_slot(self, cancelled: threading.Event) -> None:
        started = time.monotonic()
        while (self._leaving is not None or self._taking) and not (cancelled.wait(0.02) or self.closing):
            waited = time.monotonic() - started
            if waited > self._settings.slot_wait:
                raise SlotsExhausted(
                    f"The query that was left alone still runs on the server, after {waited:.0f} s,"
                    " and holds this notebook's slot: wait, or have it cancelled there (list('queries'))."
                )
        self._refuse(cancelled)

    def _refuse(self, cancelled: threading.Event) -> None:
        self._refuse_while_closing()
        if cancelled.is_set():
            raise SessionClosed(_CANCELLED)

    def _proved(self, session: Held, cancelled: threading.Event) -> tuple[Held | None, str | None]:
        """The session if it is ours, else the line that says what became of it."""
        wait = self._settings.connect_wait
        fate = proof.fate(session.client, session.sid, session.proof, wait=wait, cancelled=cancelled)
        self._refuse(cancelled)
        if fate is Fate.KEEP:
            session.is_ours()
            return session, None
        self.drop(fate)
        return None, _GONE if fate is Fate.FORGET else _UNPROVED

    def _take(self, client: ShimClient, cancelled: threading.Event, generation: int) -> Held:
        """A new session. Only one is on its way at a time: the next statement waits for it."""
        guard = Guard() if self._settings.guardian and not self.endpoint.ends_with_us else None
        on_the_way = object()
        self._taking.append(on_the_way)
        try:
            session = self._new(client, cancelled, guard)
            if generation == self._generation and not self.closing and not cancelled.is_set():
                self.session = session
            # Looked at once more, for the end of the process may have come in between.
            if self.session is not session or self.closing:
                self._leaving = session
                self.session = None if self.session is session else self.session
                self._answered(session, session.end(running=False, seconds=self._settings.release_timeout))
                self._refuse_while_closing()
                raise SessionClosed(_CANCELLED)
        finally:
            self._taking.remove(on_the_way)
        if self.version is None:
            with contextlib.suppress(ScidbMagicError):
                self.version = client.version()
        return session

    def _new(self, client: ShimClient, cancelled: threading.Event, guard: Guard | None) -> Held:
        if guard is None:
            return Held(client, self._new_session(client, cancelled, None), None)
        guard.start()
        try:
            return Held(client, self._new_session(client, cancelled, guard), guard)
        except BaseException:
            guard.dismiss()
            raise

    def _new_session(self, client: ShimClient, cancelled: threading.Event, guard: Guard | None) -> str:
        settings = self._settings
        user, password = (None, None) if self.endpoint.embedded else (settings.user, settings.password)
        for_slot, for_server = Backoff(settings.slot_wait), Backoff(settings.connect_wait)
        told = False
        while True:
            self._refuse_while_closing()
            try:
                return client.new_session(user=user, password=password, admin=settings.admin)
            except ScidbMagicError as error:
                decision = decide(Phase.NEW_SESSION, error)
                if guard is not None:
                    guard.settle()
                self.abandoned += decision.fate is Fate.ABANDON
                if decision.read is Action.QUEUE:
                    if not for_slot.pauses:
                        self._notify(occupancy.full(client, settings.slot_wait))
                    if for_slot.pause(cancelled):
                        continue
                    final: ScidbMagicError = SlotsExhausted(occupancy.exhausted(client, for_slot.waited))
                elif decision.read is Action.AGAIN:
                    if not told and for_server.waited > TELL_AFTER:
                        told = True
                        self._notify(f"{error} Trying for up to {settings.connect_wait:.0f} s.")
                    if for_server.pause(cancelled):
                        continue
                    final = still_unreachable(error, client.shown_url, for_server.waited)
                else:
                    raise
            self._refuse(cancelled)
            raise final

    def _give_back(self, running: bool, deadline: Deadline) -> None:
        session = self.session
        if session is None or self._pid != os.getpid():
            return
        try:
            # In this order: an interrupt in between loses nothing.
            self._leaving = session
            self.session = None
            self.set_state("released")
            fate = session.end(running=running, seconds=deadline.left)
        except BaseException:  # the user does not want to wait
            self._leave(session)
            raise
        self._answered(session, fate)

    def _answered(self, session: Held, fate: Fate | None) -> None:
        """The server's answer to the release, or None. At the process's end the guardian sees to the rest."""
        if fate is not None:
            self._over(session, fate)
        elif not lifecycle.is_ending():
            self._leave(session)

    def _leave(self, session: Held) -> None:
        self._leaving = session
        try:
            ending.Retirement(session, lambda fate: self._over(session, fate or Fate.ABANDON))
        except RuntimeError:
            # Python 3.12 starts no thread once the interpreter is ending.
            fate = session.end(running=session.running, seconds=self._settings.release_timeout)
            self._over(session, fate or Fate.ABANDON)

    def _over(self, session: Held, fate: Fate) -> None:
        self.abandoned += fate is Fate.ABANDON
        session.let_go()
        if self._leaving is session:
            self._leaving = None
