"""``let { name = …; f(x) = … } in body``: what is bound is put in for its name, before planning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from scidb_magic.embedded.engine.ast import (
    Alias,
    Call,
    Function,
    Let,
    Nested,
    Node,
    Reference,
)
from scidb_magic.embedded.engine.parser import check_size
from scidb_magic.errors import EngineError

Bindings = Mapping[str, Node]


def unfolded(node: Node, bound: Bindings | None = None) -> Node:
    """`node` without any `Let`; its bindings, and those in `bound`, put in where they are named.

    Raises
    ------
    EngineError
        A bound function is applied to the wrong number of arguments, or what is bound grows too large.
    """
    bound = bound or {}
    if isinstance(node, Let):
        inner = dict(bound)
        for name, value in node.bindings:
            inner[name] = unfolded(value, inner)
            check_size(inner[name])
        return unfolded(node.body, inner)
    if isinstance(node, Reference):
        named = None if node.qualifiers or node.version is not None else bound.get(node.name)
        return node if named is None or isinstance(named, Function) else named
    if isinstance(node, Call):
        return _call(node, bound)
    if isinstance(node, Alias):
        return replace(node, node=unfolded(node.node, bound))
    if isinstance(node, Nested):
        return replace(node, items=tuple(unfolded(item, bound) for item in node.items))
    if isinstance(node, Function):
        free = {name: value for name, value in bound.items() if name not in node.parameters}
        return replace(node, body=unfolded(node.body, free))
    return node


def _call(call: Call, bound: Bindings) -> Node:
    args = tuple(unfolded(arg, bound) for arg in call.args)
    function = bound.get(call.name)
    if not isinstance(function, Function):
        keywords = tuple((key, unfolded(value, bound)) for key, value in call.keywords)
        return replace(call, args=args, keywords=keywords)
    if len(args) != len(function.parameters) or call.keywords:
        raise EngineError(
            "SYNTAX",
            "NAME_ARITY_MISMATCH",
            f"'{call.name}' is applied to the wrong number of arguments.",
            call.span,
        )
    return unfolded(function.body, dict(zip(function.parameters, args, strict=True)))
