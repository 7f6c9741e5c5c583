"""Fetches: ours beside the raw requests, and beside SciDB-Py, against one server."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable
from functools import partial

import requests

import scidb_magic  # isort: skip - the import adapter, before scidbpy
import scidbpy

from scidb_magic.session.wrap import wrap
from scidb_magic.wire.binary import format_string
from tests.bench.cases import CASES, Case
from tests.bench.codec import loops
from tests.bench.servers import repeater
from tests.bench.timing import alternating, table

SMALL = "build(<v:int64>[i=0:9], i)"


class Raw:
    """The two requests that a fetch cannot do without, and nothing done with what comes.

    Each on a connection of its own: shim ends them without a word.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.id = self.ask("new_session").text.strip()

    def ask(self, path: str, **values: str) -> requests.Response:
        answer = requests.get(f"{self.url}/{path}", params=values, timeout=120)
        answer.raise_for_status()
        return answer

    def fetch(self, query: str, save: str) -> bytes:
        self.ask("execute_query", id=self.id, query=query, save=save)
        return self.ask("read_bytes", id=self.id, n="0").content

    def close(self) -> None:
        self.ask("release_session", id=self.id)


def _works(
    case: Case, cells: int, raw: Raw, session: scidb_magic.ManagedSession
) -> list[Callable[[], object]]:
    wrapped = wrap(case.text(cells), case.schema(cells))
    save = format_string(wrapped.columns)
    ours = partial(session.connection.fetch, case.text(cells))
    return [
        partial(raw.fetch, wrapped.text, save),
        lambda: ours().cells(),
        partial(session.fetch, case.text(cells)),
    ]


def measure(url: str, cells: int, rounds: int) -> None:
    warnings.simplefilter("ignore")  # scidbpy warns at each fetch that it promotes
    rows: list[list[str]] = []
    with repeater(url) as repeated:
        for title, at in (("engine", url), ("replay", repeated)):
            session, raw = scidb_magic.connect(at), Raw(at)
            theirs = scidbpy.connect(at) if at == url else None
            for case in CASES:
                works = _works(case, cells, raw, session)
                with loops(compiled=True):
                    floor, decoded, frame = alternating(works, rounds)
                with loops(compiled=False):
                    _, slow, _ = alternating(works, max(1, rounds - 1))
                row = [f"{case.name}, {title}", *(f"{t:.3f}" for t in (floor, decoded, frame))]
                row += [f"{decoded / floor:.2f}", f"{frame / floor:.2f}", f"{slow / floor:.2f}"]
                if theirs is not None:
                    (other,) = alternating([partial(theirs.iquery, case.text(cells), fetch=True)], 1)
                    row += [f"{other:.2f}", f"{other / frame:.1f}"]
                rows.append([*row, *[""] * (9 - len(row))])
            raw.close()
            session.close()
            del theirs
            gc.collect()  # SciDB-Py gives its session back only when its cycle is collected
    heads = ["fetch", "raw s", "columns s", "frame s", "columns ÷ raw", "frame ÷ raw"]
    heads += ["columns ÷ raw, no [fast]", "scidbpy s", "scidbpy ÷ frame"]
    table(f"Fetch of {cells:,} cells", heads, rows)
