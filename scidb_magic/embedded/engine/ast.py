"""The parsed statement: what `grammar.lark` says, as frozen values with their places in the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union

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
    of ``low high overlap chunk`` were written; `reserve` and a data frame's missing ``[…]`` are kept.
    """

    schema: Schema
    span: Span
    given: tuple[frozenset[str], ...] = ()
    dataframe: bool = False


@dataclass(frozen=True, slots=True)
class CreateArray:
    """``create [temp] array NAME schema``."""

    name: Reference
    schema: SchemaLiteral
    temporary: bool
    span: Span


Node = Union[Literal, Reference, Call, Alias, Star, Nested, SchemaLiteral]
Statement = Union[Call, CreateArray]
