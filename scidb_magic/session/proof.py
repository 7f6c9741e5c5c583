"""Is a session id still ours?

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
from scidb_magic.session.recovery import Action, Decision, Fate, Phase, decide

if TYPE_CHECKING:
    from scidb_magic.session.waiting import Backoff
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

    def holds(self, client: ShimClient, sid: str, seconds: float = HEAD_SECONDS) -> bool:
        """Whether the server answers it for `sid` now. Raises what the request raises."""
        return client.head(sid, lines=self.lines, timeout=seconds).etag == self.etag


def fate(
    client: ShimClient, sid: str, proof: Proof | None, backoff: Backoff, cancelled: threading.Event
) -> Fate:
    """What is to become of an id that was not used for long: KEEP if it is ours, else FORGET or ABANDON.

    Raises
    ------
    ShimUnreachable, AuthenticationFailed
        Nobody could be asked.
    """
    while proof is not None:
        try:
            return Fate.KEEP if proof.holds(client, sid) else Fate.ABANDON
        except ScidbMagicError as error:
            decision = decide(Phase.PROVE, error)
            if _asked_again(decision, backoff, cancelled):
                continue
            if decision.read is not Action.DONE:
                raise
            return decision.fate
    return Fate.ABANDON


def _asked_again(decision: Decision, backoff: Backoff, cancelled: threading.Event) -> bool:
    return decision.read is Action.AGAIN and backoff.pause(cancelled)


def surely(client: ShimClient, sid: str, proof: Proof | None, seconds: float = HEAD_SECONDS) -> bool:
    """Whether `sid` is proved ours, now; a request that fails proves nothing."""
    try:
        return proof is not None and proof.holds(client, sid, seconds)
    except ScidbMagicError:
        return False


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
