"""Shift-Tab in ``%%scidb`` cells and ``%scidb`` lines: what the name at the cursor is. Asks no server."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scidb_magic.afl.operators import OPERATORS
from scidb_magic.afl.places import names_around
from scidb_magic.notebook.catalogue import Names
from scidb_magic.notebook.completion import typed_for, without_expressions


def told(code: str, cursor: int, names: Names) -> str | None:
    """What is known of the name at `cursor`, or else of the operator in whose brackets it is.

    Parameters
    ----------
    code : str
        The whole cell.
    cursor : int
        In characters.
    names : Names

    Returns
    -------
    str or None
        Empty where nothing is known; None where the cell or line is not ours.
    """
    before = code[:cursor]
    typed = typed_for(code, before.count("\n"), cursor - before.rfind("\n") - 1)
    if typed is None:
        return None
    found = (
        look(name, names)
        for name in names_around(without_expressions(typed.text), typed.cursor)
        for look in _LOOKS
    )
    return next((text for text in found if text), "")


def _operator(name: str, names: Names) -> str | None:
    known = OPERATORS.get(name.lower())
    if known:
        return known.describe()
    signature = names.operators.get(name)
    return None if signature is None else f"{name}({signature})\n  operator or macro of the server"


def _array(name: str, names: Names) -> str | None:
    return str(names.arrays[name]) if name in names.arrays else None


def _kind(name: str, names: Names) -> str | None:
    kinds: Mapping[str, frozenset[str]] = {
        "aggregate": names.aggregates,
        "function": names.functions,
        "type": names.types,
    }
    return next((f"{name}\n  {kind} of SciDB" for kind, known in kinds.items() if name in known), None)


_LOOKS: tuple[Callable[[str, Names], str | None], ...] = (_array, _operator, _kind)
