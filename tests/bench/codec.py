"""Decoding and encoding alone, beside memcpy, and decoding of strings beside SciDB-Py's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import scidb_magic  # isort: skip  # noqa: F401 - the import adapter, before scidbpy
import numpy as np
import scidbpy

from scidb_magic.wire import binary, kernels
from scidb_magic.wire.columns import Column
from scidb_magic.wire.schema import Attribute
from tests.bench.cases import columns
from tests.bench.timing import best, table


@contextmanager
def loops(compiled: bool) -> Iterator[None]:
    """With Numba, or as if it were not there."""
    before = kernels.WORTH_LOADING
    kernels.WORTH_LOADING = 0 if compiled else 1 << 62
    try:
        yield
    finally:
        kernels.WORTH_LOADING = before


def schema(made: Sequence[Column]) -> Any:
    """SciDB-Py's, which decodes the rows."""
    attributes = ", ".join(f"{column.name}:{column.type} not null" for column in made)
    return scidbpy.Schema.fromstring(f"<{attributes}>[row=0:*]")


def measure(cells: int, rounds: int) -> None:
    rows = []
    for name, made in columns(cells).items():
        body = binary.encode(made)
        attributes = [Attribute(c.name, c.type, c.nullable) for c in made]
        size = len(body) / 1e6
        theirs = best(partial(schema(made).frombytes, body), 1) if name == "string" else 0.0
        copied = best(np.frombuffer(body, np.uint8).copy, rounds)
        for compiled in (True, False) if kernels.compiled() else (False,):
            with loops(compiled):
                decoded = best(partial(binary.decode, body, attributes), rounds)
                encoded = best(partial(binary.encode, made), rounds)
            rates = [f"{size / t:,.0f}" for t in (copied, decoded, encoded)]
            rows.append([f"{name}{', [fast]' * compiled}", f"{size:.1f}", *rates, f"{decoded / copied:.1f}"])
            rows[-1].append(f"{theirs / decoded:.0f}" if theirs else "")
    heads = ["rows", "MB", "memcpy MB/s", "decode MB/s", "encode MB/s", "decode ÷ memcpy", "scidbpy ÷ decode"]
    table(f"Decode and encode alone, {cells:,} rows", heads, rows)
