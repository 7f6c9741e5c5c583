"""The grammar, against every recorded statement and against the rules of reference/scidb-semantics.md (a)."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

from scidb_magic.afl.literals import quote
from scidb_magic.embedded.engine import ast
from scidb_magic.embedded.engine.parser import parse, parse_expression
from scidb_magic.errors import EngineError

PARSER_CODES = {
    "QUERY_PARSING_ERROR",
    "EXPRESSION_HAS_TOO_MANY_OPERANDS",
    "BAD_BLOCK_COMMENT",
    "BAD_LITERAL_INTEGER",
    "BAD_LITERAL_REAL",
    "INCORRECT_DIMENSION_BOUNDARY",
    "HIGH_SHOULDNT_BE_LESS_LOW",
    "INCORRECT_CHUNK_SIZE",
    "OVERLAP_CANT_BE_LARGER_CHUNK",
    "COMPRESSOR_DOESNT_EXIST",
}


def recorded(conformance: Path) -> list[tuple[str, str]]:
    """(statement, code of the parser's error or ""), for AFL that is not a text inside another statement."""
    statements = []
    for name in ("afl.jsonl", "wire.jsonl"):
        for line in (conformance / name).read_text("utf-8").splitlines():
            record = json.loads(line)
            for step in record.get("steps", [record]):
                query = step["query"]
                if query.startswith("_show"):
                    continue
                if step.get("save"):
                    query = f"save({query},'x',0,'csv+')"
                found = re.search(r"SCIDB_SE_(\w+)::SCIDB_LE_(\w+)", step.get("body") or "")
                code = found[2] if found and step.get("status", 200) != 200 else ""
                if found and found[1] == "SYNTAX" and code == "DUPLICATE_DIMENSION_NAME":
                    statements.append((query, code))
                else:
                    statements.append((query, code if code in PARSER_CODES else ""))
    return statements


def outcome(text: str) -> str:
    try:
        parse(text)
    except EngineError as error:
        return error.long
    return ""


def test_every_recorded_statement_parses_or_fails_as_recorded(conformance: Path) -> None:
    statements = recorded(conformance)
    wrong = [(text[:120], code, mine) for text, code in statements if (mine := outcome(text)) != code]
    print(f"{len(statements) - len(wrong)} of {len(statements)} recorded statements")
    assert len(statements) > 1400
    assert wrong == []


def test_syntax_errors_point_at_the_recorded_token(conformance: Path) -> None:
    """SciDB's carets begin at the blanks before a token, ours at the token."""
    checked = 0
    for line in (conformance / "afl.jsonl").read_text("utf-8").splitlines():
        for step in json.loads(line)["steps"]:
            body = step.get("body") or ""
            if "LE_QUERY_PARSING_ERROR" not in body or step.get("save") or step["query"].startswith("_show"):
                continue
            carets = next(x for x in body.split("\n")[3:] if x.strip() and set(x.strip()) == {"^"})
            with pytest.raises(EngineError) as caught:
                parse(step["query"])
            assert caught.value.span is not None
            blanks = len(carets) - len(carets.lstrip())
            between = step["query"][blanks : caught.value.span[0]]
            assert between.strip() == "" and caught.value.span[1] == len(carets)
            checked += 1
    assert checked >= 25


def afl(node: ast.Node) -> str:
    """AFL of an expression, with all its parentheses."""
    if isinstance(node, ast.Literal):
        if isinstance(node.value, str):
            return quote(node.value)
        return "null" if node.value is None else str(node.value).lower()
    if isinstance(node, ast.Reference):
        return node.text
    assert isinstance(node, ast.Call)
    if node.name not in ast.INFIX:
        return f"{node.name}({', '.join(map(afl, node.args))})"
    if len(node.args) == 1:
        return f"{node.name} {afl(node.args[0])}".replace("- ", "-", 1)
    return f"({afl(node.args[0])} {node.name} {afl(node.args[1])})"


def expression(text: str) -> str:
    return afl(parse_expression(text))


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("-2^2", "(-2 ^ 2)"),
        ("2^3^4", "(2 ^ (3 ^ 4))"),
        ("1-2-3", "((1 - 2) - 3)"),
        ("1+2*3%4", "(1 + ((2 * 3) % 4))"),
        ("a or b and c", "(a or (b and c))"),
        ("not a and b", "(not a and b)"),
        ("not a = b", "not (a = b)"),
        ("a = not b = c", "(a = not (b = c))"),
        ("a < b = c", "((a < b) = c)"),
        ("a + b is null", "(a + is_null(b))"),
        ("-a is null", "-is_null(a)"),
        ("x is not null", "not is_null(x)"),
        ("x between 1 and 2 + 3 or y", "(((x >= 1) and (x <= (2 + 3))) or y)"),
        ("x != 1", "(x <> 1)"),
        ("a AND NOT b Or TRUE", "((a and not b) or true)"),
        ("1 /* one /* two */ */ + -- rest\n 2 // end", "(1 + 2)"),
        ("'a\\n\\'\\q'", "'a\\n\\'\\\\q'"),
        ('A.x + "b"', "(A.x + b)"),
    ],
)
def test_precedence_and_spelling(text: str, meaning: str) -> None:
    assert expression(text) == meaning


def test_numbers_keep_their_kind() -> None:
    statement = parse("f(1, 1., .5, 1e3, inf, nan, NaN, 9223372036854775807)")
    assert isinstance(statement, ast.Call)
    values = [node for node in statement.args if isinstance(node, ast.Literal)]
    assert [v.type for v in values] == ["int64", *["double"] * 6, "int64"]
    assert [v.value for v in values[:5]] == [1, 1.0, 0.5, 1000.0, math.inf]
    assert values[-1].value == 2**63 - 1


def test_operands_of_every_kind() -> None:
    statement = parse("op(A@3 as X, ns.B desc, (a, b), (c,), <x:int64>[i], <x:int64>, key: (p, q), other: 1)")
    assert isinstance(statement, ast.Call)
    alias, ordered, pair, single, schema, frame = statement.args
    assert isinstance(alias, ast.Alias) and isinstance(alias.node, ast.Reference) and alias.name == "X"
    assert isinstance(alias.node.version, ast.Literal) and alias.node.version.value == 3
    assert isinstance(ordered, ast.Reference) and (ordered.text, ordered.order) == ("ns.B", "desc")
    assert isinstance(pair, ast.Nested) and len(pair.items) == 2
    assert isinstance(single, ast.Nested) and len(single.items) == 1
    assert isinstance(schema, ast.SchemaLiteral) and not schema.schema.is_dataframe
    assert isinstance(frame, ast.SchemaLiteral) and frame.schema.is_dataframe
    assert [name for name, _ in statement.keywords] == ["key", "other"]
    assert statement.whole == (
        0,
        len("op(A@3 as X, ns.B desc, (a, b), (c,), <x:int64>[i], <x:int64>, key: (p, q), other: 1)"),
    )


def test_both_forms_of_a_dimension_differ_in_their_order() -> None:
    statement = parse(
        "create temp array T <a:int64 not null default 2*3, b:string compression 'zlib'>"
        "[i=0:2*5-1:1:4; j=-3:*,5,2, k, l=0:?:?:*]"
    )
    assert isinstance(statement, ast.CreateArray) and statement.temporary
    schema = statement.schema.schema
    assert str(schema) == (
        "<a:int64 NOT NULL DEFAULT 6,b:string COMPRESSION 'zlib'> "
        "[i=0:9:1:4; j=-3:*:2:5; k=0:*:0:*; l=0:*:0:*]"
    )
    assert statement.schema.given == (
        frozenset({"low", "high", "overlap", "chunk"}),
        frozenset({"low", "high", "overlap", "chunk"}),
        frozenset(),
        frozenset({"low", "chunk"}),
    )


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "A + 1",
        "scan(A);",
        "",
        "f(a,*)",
        "f(k: 1, a)",
        "build(<x:int64>[i=0:3,j=0:3], 1)",
        "f('abc",
        "f(select)",
        'f("a b")',
        "create array A",
        "f(x in y)",
        "f(#)",
        "f(a b)",
        "f(,)",
        "create array and <x:int64>[i]",
    ],
)
def test_what_is_no_statement(text: str) -> None:
    assert outcome(text) == "QUERY_PARSING_ERROR"


def test_words_that_are_not_reserved_are_names() -> None:
    statement = parse("create(temp, array, as, asc, desc desc, between(default, is))")
    assert isinstance(statement, ast.Call)
    names = [node.name for node in statement.args if isinstance(node, ast.Reference)]
    assert names == ["temp", "array", "as", "asc", "desc"]


def test_macros_of_one_statement() -> None:
    statement = parse("let { f(x) = x + 1; g = fn(y) { y * 2 } } in filter(A, f(v) > g(w))")
    assert isinstance(statement, ast.Let)
    (f, plus), (g, times) = statement.bindings
    assert (f, g) == ("f", "g")
    assert isinstance(plus, ast.Function) and plus.parameters == ("x",)
    assert isinstance(times, ast.Function) and afl(times.body) == "(y * 2)"
    assert isinstance(statement.body, ast.Call)


def test_operands_are_limited_not_the_stack() -> None:
    assert outcome("f(" + "+".join(["1"] * 400) + ")") == ""
    assert outcome("f(" + "+".join(["1"] * 401) + ")") == "EXPRESSION_HAS_TOO_MANY_OPERANDS"
    assert outcome("f(" * 5000 + "a" + ")" * 5000) == ""
    assert outcome("f" + "(" * 5000 + "a" + ")" * 5000) == ""
    assert outcome("f(a" + ", a" * 20000 + ")") == ""
