"""The scalar functions of SciDB, one table: name -> overloads. Names are matched in lower case.

A new function is a line in the file of its kind; a new kind is a file whose `FUNCTIONS` is merged here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scidb_magic.embedded.engine.functions import arithmetic, comparison, datetime, logic, math, strings
from scidb_magic.embedded.engine.functions.table import Overload, Special, choose
from scidb_magic.embedded.engine.relation import PHYSICAL, Typed
from scidb_magic.embedded.engine.types import convert, cost


def _merged(*tables: Mapping[str, Sequence[Overload]]) -> dict[str, tuple[Overload, ...]]:
    merged: dict[str, tuple[Overload, ...]] = {}
    for table in tables:
        for name, overloads in table.items():
            merged[name] = (*merged.get(name, ()), *overloads)
    return merged


FUNCTIONS = _merged(
    arithmetic.FUNCTIONS,
    comparison.FUNCTIONS,
    logic.FUNCTIONS,
    math.FUNCTIONS,
    strings.FUNCTIONS,
    datetime.FUNCTIONS,
)
SPECIALS: dict[str, Special] = logic.SPECIALS


def exists(name: str) -> bool:
    """Whether SciDB has a function, or a cast, of this name."""
    return name.lower() in FUNCTIONS or name.lower() in SPECIALS or name.lower() in PHYSICAL


def call(name: str, arguments: Sequence[Typed], *, wrap: bool) -> Typed | None:
    """The call of a function; None where no overload fits.

    Parameters
    ----------
    name : str
        In any case; the name of a type is a cast.
    wrap : bool
        Whether integers wrap as in C++, instead of raising DuckDB's OutOfRangeException.
    """
    lower = name.lower()
    if (special := SPECIALS.get(lower)) is not None:
        return special(arguments)
    if lower in PHYSICAL and len(arguments) == 1 and cost(arguments[0].type, lower) is not None:
        return convert(arguments[0], lower)
    overload = choose(FUNCTIONS.get(lower, ()), [argument.type for argument in arguments])
    return None if overload is None else overload.call(arguments, wrap)
