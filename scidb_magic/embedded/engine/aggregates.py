"""Aggregates -> SQL, for groups (``GROUP BY``) and for windows (``OVER``) alike.

All skip missing values. Of no values at all `count` and `approxdc` make 0, the others a null. As SciDB
computes them (BuiltinAggregates.cpp):

* sums and products are in 64 bits, and wrap;
* `var` is (mean of the squares - square of the mean) * n / (n - 1), and loses digits just as SciDB's does;
* one NaN makes `min` and `max` a NaN;
* `approxdc` counts exactly here, while SciDB's is an estimate that is exact for small counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scidb_magic.embedded.engine.ast import Alias, Call, Node, Reference, Star, whole
from scidb_magic.embedded.engine.expressions import attribute_position
from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.embedded.engine.types import INTEGERS, REALS, UNSIGNED, physical, wrapped
from scidb_magic.errors import EngineError

Sql = Callable[[str], str]
"""SQL of an aggregate; the parameter is empty, or the whole ``OVER (…)``."""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An aggregate call over the columns of one relation.

    Attributes
    ----------
    name : str
        Of the new attribute: the alias, ``count``, or ``attribute_aggregate``.
    type : str
        SciDB's type of the result.
    sql : callable
        Of ``""`` for a group, or of ``"OVER (…)"`` for a window.
    function : str
        The aggregate's name in lower case.
    attribute : int, optional
        Position of the attribute it is of; None for ``count(*)``.
    """

    name: str
    type: str
    sql: Sql
    function: str
    attribute: int | None = None


@dataclass(frozen=True, slots=True)
class _Kind:
    """What an aggregate makes of an attribute.

    `result` gives the type of the result, or None where the attribute's type is not supported; `sql` takes
    the column, the attribute's type, the relation and the window.
    """

    result: Callable[[str], str | None]
    sql: Callable[[str, str, Relation, str], str]


def compile_aggregate(node: Call | Alias, source: Relation) -> Aggregate:
    """Compile ``sum(a)``, ``count(*)``, ``avg(a) as m``. Aggregates of integers always wrap.

    Raises
    ------
    EngineError
        ``ATTRIBUTE_NOT_EXIST``, ``AGGREGATE_NOT_FOUND``, ``AGGREGATE_DOESNT_SUPPORT_TYPE``,
        ``AGGREGATE_DOESNT_SUPPORT_ASTERISK``.
    """
    alias = node.name if isinstance(node, Alias) else None
    call = node.node if isinstance(node, Alias) else node
    if not isinstance(call, Call) or len(call.args) != 1 or call.keywords:
        raise EngineError(
            "QPROC", "WRONG_OPERATOR_ARGUMENT2", "Parameter must be aggregate call.", whole(call)
        )
    name, argument = call.name.lower(), call.args[0]
    if isinstance(argument, Star):
        return _of_cells(name, alias, argument)
    position = _attribute(argument, source)
    kind = _kind(name, argument)
    attribute = source.schema.attributes[position]
    result = kind.result(attribute.type)
    if result is None:
        raise EngineError(
            "QPROC",
            "AGGREGATE_DOESNT_SUPPORT_TYPE",
            f"Aggregate '{name}' does not support input type '{attribute.type}'.",
        )
    return Aggregate(
        alias or f"{attribute.name}_{name}",
        result,
        lambda over: kind.sql(f"a{position}", attribute.type, source, over),
        name,
        position,
    )


def _of_cells(name: str, alias: str | None, argument: Star) -> Aggregate:
    _kind(name, argument)
    if name != "count":
        raise EngineError(
            "TYPE", "AGGREGATE_DOESNT_SUPPORT_ASTERISK", f"Aggregate '{name}' does not support asterisk."
        )
    return Aggregate(alias or name, "uint64", lambda over: f"CAST(count(*) {over} AS UBIGINT)", name)


def _attribute(argument: Node, source: Relation) -> int:
    found = attribute_position(source, argument) if isinstance(argument, Reference) else None
    if found is None:
        what = argument.text if isinstance(argument, Reference) else ""
        raise EngineError(
            "SYNTAX", "ATTRIBUTE_NOT_EXIST", f"Attribute '{what}' does not exist.", whole(argument)
        )
    return found


def _kind(name: str, argument: Node) -> _Kind:
    kind = _KINDS.get(name)
    if kind is None:
        raise EngineError(
            "QPROC",
            "AGGREGATE_NOT_FOUND",
            f"Aggregate name '{name}' is not registered in the system.",
            whole(argument),
        )
    return kind


# Types of results


def _count_type(type_: str) -> str | None:  # noqa: ARG001
    return "uint64"


def _same_type(type_: str) -> str | None:
    return None if type_ == "binary" else type_


def _double_type(type_: str) -> str | None:
    return "double" if type_ in (*INTEGERS, *REALS) else None


def _wide_type(type_: str) -> str | None:
    if type_ in INTEGERS:
        return "uint64" if type_ in UNSIGNED else "int64"
    return _double_type(type_)


def _sum_type(type_: str) -> str | None:
    return "string" if type_ == "string" else _wide_type(type_)


# SQL


def _sum(x: str, type_: str, relation: Relation, over: str) -> str:
    if type_ == "string":
        return _concatenation(x, relation, over)
    if type_ in REALS:
        return f"sum(CAST({x} AS DOUBLE)) {over}"
    return wrapped(f"CAST(sum({x}) {over} AS HUGEINT)", _wide_type(type_) or type_)


def _concatenation(x: str, relation: Relation, over: str) -> str:
    """Strings one after the other, in the order of the cells."""
    if over:
        return f"string_agg({x}, '') {over}"
    order = ", ".join(f"d{k}" for k in range(len(relation.schema.dimensions)))
    return f"string_agg({x}, '' ORDER BY {order})"


def _product(x: str, type_: str, relation: Relation, over: str) -> str:  # noqa: ARG001
    if type_ in REALS:
        return f"product(CAST({x} AS DOUBLE)) {over}"
    result = _wide_type(type_) or type_
    wide = "UHUGEINT" if type_ in UNSIGNED else "HUGEINT"
    values = f"list(CAST({x} AS {physical(result)})) FILTER (WHERE {x} IS NOT NULL) {over}"
    product = wrapped(f"(CAST(p AS {wide}) * CAST(q AS {wide}))", result, wide)
    return f"list_reduce({values}, lambda p, q: {product})"


def _mean(x: str, type_: str, relation: Relation, over: str) -> str:  # noqa: ARG001
    return f"({_total(x, type_, over)} / nullif(count({x}) {over}, 0))"


def _total(x: str, type_: str, over: str) -> str:
    """The sum as a double; of integers it is exact before."""
    return f"CAST(sum({x if type_ in INTEGERS else f'CAST({x} AS DOUBLE)'}) {over} AS DOUBLE)"


def _variance(x: str, type_: str, relation: Relation, over: str) -> str:
    value, n = f"CAST({x} AS DOUBLE)", f"count({x}) {over}"
    mean = _mean(x, type_, relation, over)
    squares = f"(sum({value} * {value}) {over} / nullif({n}, 0))"
    return f"(({squares} - {mean} * {mean}) * ({n}) / nullif({n} - 1, 0))"


def _deviation(x: str, type_: str, relation: Relation, over: str) -> str:
    variance = _variance(x, type_, relation, over)
    return f"(CASE WHEN {variance} < 0 THEN CAST('nan' AS DOUBLE) ELSE sqrt({variance}) END)"


def _extreme(name: str) -> Callable[[str, str, Relation, str], str]:
    def sql(x: str, type_: str, relation: Relation, over: str) -> str:  # noqa: ARG001
        plain = f"{name}({x}) {over}"
        if type_ in REALS and name == "min":
            # For `max` DuckDB itself takes NaN for the largest.
            return (
                f"CASE WHEN bool_or(isnan({x})) {over} THEN CAST('nan' AS {physical(type_)}) ELSE {plain} END"
            )
        if type_ == "char":
            # Chars are signed.
            return (
                f"CAST(xor(CAST({name}(xor(CAST({x} AS INTEGER), 128)) {over} AS INTEGER), 128) AS UTINYINT)"
            )
        if type_ == "datetimetz":
            return f'arg_{name}({x}, {x}."time" - {x}."offset") {over}'
        return plain

    return sql


_KINDS: dict[str, _Kind] = {
    "approxdc": _Kind(_count_type, lambda x, _, __, over: f"CAST(count(DISTINCT {x}) {over} AS UBIGINT)"),
    "avg": _Kind(_double_type, _mean),
    "count": _Kind(_count_type, lambda x, _, __, over: f"CAST(count({x}) {over} AS UBIGINT)"),
    "max": _Kind(_same_type, _extreme("max")),
    "min": _Kind(_same_type, _extreme("min")),
    "prod": _Kind(_wide_type, _product),
    "stdev": _Kind(_double_type, _deviation),
    "sum": _Kind(_sum_type, _sum),
    "var": _Kind(_double_type, _variance),
}

_NUMBERS = (*INTEGERS, *REALS)
AGGREGATES: tuple[tuple[str, str], ...] = tuple(
    (name, type_)
    for name in sorted(_KINDS)
    for type_ in {
        "approxdc": ("void",),
        "avg": _NUMBERS,
        "count": ("void",),
        "stdev": _NUMBERS,
        "var": _NUMBERS,
    }.get(name, (*_NUMBERS, "void"))
)
"""Name and input type of every aggregate, as ``list('aggregates')`` has them; void stands for any other."""
