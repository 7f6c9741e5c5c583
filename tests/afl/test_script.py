from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scidb_magic.afl import script
from scidb_magic.afl.lexer import Kind, tokens

PIECES = [
    "scan(A)",
    "'",
    '"',
    ";",
    "--",
    "//",
    "/*",
    "*/",
    "\n",
    " ",
    "[i=0:3;",
    "]",
    "\\",
    "\\'",
    "é",
    "(",
    ")",
    "a.b",
]
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=20).map("".join)


@given(texts)
def test_the_lexer_loses_nothing(text: str) -> None:
    found = tokens(text)
    assert "".join(token.text for token in found) == text
    assert [token.start for token in found[1:]] == [token.end for token in found[:-1]]


@given(texts)
def test_statements_stand_where_they_say(text: str) -> None:
    for statement in script.split(text):
        assert text[statement.start :].startswith(statement.text)
        assert len(statement.bare) == len(statement.text)
        assert statement.bare.count("\n") == statement.text.count("\n")
        assert all(token.kind is not Kind.COMMENT for token in tokens(statement.bare))


WHOLE = [
    "scan(A)",
    "f('a;b')",
    r"f('it\'s;')",
    "f(A /* ; /* ; */ */)",
    "f(A -- ;\n)",
    "<x:int64>[i; j]",
    '"a;b"',
]


@given(st.lists(st.sampled_from(WHOLE)), st.sampled_from([";", " ;\n", "; -- and;\n", ";;"]))
def test_split_cuts_between_statements_only(statements: list[str], between: str) -> None:
    assert [statement.text for statement in script.split(between.join(statements))] == statements


@pytest.mark.parametrize(
    ("cell", "statements"),
    [
        ("scan(A)", ["scan(A)"]),
        ("scan(A);", ["scan(A)"]),
        ("scan(A); ;\n scan(B) ", ["scan(A)", "scan(B)"]),
        (
            "create array A <x:int64>[i=0:3; j=0:3]; scan(A)",
            ["create array A <x:int64>[i=0:3; j=0:3]", "scan(A)"],
        ),
        ("filter(A, s = 'a;b'); scan(B)", ["filter(A, s = 'a;b')", "scan(B)"]),
        (r"filter(A, s = 'it\'s; x')", [r"filter(A, s = 'it\'s; x')"]),
        ("scan(A -- one; two\n); scan(B)", ["scan(A -- one; two\n)", "scan(B)"]),
        ("scan(A /* ; /* ; */ ; */); scan(B)", ["scan(A /* ; /* ; */ ; */)", "scan(B)"]),
        ("-- only this; and that", []),
        ("scan(A); -- done", ["scan(A)"]),
        ("", []),
    ],
)
def test_split(cell: str, statements: list[str]) -> None:
    assert [statement.text for statement in script.split(cell)] == statements


def test_comments_are_blanked_in_place() -> None:
    statement = script.split("scan(A /* x\ny */, -- z\n B) -- end")[0]
    assert statement.text == "scan(A /* x\ny */, -- z\n B)"
    assert statement.bare == "scan(A     \n    ,     \n B)"


@pytest.mark.parametrize(
    ("afl", "kind"),
    [
        ("scan(A)", "read"),
        ("aggregate(filter(A, x > abs(-3) and (y < 2)), sum(x), i)", "read"),
        ("op_count(A)", "read"),
        ("equi_join(A, B, left_names: i, right_names: j)", "read"),
        ("store(filter(A, true), B)", "change"),
        ("STORE(A, B)", "change"),
        ("filter(stream(A, 'cat'), true)", "change"),
        ("load(A, 'f')", "change"),
        ("create array A <x:int64>[i=0:3]", "change"),
        ("frobnicate(A)", "unknown"),
        ("filter(A, frobnicate(x))", "unknown"),
        ("filter(A, s = 'store(A, B)')", "read"),
        ('filter("store"(A, B), true)', "change"),
        ("filter(A, x between (1) and (2) and not (x in (3)))", "read"),
        ("A", "unknown"),
    ],
)
def test_kind(afl: str, kind: str) -> None:
    assert script.kind_of(afl) == kind


@pytest.mark.parametrize(
    ("afl", "outer"),
    [
        ("  Scan /* which */ (A)", "scan"),
        ("create temp array A <x:int64>[i]", "create array"),
        ("A", None),
        ("", None),
        ("'scan(A)'", None),
    ],
)
def test_outer_operator(afl: str, outer: str | None) -> None:
    assert script.outer_operator(afl) == outer


def test_called_names_and_their_places() -> None:
    assert script.called("filter(Scan (A), x > abs(y))") == [("filter", 0), ("scan", 7), ("abs", 21)]


def test_users_add_operators_that_only_read() -> None:
    assert script.kind_of("frobnicate(A)", {"frobnicate"}) == "read"


@pytest.mark.parametrize(
    ("afl", "result"),
    [
        ("scan(A)", True),
        ("store(A, B)", False),
        ("Remove(A)", False),
        ("create temp array A <x:int64>[i=0:3]", False),
        ("consume(A)", False),
        ("load_library('x')", False),
        ("list()", True),
        ("frobnicate(A)", True),
        ("load(A, 'f')", False),
    ],
)
def test_result(afl: str, result: bool) -> None:
    assert script.has_result(afl) is result


@pytest.mark.parametrize(
    ("statement", "operands"),
    [
        ("scan(A)", ["A"]),
        ("store(filter(A, f(v, 1) > 2), B)", ["filter(A, f(v, 1) > 2)", "B"]),
        ("f('a, (b', \"c, d\", [1, 2])", ["'a, (b'", '"c, d"', "[1, 2]"]),
        ("list()", []),
        ("  store ( A , B )  ", ["A", "B"]),
        ("create array A <v:int64>[i]", ["A"]),
        ('CREATE TEMP ARRAY "a b" <v:int64>[i]', ['"a b"']),
        ("create array ns.A <v:int64>[i]", ["ns.A"]),
        ("create temp array ns . array <v:int64, w:int64>[i]", ["ns.array"]),
        ("create array array <v:int64>[i]", ["array"]),
        ("create temp", []),
        (
            "create_array(A, <v:int64, w:bool default (1 > 2)>[i; j], true)",
            ["A", "<v:int64, w:bool default (1 > 2)>[i; j]", "true"],
        ),
        (
            "add_attributes(A, /* , */ <x:int64, y:string default 'a, >'>)",
            ["A", "<x:int64, y:string default 'a, >'>"],
        ),
        ("apply(A, w, v < 3, u, 4 > v)", ["A", "w", "v < 3", "u", "4 > v"]),
        ("between(A, (1, 2), 3", ["A", "(1, 2)", "3"]),
        ("A", []),
    ],
)
def test_operands(statement: str, operands: list[str]) -> None:
    assert script.operands(statement) == operands


@given(st.lists(st.sampled_from(["A", "f(v, 1)", "v < 3", "<v:int64, w:int8>[i, j]", "'a,b'", "keep: 2"])))
def test_operands_are_found_again(operands: list[str]) -> None:
    assert script.operands(f"op( {' , '.join(operands)} ) trailing(words, there)") == operands
