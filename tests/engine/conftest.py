"""A real engine in this process, and a way to ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scidb_magic.embedded.engine import Engine, EngineSession


class Asker:
    """Runs statements in one session; `rows` saves a query and gives the lines."""

    def __init__(self, session: EngineSession, scratch: Path) -> None:
        self.session = session
        self.scratch = scratch

    def run(self, statement: str) -> str:
        return self.session.execute(statement)

    def text(self, query: str, format: str = "csv+") -> str:
        out = self.scratch / "out"
        self.session.execute(f"save({query},'{out}',0,'{format}')")
        return out.read_text("utf-8")

    def rows(self, query: str) -> list[str]:
        return self.text(query).splitlines()

    def schema(self, query: str) -> str:
        quoted = query.replace("\\", "\\\\").replace("'", "\\'")
        return self.text(f"show('{quoted}','afl')", "tsv").split("\t")[0]


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def make_engine(scratch: Path) -> Iterator[Callable[..., Engine]]:
    """Make engines that are closed at the end."""
    made: list[Engine] = []

    def make(data: Path | None = None, **options: object) -> Engine:
        made.append(Engine(data, scratch=scratch, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for engine in made:
        engine.close()


@pytest.fixture
def engine(make_engine: Callable[..., Engine]) -> Engine:
    return make_engine()


@pytest.fixture
def ask(engine: Engine, scratch: Path) -> Iterator[Asker]:
    session = engine.session()
    yield Asker(session, scratch)
    session.close()
