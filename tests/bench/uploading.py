"""Uploads of frames, stored, beside the bare requests with the bytes, and beside SciDB-Py."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import requests

import scidb_magic  # isort: skip - the import adapter, before scidbpy
import numpy as np
import pandas as pd
import scidbpy

from scidb_magic.frames import download, upload
from scidb_magic.wire.columns import Column
from tests.bench.cases import columns
from tests.bench.codec import schema
from tests.bench.fetching import Raw
from tests.bench.timing import alternating, table

THEIRS = ("fixed", "string", "datetime")
"""What SciDB-Py takes as a structured array; for missing values it wants them encoded by hand."""

_names = (f"bench_{number}" for number in itertools.count())


def _store(raw: Raw, sent: upload.Upload, body: bytes) -> None:
    answer = requests.post(f"{raw.url}/upload?id={raw.id}", data=body, timeout=120)
    answer.raise_for_status()
    raw.ask(
        "execute_query", id=raw.id, query=f"store({upload.array_query(sent, answer.text)}, {next(_names)})"
    )


def _records(frame: pd.DataFrame) -> Any:
    """A structured array as SciDB-Py takes it."""
    kinds = {"str": object, "string": object}
    parts = {name: frame[name].to_numpy(kinds.get(str(frame[name].dtype))) for name in frame}
    records = np.empty(len(frame), [(name, part.dtype) for name, part in parts.items()])
    for name, part in parts.items():
        records[name] = part
    return records


def _theirs(db: Any, frame: pd.DataFrame, made: list[Column]) -> Callable[[], object]:
    query = "store(input({sch}, '{fn}', 0, '{fmt}'), " + next(_names) + ")"
    return partial(db.iquery, query, upload_data=_records(frame), upload_schema=schema(made))


def measure(url: str, cells: int, rounds: int) -> None:
    session, raw, theirs = scidb_magic.connect(url), Raw(url), scidbpy.connect(url)
    rows = []
    for name, made in columns(cells).items():
        frame = download.to_dataframe(made)
        sent = upload.encode(frame)
        works: list[Callable[[], object]] = [
            partial(_store, raw, sent, b"".join(sent.payload)),
            lambda frame=frame: session.upload(frame, next(_names)),
        ]
        floor, ours = alternating(works, rounds)
        row = [name, f"{len(sent.payload) / 1e6:.1f}", f"{floor:.3f}", f"{ours:.3f}", f"{ours / floor:.2f}"]
        if name in THEIRS:
            (other,) = alternating([_theirs(theirs, frame, made)], 1)
            row += [f"{other:.2f}", f"{other / ours:.1f}"]
        rows.append([*row, *[""] * (7 - len(row))])
    for stored in session.fetch("project(filter(list('arrays'), regex(name, 'bench_.*')), name)")["name"]:
        session.execute(f"remove({stored})")
    session.close()
    raw.close()
    del theirs
    gc.collect()  # SciDB-Py gives its session back only when its cycle is collected
    heads = ["upload", "MB", "bare s", "ours s", "ours ÷ bare", "scidbpy s", "scidbpy ÷ ours"]
    table(f"Upload and store of {cells:,} rows", heads, rows)
