"""Arrays and their schemas as readable tables: ``%scidb arrays`` and ``%scidb show``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from scidb_magic.afl.literals import quote
from scidb_magic.errors import MagicUsageError, QueryError, WireError
from scidb_magic.notebook import display, progress
from scidb_magic.notebook.units import moment
from scidb_magic.wire.schema import MAX_COORDINATE, Attribute, Dimension, Schema

if TYPE_CHECKING:
    from scidb_magic.api import ManagedSession

MOST_ATTRIBUTES = 8
"""Of an array in a list of arrays; `show` tells them all."""

_NAME = r'(?:[A-Za-z_$][\w$]*|"[^"]*")'
_ARRAY_NAME = re.compile(rf"{_NAME}(\.{_NAME})?(@\d+)?$")
_PLAIN = re.compile(r"[A-Za-z_$][\w$]*$")
_RESERVED = frozenset("and emptytag fn in let not null only or select where".split())
"""Words that are names only in quotes (Parser.yy, Keywords.cpp)."""


def arrays(
    session: ManagedSession, fits: Callable[[str], bool], *, versions: bool = False, count: bool = False
) -> None:
    """Show the arrays whose names fit.

    Parameters
    ----------
    session : ManagedSession
    fits : callable
    versions, count : bool
        Also their versions, and their cells: a query an array each.
    """
    frame = session.fetch("list('arrays')")
    known = [name for name in ("namespace", "temporary") if name in frame.columns]
    found = sorted((row for row in frame.itertuples(index=False) if fits(row.name)), key=lambda row: row.name)
    several = "namespace" in known and frame["namespace"].nunique() > 1
    if not found:
        display.note(
            "No array's name fits; %scidb arrays lists them." if len(frame) else "There is no array."
        )
        return
    heads = ["name", *(["namespace"] if several else []), "dimensions", "chunk lengths", "attributes", "kind"]
    heads += [*(["versions", "newest", "made"] if versions else []), *(["cells"] if count else [])]
    limit = session.settings.display_limit
    rows: list[list[object]] = []
    refused: list[str] = []
    with progress.task("looking into arrays", session.settings.progress_after, session.cancel) as task:
        for row in found[:limit]:
            if versions or count:
                task.step(len(rows), min(len(found), limit), row.name)
            called = _identifier(row.name, row.namespace if several else None)
            rows.append(
                [
                    row.name,
                    *([row.namespace] if several else []),
                    *_summary(row.schema),
                    "temporary" if getattr(row, "temporary", False) else "stored",
                ]
            )
            try:
                rows[-1] += [*(_newest(session, called) if versions else ())]
                rows[-1] += [*((f"{_cells(session, called):,}",) if count else ())]
            except QueryError as error:
                # One array that cannot be read, for want of a right, must not hide the others.
                refused.append(f"{called} cannot be looked into: {error}")
                rows[-1] += ["?"] * (len(heads) - len(rows[-1]))
    display.table(heads, rows)
    for line in refused:
        display.note(line)
    if len(found) > limit:
        display.note(f"{limit:,} of {len(found):,} arrays; a pattern selects, as in %scidb arrays tmp*")


def show(session: ManagedSession, wanted: str, *, versions: bool = False, count: bool = False) -> None:
    """Show the schema of an array or a query, which is not run; for the arguments see `arrays`."""
    named = _ARRAY_NAME.match(wanted)
    if versions and not named:
        raise MagicUsageError("A query has no versions; --versions goes with the name of an array.")
    (text,) = session.fetch(f"show({wanted})" if named else f"show({quote(wanted)}, 'afl')")["schema"]
    schema = Schema.parse(text)
    parts: list[tuple[Sequence[str], display.Rows]] = [
        (("dimension", "from", "to", "chunk length", "overlap"), map(_dimension, schema.dimensions)),
        _given(("attribute", "type", "null", "default", "compression"), map(_attribute, schema.attributes)),
    ][schema.is_dataframe :]
    if versions:
        parts.append((("version", "made"), _versions(session, wanted.partition("@")[0])))
    if count:
        parts.append((("cells",), [[f"{_cells(session, wanted):,}"]]))
    display.tables(text, parts)


def _summary(text: str) -> tuple[str, str, str]:
    """Dimensions, chunk lengths and attributes; of a schema that cannot be read its text."""
    try:
        schema = Schema.parse(text)
    except WireError:
        return "", "", text
    dimensions = ", ".join(f"{each.name}={_low(each)}:{_star(each.high)}" for each in schema.dimensions)
    chunks = ", ".join(_star(each.chunk) for each in schema.dimensions)
    told = [
        f"{each.name}: {each.type}{'' if each.nullable else ' not null'}"
        for each in schema.attributes[:MOST_ATTRIBUTES]
    ]
    left = len(schema.attributes) - len(told)
    attributes = ", ".join(told) + (f" … and {left} more" if left else "")
    return ("data frame", "", attributes) if schema.is_dataframe else (dimensions, chunks, attributes)


def _dimension(each: Dimension) -> tuple[object, ...]:
    names = ", ".join((each.name, *each.aliases))
    return names, _low(each), _star(each.high), _star(each.chunk), each.overlap


def _attribute(each: Attribute) -> tuple[object, ...]:
    return each.name, each.type, "yes" if each.nullable else "no", each.default, each.compression


def _given(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> tuple[Sequence[str], display.Rows]:
    """A table without the columns in which nothing stands."""
    columns = [(head, cells) for head, *cells in zip(heads, *rows, strict=True) if any(cells)]
    return [head for head, _ in columns], list(zip(*(cells for _, cells in columns), strict=True))


def _newest(session: ManagedSession, array: str) -> tuple[object, object, object]:
    """How many versions an array has, the newest, and when that was made."""
    found = _versions(session, array)
    return (len(found), *max(found)) if found else (0, "", "")


def _versions(session: ManagedSession, array: str) -> list[tuple[int, str]]:
    made = session.fetch(f"versions({array})")
    times = made["timestamp"].dt.tz_localize("UTC")
    return [
        (int(number), moment(time.to_pydatetime()))
        for number, time in zip(made["version_id"], times, strict=True)
    ]


def _cells(session: ManagedSession, query: str) -> int:
    counted: Any = session.fetch(f"aggregate({query}, count(*))")
    return int(counted["count"].iloc[0])


def _identifier(name: str, namespace: str | None) -> str:
    quoted = name if _PLAIN.match(name) and name.lower() not in _RESERVED else f'"{name}"'
    return f"{namespace}.{quoted}" if namespace else quoted


def _low(dimension: Dimension) -> str:
    return "*" if dimension.low == -MAX_COORDINATE else str(dimension.low)


def _star(bound: int | None) -> str:
    return "*" if bound is None else str(bound)
