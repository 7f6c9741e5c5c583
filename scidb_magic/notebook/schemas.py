"""Arrays and their schemas as readable tables: ``%scidb arrays`` and ``%scidb show``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from scidb_magic.afl.literals import quote
from scidb_magic.notebook import display
from scidb_magic.notebook.units import moment
from scidb_magic.wire.schema import Attribute, Dimension, Schema

if TYPE_CHECKING:
    from scidb_magic.api import ManagedSession

MOST_ATTRIBUTES = 8
"""Of an array in a list of arrays; `show` tells them all."""

_ARRAY_NAME = re.compile(r"[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)?(@\d+)?$")
_PLAIN = re.compile(r"[A-Za-z_$][\w$]*$")


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
    heads = ["name", *(["namespace"] if several else []), "dimensions", "chunk lengths", "attributes", "kind"]
    heads += [*(["versions", "of"] if versions else []), *(["cells"] if count else [])]
    limit = session.settings.display_limit
    rows = []
    for row in found[:limit]:
        called = _identifier(row.name, row.namespace if several else None)
        rows.append(
            [
                row.name,
                *([row.namespace] if several else []),
                *_summary(Schema.parse(row.schema)),
                "temporary" if getattr(row, "temporary", False) else "stored",
                *(_newest(session, called) if versions else ()),
                *((f"{_cells(session, called):,}",) if count else ()),
            ]
        )
    display.table(heads, rows)
    if len(found) > limit:
        display.note(f"{limit:,} of {len(found):,} arrays; a pattern selects, as in %scidb arrays tmp*")


def show(session: ManagedSession, wanted: str, *, versions: bool = False, count: bool = False) -> None:
    """Show the schema of an array or a query, which is not run; for the arguments see `arrays`."""
    named = _ARRAY_NAME.match(wanted)
    (text,) = session.fetch(f"show({wanted})" if named else f"show({quote(wanted)}, 'afl')")["schema"]
    schema = Schema.parse(text)
    parts: list[tuple[Sequence[str], display.Rows]] = [
        (("dimension", "from", "to", "chunk length", "overlap"), map(_dimension, schema.dimensions)),
        (("attribute", "type", "null", "default", "compression"), map(_attribute, schema.attributes)),
    ]
    if versions:
        parts.append((("version", "made"), _versions(session, wanted)))
    if count:
        parts.append((("cells",), [[f"{_cells(session, wanted):,}"]]))
    display.tables(text, parts)


def _summary(schema: Schema) -> tuple[str, str, str]:
    dimensions = ", ".join(f"{each.name}={each.low}:{_star(each.high)}" for each in schema.dimensions)
    chunks = ", ".join(_star(each.chunk) for each in schema.dimensions)
    told = [
        f"{each.name}: {each.type}{'' if each.nullable else ' not null'}"
        for each in schema.attributes[:MOST_ATTRIBUTES]
    ]
    left = len(schema.attributes) - len(told)
    return dimensions, chunks, ", ".join(told) + (f" … and {left} more" if left else "")


def _dimension(each: Dimension) -> tuple[object, ...]:
    return each.name, each.low, _star(each.high), _star(each.chunk), each.overlap


def _attribute(each: Attribute) -> tuple[object, ...]:
    return each.name, each.type, "yes" if each.nullable else "no", each.default, each.compression


def _newest(session: ManagedSession, array: str) -> tuple[object, object]:
    """The newest version of an array, and when it was made."""
    return max(_versions(session, array), default=("", ""))


def _versions(session: ManagedSession, array: str) -> list[tuple[int, str]]:
    made = session.fetch(f"versions({array})")
    times = made["timestamp"].dt.tz_localize("UTC").dt.to_pydatetime()
    return [(int(number), moment(time)) for number, time in zip(made["version_id"], times, strict=True)]


def _cells(session: ManagedSession, query: str) -> int:
    counted: Any = session.fetch(f"aggregate({query}, count(*))")
    return int(counted["count"].iloc[0])


def _identifier(name: str, namespace: str | None) -> str:
    quoted = name if _PLAIN.match(name) else f'"{name}"'
    return f"{namespace}.{quoted}" if namespace else quoted


def _star(bound: int | None) -> str:
    return "*" if bound is None else str(bound)
