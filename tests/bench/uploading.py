"""Uploads of frames, stored, beside the raw request that only sends the bytes."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd
import requests

import scidb_magic
from scidb_magic.wire import binary
from tests.bench.cases import columns
from tests.bench.fetching import Raw
from tests.bench.timing import alternating, table

NAMES = ("fixed", "string", "datetime")


def _frame(made: list[Any]) -> pd.DataFrame:
    return pd.DataFrame({c.name: c.values.to_pandas() if c.type == "string" else c.values for c in made})


def measure(url: str, cells: int, rounds: int) -> None:
    session, raw = scidb_magic.connect(url), Raw(url)
    made = columns(cells)
    rows = []
    for name in NAMES:
        frame, body = _frame(made[name]), binary.encode(made[name])
        works = [
            partial(requests.post, f"{url}/upload?id={raw.id}", data=body, timeout=120),
            lambda frame=frame: session.upload(frame, "bench_upload", mode="replace"),
        ]
        floor, ours = alternating(works, rounds)
        row = [name, f"{len(body) / 1e6:.1f}", f"{floor:.3f}", f"{ours:.3f}"]
        row.append(f"{ours / floor:.1f}")
        rows.append(row)
    session.execute("remove(bench_upload)")
    session.close()
    raw.close()
    heads = ["upload", "MB", "raw post s", "ours, stored, s", "ours ÷ raw"]
    table(f"Upload and store of {cells:,} rows", heads, rows)
