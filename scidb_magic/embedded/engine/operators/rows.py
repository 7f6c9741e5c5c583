"""Relations with rows that Python has: what ``list``, ``help``, ``versions``, … answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.wire.schema import Schema

if TYPE_CHECKING:
    import pyarrow as pa

    from scidb_magic.embedded.engine.planner import Context


def rows(
    context: Context,
    schema: str,
    values: Sequence[Sequence[Any]],
    *,
    coordinates: Sequence[Sequence[int]] | None = None,
    distribution: str | None = None,
) -> Relation:
    """The relation of these rows.

    Parameters
    ----------
    schema : str
        As ``show`` prints it; ``{n}`` stands for the number of rows, ``{last}`` for the last coordinate.
    coordinates : sequence of sequences, optional
        By default one dimension that counts from its lower bound.
    """
    parsed = Schema.parse(schema.format(n=max(1, len(values)), last=len(values) - 1))
    first = parsed.dimensions[0].low
    places = coordinates or [(first + k,) for k in range(len(values))]

    def load() -> pa.Table:
        import pyarrow as pa

        columns = {
            f"d{k}": pa.array([place[k] for place in places], pa.int64())
            for k in range(len(parsed.dimensions))
        }
        for k in range(len(parsed.attributes)):
            columns[f"a{k}"] = pa.array([row[k] for row in values])
        return pa.table(columns)

    return context.source(parsed, load, distribution=distribution)
