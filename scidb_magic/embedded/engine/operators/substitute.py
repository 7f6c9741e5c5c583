"""``substitute``: values in the place of missing ones, by their reasons."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scidb_magic.embedded.engine.columns import Cell, axes, cells, like
from scidb_magic.embedded.engine.operators.checks import raising
from scidb_magic.embedded.engine.operators.kinds import Field
from scidb_magic.embedded.engine.operators.operator import operator
from scidb_magic.embedded.engine.operators.signature import Arguments
from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.errors import EngineError

if TYPE_CHECKING:
    from scidb_magic.embedded.engine.planner import Context


def substitute(context: Context, args: Arguments) -> Relation:
    """A missing value of reason k becomes the value that the second array has at k.

    Of all nullable attributes, or of those that are named; these cannot be null any more.
    """
    source, values = args.values("input")
    _check_values(values)
    fields: list[Field] = args.values("attribute_name")
    chosen = [field.within(0) for field in fields] or [
        k for k, attribute in enumerate(source.schema.attributes) if attribute.nullable
    ]
    found = cells(source)
    for k in chosen:
        if k is None:
            raise EngineError(
                "OPERATOR", "NOT_AN_ATTRIBUTE_IN_INPUT", "substitute takes attributes of its first input."
            )
        found[k] = _substituted(found[k], values)
    return like(source, axes(source), found, f"FROM ({source.sql})")


def _check_values(values: Relation) -> None:
    attributes, dimensions = values.schema.attributes, values.schema.dimensions
    checks = (
        (len(dimensions) == 1, "SUBSTITUTE_ERROR1", "have one dimension only"),
        (len(attributes) == 1, "SUBSTITUTE_ERROR2", "have one attribute only"),
        (not attributes[0].nullable, "SUBSTITUTE_ERROR3", "have an attribute that is NOT NULL"),
        (dimensions[0].low == 0, "SUBSTITUTE_ERROR4", "begin at 0"),
    )
    for holds, long, demand in checks:
        if not holds:
            raise EngineError("INFER_SCHEMA", long, f"The substitution array must {demand}.")


def _substituted(cell: Cell, values: Relation) -> Cell:
    (given,) = values.schema.attributes
    if given.type != cell.attribute.type:
        raise EngineError(
            "INFER_SCHEMA",
            "SUBSTITUTE_ERROR5",
            f"Attribute '{cell.attribute.name}' and the substitution array's must have the same type.",
        )
    reason = f"coalesce({cell.code}, 0)" if cell.code else "0"
    absent = raising(
        "EXECUTION", "SUBSTITUTE_FAILED", "No value is given for the missing reason code {}.", reason
    )
    by_reason = f"(SELECT map_from_entries(list((d0, a0))) FROM ({values.sql}) WHERE d0 BETWEEN 0 AND 127)"
    looked_up = f"coalesce({by_reason}[{reason}::BIGINT], {absent})"
    sql = f"CASE WHEN {cell.sql} IS NULL THEN {looked_up} ELSE {cell.sql} END"
    return replace(cell, attribute=replace(cell.attribute, nullable=False), sql=sql, code=None)


OPERATORS = (operator("substitute", "<input> <input> <attribute_name>*", substitute),)
