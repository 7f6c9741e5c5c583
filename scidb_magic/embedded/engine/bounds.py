"""Functions that ask the catalogue: ``first_index('A', 'i')`` and the like, put in as numbers.

With one argument they are about the array's first dimension.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from scidb_magic.embedded.engine.ast import Call, Literal, Node, Reference
from scidb_magic.embedded.engine.operators.kinds import parts
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import MAX_COORDINATE, Dimension

if TYPE_CHECKING:
    from scidb_magic.embedded.engine.planner import Context

Measure = Callable[[Dimension, tuple[int, int]], int]


def _high(dimension: Dimension) -> int:
    return MAX_COORDINATE if dimension.high is None else dimension.high


BOUNDS: dict[str, Measure] = {
    "first_index": lambda dimension, _: dimension.low,
    "last_index": lambda dimension, _: _high(dimension),
    "length": lambda dimension, _: _high(dimension) - dimension.low + 1,
    "low": lambda _, cells: cells[0],
    "high": lambda _, cells: cells[1],
}
"""Name -> number of a dimension and of the lowest and highest coordinate that has a cell."""


def with_bounds(context: Context, node: Node) -> Node:
    """`node` with every such function replaced by its number."""
    if not any(isinstance(part, Call) and part.name.lower() in BOUNDS for part in parts(node)):
        return node
    if not isinstance(node, Call):
        return node
    bound = BOUNDS.get(node.name.lower())
    if bound is None or len(node.args) not in (1, 2):
        return replace(node, args=tuple(with_bounds(context, arg) for arg in node.args))
    name, *wanted = (context.constant(arg, "string") for arg in node.args)
    array = context.array(Reference(name, node.span))
    cells = context.services.catalogue.bounds(array)
    for dimension, along in zip(array.schema.dimensions, cells, strict=True):
        if not wanted or dimension.name == wanted[0]:
            return Literal(bound(dimension, along), "int64", node.span)
    raise EngineError("QPROC", "DIMENSION_NOT_EXIST", f"Dimension '{wanted[0]}' does not exist.", node.span)
