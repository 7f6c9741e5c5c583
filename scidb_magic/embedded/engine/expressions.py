"""Expressions -> SQL over the columns of a relation.

A name is looked up among the attributes of the relation, then among its dimensions; the first that fits
is meant. Functions are chosen by `functions`, values converted by `types`.

Nothing here recurses: an expression may be as deep as SciDB allows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from scidb_magic.embedded.engine import functions, types
from scidb_magic.embedded.engine import sql as text
from scidb_magic.embedded.engine.ast import Call, Literal, Node, Reference, Span, whole
from scidb_magic.embedded.engine.constants import evaluated
from scidb_magic.embedded.engine.relation import Relation, Typed
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import Dimension


def attribute_position(source: Relation, reference: Reference) -> int | None:
    """The position of the attribute that a name means; None if there is none."""
    for k, attribute in enumerate(source.schema.attributes):
        if attribute.name == reference.name and _qualified(reference, source, source.attribute_qualifiers, k):
            return k
    return None


def _column(source: Relation, reference: Reference) -> Typed | None:
    k = attribute_position(source, reference)
    if k is not None:
        attribute = source.schema.attributes[k]
        return Typed(f"a{k}", attribute.type, attribute.nullable, f"m{k}" if k in source.codes else None)
    for k, dimension in enumerate(source.schema.dimensions):
        if reference.name in _names(dimension) and _qualified(
            reference, source, source.dimension_qualifiers, k
        ):
            return Typed(f"d{k}", "int64", False)
    return None


def _names(dimension: Dimension) -> tuple[str, ...]:
    return (dimension.name, *dimension.aliases)


def _qualified(
    reference: Reference, relation: Relation, qualifiers: tuple[frozenset[str], ...], position: int
) -> bool:
    if not reference.qualifiers:
        return True
    known = qualifiers[position] if qualifiers else frozenset({relation.schema.name})
    return reference.qualifiers[-1] in known


def compile_expression(node: Node, source: Relation | None = None, *, wrap: bool = False) -> Typed:
    """The SQL and the type of an expression.

    Parameters
    ----------
    node : Node
    source : Relation, optional
        Whose columns it can name.
    wrap : bool
        Whether integers wrap as in C++; without it DuckDB raises OutOfRangeException where they would.

    Raises
    ------
    EngineError
        ``REF_NOT_FOUND``, ``FUNCTION_NOT_FOUND``, with the span of the name.
    """
    done: list[_Done] = []
    open_: list[tuple[Node, bool]] = [(node, False)]
    while open_:
        current, arguments_done = open_.pop()
        if not isinstance(current, Call):
            done.append(_Done(_leaf(current, source)))
        elif arguments_done:
            count = len(current.args)
            arguments = done[len(done) - count :]
            del done[len(done) - count :]
            done.append(_call(current, arguments, wrap))
        else:
            if current.keywords:
                raise _not_found(current, "")
            open_.append((current, True))
            open_.extend((argument, False) for argument in reversed(current.args))
    return done[0].typed


@dataclass(frozen=True, slots=True)
class _Done:
    """A compiled part. `chain` is the SQL of its operands in a row, where it is a chain of one operator.

    DuckDB limits the depth of an expression to 1,000, so that a chain of SciDB's 400 operands must not
    nest a guard in each link: ``and`` and ``or`` stay flat, sums of integers are wrapped once at the end.
    """

    typed: Typed
    chain: str | None = None


def _leaf(node: Node, source: Relation | None) -> Typed:
    if isinstance(node, Literal):
        return literal(node.value, node.type)
    if isinstance(node, Reference) and node.version is None and node.order is None:
        if source is not None and (found := _column(source, node)) is not None:
            return found
        qualifier = node.qualifiers[-1] if node.qualifiers else ""
        raise EngineError(
            "QPROC", "REF_NOT_FOUND", f"Reference '{qualifier}.{node.name}' not found.", node.span
        )
    raise EngineError("QPROC", "WRONG_OPERATOR_ARGUMENT2", "Parameter must be expression.", whole(node))


def literal(value: float | str | bool | None, type_: str) -> Typed:
    """A constant of type bool, int64, double, string or void."""
    if value is None:
        return Typed("NULL", "void", True, None, True)
    match value:
        case bool():
            sql = "true" if value else "false"
        case int():
            sql = text.whole(value)
        case float():
            sql = text.real(value)
        case _:
            sql = text.quote(value)
    return Typed(sql, type_, False, None, True)


_LOGICAL = {"and": "AND", "or": "OR"}


def _call(node: Call, arguments: list[_Done], wrap: bool) -> _Done:
    name = node.name.lower()
    given = [argument.typed for argument in arguments]
    typed = functions.call(name, given, wrap=wrap)
    if typed is None:
        raise _not_found(node, ", ".join(argument.type for argument in given))
    if name in _LOGICAL:
        first = arguments[0].chain if _is_call(node.args[0], name) else None
        left, right = (types.convert(argument, "bool").sql for argument in given)
        chain = f"{first or left} {_LOGICAL[name]} {right}"
        return _Done(replace(typed, sql=f"({chain})"), chain)
    if wrap and name in ("+", "-") and len(given) == 2 and typed.type == given[0].type in types.INTEGERS:
        left, right = (f"CAST({types.convert(argument, typed.type).sql} AS HUGEINT)" for argument in given)
        first = arguments[0].chain if _is_call(node.args[0], "+", "-") else None
        chain = f"({first or left} {name} {right})"
        return _Done(replace(typed, sql=types.wrapped(chain, typed.type)), chain)
    return _Done(typed)


def _is_call(node: Node, *names: str) -> bool:
    return isinstance(node, Call) and node.name.lower() in names


def _not_found(node: Call, signature: str) -> EngineError:
    return EngineError(
        "QPROC", "FUNCTION_NOT_FOUND", f"Function '{node.name}({signature})' not found.", node.span
    )


def convert(typed: Typed, type_: str, *, explicit: bool = True, span: Span | None = None) -> Typed:
    """`types.convert`, with the place of the expression in the error."""
    try:
        return types.convert(typed, type_, explicit=explicit)
    except EngineError as error:
        raise EngineError(error.short, error.long, error.description, span) from None


def constant_value(typed: Typed) -> Any:
    """The Python value of an expression without references; None for a null.

    Raises
    ------
    EngineError
        What the expression raises when it is evaluated, such as ``DIVISION_BY_ZERO``.
    """
    if typed.type == "int64" and (known := text.whole_value(typed.sql)) is not None:
        return known
    return evaluated(typed.sql)[0]
