from __future__ import annotations

import pytest

from scidb_magic import errors
from scidb_magic.session.recovery import SITUATIONS, TABLE, Action, Decision, Fate, Phase, decide, final, ran


def unreachable(reason: str) -> errors.ShimUnreachable:
    return errors.ShimUnreachable("", reason=reason)


READ, CHANGE = False, True


def test_every_fault_of_every_phase_has_a_row() -> None:
    assert set(TABLE) == {(phase, situation) for phase in Phase for situation in SITUATIONS}


@pytest.mark.parametrize(
    ("phase", "error", "changes", "action"),
    [
        (Phase.EXECUTE, errors.SessionNotFound(""), READ, Action.AGAIN),
        (Phase.EXECUTE, errors.SessionNotFound(""), CHANGE, Action.AGAIN),
        (Phase.READ, errors.SessionNotFound(""), READ, Action.REPLAY),
        (Phase.READ, errors.SessionNotFound(""), CHANGE, Action.LOST),
        (Phase.UPLOAD, unreachable("reset"), CHANGE, Action.AGAIN),
        (Phase.EXECUTE, unreachable("refused"), CHANGE, Action.AGAIN),
        (Phase.EXECUTE, unreachable("timeout"), CHANGE, Action.AGAIN),
        (Phase.EXECUTE, errors.OutOfResources(""), CHANGE, Action.AGAIN),
        (Phase.EXECUTE, unreachable("reset"), READ, Action.REPLAY),
        (Phase.EXECUTE, unreachable("reset"), CHANGE, Action.UNKNOWN),
        (Phase.EXECUTE, errors.GatewayFailure(""), CHANGE, Action.UNKNOWN),
        (Phase.EXECUTE, errors.ServerFailure(""), CHANGE, Action.UNKNOWN),
        (Phase.EXECUTE, errors.QueryError("C", "d"), READ, Action.FAIL),
        (Phase.EXECUTE, errors.NotShim("", status=504), CHANGE, Action.UNKNOWN),
        (Phase.READ, unreachable("half"), CHANGE, Action.RESUME),
        (Phase.READ, unreachable("dns"), CHANGE, Action.LOST),
        (Phase.READ, unreachable("dns"), READ, Action.FAIL),
        (Phase.NEW_SESSION, errors.OutOfResources(""), READ, Action.QUEUE),
        (Phase.NEW_SESSION, unreachable("refused"), READ, Action.AGAIN),
        (Phase.NEW_SESSION, errors.AuthenticationFailed(""), READ, Action.FAIL),
        (Phase.NEW_SESSION, errors.CertificateNotTrusted(""), READ, Action.FAIL),
        (Phase.EXECUTE, unreachable("dns"), CHANGE, Action.FAIL),
        (Phase.EXECUTE, errors.RequestTooLong(""), READ, Action.FAIL),
        (Phase.READ, errors.ResultTooLarge(""), READ, Action.FAIL),
        (Phase.RELEASE, errors.SessionNotFound(""), READ, Action.DONE),
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


@pytest.mark.parametrize("phase", [Phase.PROVE, Phase.UPLOAD, Phase.EXECUTE, Phase.READ, Phase.RELEASE])
@pytest.mark.parametrize("reason", ["refused", "reset", "half"])
def test_an_id_that_may_be_somebody_elses_is_not_used_unproved(phase: Phase, reason: str) -> None:
    fate = decide(phase, unreachable(reason)).fate
    assert fate in ({Fate.ABANDON} if reason == "refused" else {Fate.ABANDON, Fate.RETURN, Fate.PROVE})


def test_no_change_is_replayed_that_may_have_run() -> None:
    for (phase, situation), row in TABLE.items():
        if phase is Phase.EXECUTE and row.read is Action.REPLAY:
            assert row.change is Action.UNKNOWN, situation
        if phase is Phase.READ and row.read in (Action.REPLAY, Action.FAIL):
            assert row.change is Action.LOST, situation


def test_a_refused_query_keeps_its_session() -> None:
    assert decide(Phase.EXECUTE, errors.QueryError("C", "d")).fate is Fate.KEEP


def test_what_is_told_names_the_statement_and_whether_it_ran() -> None:
    statement = "store(build(<x:int64>[i=0:9], i),\n  A)"
    told = final(Action.UNKNOWN, unreachable("reset"), statement)
    assert isinstance(told, errors.QueryOutcomeUnknown)
    assert told.ran is None and told.statement == statement
    assert "'store(build(<x:int64>[i=0:9], i), A)'" in str(told) and "versions(NAME)" in str(told)
    lost = final(Action.LOST, errors.SessionNotFound(""), statement)
    assert isinstance(lost, errors.ResultLost) and lost.ran is True


@pytest.mark.parametrize(
    ("phase", "error", "sent", "told"),
    [
        (Phase.UPLOAD, unreachable("reset"), False, False),
        (Phase.EXECUTE, unreachable("refused"), True, False),
        (Phase.EXECUTE, unreachable("reset"), True, None),
        (Phase.EXECUTE, unreachable("reset"), False, False),
        (Phase.EXECUTE, errors.GatewayFailure(""), True, None),
        (Phase.EXECUTE, errors.QueryError("C", "d"), True, False),
        (Phase.READ, unreachable("reset"), True, True),
        (Phase.READ, unreachable("reset"), False, False),
        (Phase.READ, errors.ResultTooLarge(""), True, True),
    ],
)
def test_whether_it_ran(phase: Phase, error: errors.ScidbMagicError, sent: bool, told: bool | None) -> None:
    assert ran(phase, error, sent=sent) is told
