"""Patterns of arguments: read, printed, matched."""

from __future__ import annotations

import pytest

from scidb_magic.embedded.engine.ast import Call, Literal, Node, Reference
from scidb_magic.embedded.engine.operators.signature import Arguments, Mismatch, Signature, Slot, match
from scidb_magic.errors import EngineError

WINDOW = "<input> ( low=<constant:int64> high=<constant:int64> )+ <name>+ <constant:string>?"


def call(text: str, **keywords: Node) -> Call:
    """A call ``op(…)`` with one argument a word: a number is a literal, all else a reference."""
    nodes: list[Node] = []
    for word in text.split():
        start = text.index(word) + 3
        span = (start, start + len(word))
        nodes.append(Literal(int(word), "int64", span) if word.isdigit() else Reference(word, span))
    return Call("op", tuple(nodes), (0, 2), (0, len(text) + 4), tuple(keywords.items()))


def resolve(slot: Slot, node: Node, before: Arguments) -> object:
    if slot.kind == "constant":
        if not isinstance(node, Literal):
            raise Mismatch(f"constant with type {slot.type}")
        return node.value
    if not isinstance(node, Reference):
        raise Mismatch(slot.kind)
    return node.name


def matched(pattern: str, text: str) -> Arguments:
    return match(Signature.parse(pattern), call(text), resolve)


def refused(pattern: str, text: str) -> EngineError:
    with pytest.raises(EngineError) as caught:
        matched(pattern, text)
    return caught.value


def test_a_pattern_prints_as_scidb_shows_it() -> None:
    assert str(Signature.parse(WINDOW)) == (
        "<input> ( <constant:int64> <constant:int64> )+ <name>+ <constant:string>?"
    )


def test_help_separates_by_commas_and_lists_keywords() -> None:
    signature = Signature.parse("<input> <schema>", cells="<constant:int64>")
    assert signature.help == "<input>, <schema>\n            [, cells: <constant:int64> ]"


def test_groups_repeat() -> None:
    args = matched(WINDOW, "A 1 2 3 4 x y")
    assert args.values("low") == [1, 3]
    assert args.values("high") == [2, 4]
    assert args.values("name") == ["x", "y"]


def test_nested_options() -> None:
    pattern = "<input> ( a=<constant:int64> ( b=<constant:int64> )? )?"
    assert "b" not in matched(pattern, "A 1")
    assert matched(pattern, "A 1 2").value("b") == 2


def test_too_few_names_the_pattern() -> None:
    error = refused(WINDOW, "A")
    assert error.long == "WRONG_OPERATOR_ARGUMENTS_REGEX"
    assert '"<input> ( <constant:int64>' in error.description


def test_half_a_group_is_wrong_at_the_argument_that_does_not_fit() -> None:
    error = refused(WINDOW, "A 1 2 3 x")
    assert (error.short, error.long) == ("QPROC", "WRONG_OPERATOR_ARGUMENT2")
    assert error.description == "Parameter must be constant with type int64."
    assert error.span == (11, 12)


def test_an_argument_left_over_is_told_by_what_could_have_stood_there() -> None:
    error = refused("<input> <constant:int64>*", "A 1 x")
    assert error.description == "Parameter must be constant with type int64."


def test_too_many_are_counted_without_inputs() -> None:
    error = refused("<input> <name> <constant:int64>?", "A row 10 42")
    assert error.long == "WRONG_OPERATOR_ARGUMENTS_COUNT"
    assert error.description == "Operator 'op' expected 2 argument(s) but was passed 3."


def test_an_unknown_keyword() -> None:
    with pytest.raises(EngineError) as caught:
        match(Signature.parse("<input>"), call("A", foobar=Literal(1, "int64", (9, 10))), resolve)
    assert caught.value.long == "UNRECOGNIZED_KEYWORD_PARAM"


@pytest.mark.parametrize("pattern", ["<input", "( <a> ", "<a> )", "a"])
def test_a_broken_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"not a signature|without end"):
        Signature.parse(pattern)
