"""Where what can be completed; ``|`` is the cursor."""

from __future__ import annotations

import pytest

from scidb_magic.afl.places import FORMATS, Place, place


def at(marked: str) -> Place:
    return place(marked.replace("|", ""), marked.index("|"))


@pytest.mark.parametrize(
    ("marked", "kind", "fragment", "rest"),
    [
        ("|", "name", "", ""),
        ("fil|", "name", "fil", ""),
        ("fil|ter(A, x > 1)", "name", "fil", "ter"),
        ("|filter(A)", "name", "", "filter"),
        ("filter(A, |)", "name", "", ""),
        ("filter(A, x > |)", "name", "", ""),
        ("filter(A, x and tem|)", "name", "tem", ""),
        ("filter(A, name = 'fil|')", "nothing", "", ""),
        ("filter(A, name = 'fil|", "nothing", "", ""),
        ('filter(A, "fil|")', "nothing", "", ""),
        ("filter(A, x > 1|)", "nothing", "", ""),
        ("-- fil|", "nothing", "", ""),
        ("scan(A) // fil|\n", "nothing", "", ""),
        ("scan(A) -- that\nfil|", "name", "fil", ""),
        ("/* fil| */", "nothing", "", ""),
        ("/* that */|", "name", "", ""),
        ("/* fil|", "nothing", "", ""),
        ("scan(A) as |", "nothing", "", ""),
        ("create array |", "nothing", "", ""),
        ("create array A <x:|", "type", "", ""),
        ("create array A <x:int64, y:str|", "type", "str", ""),
        ("build(<x:int64 default 3, y:dou|>[i=0:1], i)", "type", "dou", ""),
        ("sort(A, x desc, chunk_size:|)", "name", "", ""),
        ("save(A, 'f', -2, 'cs|')", "word", "cs", ""),
        ("save(A, 'f', -2, 'c|sv')", "word", "c", "sv"),
        ("save(A, 'f|', -2, 'csv')", "nothing", "", ""),
        ("save(filter(A, x, y, z), 'f', -2, '|')", "word", "", ""),
        ("save(A, 'f', format:'ts|')", "word", "ts", ""),
        ("list('arr|')", "word", "arr", ""),
        ("help('fil|')", "operator", "fil", ""),
    ],
)
def test_what_may_stand(marked: str, kind: str, fragment: str, rest: str) -> None:
    found = at(marked)
    assert (found.kind, found.fragment, found.rest) == (kind, fragment, rest)


def test_members() -> None:
    found = at("cross_join(A as a, filter(B, x > 1) as b, a.te|)")
    assert (found.kind, found.owner, found.fragment) == ("member", "a", "te")
    assert found.aliases == {"a": "A", "b": ""}
    assert at('join("odd name" as q, C, q.|)').aliases == {"q": "odd name"}


def test_the_names_are_those_of_the_statement() -> None:
    found = at("scan(Other); filter(|apply(weather, t, temp * 2), t > 1); scan(Third)")
    assert found.names == {"filter", "apply", "weather", "t", "temp"}


def test_words() -> None:
    assert at("input(A, 'f', 0, '|')").words == FORMATS
    assert "arrays" in at("list('|')").words


@pytest.mark.parametrize(
    "text", ["", ";;", "((", "filter(A,", "'", '"', "<x:", "{{ a }}", "a.b.c.", "ä", "\\"]
)
def test_broken_afl_raises_nothing(text: str) -> None:
    for cursor in range(len(text) + 1):
        assert isinstance(place(text, cursor), Place)
