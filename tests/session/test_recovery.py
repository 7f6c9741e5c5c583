from __future__ import annotations

import pytest

from scidb_magic import errors
from scidb_magic.session.recovery import Action, Decision, Fate, Phase, decide


def unreachable(reason: str) -> errors.ShimUnreachable:
    return errors.ShimUnreachable("", reason=reason)


READ, CHANGE = False, True


@pytest.mark.parametrize(
    ("phase", "error", "changes", "action"),
    [
        (Phase.EXECUTE, errors.SessionNotFound(""), READ, Action.REPLAY),
        (Phase.EXECUTE, errors.SessionNotFound(""), CHANGE, Action.REPLAY),
        (Phase.READ, errors.SessionNotFound(""), READ, Action.REPLAY),
        (Phase.READ, errors.SessionNotFound(""), CHANGE, Action.LOST),
        (Phase.EXECUTE, unreachable("refused"), CHANGE, Action.REPLAY),
        (Phase.EXECUTE, unreachable("reset"), READ, Action.REPLAY),
        (Phase.EXECUTE, unreachable("reset"), CHANGE, Action.UNKNOWN),
        (Phase.EXECUTE, errors.GatewayFailure(""), CHANGE, Action.UNKNOWN),
        (Phase.EXECUTE, errors.ServerFailure(""), CHANGE, Action.UNKNOWN),
        (Phase.EXECUTE, errors.QueryError("C", "d"), READ, Action.FAIL),
        (Phase.EXECUTE, errors.NotShim("", status=504), CHANGE, Action.UNKNOWN),
        (Phase.READ, unreachable("timeout"), CHANGE, Action.LOST),
        (Phase.READ, unreachable("timeout"), READ, Action.FAIL),
        (Phase.NEW_SESSION, errors.OutOfResources(""), READ, Action.WAIT),
        (Phase.NEW_SESSION, unreachable("refused"), READ, Action.FAIL),
        (Phase.EXECUTE, unreachable("dns"), CHANGE, Action.FAIL),
        (Phase.EXECUTE, errors.RequestTooLong(""), READ, Action.FAIL),
        (Phase.READ, errors.ResultTooLarge(""), READ, Action.FAIL),
    ],
)
def test_what_is_sent_again(
    phase: Phase, error: errors.ScidbMagicError, changes: bool, action: Action
) -> None:
    assert decide(phase, error).action(changes, "safe") is action


def test_the_setting_has_the_last_word() -> None:
    decision = Decision(Fate.FORGET, Action.REPLAY, Action.UNKNOWN)
    assert decision.action(READ, "never") is Action.FAIL
    assert decision.action(CHANGE, "never") is Action.UNKNOWN
    assert decision.action(CHANGE, "always") is Action.REPLAY


@pytest.mark.parametrize("reason", ["refused", "reset", "half"])
@pytest.mark.parametrize("phase", [Phase.UPLOAD, Phase.EXECUTE, Phase.READ])
def test_an_id_that_may_be_somebody_elses_is_abandoned(phase: Phase, reason: str) -> None:
    assert decide(phase, unreachable(reason)).fate is Fate.ABANDON


def test_a_refused_query_keeps_its_session() -> None:
    assert decide(Phase.EXECUTE, errors.QueryError("C", "d")).fate is Fate.KEEP
