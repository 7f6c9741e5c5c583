"""The slot itself: taken when it is needed, waited for on a full server, given back.

`sid` is set and cleared without a lock, so that the end of the process, which may interrupt anything,
can always give the slot back.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from scidb_magic.errors import (
    OutOfResources,
    QueryError,
    ScidbMagicError,
    SessionClosed,
    ShimUnreachable,
    SlotsExhausted,
)
from scidb_magic.session.endpoint import Endpoint
from scidb_magic.session.recovery import Action, Fate, Phase, decide
from scidb_magic.session.settings import Secret, Settings
from scidb_magic.session.status import Slot

if TYPE_CHECKING:
    from scidb_magic.shim.client import ShimClient

log = logging.getLogger("scidb_magic")

FIRST_WAIT = 0.5
LONGEST_WAIT = 5.0
"""Seconds between two requests for a slot on a full server, first and at most."""


class SlotKeeper:
    """At most one slot of one server, for this process.

    Parameters
    ----------
    settings : Settings
    notify : callable
        Takes one-line notices.

    Attributes
    ----------
    sid : str or None
        The session id that we hold; never shown to anybody.
    state, since : str, datetime
        See `scidb_magic.session.status.SessionStatus`.
    """

    def __init__(self, settings: Settings, notify: Callable[[str], None]) -> None:
        self.endpoint = Endpoint(settings, notify)
        self.sid: str | None = None
        self.version: str | None = None
        self.abandoned = 0
        self.state = "unconnected"
        self.since = datetime.now(timezone.utc)
        self.closing = False
        self._settings = settings
        self._notify = notify
        self._pid = os.getpid()
        self._generation = 0
        self._settled = threading.Event()
        self._settled.set()
        self._retired: tuple[ShimClient, str] | None = None
        self._retiring: threading.Thread | None = None

    def adopt(self, settings: Settings) -> None:
        """Go on with other settings for the same session."""
        self._settings = settings

    def acquire(self, cancelled: threading.Event) -> tuple[ShimClient, str]:
        """The client and the session to send a statement with; takes a slot if there is none.

        `cancelled` ends a wait for a slot; a slot that comes after it, or after `retire`, is given back.

        Raises
        ------
        SessionClosed, SlotsExhausted, ShimUnreachable, AuthenticationFailed
        """
        generation = self._generation
        self._refuse_while_closing()
        if self._retiring is not None:
            self._retiring.join(self._settings.slot_wait)
            self._retiring = None
        try:
            client = self.endpoint.client()
            sid = self.sid
            if sid is None:
                self._settled.clear()
                sid = self._take(client, cancelled, generation)
                self.set_state("idle")
        except ShimUnreachable:
            self.set_state("unreachable")
            raise
        finally:
            self._settled.set()
        return client, sid

    def give_back(self, *, running: bool) -> None:
        """Release the slot, if there is one; a running query is cancelled first."""
        client, sid = self.endpoint.known_client(), self.sid
        self.sid = None
        if client is None or sid is None or self._pid != os.getpid():
            return
        self.set_state("released")
        _end_session(client, sid, running, self._settings.release_timeout)

    def drop(self, fate: Fate, error: ScidbMagicError) -> None:
        """Stop using an id that is gone, or that may be somebody else's by now."""
        self.sid = None
        self.abandoned += fate is Fate.ABANDON
        self.set_state("unreachable" if isinstance(error, ShimUnreachable) else "released")

    def retire(self) -> None:
        """Leave a query to itself: its slot is cancelled and released in the background."""
        client, sid = self.endpoint.known_client(), self.sid
        self._generation += 1
        self.sid = None
        if client is None or sid is None:
            return
        self.set_state("released")
        self._retired = client, sid

        def end() -> None:
            _end_session(client, sid, True, None)
            self._retired = None

        self._retiring = threading.Thread(target=end, name="scidb_magic release", daemon=True)
        self._retiring.start()

    def close(self, *, running: bool, last_words: Iterable[str] = ()) -> None:
        """Give everything back for good; no slot is ever taken again.

        `last_words` are statements to run before, if that takes no longer than a release may.
        """
        self.closing = True
        if self._pid != os.getpid():
            return
        timeout = self._settings.release_timeout
        # A slot that is on its way: the thread that takes it sees `closing` and gives it back.
        self._settled.wait(timeout)
        if self._retired is not None:
            _end_session(*self._retired, True, timeout)
        client, sid = self.endpoint.known_client(), self.sid
        if client is not None and sid is not None and not running:
            _speak(client, sid, last_words, timeout)
        self.give_back(running=running)
        self.endpoint.close()

    def forget(self) -> None:
        """In a forked child: the slot is the parent's."""
        self._pid = os.getpid()
        self.sid = None
        self._settled = threading.Event()
        self._settled.set()
        self._retired = self._retiring = None
        self.endpoint.forget()
        self.set_state("unconnected")

    def set_state(self, state: str) -> None:
        if state != self.state:
            self.state, self.since = state, datetime.now(timezone.utc)

    def slots(self) -> list[Slot]:
        """All slots as the server lists them, or only ours where it does not (shim without DEBUG)."""
        client = self.endpoint.known_client()
        if client is None and not self.endpoint.embedded:
            client = self.endpoint.client()
        mine = self.sid[:6] if self.sid else None
        listing = client.debug() if client is not None else None
        if listing is None:
            return [Slot(None, mine, "mine", pid=os.getpid())] if mine else []
        return [_slot(number, prefix, free, mine) for number, prefix, free in _listed(listing)]

    def _refuse_while_closing(self) -> None:
        if self.closing:
            raise SessionClosed("The session is closing with its process and takes no new query.")

    def _take(self, client: ShimClient, cancelled: threading.Event, generation: int) -> str:
        if self.version is None:
            self.version = client.version()
        sid = Secret(self._new_session(client, cancelled))
        if generation == self._generation:
            self.sid = sid
        if self.closing or cancelled.is_set() or generation != self._generation:
            if self.sid == sid:
                self.sid = None
            _end_session(client, sid, False, self._settings.release_timeout)
            self._refuse_while_closing()
            raise SessionClosed("The statement was cancelled before it had a slot.")
        return sid

    def _new_session(self, client: ShimClient, cancelled: threading.Event) -> str:
        settings = self._settings
        user, password = (None, None) if self.endpoint.embedded else (settings.user, settings.password)
        started = time.monotonic()
        delay = FIRST_WAIT
        while True:
            try:
                return client.new_session(user=user, password=password, admin=settings.admin)
            except OutOfResources as error:
                waited = time.monotonic() - started
                may_wait = decide(Phase.NEW_SESSION, error).read is Action.WAIT
                if not may_wait or waited + delay > settings.slot_wait:
                    raise SlotsExhausted(
                        f"The server has no free slot ({_occupancy(client)}); waited {waited:.0f} s. Close"
                        " notebooks that are done, run %scidb release in them, or raise slot_wait."
                    ) from None
                if delay == FIRST_WAIT:
                    self._notify(
                        f"The server has no free slot ({_occupancy(client)}): waiting for up to"
                        f" {settings.slot_wait:.0f} s. %scidb release in another notebook frees one."
                    )
            if cancelled.wait(delay):
                self._refuse_while_closing()
                raise SessionClosed("The statement was cancelled before it had a slot.")
            delay = min(delay * 1.5, LONGEST_WAIT) * random.uniform(0.8, 1.2)  # noqa: S311 - jitter


def _listed(listing: str) -> list[tuple[int, str | None, bool]]:
    from scidb_magic.shim import slots

    return [(line.number, line.sid_prefix, line.free) for line in slots.parse(listing)]


def _slot(number: int, prefix: str | None, free: bool, mine: str | None) -> Slot:
    if free:
        return Slot(number, None, "free")
    if mine is not None and prefix == mine:
        return Slot(number, prefix, "mine", pid=os.getpid())
    return Slot(number, prefix, "other")


def _occupancy(client: ShimClient) -> str:
    try:
        listing = client.debug()
    except ScidbMagicError:
        listing = None
    if listing is None:
        return "it does not list its slots"
    return f"all {sum(not free for _, _, free in _listed(listing))} are taken"


def _speak(client: ShimClient, sid: str, statements: Iterable[str], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for statement in statements:
        left = deadline - time.monotonic()
        if left <= 0:
            return
        try:
            client.execute_query(sid, statement, timeout=left)
        except QueryError as error:
            log.debug("%s at the end of a session: %s", error.code, error)
        except ScidbMagicError as error:
            log.debug("%s at the end of a session: %s", type(error).__name__, error)
            return


def _end_session(client: ShimClient, sid: str, running: bool, timeout: float | None) -> None:
    # Shim answers a release only after the query's end, so a running query is cancelled first.
    for end in (client.cancel, client.release_session) if running else (client.release_session,):
        try:
            end(sid, timeout=timeout)
        except ScidbMagicError as error:
            log.debug("%s at the end of a session: %s", type(error).__name__, error)
