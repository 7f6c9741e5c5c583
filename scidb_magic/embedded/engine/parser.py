"""Text of a statement -> `ast`, by `grammar.lark`.

The grammar is LALR(1) and its tables are made once a process, at the first statement (about 0.1 s).
Nothing here recurses, so that a statement may nest as deep as it likes.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from importlib import resources
from typing import Any, cast

from lark import Lark, Token, Transformer, UnexpectedToken, v_args

from scidb_magic.embedded.engine import ast
from scidb_magic.embedded.engine.ast import Node, Span, Statement
from scidb_magic.embedded.engine.lexer import AflLexer, syntax_error
from scidb_magic.embedded.engine.schemas import Bound, WrittenDimension, schema_literal
from scidb_magic.errors import EngineError

MAX_NODES = 50_000
"""Of a statement with all that is bound by a name put in."""

MAX_OPERANDS = 400
"""Depth of an expression's tree that SciDB allows (Translator.cpp, checkDepthExpression)."""

_ESCAPE = re.compile(r"\\([nt'\\rfv])", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}


def parse(text: str) -> Statement:
    """Read one statement.

    Raises
    ------
    EngineError
        ``QUERY_PARSING_ERROR`` and others of SciDB's parser, with the span of the offending token.
    """
    try:
        statement = cast("Statement", _grammar().parse(text))
    except UnexpectedToken as unexpected:
        token = unexpected.token
        at_end = token.type == "$END"
        start = len(text.rstrip()) if at_end else cast("int", token.start_pos)
        raise syntax_error((start, start + 1 if at_end else cast("int", token.end_pos))) from None
    check_size(statement)
    _check_depth(statement)
    return statement


def parse_expression(text: str) -> Node:
    """Read an expression that stands alone, such as the default of an attribute."""
    statement = parse(f"f({text}\n)")
    if not isinstance(statement, ast.Call) or len(statement.args) != 1 or statement.keywords:
        raise syntax_error((0, len(text)))
    return statement.args[0]


@lru_cache(maxsize=1)
def _grammar() -> Lark:
    text = resources.files(__package__).joinpath("grammar.lark").read_text("utf-8")
    return Lark(text, parser="lalr", lexer=AflLexer, transformer=_Builder())


def check_size(statement: Statement | Node, twice: Collection[str] = ()) -> None:
    """Refuse what a walk over it would not come to the end of; `twice` as `ast.size` takes it.

    Raises
    ------
    EngineError
    """
    root = statement.schema if isinstance(statement, ast.CreateArray) else statement
    if ast.size(root, twice) > MAX_NODES:
        raise EngineError(
            "PARSER",
            "EXPRESSION_HAS_TOO_MANY_OPERANDS",
            f"A statement of the embedded engine may have no more than {MAX_NODES:,} parts.",
        )


def _check_depth(statement: Statement) -> None:
    """Refuse expressions that are deeper than SciDB allows."""
    root = statement.schema if isinstance(statement, ast.CreateArray) else statement
    stack: list[tuple[Node, int]] = [(root, 1)]
    while stack:
        node, depth = stack.pop()
        if depth > MAX_OPERANDS:
            raise EngineError(
                "PARSER",
                "EXPRESSION_HAS_TOO_MANY_OPERANDS",
                f"A SciDB expression may have no more than {MAX_OPERANDS} operands.",
            )
        below = depth + 1 if isinstance(node, ast.Call) and node.name in ast.INFIX else 1
        stack.extend((child, below) for child in ast.children(node))


def _span(token: Token) -> Span:
    return cast("int", token.start_pos), cast("int", token.end_pos)


def _from_to(first: Span, last: Span) -> Span:
    return first[0], last[1]


@v_args(inline=True)
class _Builder(Transformer[Token, Statement]):
    """One method for each rule and alias of the grammar."""

    def start(self, statement: Statement) -> Statement:
        return statement

    # Statements

    def create(
        self, temp: bool, path: tuple[Token, ...], schema: ast.SchemaLiteral, _distribution: object
    ) -> ast.CreateArray:
        name = self.reference(path, None, None)
        return ast.CreateArray(name, schema, temp, _from_to(name.span, schema.span))

    def temp(self, *tokens: Token | None) -> bool:
        return any(token is not None for token in tokens)

    # Applications

    def application(self, name: Token, _open: Token, arguments: Any, close: Token) -> ast.Call:
        positional, keywords = arguments or ((), ())
        return ast.Call(str(name), positional, _span(name), _from_to(_span(name), _span(close)), keywords)

    def star(self, token: Token) -> tuple[tuple[Node, ...], tuple[()]]:
        return (ast.Star(_span(token)),), ()

    def arguments(self, *operands: Any) -> tuple[tuple[Node, ...], tuple[tuple[str, Node], ...]]:
        first = next((k for k, operand in enumerate(operands) if isinstance(operand, tuple)), len(operands))
        for operand in operands[first:]:
            if not isinstance(operand, tuple):
                raise syntax_error(ast.whole(operand))
        return operands[:first], operands[first:]

    def keyword(self, name: Token, operand: Node) -> tuple[str, Node]:
        return str(name), operand

    def nested(self, *parts: Any) -> ast.Nested:
        items = tuple(part for part in parts if part is not None and not isinstance(part, Token))
        return ast.Nested(items, _from_to(_span(parts[0]), _span(parts[-1])))

    # Expressions

    def alias(self, node: Node, name: Token) -> ast.Alias:
        return ast.Alias(node, str(name), _from_to(ast.whole(node), _span(name)))

    def infix(self, left: Node, sign: Token, right: Node) -> ast.Call:
        name = "<>" if sign == "!=" else sign.lower()
        span = _from_to(ast.whole(left), ast.whole(right))
        return ast.Call(name, (left, right), _span(sign), span)

    def prefix(self, sign: Token, node: Node) -> ast.Call:
        return ast.Call(sign.lower(), (node,), _span(sign), _from_to(_span(sign), ast.whole(node)))

    def sign(self, token: Token) -> Token:
        return token

    def between(self, node: Node, sign: Token, low: Node, _and: Token, high: Node) -> ast.Call:
        whole = _from_to(ast.whole(node), ast.whole(high))
        bounds = (
            ast.Call(name, (node, bound), _span(sign), whole) for name, bound in ((">=", low), ("<=", high))
        )
        return ast.Call("and", tuple(bounds), _span(sign), whole)

    def null_test(self, node: Node, is_token: Token, not_token: Token | None, null: Token) -> ast.Call:
        span = _from_to(_span(is_token), _span(null))
        whole = _from_to(ast.whole(node), span)
        test = ast.Call("is_null", (node,), span, whole)
        return test if not_token is None else ast.Call("not", (test,), span, whole)

    def parentheses(self, node: Node) -> Node:
        return node

    # Constants

    def integer(self, token: Token) -> ast.Literal:
        return ast.Literal(int(token.lstrip("0") or "0"), "int64", _span(token))

    def real(self, token: Token) -> ast.Literal:
        return ast.Literal(float(token), "double", _span(token))

    def string(self, token: Token) -> ast.Literal:
        text = _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), token[1:-1])
        return ast.Literal(text, "string", _span(token))

    def boolean(self, token: Token) -> ast.Literal:
        return ast.Literal(token.lower() == "true", "bool", _span(token))

    def null(self, token: Token) -> ast.Literal:
        return ast.Literal(None, "void", _span(token))

    # Names

    def name(self, token: Token) -> Token:
        return token.update(value=token.strip('"'))

    def path(self, *names: Token) -> tuple[Token, ...]:
        return names

    def reference(
        self, path: tuple[Token, ...], version: Node | str | None, order: Token | None
    ) -> ast.Reference:
        *qualifiers, name = map(str, path)
        return ast.Reference(
            name,
            _from_to(_span(path[0]), _span(path[-1])),
            tuple(qualifiers),
            version,
            str(order).lower() if order else None,
        )

    def every_version(self) -> str:
        return "*"

    # Macros

    def let(self, first: Token, *parts: Any) -> ast.Let:
        *bindings, body = (part for part in parts if part is not None and not isinstance(part, Token))
        return ast.Let(tuple(bindings), body, _from_to(_span(first), ast.whole(body)))

    def binding(self, name: Token, parameters: tuple[str, ...] | None, body: Node) -> tuple[str, Node]:
        if parameters is None:
            return str(name), body
        return str(name), ast.Function(parameters, body, _from_to(_span(name), ast.whole(body)))

    def parameters(self, *names: Token) -> tuple[str, ...]:
        return tuple(map(str, names))

    def function(self, *parts: Any) -> ast.Function:
        parameters = next((part for part in parts if isinstance(part, tuple)), ())
        body = parts[-2]
        return ast.Function(parameters, body, _from_to(_span(parts[0]), _span(parts[-1])))

    # Schemas

    def schema(self, *parts: Any) -> ast.SchemaLiteral:
        attributes = [part for part in parts if isinstance(part, tuple)]
        dimensions = next((part for part in parts if isinstance(part, list)), None)
        last = next(part for part in reversed(parts) if part is not None)
        return schema_literal(attributes, dimensions, _from_to(_span(parts[0]), _span(last)))

    def attribute(self, name: Token, type_: Token, *options: tuple[str, Any]) -> Any:
        return name, type_, dict(options)

    def nullable(self, _null: Token) -> tuple[str, Any]:
        return "nullable", True

    def not_nullable(self, _null: Token) -> tuple[str, Any]:
        return "nullable", False

    def default(self, node: Node) -> tuple[str, Any]:
        return "default", node

    def compression(self, token: Token) -> tuple[str, Any]:
        return "compression", token

    def reserve(self, node: Node) -> tuple[str, Any]:
        return "reserve", node

    def dimensions(self, *dimensions: WrittenDimension) -> list[WrittenDimension]:
        return list(dimensions)

    def dimension(
        self, name: Token, low: Bound = None, high: Bound = None, overlap: Bound = None, chunk: Bound = None
    ) -> WrittenDimension:
        return WrittenDimension(str(name), _span(name), low, high, overlap, chunk)

    def dimension_by_commas(
        self, name: Token, low: Bound, high: Bound, chunk: Bound, overlap: Bound
    ) -> WrittenDimension:
        return WrittenDimension(str(name), _span(name), low, high, overlap, chunk)

    def unknown(self) -> str:
        return "?"

    def unbounded(self) -> str:
        return "*"
