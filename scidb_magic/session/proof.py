"""Whether a session id is still ours.

Shim gives out the same ids in the same order after each start, so an id that was kept over a restart may
be somebody else's session. An id that was used a moment ago, with no sign of a restart since, is trusted.
Any other has to be proved: a ``HEAD`` on the endpoint of our last save must answer the ``Etag`` that we
saw then (time and size of the output file). A stranger's output is younger. See shim-protocol.md, "Slots".
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scidb_magic.errors import NotSaved, OutOfRange, ScidbMagicError
from scidb_magic.session.recovery import Action, Fate, Phase, decide
from scidb_magic.session.waiting import Backoff

if TYPE_CHECKING:
    from scidb_magic.shim.client import ShimClient

TRUSTED = 30.0
"""Seconds after its last use for which an id needs no proof."""

FRESH_PROOF = 15.0
"""Seconds after the last use at which a session without a proof gets one."""

HEAD_SECONDS = 1.5

_SMALL = "build(<x:int64>[i=0:0], 0)"


@dataclass(frozen=True, slots=True)
class Stamp:
    """A moment, on both clocks: one stands still while the machine sleeps, the other can be set."""

    monotonic: float
    wall: float

    @classmethod
    def now(cls) -> Stamp:
        """Now, by both clocks."""
        return cls(time.monotonic(), time.time())

    @property
    def age(self) -> float:
        """Seconds; the longer of the two."""
        return max(time.monotonic() - self.monotonic, abs(time.time() - self.wall))


@dataclass(frozen=True, slots=True)
class Proof:
    """What a ``HEAD`` on our last saved output answers: of a text format (`lines`) or a binary one."""

    lines: bool
    etag: str


def fate(
    client: ShimClient,
    sid: str,
    known: Proof | None,
    *,
    wait: float = 0.0,
    seconds: float = HEAD_SECONDS,
    cancelled: threading.Event | None = None,
) -> Fate:
    """What is to become of an id that may be somebody else's: KEEP if it is ours, else FORGET or ABANDON.

    Parameters
    ----------
    client : ShimClient
    sid : str
    known : Proof, optional
        Without one, nothing is ours; but what is gone is gone.
    wait, seconds : float
        For a server that cannot answer just now, and for one answer.
    cancelled : threading.Event, optional
        Ends the wait.

    Raises
    ------
    ShimUnreachable, AuthenticationFailed, OutOfResources
        Nobody could be asked.
    """
    backoff = Backoff(wait)
    while True:
        try:
            etag = client.head(sid, lines=known is None or known.lines, timeout=seconds).etag
            return Fate.KEEP if known is not None and etag == known.etag else Fate.ABANDON
        except ScidbMagicError as error:
            decision = decide(Phase.PROVE, error)
            if decision.read is Action.AGAIN and backoff.pause(cancelled or threading.Event()):
                continue
            if decision.read is not Action.DONE:
                raise
            return decision.fate


def fate_at_once(
    client: ShimClient, sid: str, known: Proof | None, *, seconds: float = HEAD_SECONDS
) -> Fate | None:
    """As `fate`; None where nobody could be asked."""
    try:
        return fate(client, sid, known, seconds=seconds)
    except ScidbMagicError:
        return None


def make(client: ShimClient, sid: str) -> Proof | None:
    """A proof for a session that is ours beyond doubt; saves a small result where nothing was saved yet.

    Raises
    ------
    ScidbMagicError
        As the requests.
    """
    for lines in (True, False):
        try:
            etag = client.head(sid, lines=lines, timeout=HEAD_SECONDS).etag
        except OutOfRange:
            continue
        except NotSaved:
            break
        return Proof(lines, etag) if etag else None
    client.execute_query(sid, _SMALL, save="csv", timeout=HEAD_SECONDS)
    etag = client.head(sid, lines=True, timeout=HEAD_SECONDS).etag
    return Proof(True, etag) if etag else None
