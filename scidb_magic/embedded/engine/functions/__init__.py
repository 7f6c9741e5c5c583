"""The scalar functions of SciDB, one table: name -> overloads. Names are matched in lower case.

A new function is a line in the file of its kind; a new kind is a file whose `FUNCTIONS` is merged here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from scidb_magic.embedded.engine.functions import (
    arithmetic,
    comparison,
    datetime,
    logic,
    math,
    strings,
    system,
)
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
    system.FUNCTIONS,
)
SPECIALS: dict[str, Special] = logic.SPECIALS


def profiles(of_arrays: Iterable[str] = ()) -> list[tuple[str, str, bool]]:
    """Name, profile and whether it is deterministic, of every function; in SciDB's order.

    Parameters
    ----------
    of_arrays : iterable of str
        Functions that take the names of an array and of a dimension, which are not in this table.
    """
    rows = [
        (name, overload.profile(name), overload.deterministic)
        for name, overloads in FUNCTIONS.items()
        for overload in overloads
    ]
    for name in of_arrays:
        rows += [(name, f"int64 {name}(string)", True), (name, f"int64 {name}(string,string)", True)]
    rows += [(name, special.profile, True) for name, special in SPECIALS.items()]
    # By name and types of the arguments; those that take anything stand last.
    return sorted(rows, key=lambda row: ("<any>" in row[1], row[0], row[1].partition("(")[2]))


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
        return special.call(arguments)
    if lower in PHYSICAL and len(arguments) == 1 and cost(arguments[0].type, lower) is not None:
        return convert(arguments[0], lower)
    overload = choose(FUNCTIONS.get(lower, ()), [argument.type for argument in arguments])
    return None if overload is None else overload.call(arguments, wrap)
