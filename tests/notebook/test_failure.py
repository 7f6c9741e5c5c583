"""Short errors: the headline, the excerpt with its carets, what had run before."""

from __future__ import annotations

import pytest

from scidb_magic.errors import QueryError, QueryInterrupted, SettingError
from scidb_magic.notebook.binding import bind
from scidb_magic.notebook.failure import LINE_WIDTH, excerpt, headline, is_short, place, progress, shorten


def under(lines: list[str]) -> str:
    """What stands over the carets, for text of single width."""
    text, carets = lines
    assert set(carets.strip()) == {"^"}
    return text[carets.index("^") : carets.rindex("^") + 1]


def test_carets_stand_under_the_token() -> None:
    cell = "scan(A);\n filter(A,\n   nope > 1)"
    assert excerpt(cell, cell.index("nope"), 4) == ["     nope > 1)", "     ^^^^"]


@pytest.mark.parametrize("position", [0, 9, 10, 19])
def test_every_place_has_a_caret(position: int) -> None:
    text = "scan(nope)\nremove(A)"
    lines = excerpt(text, position, 3)
    assert lines[1].count("^") >= 1
    assert len(lines[1]) <= len(lines[0]) + 1


def test_carets_do_not_pass_the_end_of_the_line() -> None:
    assert under(excerpt("scan(\nnope)", 0, 100)) == "scan("


def test_tabs_and_wide_characters_keep_the_carets_in_place() -> None:
    assert excerpt("\tf(x)", 3, 1) == ["  \tf(x)", "  \t  ^"]
    assert excerpt("f('日本', x)", 8, 1) == ["  f('日本', x)", "            ^"]


@pytest.mark.parametrize("where", [0, 5, 150, 399])
def test_a_long_line_is_shown_around_the_caret(where: int) -> None:
    line = "".join(chr(ord("a") + n % 26) for n in range(400))
    lines = excerpt(line, where, 3)
    assert len(lines[0]) <= LINE_WIDTH + 4
    assert under(lines) == line[where : where + 3]


def test_the_headline_is_one_line_with_scidbs_code() -> None:
    error = QueryError(
        "SCIDB_LE_REF_NOT_FOUND", "Query processor error.\n  Reference '.w'\tnot found.\x1b[31m"
    )
    assert headline(error) == (
        "QueryError: Query processor error. Reference '.w' not found. [31m [SCIDB_LE_REF_NOT_FOUND]"
    )
    assert headline(SettingError("No.")) == "SettingError: No."
    assert headline(QueryInterrupted("Interrupted: cancelled.")) == "Interrupted: cancelled."
    assert len(headline(SettingError("x" * 5000))) < 600


def test_what_ipython_shows() -> None:
    error = SettingError("No.")
    assert not is_short(error)
    shorten(error, ["more"])
    assert is_short(error)
    assert error._render_traceback_() == ["SettingError: No.", "more"]  # type: ignore[attr-defined]


def test_the_place_is_in_the_cell_also_after_a_value() -> None:
    cell = "store(A, B);\nfilter({{ name }}, nope > 1)"
    statement = bind(cell, {"name": "A name that is long"})[1]
    error = QueryError("X", "No.", statement.text.index("nope"), length=4, statement=statement.text)
    assert place(error, cell, statement) == ["  filter({{ name }}, nope > 1)", "                     ^^^^"]
    assert place(QueryError("X", "No."), cell, statement) == []


def test_progress() -> None:
    assert progress([], 1) == []
    assert progress([], 2) == ["Statement 1 of 2 failed; none ran before it."]
    assert progress(["store"], 3) == ["Statement 2 of 3 failed; statement 1 had run: store."]
    assert progress(["store", "remove"], 3) == [
        "Statement 3 of 3 failed; statements 1 to 2 had run: store, remove."
    ]
