"""Options on a magic's line: read from the left, the AFL behind them untouched."""

from __future__ import annotations

import pytest

from scidb_magic.errors import MagicUsageError
from scidb_magic.frames import forms
from scidb_magic.notebook import options
from scidb_magic.notebook.options import Options, read_query, take_words
from scidb_magic.notebook.subcommands import CONNECT


@pytest.mark.parametrize(
    ("line", "expected", "rest"),
    [
        ("", Options(), ""),
        ("scan(A)", Options(), "scan(A)"),
        ("-o x scan(A)", Options(output="x"), "scan(A)"),
        ("--output=x scan(A)", Options(output="x"), "scan(A)"),
        ("  --as   arrow\t--all scan(A)", Options(form="arrow", all=True), "scan(A)"),
        ("--limit 1_000 filter(A, x < -3)", Options(limit=1000), "filter(A, x < -3)"),
        (
            "--retry never --namespace 'my ns' --quiet",
            Options(retry="never", namespace="my ns", quiet=True),
            "",
        ),
        ("--no-fetch scan(A) -- a comment", Options(no_fetch=True), "scan(A) -- a comment"),
        ("-- only a comment", Options(), "-- only a comment"),
        ("apply(A, b, 'it''s {x} $y %z') ", Options(), "apply(A, b, 'it''s {x} $y %z')"),
        ("-h", Options(help=True), ""),
    ],
)
def test_options_then_afl(line: str, expected: Options, rest: str) -> None:
    assert read_query(line) == (expected, rest)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("--limt 3", "There is no option --limt; did you mean --limit?"),
        ("-o", "-o needs a value: -o NAME."),
        ("-o 2x", "-o takes a name for a Python variable, not '2x'."),
        ("-o for", "-o takes a name for a Python variable, not 'for'."),
        ("--limit none", "--limit takes a number of rows from 1 on, not 'none'."),
        ("--limit 0", "--limit takes a number of rows from 1 on, not '0'."),
        ("--as csv", "--as takes one of dataframe, arrow, numpy, xarray, not 'csv'."),
        ("--retry sometimes", "--retry takes one of safe, never, always, not 'sometimes'."),
        ("--all=yes", "--all takes no value."),
        ("--all --limit 3", "--limit and --all exclude each other."),
    ],
)
def test_one_line_says_what_is_wrong(line: str, sentence: str) -> None:
    with pytest.raises(MagicUsageError) as caught:
        read_query(line)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("line", ["-o x --limit 3 scan(A)", "-o x --no-fetch scan(A)"])
def test_an_output_is_whole_and_fetched(line: str) -> None:
    with pytest.raises(MagicUsageError, match="-o takes"):
        read_query(line)


@pytest.mark.parametrize(
    "line",
    [
        "http://anna:geheim@cluster:8080",
        "https://cluster:8083 --user anna --password geheim",
        "https://cluster:8083 --user anna --password=geheim",
        "https://cluster:8083 --http-password geheim",
        "cluster -p geheim",
        "--pw geheim",
        "password=geheim",
    ],
)
def test_a_typed_password_is_refused_and_not_repeated(line: str) -> None:
    with pytest.raises(MagicUsageError) as caught:
        take_words(line, CONNECT)
    message = str(caught.value)
    assert "geheim" not in message
    assert all(way in message for way in ("prompt", "auth file", "keyring"))


def test_words_and_options_in_any_order() -> None:
    found, words = take_words("--slot-wait 5 https://cluster:8083 --user anna --admin", CONNECT)
    assert words == ["https://cluster:8083"]
    assert found == {"slot_wait": "5", "user": "anna", "admin": True}


def test_the_table_of_connect_has_no_secret() -> None:
    assert "--user" in CONNECT
    assert not [name for name in CONNECT if "password" in name]


def test_the_forms_are_those_of_the_frames() -> None:
    assert tuple(forms.FORMS) == options.FORMS


def test_help_names_every_option() -> None:
    text = options.describe(options.QUERY)
    assert all(name in text for name in options.QUERY)
    assert "-o, --output NAME" in text
