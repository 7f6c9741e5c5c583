"""Decoding and encoding alone, beside memcpy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np

from scidb_magic.wire import binary, kernels
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


def measure(cells: int, rounds: int) -> None:
    rows = []
    for name, made in columns(cells).items():
        body = binary.encode(made)
        attributes = [Attribute(c.name, c.type, c.nullable) for c in made]
        size = len(body) / 1e6
        copied = best(np.frombuffer(body, np.uint8).copy, rounds)
        for compiled in (True, False) if kernels.compiled() else (False,):
            with loops(compiled):
                decoded = best(partial(binary.decode, body, attributes), rounds)
                encoded = best(partial(binary.encode, made), rounds)
            rates = [f"{size / t:,.0f}" for t in (copied, decoded, encoded)]
            rows.append([f"{name}{', [fast]' * compiled}", f"{size:.1f}", *rates, f"{decoded / copied:.1f}"])
    heads = ["rows", "MB", "memcpy MB/s", "decode MB/s", "encode MB/s", "decode ÷ memcpy"]
    table(f"Decode and encode alone, {cells:,} rows", heads, rows)
