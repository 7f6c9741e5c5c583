"""The parsed statement: what `grammar.lark` says, as frozen values with their places in the text."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from scidb_magic.wire.schema import Schema

Span = tuple[int, int]
"""Start and end offsets (characters) of a token in the statement."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant. `type` is SciDB's: int64, double, string, bool, or void for ``null``."""

    value: int | float | str | bool | None
    type: str
    span: Span


@dataclass(frozen=True, slots=True)
class Reference:
    """``name``, ``qualifier.name``, ``A@3``, ``A@datetime('…')``, ``A@*``, ``x desc``.

    `version` is None, an expression, or ``"*"``; `order` is None, ``"asc"`` or ``"desc"``.
    """

    name: str
    span: Span
    qualifiers: tuple[str, ...] = ()
    version: Node | str | None = None
    order: str | None = None

    @property
    def text(self) -> str:
        """The name as it is written, with its qualifiers."""
        return ".".join((*self.qualifiers, self.name))


@dataclass(frozen=True, slots=True)
class Call:
    """``name(args…, key: value…)``; operators of expressions too: ``+``, ``-``, ``and``, ``not``, ``=``.

    `span` is that of the name (or the operator sign), `whole` that of the whole application.
    """

    name: str
    args: tuple[Node, ...]
    span: Span
    whole: Span
    keywords: tuple[tuple[str, Node], ...] = ()


@dataclass(frozen=True, slots=True)
class Alias:
    """``node as name``."""

    node: Node
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Star:
    """The ``*`` of ``count(*)``."""

    span: Span


@dataclass(frozen=True, slots=True)
class Nested:
    """``(a, b)`` as an operand: an attribute-expression pair, a list of names."""

    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class SchemaLiteral:
    """A schema written in the statement.

    `schema` has unknown chunks and bounds as None; `given` tells, for each dimension, which
    of ``low high overlap chunk`` were written as a number or ``*`` (not ``?``). A data frame has no
    ``[…]``; its dimensions are SciDB's ``$inst`` and ``$seq``. Defaults are AFL texts of constants
    (`parser.parse_expression` reads them).
    """

    schema: Schema
    span: Span
    given: tuple[frozenset[str], ...] = ()


@dataclass(frozen=True, slots=True)
class CreateArray:
    """``create [temp] array NAME schema``."""

    name: Reference
    schema: SchemaLiteral
    temporary: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Function:
    """``fn(parameters) { body }``; also the ``f(parameters) = body`` of a `Let`."""

    parameters: tuple[str, ...]
    body: Node
    span: Span


@dataclass(frozen=True, slots=True)
class Let:
    """``let { name = node; f(x) = node } in body``: macros for one statement."""

    bindings: tuple[tuple[str, Node], ...]
    body: Node
    span: Span


Node = Literal | Reference | Call | Alias | Star | Nested | SchemaLiteral | Function | Let
Statement = Call | CreateArray | Let
INFIX = frozenset({"+", "-", "*", "/", "%", "^", "=", "<>", "<", ">", "<=", ">=", "and", "or", "not"})
"""Names of the calls that AFL writes as operators of an expression."""


def whole(node: Node) -> Span:
    """Where the node begins and ends; for a call this is more than its name."""
    return node.whole if isinstance(node, Call) else node.span


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below."""
    if isinstance(node, Call):
        return (*node.args, *(value for _, value in node.keywords))
    if isinstance(node, Alias):
        return (node.node,)
    if isinstance(node, Nested):
        return node.items
    if isinstance(node, Function):
        return (node.body,)
    if isinstance(node, Let):
        return (*(bound for _, bound in node.bindings), node.body)
    return ()


def size(root: Node, twice: Collection[str] = ()) -> int:
    """How many nodes a walk over `root` meets; one that stands in several places is met in each of them.

    Parameters
    ----------
    twice : collection of str
        Calls, in lower case, that are rewritten so that each of their arguments stands there twice.
    """
    known: dict[int, int] = {}
    stack = [root]
    while stack:
        node = stack[-1]
        below = children(node)
        if missing := [child for child in below if id(child) not in known]:
            stack += missing
            continue
        factor = 2 if isinstance(node, Call) and node.name.lower() in twice else 1
        known[id(node)] = 1 + factor * sum(known[id(child)] for child in below)
        stack.pop()
    return known[id(root)]
