"""Giving a session back to the server, within a time.

Shim answers a release only after the end of the running query, so a running query is cancelled first, and
again while the release waits: the first cancel may come before the query reached SciDB.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from scidb_magic.errors import QueryError, ScidbMagicError, ShimUnreachable
from scidb_magic.session import proof
from scidb_magic.session.recovery import Action, Fate, Phase, decide
from scidb_magic.session.waiting import Backoff, Deadline

if TYPE_CHECKING:
    from scidb_magic.session.held import Held
    from scidb_magic.session.proof import Proof
    from scidb_magic.shim.client import ShimClient

log = logging.getLogger("scidb_magic")

CANCEL_EVERY = 0.5
"""Seconds."""

_NEVER = threading.Event()

PATIENCE = 600.0
"""Seconds for which the answer to a release is waited for in the background."""


def speak(session: Held, statements: Iterable[str], seconds: float) -> None:
    """Run statements for their effect, as many as there is time for."""
    deadline = Deadline(seconds)
    for statement in statements:
        if deadline.over:
            return
        try:
            session.client.execute_query(session.sid, statement, timeout=deadline.left)
        except QueryError as error:
            log.debug("%s at the end of a session: %s", error.code, error)
        except ScidbMagicError as error:
            log.debug("%s at the end of a session: %s", type(error).__name__, error)
            return


def cancel(client: ShimClient, sid: str, seconds: float) -> None:
    """Cancel what runs; that nothing does, or that nobody answers, is no error."""
    try:
        client.cancel(sid, timeout=seconds)
    except ScidbMagicError as error:
        log.debug("%s at a cancel", type(error).__name__)


def end(
    client: ShimClient, sid: str, known: Proof | None, *, running: bool, seconds: float, doubted: bool = False
) -> Fate | None:
    """Release a session within `seconds`; `known` is what proves it ours.

    Parameters
    ----------
    client : ShimClient
    sid : str
    known : Proof, optional
    running : bool
        A query has to be cancelled first.
    seconds : float
    doubted : bool
        It has to be proved ours first, as it has after every fault.

    Returns
    -------
    Fate or None
        FORGET: it is free. ABANDON: it may not be ours. None: no answer in time; shim frees it after the
        end of the query, if the request has arrived.
    """
    deadline, backoff = Deadline(seconds), Backoff(seconds, immediate=True)
    while backoff.pause(_NEVER):
        if doubted:
            ours = proof.fate_at_once(client, sid, known, seconds=min(deadline.left, proof.HEAD_SECONDS))
            if ours is None:
                continue
            if ours is not Fate.KEEP:
                return ours
        if running:
            cancel(client, sid, min(deadline.left, CANCEL_EVERY))
        try:
            client.release_session(sid, timeout=_share(deadline, running))
            return Fate.FORGET
        except ScidbMagicError as error:
            log.debug("%s at the release of a session", type(error).__name__)
            if isinstance(error, ShimUnreachable) and error.reason == "slow":
                # The release waits at the server; one more cancel can bring it about.
                if running and not deadline.over:
                    cancel(client, sid, deadline.left)
                return None
            decision = decide(Phase.RELEASE, error)
        if decision.read is not Action.AGAIN:
            return decision.fate
        doubted = True
    return None


def _share(deadline: Deadline, running: bool) -> float:
    # A last cancel has to fit behind it.
    return deadline.left * 0.7 if running else deadline.left


class Retirement:
    """The end of a session in the background: cancelled until its query has ended, then free.

    `done` is called when the server has answered, or is no longer waited for.
    """

    def __init__(self, session: Held, done: Callable[[Fate | None], None]) -> None:
        self._session = session
        self._done = done
        threading.Thread(target=self._run, name="scidb_magic release", daemon=True).start()

    def _run(self) -> None:
        session, fate = self._session, None
        try:
            if session.running:
                self._cancel_until_released(session)
            # What has been released by then is answered with a 404.
            fate = session.end(running=False, seconds=PATIENCE)
        finally:
            self._done(fate)

    def _cancel_until_released(self, session: Held) -> None:
        """One release waits at the server, while the query is cancelled again and again."""
        answered = threading.Event()

        def release() -> None:
            try:
                session.client.release_session(session.sid, timeout=PATIENCE)
            except ScidbMagicError as error:
                log.debug("%s at the release of a session", type(error).__name__)
                if decide(Phase.RELEASE, error).fate is not Fate.FORGET:
                    session.doubt()
            finally:
                answered.set()

        threading.Thread(target=release, name="scidb_magic release", daemon=True).start()
        while not answered.is_set():
            cancel(session.client, session.sid, CANCEL_EVERY)
            answered.wait(CANCEL_EVERY)
        session.running = False
