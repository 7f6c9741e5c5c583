"""The status as text and HTML."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

import pytest

from scidb_magic.notebook.status import MEANING, as_html, as_text, size
from scidb_magic.session.status import STATES, SessionStatus

STATUS = SessionStatus(
    "idle",
    "http://cluster:8080",
    "19.11.5",
    "anna",
    None,
    datetime(2026, 1, 2, 3, 4, tzinfo=timezone.utc),
    12,
    1,
)


def test_every_state_has_a_meaning() -> None:
    assert set(MEANING) == set(STATES)


@pytest.mark.parametrize("state", STATES)
def test_text_and_html_tell_the_same(state: str) -> None:
    status = replace(STATUS, state=state)
    for word in (state, "http://cluster:8080", "SciDB 19.11.5", "anna", "public", "12"):
        assert word in as_text(status)
        assert word in as_html(status)


def test_text_of_the_server_is_escaped() -> None:
    status = replace(STATUS, server_version="<script>alert(1)</script>")
    assert "<script>" not in as_html(status)
    assert "&lt;script&gt;" in as_html(status)


def test_abandoned_sessions_are_told_only_when_there_are_some() -> None:
    assert "abandoned" not in as_text(STATUS)
    assert "abandoned" in as_text(replace(STATUS, abandoned=2))


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (2_000_000, "2.0 MB"), (10**16, "10000.0 TB")],
)
def test_sizes(number: int, text: str) -> None:
    assert size(number) == text
