"""Exceptions travel: through pickle, so through pools of processes, they stay what they are."""

from __future__ import annotations

import pickle

import pytest

from scidb_magic import errors


@pytest.mark.parametrize(
    "error",
    [
        errors.QueryError("CODE", "It failed.", 3, "0.17", length=2, statement="scan(A)", short_code="S"),
        errors.BindingError("{{ x }}", 4, 7),
        errors.EngineError("QPROC", "ARRAY_DOESNT_EXIST", "No.", (1, 2), system=True),
        errors.ShimUnreachable("Nothing answers.", reason="reset", sent=True),
        errors.ResultTooLarge("Too large.", size=5, limit=4),
        errors.SessionNotFound("Gone.", body="Session not found"),
    ],
)
def test_pickle(error: errors.ScidbMagicError) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert (str(back), vars(back)) == (str(error), vars(error))


def test_what_an_error_carries_for_its_display_is_left_behind() -> None:
    error = errors.QueryError("CODE", "It failed.")
    vars(error)["_render_traceback_"] = list
    assert "_render_traceback_" not in vars(pickle.loads(pickle.dumps(error)))
