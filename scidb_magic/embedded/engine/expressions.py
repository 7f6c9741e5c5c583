"""Expressions -> SQL over the columns of relations.

A name is looked up among the attributes of all relations, left to right, then among their dimensions;
the first that fits is meant. Functions are chosen by `functions`, values converted by `types`.

Nothing here recurses: an expression may be as deep as SciDB allows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from scidb_magic.embedded.engine import functions, types
from scidb_magic.embedded.engine import sql as text
from scidb_magic.embedded.engine.ast import Call, Literal, Node, Reference, Span, whole
from scidb_magic.embedded.engine.constants import evaluated
from scidb_magic.embedded.engine.relation import Relation, Typed
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import Dimension


@dataclass(frozen=True, slots=True)
class Scope:
    """The relations whose columns an expression can name.

    Attributes
    ----------
    relations : tuple of Relation
    prefixes : tuple of str
        What stands before the columns of each relation in SQL, such as ``"l."``; by default nothing.
    """

    relations: tuple[Relation, ...] = ()
    prefixes: tuple[str, ...] = ()

    def find(self, reference: Reference) -> Typed | None:
        """The column that a name means; None if there is none."""
        return next(self._attributes(reference), None) or next(self._dimensions(reference), None)

    def attribute(self, reference: Reference) -> tuple[int, int] | None:
        """Relation and position of the attribute that a name means."""
        return next(self._places(reference), None)

    def _places(self, reference: Reference) -> Iterator[tuple[int, int]]:
        for r, relation in enumerate(self.relations):
            for k, attribute in enumerate(relation.schema.attributes):
                if attribute.name == reference.name and _qualified(
                    reference, relation, relation.attribute_qualifiers, k
                ):
                    yield r, k

    def _attributes(self, reference: Reference) -> Iterator[Typed]:
        for r, k in self._places(reference):
            relation, prefix = self.relations[r], self._prefix(r)
            attribute = relation.schema.attributes[k]
            code = f"{prefix}m{k}" if k in relation.codes else None
            yield Typed(f"{prefix}a{k}", attribute.type, attribute.nullable, code)

    def _dimensions(self, reference: Reference) -> Iterator[Typed]:
        for r, relation in enumerate(self.relations):
            for k, dimension in enumerate(relation.schema.dimensions):
                if reference.name in _names(dimension) and _qualified(
                    reference, relation, relation.dimension_qualifiers, k
                ):
                    yield Typed(f"{self._prefix(r)}d{k}", "int64", False)

    def _prefix(self, relation: int) -> str:
        return self.prefixes[relation] if self.prefixes else ""


def _names(dimension: Dimension) -> tuple[str, ...]:
    return (dimension.name, *dimension.aliases)


def _qualified(
    reference: Reference, relation: Relation, qualifiers: tuple[frozenset[str], ...], position: int
) -> bool:
    if not reference.qualifiers:
        return True
    known = qualifiers[position] if qualifiers else frozenset({relation.schema.name})
    return reference.qualifiers[-1] in known


def compile_expression(node: Node, scope: Scope, *, wrap: bool = False) -> Typed:
    """The SQL and the type of an expression.

    Parameters
    ----------
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
            done.append(_Done(_leaf(current, scope)))
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


def _leaf(node: Node, scope: Scope) -> Typed:
    if isinstance(node, Literal):
        return literal(node.value, node.type)
    if isinstance(node, Reference) and node.version is None and node.order is None:
        if (found := scope.find(node)) is not None:
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
