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


def wrap(statement: str, schema: Schema) -> Wrapped:
    """The query that yields dimensions and attributes of `statement` as columns.

    A data frame (dimensions ``$inst``, ``$seq``) has no dimensions of its own: only its attributes come.
    """
    dimensions = () if schema.is_dataframe else schema.dimensions
    names = distinct_names([a.name for a in schema.attributes] + [d.name for d in dimensions])
    attributes = tuple(
        replace(a, name=name, default=None, compression=None)
        for a, name in zip(schema.attributes, names)  # noqa: B905 - names goes on with the dimensions
    )
    renamed = tuple(
        replace(d, name=name, aliases=())
        for d, name in zip(dimensions, names[len(attributes) :], strict=True)
    )
    before, after = "", ""
    if [a.name for a in schema.attributes] + [d.name for d in dimensions] != list(names):
        before, after = "cast(", f", {Schema(attributes, renamed)})"
    if renamed:
        applied = ", ".join(f"{d.name}, {d.name}" for d in renamed)
        listed = ", ".join([d.name for d in renamed] + [a.name for a in attributes])
        before, after = f"project(apply({before}", f"{after}, {applied}), {listed})"
    columns = tuple(Attribute(d.name, "int64", nullable=False) for d in renamed) + attributes
    return Wrapped(
        f"{before}{statement}{after}",
        len(before),
        Schema(attributes, renamed or schema.dimensions, schema.name, schema.emptyable),
        columns,
    )


def limited(wrapped: Wrapped, rows: int) -> Wrapped:
    """At most `rows` cells of the query (any of them: SciDB promises no order here)."""
    return replace(wrapped, text=f"limit({wrapped.text}, {rows})", offset=wrapped.offset + len("limit("))


def show(statement: str) -> str:
    """The query that answers the schema of `statement`, without running it."""
    return f"show({literals.quote(statement)}, 'afl')"
