"""The status: what is told of the session and the slots, as text, HTML, and in one output."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest

from scidb_magic.notebook.status.overview import CALLED, MEANING, Overview, in_words
from scidb_magic.notebook.status.page import OWNER_SIGN, SIGN, as_html, as_text
from scidb_magic.notebook.units import size, sizes
from scidb_magic.session.status import OWNERS, STATES, SessionStatus, Slot

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=timezone.utc)
STATUS = SessionStatus("idle", "http://cluster:8080", "19.11.5", "anna", None, NOON, 12, 1)
SLOTS = (
    Slot(0, "abcdef", "mine", "mine.ipynb", 17, "k-1", NOON, NOON),
    Slot(1, "bcdefa", "notebook", "second.ipynb", 18, "k-2", NOON, NOON),
    Slot(2, "cdefab", "orphan", "lost.ipynb", 19, "k-3", NOON, NOON),
    *(Slot(number, "fedcba", "other") for number in range(3, 10)),
    *(Slot(number, None, "free") for number in range(10, 50)),
)


def test_there_are_words_and_signs_for_all() -> None:
    assert set(MEANING) == set(SIGN) == set(STATES)
    assert set(CALLED) == set(OWNER_SIGN) == set(OWNERS)
    assert len(set(OWNER_SIGN.values())) == len(OWNERS)


@pytest.mark.parametrize("state", STATES)
def test_text_and_html_tell_the_same(state: str) -> None:
    overview = Overview(replace(STATUS, state=state), "scan(A)", SLOTS)
    taken = "10 of 50 slots are taken: this notebook 1, my other notebooks 1, my orphans 1, others 7"
    for word in (state, "http://cluster:8080", "SciDB 19.11.5", "anna", "public", "12", "scan(A)", taken):
        assert word in as_text(overview)
        assert word in as_html(overview)


def test_the_grid_has_a_sign_for_each_slot() -> None:
    overview = Overview(STATUS, None, SLOTS)
    grid = as_text(overview).splitlines()[-3:-1]
    assert "".join(grid).split() == ["●", "◆", "!", *"×" * 7, *"·" * 40]
    assert [len(line.split()) for line in grid] == [25, 25]
    cells = re.findall(r'title="slot (\d+): ([^,"]+)', as_html(overview))
    assert [int(number) for number, _ in cells] == list(range(50))
    assert [whose for _, whose in cells[:3]] == ["this notebook", "my other notebooks", "my orphans"]
    assert {whose for _, whose in cells[3:]} == {"others", "free"}


def test_html_is_for_those_who_do_not_see_it_too() -> None:
    markup = as_html(Overview(STATUS, None, SLOTS))
    assert 'role="img" aria-label="10 of 50 slots are taken' in markup
    assert 'role="status"' in markup
    assert '<th scope="col"' in markup


def test_the_sessions_of_the_user_are_a_table() -> None:
    markup = as_html(Overview(STATUS, None, SLOTS))
    rows = re.findall(r"<tr><td.*?</tr>", markup)
    assert len(rows) == 3
    assert all(word in rows[2] for word in ("lost.ipynb", "19", "k-3", "orphan"))


def test_a_server_that_does_not_list_its_slots() -> None:
    overview = Overview(STATUS, None, tuple(replace(slot, number=None) for slot in SLOTS[:2]))
    assert in_words(overview).startswith("The server does not list its slots")
    assert "second.ipynb" in as_html(overview)
    assert 'role="img"' not in as_html(overview)


def test_slots_that_cannot_be_asked_for() -> None:
    assert "did not answer" in as_text(Overview(STATUS, trouble="The server did not answer."))


def test_text_of_the_server_is_escaped() -> None:
    bad = "<script>alert(1)</script>"
    slot = replace(SLOTS[1], notebook=bad)
    markup = as_html(Overview(replace(STATUS, server_version=bad, user=bad), bad, (slot,), ""))
    assert "<script>" not in markup
    assert markup.count("&lt;script&gt;") == 5


def test_abandoned_sessions_are_told_only_when_there_are_some() -> None:
    assert "abandoned" not in as_text(Overview(STATUS))
    assert "abandoned" in as_text(Overview(replace(STATUS, abandoned=2)))


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (2_000_000, "2.0 MB"), (10**16, "10000.0 TB")],
)
def test_sizes(number: int, text: str) -> None:
    assert size(number) == text
    assert sizes(number, None) == text
    assert sizes(number, 3000) == f"{text} of 3.0 kB"


def test_status_takes_no_slot(shell: Any, embedded: Any) -> None:
    before = shell.run("%scidb slots").text
    out = shell.run("%scidb")
    assert out.error is None
    assert "unconnected" in out.text
    assert embedded.url in out.text
    assert "slots are taken" in out.text
    assert shell.run("%scidb slots").text == before


def test_without_a_server_nothing_is_asked(bare_shell: Any) -> None:
    bare_shell.run("%load_ext scidb_magic")
    out = bare_shell.run("%scidb")
    assert out.error is None
    assert "not decided yet" in out.text


def test_without_ipywidgets_text_and_html_are_there(kernels: Callable[..., Any], embedded: Any) -> None:
    kernel = kernels()
    kernel.run("import sys; sys.modules['ipywidgets'] = None")
    kernel.run(f"%load_ext scidb_magic\n%scidb connect {embedded.url}")
    out = kernel.run("%scidb")
    assert out.error is None
    assert "SciDB session" in out.texts[0]
    assert "SciDB session" in out.htmls[0]
