"""The query that is sent for a statement: dimensions as columns, unique names, a bound on the rows.

The binary format carries attributes only, so the dimensions are applied as attributes and put in
front. Names that occur twice are made unique first, as SciDB-Py does: ``i``, ``i_1``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from scidb_magic.afl import literals
from scidb_magic.wire.schema import Attribute, Schema, distinct_names


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A query around a statement.

    Attributes
    ----------
    text : str
        The AFL to send.
    offset : int
        Where the user's statement begins in `text`.
    schema : Schema
        Of the user's statement, with unique names.
    columns : tuple of Attribute
        What the binary answer holds: dimensions as ``int64`` not null, then the attributes.
    """

    text: str
    offset: int
    schema: Schema
    columns: tuple[Attribute, ...]


def named(statement: str, schema: Schema, *, dimensions: bool = True) -> Wrapped:
    """The query that yields `statement` with unique names, cast where they are not.

    Without `dimensions`, and for a data frame (dimensions ``$inst``, ``$seq``), which has none of its
    own, only the attributes count and come as columns.
    """
    own = () if schema.is_dataframe else schema.dimensions
    given = [a.name for a in schema.attributes] + [d.name for d in own]
    names = distinct_names(given)
    attributes = tuple(
        replace(a, name=name, default=None, compression=None)
        for a, name in zip(schema.attributes, names)  # noqa: B905 - names goes on with the dimensions
    )
    renamed = tuple(
        replace(d, name=name, aliases=()) for d, name in zip(own, names[len(attributes) :], strict=True)
    )
    target = Schema(attributes, renamed or schema.dimensions)
    before, after = "", ""
    counted = len(given) if dimensions else len(attributes)
    if given[:counted] != list(names[:counted]):
        before, after = "cast(", f", {target})"
    columns = tuple(Attribute(d.name, "int64", nullable=False) for d in renamed if dimensions) + attributes
    return Wrapped(
        f"{before}{statement}{after}",
        len(before),
        replace(target, name=schema.name, emptyable=schema.emptyable),
        columns,
    )


def wrap(statement: str, schema: Schema, *, dimensions: bool = True) -> Wrapped:
    """The query that yields dimensions and attributes of `statement` as attributes, uniquely named.

    Without `dimensions`, and for a data frame, only the attributes.
    """
    plain = named(statement, schema, dimensions=dimensions)
    listed = [column.name for column in plain.columns]
    applied = listed[: len(listed) - len(schema.attributes)]
    if not applied:
        return plain
    before = "project(apply("
    after = f", {', '.join(f'{name}, {name}' for name in applied)}), {', '.join(listed)})"
    return replace(plain, text=f"{before}{plain.text}{after}", offset=plain.offset + len(before))


def limited(wrapped: Wrapped, rows: int) -> Wrapped:
    """At most `rows` cells of the query (any of them: SciDB promises no order here)."""
    return replace(wrapped, text=f"limit({wrapped.text}, {rows})", offset=wrapped.offset + len("limit("))


def show(statement: str) -> str:
    """The query that answers the schema of `statement`, without running it."""
    return f"show({literals.quote(statement)}, 'afl')"
