"""What an operator is: a name, a signature and a rule.

A rule infers the schema of the result and compiles it, without touching a cell: it is given the planned
inputs and answers a `Relation`; an operator that changes something answers a `Change`, whose second half
runs when the whole statement has been planned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from scidb_magic.embedded.engine.operators.signature import Arguments, Signature
from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.wire.schema import Schema

if TYPE_CHECKING:
    from scidb_magic.embedded.engine.planner import Context
    from scidb_magic.embedded.engine.run import Execution


class Effect(Enum):
    """What an operator does besides giving a result; SciDB words a forbidden nesting by it."""

    READ = "read"
    SAVE = "save"
    CONSUME = "consume"
    UPDATE = "update"
    DDL = "ddl"


NOTHING = Relation(Schema((), (), emptyable=False), "SELECT 0 WHERE false")
"""What ``show`` answers for a statement without a result."""


@dataclass(frozen=True, slots=True)
class Change:
    """A planned statement that does something.

    Attributes
    ----------
    shown : Relation
        What ``show`` answers for it.
    perform : callable
        Does it, in the statement's transaction.
    """

    shown: Relation
    perform: Callable[[Execution], None]


Planned = Relation | Change
Rule = Callable[["Context", Arguments], Planned]


@dataclass(frozen=True, slots=True)
class Operator:
    """One row of the table of operators.

    Attributes
    ----------
    rule : callable
    effect : Effect
    targets : tuple of int
        Which positional arguments (from the end where negative) name arrays that it changes.
    flat : bool
        Pairs may be written as ``(name, value)``; the parentheses mean nothing.
    frames : bool
        Whether an input may be a data frame, whose cells have no places that would mean anything.
    """

    name: str
    signature: Signature
    rule: Rule
    effect: Effect = Effect.READ
    targets: tuple[int, ...] = ()
    flat: bool = False
    frames: bool = True


def operator(
    name: str,
    pattern: str,
    rule: Rule,
    *,
    keywords: dict[str, str] | None = None,
    effect: Effect = Effect.READ,
    targets: tuple[int, ...] = (),
    flat: bool = False,
    frames: bool = True,
) -> Operator:
    """A row of the table; `pattern` and `keywords` as in `Signature.parse`."""
    return Operator(name, Signature.parse(pattern, **(keywords or {})), rule, effect, targets, flat, frames)
