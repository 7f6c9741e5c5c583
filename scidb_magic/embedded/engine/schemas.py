"""Schemas as they are written in a statement: constant bounds, SciDB's checks of them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lark import Token

from scidb_magic.embedded.engine.ast import Call, Literal, Node, SchemaLiteral, Span, whole
from scidb_magic.embedded.engine.defaults import default_text
from scidb_magic.embedded.engine.relation import PHYSICAL
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import DATAFRAME_DIMENSIONS, MAX_COORDINATE, Attribute, Dimension, Schema

COMPRESSORS = frozenset({"none", "zlib", "bzlib", "null filter", "rle", "bitmap filter", "null suppression"})
"""Names after ``compression`` that SciDB knows."""

Bound = Node | str | None
"""An expression, ``"*"``, ``"?"``, or None where nothing was written."""


@dataclass(frozen=True, slots=True)
class WrittenDimension:
    """One dimension as written; both forms of the grammar."""

    name: str
    span: Span
    low: Bound = None
    high: Bound = None
    overlap: Bound = None
    chunk: Bound = None


def schema_literal(
    attributes: Sequence[tuple[Token, Token, Mapping[str, Any]]],
    dimensions: Sequence[WrittenDimension] | None,
    span: Span,
) -> SchemaLiteral:
    """The `SchemaLiteral` of written attributes and dimensions.

    Raises
    ------
    EngineError
        As SciDB's translator checks a schema, in its order (Translator.cpp, passDimensions).
    """
    named: set[str] = set()
    read = tuple(_attribute(*attribute, named) for attribute in attributes)
    if dimensions is None:
        frame = tuple(Dimension(name) for name in DATAFRAME_DIMENSIONS)
        return SchemaLiteral(Schema(read, frame), span, (frozenset(),) * len(frame))
    pairs = [_dimension(dimension, named) for dimension in dimensions]
    return SchemaLiteral(
        Schema(read, tuple(dimension for dimension, _ in pairs)), span, tuple(given for _, given in pairs)
    )


def _attribute(name: Token, type_: Token, options: Mapping[str, Any], named: set[str]) -> Attribute:
    if name in named:
        raise _syntax(
            "DUPLICATE_ATTRIBUTE_NAME",
            f"Cannot create attribute '{name}'; name collides with existing object.",
            (name.start_pos or 0, name.end_pos or 0),
        )
    named.add(str(name))
    compression: Token | None = options.get("compression")
    if compression is not None and compression[1:-1].lower() not in COMPRESSORS:
        raise _syntax(
            "COMPRESSOR_DOESNT_EXIST",
            f"Compressor with name '{compression[1:-1]}' does not exist.",
            (compression.start_pos or 0, compression.end_pos or 0),
        )
    if type_ not in PHYSICAL:
        raise EngineError("TYPESYSTEM", "TYPE_NOT_REGISTERED", f"Type '{type_}' is not registered.")
    nullable: bool = options.get("nullable", True)
    default: Node | None = options.get("default")
    return Attribute(
        str(name),
        str(type_),
        nullable,
        None if default is None else default_text(default, str(type_), nullable),
        None if compression is None else str(compression),
    )


def _dimension(written: WrittenDimension, named: set[str]) -> tuple[Dimension, frozenset[str]]:
    if written.name in named:
        raise _syntax(
            "DUPLICATE_DIMENSION_NAME",
            f"Cannot create dimension '{written.name}'; name collides with existing object.",
            written.span,
        )
    named.add(written.name)
    low = _constant(written.low)
    high = _constant(written.high)
    for value, node in ((low, written.low), (high, written.high)):
        if value is not None and abs(value) > MAX_COORDINATE:
            raise _syntax(
                "INCORRECT_DIMENSION_BOUNDARY",
                f"Dimension boundaries must be between '{-MAX_COORDINATE}' and '{MAX_COORDINATE}'.",
                _place(node),
            )
    if low is not None and high is not None and high < low - 1:
        raise _syntax(
            "HIGH_SHOULDNT_BE_LESS_LOW",
            "The upper boundary of a dimension must be greater than or equal to the lower boundary.",
            _place(written.high),
        )
    chunk = _constant(written.chunk)
    if chunk is not None and not 0 < chunk < 2**63:
        raise _syntax(
            "INCORRECT_CHUNK_SIZE",
            f"Chunk size must be between 1 and '{2**63 - 1}'.",
            _place(written.chunk),
        )
    overlap = _constant(written.overlap)
    if overlap is not None and not 0 <= overlap < 2**63:
        raise _syntax(
            "INCORRECT_OVERLAP_SIZE",
            f"Chunk overlap must be between 0 and '{2**63 - 1}'.",
            _place(written.overlap),
        )
    if overlap is not None and chunk is not None and overlap > chunk:
        raise _syntax(
            "OVERLAP_CANT_BE_LARGER_CHUNK",
            "Chunk overlap cannot be larger than chunk size.",
            _place(written.overlap),
        )
    fields = {"low": written.low, "high": written.high, "overlap": written.overlap, "chunk": written.chunk}
    given = frozenset(name for name, bound in fields.items() if bound is not None and bound != "?")
    return Dimension(written.name, low or 0, high, overlap or 0, chunk), given


_ARITHMETIC: dict[tuple[str, int], Callable[..., int]] = {
    ("-", 1): operator.neg,
    ("+", 2): operator.add,
    ("-", 2): operator.sub,
    ("*", 2): operator.mul,
    ("/", 2): lambda a, b: abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1),
    ("%", 2): lambda a, b: abs(a) % abs(b) * (1 if a >= 0 else -1),
}


def _constant(bound: Bound) -> int | None:
    """The integer that a bound comes to; None where it is not written, or ``*`` or ``?``."""
    if bound is None or isinstance(bound, str):
        return None
    return _evaluate(bound)


def _evaluate(node: Node) -> int:
    if isinstance(node, Literal) and node.type == "int64" and isinstance(node.value, int):
        return node.value
    if isinstance(node, Call) and (compute := _ARITHMETIC.get((node.name, len(node.args)))):
        try:
            return compute(*map(_evaluate, node.args))
        except ZeroDivisionError:
            raise EngineError("EXECUTION", "DIVISION_BY_ZERO", "Division by zero.") from None
    raise EngineError(
        "QPROC",
        "WRONG_OPERATOR_ARGUMENT2",
        "Parameter must be constant with type int64.",
        whole(node),
    )


def _place(bound: Bound) -> Span:
    return whole(bound) if bound is not None and not isinstance(bound, str) else (0, 0)


def _syntax(code: str, description: str, span: Span) -> EngineError:
    return EngineError("SYNTAX", code, description, span)
