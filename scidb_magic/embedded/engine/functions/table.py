"""What a row of the function table is, and how a call finds its row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scidb_magic.embedded.engine import sql as text
from scidb_magic.embedded.engine.relation import Typed
from scidb_magic.embedded.engine.types import EXPLICIT, convert, cost

Formula = Callable[[Sequence[Typed], bool], str]
"""SQL of a call from its converted arguments; the flag asks for integers that wrap."""


@dataclass(frozen=True, slots=True)
class Overload:
    """One way to call a function.

    Attributes
    ----------
    arguments : tuple of str
        SciDB's types.
    result : str
    sql : str or Formula
        A template with ``{0} {1} …``, or a function where more than the text matters.
    keeps_code : bool
        Whether a missing argument's reason becomes that of the result: true of functions of one number.
    code_of : int
        Which argument's.
    deterministic : bool
        Whether the same arguments give the same result; not true of ``random()``.
    """

    arguments: tuple[str, ...]
    result: str
    sql: str | Formula
    keeps_code: bool = False
    code_of: int = 0
    deterministic: bool = True

    def profile(self, name: str) -> str:
        """As SciDB lists it: ``double sin(double)``."""
        return f"{self.result} {name}({','.join(self.arguments)})"

    def call(self, arguments: Sequence[Typed], wrap: bool) -> Typed:
        """The call with arguments of any types that can be converted."""
        given = [convert(argument, type_) for argument, type_ in zip(arguments, self.arguments, strict=True)]
        if isinstance(self.sql, str):
            sql = text.fill(self.sql, *(argument.sql for argument in given))
        else:
            sql = self.sql(given, wrap)
        return Typed(
            sql,
            self.result,
            any(argument.nullable for argument in given),
            given[self.code_of].code if self.keeps_code and given else None,
            self.deterministic and all(argument.constant for argument in given),
        )

    def price(self, types: Sequence[str]) -> int | None:
        """Sum of the costs of conversion; None where the call is not possible unasked."""
        if len(types) != len(self.arguments):
            return None
        total = 0
        for given, wanted in zip(types, self.arguments, strict=True):
            one = cost(given, wanted)
            if one is None or one >= EXPLICIT:
                return None
            total += one
        return total


@dataclass(frozen=True, slots=True)
class Special:
    """A function whose type depends on its arguments.

    Attributes
    ----------
    profile : str
        As SciDB lists it.
    call : callable
        The call; None where the arguments do not fit.
    """

    profile: str
    call: Callable[[Sequence[Typed]], Typed | None]


def choose(overloads: Sequence[Overload], types: Sequence[str]) -> Overload | None:
    """The overload whose arguments cost least; of equals the first in the order of their types."""
    priced = ((overload.price(types), overload) for overload in overloads)
    possible = [(price, overload.arguments, overload) for price, overload in priced if price is not None]
    return min(possible, key=lambda one: one[:2])[2] if possible else None
