"""What is measured: one million cells of each kind, as a query and as columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from scidb_magic.wire.columns import Column
from scidb_magic.wire.schema import Schema

NULL = "iif(i % 7 = 0, null, {})"


@dataclass(frozen=True)
class Case:
    """A query over ``[i=0:cells-1]`` and its schema's attributes."""

    name: str
    attributes: str
    query: str

    def text(self, cells: int) -> str:
        return self.query.replace("LAST", str(cells - 1))

    def schema(self, cells: int) -> Schema:
        return Schema.parse(f"<{self.attributes}>[i=0:{cells - 1}]")


_BASE = "build(<v:int64 not null>[i=0:LAST], i * 3)"
_NULLS = f"build(<v:int64>[i=0:LAST], {NULL.format('i')})"
_TEXT = "'cell number ' + string(i % 1000)"
CASES = [
    Case("fixed", "v:int64 not null,w:double not null", f"apply({_BASE}, w, double(i) / 3)"),
    Case("nullable", "v:int64,w:double", f"apply({_NULLS}, w, double(v) / 3)"),
    Case("string", "v:int64 not null,s:string not null", f"apply({_BASE}, s, {_TEXT})"),
    Case(
        "mixed",
        "v:int64,w:double,s:string,b:bool",
        f"apply({_NULLS}, w, double(v) / 3, s, {_TEXT}, b, v % 2 = 0)",
    ),
    Case(
        "datetime",
        "v:int64 not null,t:datetime",
        f"apply({_BASE}, t, datetime(i))",
    ),
]


def columns(cells: int) -> dict[str, list[Column]]:
    """The same kinds, made here."""
    n: Any = np.arange(cells)
    codes = np.where(n % 7 == 0, 0, -1).astype(np.int8)
    some = codes == -1
    texts: Any = pa.array([f"cell number {k % 1000}" for k in range(cells)], pa.large_string())
    holes = pa.array(texts.to_pylist(), pa.large_string(), mask=~some)
    i, v, w = Column("i", "int64", n), Column("v", "int64", n * 3), Column("w", "double", n / 3)
    nulls = [
        Column("v", "int64", np.where(some, n, 0), codes),
        Column("w", "double", np.where(some, n / 3, 0), codes),
    ]
    s = Column("s", "string", texts)
    return {
        "fixed": [i, v, w],
        "nullable": [i, *nulls],
        "string": [i, v, s],
        "mixed": [i, *nulls, Column("s", "string", holes, codes)],
        "datetime": [i, v, Column("t", "datetime", n.astype("M8[s]"))],
    }
