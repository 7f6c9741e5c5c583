"""What may be done after a fault: phase × situation × kind of statement -> decision.

One table, and no other place decides. The facts behind the rows (observed on shim 19.11):

* 400, 404, 409, 410, 416: the query was not run; 404 also says that the session is gone.
* 406: the query failed and was rolled back; the session stays.
* 500, 502: shim released the session; the query may have run.
* refused: nothing was sent, but shim may have been restarted. It gives out the same ids again after
  a start, so the old id may be somebody else's by now: it is abandoned, never used nor released.
* no answer to a request that was sent: the query may run on in SciDB.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from scidb_magic.errors import NotShim, ScidbMagicError, ShimError, ShimUnreachable


class Phase(Enum):
    """Which request met the fault."""

    NEW_SESSION = auto()
    UPLOAD = auto()
    EXECUTE = auto()
    READ = auto()


class Fate(Enum):
    """What becomes of the session id that we hold."""

    KEEP = auto()
    FORGET = auto()
    ABANDON = auto()


class Action(Enum):
    """What the connection does next."""

    FAIL = auto()
    REPLAY = auto()
    WAIT = auto()
    UNKNOWN = auto()
    LOST = auto()


@dataclass(frozen=True, slots=True)
class Decision:
    """`read` for statements that change nothing, `change` for all others."""

    fate: Fate
    read: Action
    change: Action

    def action(self, changes: bool, retry: str) -> Action:
        """The action for a statement, under the setting `retry` (safe, never, always)."""
        chosen = self.change if changes else self.read
        if retry == "never" and chosen is Action.REPLAY:
            return Action.FAIL
        if retry == "always" and chosen in (Action.UNKNOWN, Action.LOST):
            return Action.REPLAY
        return chosen


_FAIL = Decision(Fate.KEEP, Action.FAIL, Action.FAIL)
_GONE = Decision(Fate.FORGET, Action.REPLAY, Action.REPLAY)
_RESTARTED = Decision(Fate.ABANDON, Action.REPLAY, Action.REPLAY)
_OUTCOME_OPEN = Decision(Fate.ABANDON, Action.REPLAY, Action.UNKNOWN)
_RELEASED = Decision(Fate.FORGET, Action.REPLAY, Action.UNKNOWN)
_RESULT_GONE = Decision(Fate.FORGET, Action.REPLAY, Action.LOST)
_RESULT_OPEN = Decision(Fate.ABANDON, Action.REPLAY, Action.LOST)
_LOST = Decision(Fate.KEEP, Action.FAIL, Action.LOST)
_NOT_THERE = Decision(Fate.KEEP, Action.REPLAY, Action.LOST)

_TABLE: dict[tuple[Phase, str], Decision] = {
    (Phase.NEW_SESSION, "503"): Decision(Fate.KEEP, Action.WAIT, Action.WAIT),
    (Phase.UPLOAD, "404"): _GONE,
    (Phase.UPLOAD, "500"): _GONE,
    (Phase.UPLOAD, "502"): _RESTARTED,
    (Phase.UPLOAD, "refused"): _RESTARTED,
    (Phase.UPLOAD, "reset"): _RESTARTED,
    (Phase.UPLOAD, "half"): _RESTARTED,
    (Phase.EXECUTE, "404"): _GONE,
    (Phase.EXECUTE, "500"): _RELEASED,
    (Phase.EXECUTE, "502"): _OUTCOME_OPEN,
    (Phase.EXECUTE, "refused"): _RESTARTED,
    (Phase.EXECUTE, "reset"): _OUTCOME_OPEN,
    (Phase.EXECUTE, "half"): _OUTCOME_OPEN,
    (Phase.EXECUTE, "not shim"): _OUTCOME_OPEN,
    (Phase.READ, "404"): _RESULT_GONE,
    (Phase.READ, "410"): _NOT_THERE,
    (Phase.READ, "416"): _NOT_THERE,
    (Phase.READ, "500"): _RESULT_GONE,
    (Phase.READ, "502"): _RESULT_OPEN,
    (Phase.READ, "refused"): _RESULT_OPEN,
    (Phase.READ, "reset"): _RESULT_OPEN,
    (Phase.READ, "half"): _RESULT_OPEN,
    (Phase.READ, "not shim"): _RESULT_OPEN,
}


def situation(error: ScidbMagicError) -> str:
    """The name of a fault: an HTTP status, a reason of `ShimUnreachable`, or ``"not shim"``."""
    if isinstance(error, ShimUnreachable):
        return error.reason
    if isinstance(error, NotShim):
        return "not shim"
    if isinstance(error, ShimError):
        return str(error.status)
    return "not sent"


def decide(phase: Phase, error: ScidbMagicError) -> Decision:
    """The row of the table; where there is none, the statement fails and the session is kept.

    What ran before its result could not be read is lost for a change, whatever the reason.
    """
    lost = phase is Phase.READ and isinstance(error, ShimError | ShimUnreachable)
    return _TABLE.get((phase, situation(error)), _LOST if lost else _FAIL)
