"""The engine: AFL in, query id or `EngineError` out.

    parser.py       text -> ast.py, by grammar.lark
    planner.py      ast -> relation.py: a schema and one SELECT of DuckDB, by the table in operators/
    types.py …      types, functions, aggregates, expressions -> SQL
    run.py          a planned statement -> its effect, as one transaction
    catalogue.py    arrays and versions; storage.py  DuckDB, locked down; files.py  which files may be used
    formats/        cells <-> csv, tsv, text, binary, Arrow
    errors.py       SciDB's error texts

Imports duckdb, pyarrow, NumPy and lark; only the server imports it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from scidb_magic.embedded.engine.catalogue import prepare
from scidb_magic.embedded.engine.files import Files
from scidb_magic.embedded.engine.queries import Queries, QueryId
from scidb_magic.embedded.engine.run import Runner
from scidb_magic.embedded.engine.storage import Storage
from scidb_magic.errors import EngineError

__all__ = ["Engine", "EngineSession", "QueryId"]


class Engine:
    """The arrays of one server and the sessions that use them.

    Parameters
    ----------
    data : Path, optional
        Existing folder in which stored arrays live on; without it they are in memory.
    scratch : Path
        Existing folder for intermediate results; statements may read and write files in it.
    io_paths : sequence of Path
        More folders in which statements may read and write files.
    memory_limit, temp_limit : str, optional
        Bounds of memory and disk space for intermediate results, such as ``"4GB"``.

    Raises
    ------
    EngineError
        The stored arrays cannot be opened, for example because another server has them open.
    """

    version = "19.11.5"
    """The SciDB whose behaviour this is."""

    def __init__(
        self,
        data: Path | None,
        *,
        scratch: Path,
        io_paths: Sequence[Path] = (),
        memory_limit: str | None = None,
        temp_limit: str | None = None,
    ) -> None:
        self._storage = Storage(
            data, spill=scratch / "spill", memory_limit=memory_limit, temp_limit=temp_limit
        )
        self._identifiers = prepare(self._storage)
        self._files = Files(scratch, io_paths)
        self._queries = Queries()

    def session(self) -> EngineSession:
        """A new session; any number of them work at the same time."""
        runner = Runner(self._storage, self._identifiers, self._files, self._queries, self.version)
        return EngineSession(runner, self._queries)

    def close(self) -> None:
        """End the engine; its sessions must be closed before."""
        self._storage.close()


class EngineSession:
    """One user of the engine: runs one statement at a time. Made by `Engine.session`."""

    def __init__(self, runner: Runner, queries: Queries) -> None:
        self._runner = runner
        self._queries = queries
        self._turn = threading.Lock()

    def execute(self, text: str) -> QueryId:
        """Run one statement to its end; a second one at the same time waits.

        Raises
        ------
        EngineError
            The statement is wrong, fails or was cancelled; nothing of it remains. One that fails while
            it runs has a `query_id`.
        """
        with self._turn:
            self._runner.begin()
            with self._queries.run(text, self._runner.cancel) as query_id:
                try:
                    self._runner.run(text)
                except EngineError as error:
                    if self._runner.planned:
                        error.query_id = f"0.{query_id}"
                    raise
        return query_id

    def cancel(self) -> bool:
        """Cancel the running statement, which then raises; False if there is none. Thread-safe."""
        return self._runner.cancel()

    def close(self) -> None:
        """End the session, cancelling what runs."""
        self._runner.close()
