"""From a statement's text to its effect: parse, plan, and run as one transaction.

The plan of a query is one DuckDB statement. Integers are compiled as DuckDB has them at first; only if one
of them overflows, the statement is planned again with arithmetic that wraps around as in C++.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

import duckdb

from scidb_magic.embedded.engine.ast import Call, CreateArray, Reference
from scidb_magic.embedded.engine.catalogue import Catalogue, Identifiers
from scidb_magic.embedded.engine.columns import column_names, ordered
from scidb_magic.embedded.engine.errors import from_duckdb, nested_too_deep, out_of_memory
from scidb_magic.embedded.engine.files import Files
from scidb_magic.embedded.engine.formats import Batches
from scidb_magic.embedded.engine.operators import MACROS, OPERATORS
from scidb_magic.embedded.engine.operators.operator import Change
from scidb_magic.embedded.engine.planner import Context, Services, statement_of
from scidb_magic.embedded.engine.queries import Queries
from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.embedded.engine.storage import Storage, single
from scidb_magic.errors import EngineError

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")

_log = logging.getLogger(__name__)

_DEPTH = 5000
"""Python's recursion limit: rules and expressions recurse over statements that may nest 400 deep."""

_LOOK = 0.02
"""Seconds between two looks at whether a statement was cancelled that waits for other work."""

_PIECE = 1 << 17
"""Cells of a piece of a result."""

_CONFLICTS = 3
"""How often a statement is run again after DuckDB met a conflict with another transaction."""


class Cancelled(Exception):
    """The query was cancelled between two statements of DuckDB."""


class Turn:
    """One statement's turn on a cursor: whether it was cancelled, and when the cursor may be interrupted.

    An interrupt must not meet a commit or a rollback, which would leave the transaction open and broken,
    nor the statement after this one.

    Attributes
    ----------
    cancelled, over : threading.Event
    """

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self.cancelled = threading.Event()
        self.over = threading.Event()
        self._cursor = cursor
        self._guard = threading.Lock()
        self._open = False

    def cancel(self) -> bool:
        """Stop the statement; False if it is over. May be called from any thread."""
        with self._guard:
            if self.over.is_set():
                return False
            first = not self.cancelled.is_set()
            self.cancelled.set()
        if first:
            threading.Thread(target=self._interrupt, name="scidb-cancel", daemon=True).start()
        return True

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Within it the cursor may be interrupted, outside it is not."""
        with self._guard:
            self._open = True
        try:
            yield
        finally:
            with self._guard:
                self._open = False

    def check(self) -> None:
        """Raise if the statement was cancelled."""
        if self.cancelled.is_set():
            raise Cancelled

    def _interrupt(self) -> None:
        # An interrupt between two statements of DuckDB is lost, so it is repeated until the turn is over.
        while True:
            with self._guard:
                if self._open:
                    self._cursor.interrupt()
            if self.over.wait(_LOOK):
                return


class Execution:
    """What an operator may do when it is performed, within the statement's transaction.

    Attributes
    ----------
    catalogue : Catalogue
    files : Files
    """

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        context: Context,
        turn: Turn,
    ) -> None:
        self._cursor = cursor
        self._sources = context.sources
        self._reader: pa.RecordBatchReader | None = None
        self.check = turn.check
        self.catalogue = context.services.catalogue
        self.files = context.services.files

    def table(self, source: Relation) -> pa.Table:
        """The cells of a relation in SciDB's order, columns as in `relation`."""
        self.check()
        result: pa.Table = self._asked(ordered(source)).to_arrow_table()
        self.check()
        return result

    def batches(self, source: Relation) -> Batches:
        """The same in pieces; everything that can fail has been computed when the first one is there."""
        self.check()
        reader = self._reader = _reader(self._asked(ordered(source)))
        first = self._next(reader)
        return Batches(self._pieces(first, reader))

    def _pieces(self, piece: pa.RecordBatch | None, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        while piece is not None:
            yield piece
            piece = self._next(reader)

    def _next(self, reader: pa.RecordBatchReader) -> pa.RecordBatch | None:
        self.check()
        try:
            return reader.read_next_batch()
        except StopIteration:
            return None
        except OSError as error:
            # Arrow hands DuckDB's errors on as texts.
            self.check()
            raise _as_duckdb(str(error)) from error

    def cells(self, source: Relation, *names: str) -> pa.Table:
        """Some columns of a relation's cells, in any order; a source of the plan is made of them."""
        self.check()
        result: pa.Table = self._asked(f"SELECT {', '.join(names)} FROM ({source.sql})").to_arrow_table()
        self.check()
        return result

    def _asked(self, sql: str) -> duckdb.DuckDBPyRelation:
        return self._cursor.sql(single(self._cursor, sql))

    def apart(self, work: Callable[[], T]) -> T:
        """Do in a thread what nothing can interrupt; a cancelled statement does not wait for its end."""
        outcome: Future[T] = Future()

        def do() -> None:
            try:
                outcome.set_result(work())
            except BaseException as error:  # noqa: BLE001 (handed to the thread that waits)
                outcome.set_exception(error)

        threading.Thread(target=do, name="scidb-work", daemon=True).start()
        while not wait([outcome], timeout=_LOOK).done:
            self.check()
        return outcome.result()

    def compute(self, source: Relation) -> None:
        """Compute every cell of a relation and forget it."""
        self.check()
        every = ", ".join(column_names(source))
        self._cursor.execute(
            single(self._cursor, f"SELECT max(hash({every})) FROM ({source.sql})")
        ).fetchall()

    def stop(self) -> None:
        """Read no more; a transaction whose result is still read cannot be rolled back."""
        if self._reader is not None:
            self._reader.close()

    def open(self) -> None:
        """Read the sources of the plan and let SQL see them."""
        for name, load in self._sources.items():
            self.check()
            self._cursor.register(name, load(self))

    def close(self) -> None:
        """Forget the sources; after the transaction, for a failed one takes no more statements."""
        for name in self._sources:
            self._cursor.unregister(name)


def _reader(result: duckdb.DuckDBPyRelation) -> pa.RecordBatchReader:
    """Arrow's pieces of a result; DuckDB 2 has another name for it."""
    read = getattr(result, "to_arrow_reader", None) or result.fetch_arrow_reader
    reader: pa.RecordBatchReader = read(_PIECE)
    return reader


def _as_duckdb(message: str) -> duckdb.Error:
    """DuckDB's error of a text that begins with its kind, as far as somebody asks for the kind."""
    kinds = {
        "Out of Range Error": duckdb.OutOfRangeException,
        "Out of Memory Error": duckdb.OutOfMemoryException,
        "INTERNAL Error": duckdb.InternalException,
        "INTERRUPT Error": duckdb.InterruptException,
    }
    return next((kind for text, kind in kinds.items() if text in message), duckdb.Error)(message)


class Runner:
    """Runs the statements of one session, one at a time, on a cursor of its own.

    Attributes
    ----------
    planned : bool
        Whether the last statement that has begun came so far that it was run.
    """

    def __init__(
        self,
        storage: Storage,
        identifiers: Identifiers,
        files: Files,
        queries: Queries,
        version: str,
    ) -> None:
        self._storage = storage
        self._cursor = storage.cursor()
        self._queries = queries
        self._files = files
        self._version = version
        self._identifiers = identifiers
        self._turn = Turn(self._cursor)
        self._turn.over.set()
        self.planned = False
        sys.setrecursionlimit(max(_DEPTH, sys.getrecursionlimit()))

    def begin(self) -> None:
        """A statement begins, which `run` runs; from now on it can be cancelled."""
        self.planned = False
        self._turn = Turn(self._cursor)

    def run(self, text: str) -> None:
        """Run the statement that has begun to its end.

        Raises
        ------
        EngineError
            The statement is wrong, fails, or was cancelled; nothing of it remains.
        """
        turn = self._turn
        try:
            statement = statement_of(text)
            with self._storage.writing(_targets(statement), turn.check):
                self._with_retries(statement)
        except Cancelled:
            raise EngineError("QPROC", "QUERY_CANCELLED", "The query was cancelled.") from None
        except RecursionError:
            raise nested_too_deep() from None
        except MemoryError:
            raise out_of_memory() from None
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            # A slip of ours must not cost the session.
            _log.exception("A statement failed inside the engine")
            told = f"Internal error of the embedded engine: {type(error).__name__}."
            raise EngineError("EXECUTION", "UNKNOWN_ERROR", told) from None
        finally:
            turn.over.set()

    def cancel(self) -> bool:
        """Stop the running statement; False if there is none. May be called from any thread."""
        return self._turn.cancel()

    def close(self) -> None:
        """Cancel what runs and give the cursor back."""
        self.cancel()
        self._turn.over.wait()
        self._cursor.close()

    def _with_retries(self, statement: Call | CreateArray) -> None:
        wrap, conflicts = False, 0
        while True:
            try:
                return self._transaction(statement, wrap)
            except (duckdb.OutOfRangeException, duckdb.InternalException) as error:
                # An optimiser that stumbles over the product of two large numbers is internal (DuckDB 2.0).
                if wrap:
                    raise from_duckdb(error) from error
                wrap = True
            except duckdb.TransactionException as error:
                conflicts += 1
                if conflicts > _CONFLICTS:
                    raise from_duckdb(error) from error
            except duckdb.Error as error:
                self._turn.check()
                raise from_duckdb(error) from error

    def _transaction(self, statement: Call | CreateArray, wrap: bool) -> None:
        turn = self._turn
        turn.check()
        execution = None
        self._cursor.begin()
        try:
            services = Services(
                Catalogue(self._cursor, self._identifiers),
                self._files,
                self._queries,
                OPERATORS,
                MACROS,
                self._version,
            )
            context = Context(services, wrap=wrap)
            with turn.interruptible():
                planned = context.plan(statement)
                self.planned = True
                execution = Execution(self._cursor, context, turn)
                execution.open()
                for change in context.before:
                    change.perform(execution)
                if isinstance(planned, Change):
                    planned.perform(execution)
                else:
                    execution.compute(planned)
            turn.check()
            self._cursor.commit()
        except BaseException:
            if execution is not None:
                execution.stop()
            self._roll_back()
            raise
        finally:
            if execution is not None:
                execution.close()
        if services.catalogue.dropped:
            self._storage.reclaim()

    def _roll_back(self) -> None:
        # DuckDB may have rolled back already, for example after a failed commit.
        with suppress(duckdb.Error):
            self._cursor.rollback()


def _targets(statement: Call | CreateArray) -> set[str]:
    """Names of the arrays that a statement changes."""
    if isinstance(statement, CreateArray):
        return {statement.name.name}
    call = statement
    if (macro := MACROS.get(call.name.lower())) is not None:
        call = macro.expand(call, outermost=True)
    operator = OPERATORS.get(call.name.lower())
    if operator is None:
        return set()
    named: list[object] = [call.args[k] for k in operator.targets if k < len(call.args)]
    return {node.name for node in named if isinstance(node, Reference)}
