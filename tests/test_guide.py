"""The guide says what is so: its tables are those of the code, and the tests it names are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scidb_magic import errors
from scidb_magic.embedded import __main__ as server
from scidb_magic.notebook import manual
from scidb_magic.session.settings import SETTINGS, check

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "scidb_magic" / "guide"
INTERNAL = {"ScidbMagicError", "EngineError"}
"""The base of all, and what the embedded engine answers as SciDB's text."""


def page(name: str) -> str:
    found = manual.page(name)
    assert found is not None
    return found


def rows(text: str) -> list[str]:
    """The rows of all tables, without heads and rules."""
    lines = text.splitlines()
    return [
        line
        for line, below in zip(lines, [*lines[1:], ""], strict=True)
        if line.startswith("| ") and not below.startswith("|--")
    ]


def test_every_page_is_there_and_listed() -> None:
    assert {file.stem for file in FOLDER.iterdir()} == set(manual.GUIDE)
    for name in manual.PAGES:
        assert page(name).startswith("# ")


def test_every_error_is_told_about_and_whether_the_statement_ran() -> None:
    told = {}
    for line in rows(page("errors")):
        match = re.match(r"\| `(\w+)` \| .+ \| (.+) \| .+ \|$", line)
        if match:
            told[match[1]] = match[2]
    known = {
        name: kind
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, (errors.ScidbMagicError, errors.QueryInterrupted))
    }
    assert set(told) == set(known) - INTERNAL
    certain = {True: "yes", False: "no"}
    for name, said in told.items():
        ran = getattr(known[name], "ran", None)
        assert (
            said == certain[ran]
            if ran in certain
            else said in {"`ran` says", "nobody knows", "there was none"}
        )


def test_every_setting_has_an_example_that_fits() -> None:
    shown = page("settings")
    for name, setting in SETTINGS.items():
        assert f"| `{name}` |" in shown
        assert setting.environment in shown
        if not setting.secret:
            assert check(name, setting.example) != setting.default


def test_every_option_of_the_server_is_told_about(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        server.main(["--help"])
    options = set(re.findall(r"^  (--[\w-]+)", capsys.readouterr().out, re.MULTILINE))
    assert options == set(re.findall(r"`(--[\w-]+)[ `]", page("server").partition("## Its options")[2]))


def test_every_threat_has_a_test() -> None:
    text = page("security").partition("## What is not protected")[0]
    threats = rows(text)
    assert len(threats) > 25
    for row in threats:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row.rpartition(" | ")[2])
        assert named, row
        for file, test in named:
            assert re.search(rf"^ *def {test}\(", (ROOT / file).read_text(), re.MULTILINE), test


def test_every_page_that_is_named_is_there() -> None:
    texts = [file.read_text() for file in (*FOLDER.iterdir(), ROOT / "README.md")]
    named = set(re.findall(r"%scidb help (\w+)", "\n".join(texts)))
    assert len(named) > 2
    assert named <= set(manual.PAGES)


def test_what_the_readme_names_is_there() -> None:
    text = (ROOT / "README.md").read_text()
    named = [
        *re.findall(r"`((?:tests|scidb_magic|notebooks)/[\w/.]+)`", text),
        *re.findall(r"\]\(([\w/.]+)\)", text),
    ]
    assert len(named) > 20
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_public_error_is_caught_by_one_base() -> None:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and kind.__module__ == errors.__name__
    ]
    assert len(kinds) > 20
    assert all(issubclass(kind, (errors.ScidbMagicError, KeyboardInterrupt)) for kind in kinds)
