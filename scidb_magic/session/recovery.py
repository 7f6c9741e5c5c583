"""What may be done after a fault: phase × situation × kind of statement -> fate of the session, action.

One table, and no other place decides. The facts behind its rows (observed on shim 19.11):

* 400, 404, 409, 410, 416: the query was not run; 404 also says that the session is gone.
* 406: the query failed and was rolled back; the session stays.
* 500, 502: shim released the session; the query may have run.
* 503: no slot; or, of a statement, that a proxy in front of shim did not let it through.
* refused: nothing was sent, but shim may have been restarted. It gives out the same ids again after
  a start, so the old id may be somebody else's by now: it is abandoned, never used nor released.
* timeout (of the connect), dns, tls: nothing was sent.
* reset, half: no answer, or a part of one, to a request that was sent: the query may run on in SciDB, and
  shim may have been restarted; only a proof shows that the id is still ours.
* a 404 to `execute_query` means not run, to a read that the query has run and its result is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from scidb_magic.errors import (
    NotShim,
    QueryOutcomeUnknown,
    RequestTooLong,
    ResultLost,
    ScidbMagicError,
    ShimError,
    ShimUnreachable,
)


class Phase(Enum):
    """Which request met the fault."""

    NEW_SESSION = "new_session"
    PROVE = "prove"
    UPLOAD = "upload"
    EXECUTE = "execute"
    READ = "read"
    RELEASE = "release"


class Fate(Enum):
    """What becomes of the session id that we hold.

    A proof is a HEAD on our last saved output with the Etag that we know, see `session.proof`.
    """

    KEEP = "keep"
    FORGET = "forget"
    """It is gone."""
    ABANDON = "abandon"
    """It may be somebody else's: neither used nor released, left to shim's reaping, and counted."""
    RETURN = "return"
    """Released if it is proved ours, else abandoned."""
    PROVE = "prove"
    """Kept if it is proved ours, else abandoned."""
    DOUBT = "doubt"
    """Kept, and proved before it is used again: nobody knows what the server did meanwhile."""


class Action(Enum):
    """What is done next."""

    FAIL = "fail"
    AGAIN = "again"
    """It surely did not run: sent again, and again, for up to `connect_wait` seconds."""
    REPLAY = "replay"
    """Sent again once, in a new session."""
    RESUME = "resume"
    """The rest is read, from the same session; where that cannot be proved, as after a 404."""
    QUEUE = "queue"
    """Asked for again for up to `slot_wait` seconds."""
    UNKNOWN = "unknown"
    """It may or may not have run."""
    LOST = "lost"
    """It ran, and its result is gone."""
    DONE = "done"
    """Nothing more to do."""


SITUATIONS = (
    *("refused", "dns", "tls", "timeout", "reset", "half", "slow"),
    *("400", "401", "404", "406", "409", "410", "too-large", "416", "500", "502", "503", "not-shim"),
)
"""``timeout`` is that of the connect; ``slow``: no answer within the time that was given for it."""

_ROWS = """
phase        situations                               fate     read    change

new_session  refused timeout 502                      keep     again   again
new_session  reset half slow                          abandon  again   again
new_session  503                                      keep     queue   queue
new_session  dns tls 400 401 404 406 409 410 416      keep     fail    fail
new_session  too-large 500 not-shim                   keep     fail    fail

prove        refused reset half 502 not-shim          abandon  done    done
prove        400 406 409 410 416 500 too-large        abandon  done    done
prove        404                                      forget   done    done
prove        timeout slow 503                         keep     again   again
prove        dns tls 401                              keep     fail    fail

upload       refused                                  abandon  again   again
upload       reset half slow not-shim                 return   again   again
upload       timeout 503                              doubt    again   again
upload       404                                      forget   again   again
upload       500                                      forget   replay  replay
upload       502                                      abandon  replay  replay
upload       dns tls 400 401 406 409 410 416          keep     fail    fail
upload       too-large                                keep     fail    fail

execute      refused                                  abandon  again   again
execute      timeout 503                              doubt    again   again
execute      404                                      forget   again   again
execute      reset half slow not-shim                 return   replay  unknown
execute      500                                      forget   replay  unknown
execute      502                                      abandon  replay  unknown
execute      dns tls 400 401 406 409 410 416          keep     fail    fail
execute      too-large                                keep     fail    fail

read         timeout reset half slow 502 503 not-shim prove    resume  resume
read         refused                                  abandon  replay  lost
read         404 500                                  forget   replay  lost
read         410 416                                  keep     replay  lost
read         dns tls 400 401 406 409 too-large        keep     fail    lost

release      404 500 502                              forget   done    done
release      timeout reset half 503 not-shim          prove    again   again
release      refused slow dns tls 400 401 406 409     abandon  done    done
release      410 416 too-large                        abandon  done    done
"""


@dataclass(frozen=True, slots=True)
class Decision:
    """One row: `read` is for statements that change nothing, `change` for all others."""

    fate: Fate
    read: Action
    change: Action

    def action(self, changes: bool, retry: str = "safe") -> Action:
        """The action for a statement, under the setting `retry` (safe, never, always)."""
        chosen = self.change if changes else self.read
        if retry == "never" and chosen in (Action.REPLAY, Action.AGAIN):
            return Action.FAIL
        if retry == "always" and chosen in (Action.UNKNOWN, Action.LOST):
            return Action.REPLAY
        return chosen


def _table() -> dict[tuple[Phase, str], Decision]:
    table = {}
    for line in _ROWS.split("\n")[2:]:
        if line:
            phase, *situations, fate, read, change = line.split()
            for situation in situations:
                table[Phase(phase), situation] = Decision(Fate(fate), Action(read), Action(change))
    return table


TABLE = _table()


def situation(error: ScidbMagicError) -> str | None:
    """The name of a fault, one of `SITUATIONS`; None for an error that is none of server or network."""
    if isinstance(error, ShimUnreachable):
        return error.reason
    if isinstance(error, RequestTooLong):
        return "too-large"
    if isinstance(error, NotShim):
        return "not-shim"
    if isinstance(error, ShimError):
        return str(error.status)
    return None


def decide(phase: Phase, error: ScidbMagicError) -> Decision:
    """The row for a fault; an error that is none leaves the session as it is, and the statement fails."""
    name = situation(error)
    return _NO_FAULT if name is None else TABLE[phase, name]


def tells_of_a_restart(error: ScidbMagicError) -> bool:
    """Whether shim may have been started anew, in which case ids are somebody else's by now."""
    return situation(error) in ("refused", "reset", "half", "502")


_NO_FAULT = Decision(Fate.KEEP, Action.FAIL, Action.FAIL)


def ran(phase: Phase, error: ScidbMagicError, *, sent: bool) -> bool | None:
    """Whether a statement ran that met this fault; `sent`: its own query, not just one about its schema.

    None where nobody knows.
    """
    if situation(error) is None:
        return error.ran
    if phase is Phase.EXECUTE and sent and decide(phase, error).change is Action.UNKNOWN:
        return None
    return phase is Phase.READ and sent


def final(action: Action, error: ScidbMagicError, statement: str) -> ScidbMagicError:
    """What the user is told of a fault after which the statement was not sent again."""
    shown = " ".join(statement.split())
    shown = shown if len(shown) <= 60 else shown[:57] + "…"
    if action is Action.UNKNOWN:
        return QueryOutcomeUnknown(
            f"The connection broke while '{shown}' ran: it may or may not have been done. Look at the array"
            " (%scidb show NAME, versions(NAME)) before you run it again.",
            statement=statement,
        )
    if action is Action.LOST:
        return ResultLost(
            f"'{shown}' ran, but its result was lost, and running it twice may change something."
        )
    return error


def still_unreachable(error: ScidbMagicError, url: str, waited: float) -> ScidbMagicError:
    """What the user is told of a server that was tried in vain."""
    if not isinstance(error, ShimUnreachable):
        return error
    return ShimUnreachable(
        f"{error} ({url}, {error.reason}; tried for {waited:.0f} s)", reason=error.reason, sent=error.sent
    )
