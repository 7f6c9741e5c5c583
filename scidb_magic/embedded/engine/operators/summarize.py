"""``summarize``: how many cells, bytes and chunks an array has, all on one instance.

A value takes its own bytes and every chunk `_HEADER` more, before any compression; SciDB tells what its
storage makes of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scidb_magic.embedded.engine.columns import Axis, Cell, chunk_numbers, relation
from scidb_magic.embedded.engine.operators.operator import operator
from scidb_magic.embedded.engine.operators.signature import Arguments
from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.embedded.engine.sql import quote
from scidb_magic.embedded.engine.types import SIZES
from scidb_magic.wire.schema import Attribute, Dimension

if TYPE_CHECKING:
    from scidb_magic.embedded.engine.planner import Context

_HEADER = 48
_SIZED = {"string": "strlen(a{k}) + 5", "binary": "octet_length(a{k}) + 4"}
_EMPTY_TAG = "EmptyTag"
_COLUMNS = (
    ("count", "uint64", "CAST({cells} AS UBIGINT)"),
    ("bytes", "uint64", "CAST(coalesce(sum(bytes), 0) AS UBIGINT)"),
    ("chunks", "uint64", "CAST(count(*) AS UBIGINT)"),
    ("min_count", "uint64", "CAST(min(cells) AS UBIGINT)"),
    ("avg_count", "double", "CAST(avg(cells) AS DOUBLE)"),
    ("max_count", "uint64", "CAST(max(cells) AS UBIGINT)"),
    ("min_bytes", "uint64", "CAST(min(bytes) AS UBIGINT)"),
    ("avg_bytes", "double", "CAST(avg(bytes) AS DOUBLE)"),
    ("max_bytes", "uint64", "CAST(max(bytes) AS UBIGINT)"),
)
"""Name, type and SQL over the chunks of one attribute, or of all of them."""


def summarize(context: Context, args: Arguments) -> Relation:
    """One cell for the whole array, or one for each attribute and for the tag of empty cells."""
    source: Relation = args.value("input")
    apart = bool(args.value("by_attribute", args.value("per_attribute", False)))
    names = [*(attribute.name for attribute in source.schema.attributes), _EMPTY_TAG]
    labels = " ".join(f"WHEN {k} THEN {quote(name)}" for k, name in enumerate(names))
    last = len(names) - 1 if apart else 0
    cells = "coalesce(sum(cells), 0)" if apart else f"coalesce(sum(cells), 0) // {len(names)}"
    found = [Cell(Attribute("att", "string"), f"CASE attid {labels} END" if apart else "'all'")]
    found += [Cell(Attribute(name, type_), sql.format(cells=cells)) for name, type_, sql in _COLUMNS]
    along = [
        Axis(Dimension("inst", 0, 0, 0, 1), "0::BIGINT"),
        Axis(Dimension("attid", 0, last, 0, last + 1), "attid" if apart else "0::BIGINT"),
    ]
    group = "GROUP BY attid" if apart else ""
    return relation(along, found, f"FROM ({_chunks(source)}) {group}", name="summarize", distribution=None)


def _chunks(source: Relation) -> str:
    """SQL of one row for each chunk of each attribute."""
    numbers = chunk_numbers(source.schema.dimensions)
    sizes = [_size(k, attribute) for k, attribute in enumerate(source.schema.attributes)]
    summed = ", ".join(f"sum({size}) AS s{k}" for k, size in enumerate([*sizes, "1"]))
    chunk = ", ".join(f"{number} AS c{k}" for k, number in enumerate(numbers))
    by_chunk = f"SELECT {chunk}, count(*) AS cells, {summed} FROM ({source.sql}) GROUP BY ALL"
    picked = " ".join(f"WHEN {k} THEN s{k}" for k in range(len(sizes) + 1))
    return (
        f"SELECT attid, cells, CAST(CASE attid {picked} END AS BIGINT) + {_HEADER} AS bytes"
        f" FROM ({by_chunk}), range({len(sizes) + 1}) AS every(attid)"
    )


def _size(k: int, attribute: Attribute) -> str:
    size = _SIZED.get(attribute.type, str(SIZES.get(attribute.type, 1)))
    return f"coalesce({size.format(k=k)}, 0)"


OPERATORS = (
    operator(
        "summarize",
        "<input>",
        summarize,
        keywords={
            "per_attribute": "<constant:bool>",
            "by_attribute": "<constant:bool>",
            "by_instance": "<constant:bool>",
        },
    ),
)
