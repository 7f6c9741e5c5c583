"""The kinds of arguments, and how each is resolved.

=====================  =====================================================================
kind                   value for the rule
=====================  =====================================================================
input                  `Relation`
array_name             `Array` of the catalogue, which must exist
new_array_name         name (str) of an array that may exist or not
schema                 `Declared`: a schema, or that of a named array
expression             the node, to be compiled by the rule
constant:type          Python value; None for null where that has a meaning (`_MAY_BE_NULL`)
constants:type         list of them: one value or a list in parentheses
attribute_name         `Field`: where the inputs have it
dimension_name         the same
column_name            `Cell`: an attribute of the first input, or a dimension as one
aggregate_call         `Aggregate`, compiled over the first input
new_name               a name (str) that the operator gives to something
old_and_new_name       pair of references
operand                the node, whatever it is
=====================  =====================================================================

A resolver raises `Mismatch` where the argument is of another kind, and `EngineError` where it is of
this kind and wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scidb_magic.embedded.engine.ast import (
    Alias,
    Call,
    Nested,
    Node,
    Reference,
    SchemaLiteral,
    Star,
    children,
    whole,
)
from scidb_magic.embedded.engine.catalogue import Array
from scidb_magic.embedded.engine.columns import Cell, axes, cells, coordinate
from scidb_magic.embedded.engine.errors import wrong_parameter
from scidb_magic.embedded.engine.operators.signature import Arguments, Mismatch, Slot
from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.wire.schema import Schema

if TYPE_CHECKING:
    from scidb_magic.embedded.engine.aggregates import Aggregate
    from scidb_magic.embedded.engine.planner import Context


_MAY_BE_NULL = frozenset({"corner", "count", "offset"})
"""Names of the constants for which null means: no bound."""

_EVERYTHING = frozenset({"low", "high", "overlap", "chunk"})


@dataclass(frozen=True, slots=True)
class Declared:
    """A schema that a statement names.

    Attributes
    ----------
    given : tuple of frozenset of str
        For each dimension which of ``low high overlap chunk`` were written; all for an array.
    """

    schema: Schema
    given: tuple[frozenset[str], ...]


@dataclass(frozen=True, slots=True)
class Field:
    """An attribute or dimension that a reference names: every (input, position) that fits."""

    name: str
    places: tuple[tuple[int, int], ...]

    @property
    def position(self) -> int:
        """Where the first input that has it has it."""
        return self.places[0][1]

    def within(self, source: int) -> int | None:
        """Its position in one of the inputs."""
        return next((position for place, position in self.places if place == source), None)


def resolve(context: Context, slot: Slot, node: Node, before: Arguments) -> Any:
    """The value of an argument, by the kind of its slot."""
    return KINDS[slot.kind](context, slot, node, before)


def is_constant(node: Node) -> bool:
    """Whether an expression has no reference in it."""
    return not any(isinstance(part, (Reference, Star, SchemaLiteral, Nested)) for part in parts(node))


def parts(node: Node) -> Iterator[Node]:
    """The node and every node in it."""
    waiting = [node]
    while waiting:
        part = waiting.pop()
        yield part
        waiting.extend(children(part))


def _input(context: Context, slot: Slot, node: Node, before: Arguments) -> Relation:
    return context.input(node)


def _array(context: Context, slot: Slot, node: Node, before: Arguments) -> Array:
    if not isinstance(node, Reference) or node.version is not None:
        raise Mismatch("array name")
    return context.array(node)


def _new_array(context: Context, slot: Slot, node: Node, before: Arguments) -> str:
    if not isinstance(node, Reference) or node.version is not None:
        raise Mismatch("array name")
    return context.array_name(node)


def _schema(context: Context, slot: Slot, node: Node, before: Arguments) -> Declared:
    if isinstance(node, SchemaLiteral):
        return Declared(node.schema, node.given)
    if not isinstance(node, Reference):
        raise Mismatch("schema")
    array = context.array(node, short="SYNTAX")
    return Declared(array.schema, (_EVERYTHING,) * len(array.schema.dimensions))


def _expression(context: Context, slot: Slot, node: Node, before: Arguments) -> Node:
    if isinstance(node, (SchemaLiteral, Star, Nested, Alias)):
        raise Mismatch("expression")
    return node


def _constant(context: Context, slot: Slot, node: Node, before: Arguments) -> Any:
    if isinstance(node, Alias) or not is_constant(node):
        raise Mismatch(f"constant with type {slot.type}")
    value = context.constant(node, slot.type)
    if value is None and slot.name not in _MAY_BE_NULL:
        raise wrong_parameter(f"constant with type {slot.type} that is not null", whole(node))
    return value


def _constants(context: Context, slot: Slot, node: Node, before: Arguments) -> list[Any]:
    nodes = node.items if isinstance(node, Nested) else (node,)
    return [_constant(context, slot, item, before) for item in nodes]


def _attribute(context: Context, slot: Slot, node: Node, before: Arguments) -> Field:
    return _field("attribute", node, before)


def _dimension(context: Context, slot: Slot, node: Node, before: Arguments) -> Field:
    return _field("dimension", node, before)


def _column(context: Context, slot: Slot, node: Node, before: Arguments) -> Cell:
    source: Relation = before.values("input")[0]
    if isinstance(node, Reference) and node.version is None:
        for position in positions(source, "attribute", node):
            return cells(source)[position]
        for position in positions(source, "dimension", node):
            return coordinate(axes(source)[position])
    raise Mismatch("attribute or dimension name")


def _field(what: str, node: Node, before: Arguments) -> Field:
    if isinstance(node, Reference) and node.version is None:
        places = tuple(
            (source, position)
            for source, input_ in enumerate(before.values("input"))
            for position in positions(input_, what, node)
        )
        if places:
            return Field(node.name, places)
    raise Mismatch(f"{what} name")


def positions(source: Relation, what: str, reference: Reference) -> Iterator[int]:
    """Where `source` has an attribute or dimension that the reference names."""
    schema = source.schema
    names: list[tuple[str, ...]]
    if what == "attribute":
        names = [(attribute.name,) for attribute in schema.attributes]
        qualifiers = source.attribute_qualifiers
    else:
        names = [(dimension.name, *dimension.aliases) for dimension in schema.dimensions]
        qualifiers = source.dimension_qualifiers
    wanted = reference.qualifiers[-1:]
    for position, known in enumerate(names):
        mine = qualifiers[position] if qualifiers else frozenset()
        if reference.name in known and (not wanted or wanted[0] in mine):
            yield position


def _aggregate(context: Context, slot: Slot, node: Node, before: Arguments) -> Aggregate:
    call = node.node if isinstance(node, Alias) else node
    if not isinstance(node, (Call, Alias)) or not isinstance(call, Call) or is_constant(call):
        raise Mismatch("aggregate call")
    return context.aggregate(node, before.values("input")[0])


def _new_name(context: Context, slot: Slot, node: Node, before: Arguments) -> str:
    if not isinstance(node, Reference) or node.qualifiers or node.version is not None:
        raise Mismatch("attribute name")
    return node.name


def _old_and_new_name(
    context: Context, slot: Slot, node: Node, before: Arguments
) -> tuple[Reference, Reference]:
    if isinstance(node, Nested) and len(node.items) == 2:
        old, new = node.items
        if isinstance(old, Reference) and isinstance(new, Reference):
            return old, new
    raise Mismatch("a list of an old and a new name")


def _operand(context: Context, slot: Slot, node: Node, before: Arguments) -> Node:
    return node


Resolve = Callable[["Context", Slot, Node, Arguments], Any]
KINDS: dict[str, Resolve] = {
    "input": _input,
    "array_name": _array,
    "new_array_name": _new_array,
    "schema": _schema,
    "expression": _expression,
    "constant": _constant,
    "constants": _constants,
    "attribute_name": _attribute,
    "dimension_name": _dimension,
    "column_name": _column,
    "aggregate_call": _aggregate,
    "new_name": _new_name,
    "old_and_new_name": _old_and_new_name,
    "operand": _operand,
}
