"""`ManagedSession`: the connection composed with frames, storing and bridge."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from scidb_magic.session import lifecycle
from scidb_magic.session.connection import Connection
from scidb_magic.session.settings import Settings, check
from scidb_magic.session.status import SessionStatus, Slot
from scidb_magic.session.uploads import Attachment
from scidb_magic.wire.schema import Schema

if TYPE_CHECKING:
    from scidb_magic.bridge.db import ManagedDB
    from scidb_magic.frames.forms import Preview
    from scidb_magic.storing.arrays import Storing
    from scidb_magic.storing.report import Loaded

log = logging.getLogger("scidb_magic")
_lock = threading.Lock()


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


lifecycle.after_fork(_after_fork)


class ManagedSession:
    """One SciDB session that looks after itself.

    Takes no slot until the first query; a released session may be used again. Made by `connect`,
    which keeps one for the process; a second one of your own takes a second slot. As a context
    manager it gives its slot back at the end.

    Parameters
    ----------
    settings : Settings
    sources : dict of str to str
        Where each setting came from, for people.
    notify : callable
        Takes one-line notices; a warning of the logger ``scidb_magic`` by default.
    """

    def __init__(
        self,
        settings: Settings,
        sources: dict[str, str] | None = None,
        notify: Callable[[str], None] = log.warning,
    ) -> None:
        self.settings = settings
        self.sources = sources or {}
        self.connection = Connection(settings, notify)
        self._db: ManagedDB | None = None
        self._inside = 0

    def __repr__(self) -> str:
        status = self.status()
        return f"<ManagedSession {status.state}, {status.url or 'no server yet'}>"

    def __enter__(self) -> ManagedSession:
        with _lock:
            self._inside += 1
        return self

    def __exit__(self, *_: object) -> None:
        # Threads share the session: the last one to leave gives the slot back.
        with _lock:
            self._inside = max(0, self._inside - 1)
            last = not self._inside
        if last:
            self.connection.release(wait=True)

    def forget_threads(self) -> None:
        """In a forked child: none of the parent's threads is inside ``with``."""
        self._inside = 0

    @property
    def notify(self) -> Callable[[str], None]:
        """Where one-line notices go."""
        return self.connection.notify

    @notify.setter
    def notify(self, notify: Callable[[str], None]) -> None:
        self.connection.notify = notify

    def follow(self, former: ManagedSession) -> None:
        """Be heard and watched as `former` was."""
        mine, its = self.connection, former.connection
        mine.notify, mine.on_change, mine.watching = its.notify, its.on_change, its.watching

    def adopt(self, settings: Settings, sources: dict[str, str]) -> None:
        """Go on with other settings, of which only those that are `live` may differ."""
        self.settings, self.sources = settings, sources
        self.connection.adopt(settings)

    def fetch(
        self,
        afl: str,
        as_: str = "dataframe",
        *,
        missing: Literal["codes"] | None = None,
        order: bool = False,
        format: str | None = None,
        schema: str | None = None,
        retry: str | None = None,
        namespace: str | None = None,
        attachments: Sequence[Attachment] = (),
    ) -> Any:
        """Run one AFL statement and bring its whole result, in five requests (see `session.fetching`).

        Parameters
        ----------
        afl : str
        as_ : str
            ``"dataframe"`` (pandas), ``"arrow"`` (pyarrow.Table), ``"numpy"`` (structured array, shape (n,),
            masked where nullable) or ``"xarray"`` (Dataset over the dimensions).
        missing : ``"codes"``, optional
            Adds a column of SciDB's missing reasons for each nullable attribute (dataframe and arrow).
        order : bool
            Cells in row-major order of the dimensions; else in the order in which the server sent them, which
            SciDB does not promise.
        format : str, optional
            ``"auto"``, ``"arrow"`` or ``"binary"``; else the setting. Missing reasons come only in binary.
        schema : str, optional
            The statement's schema, where you know it for sure: saves two requests, and is not checked.
        retry : str, optional
            ``"safe"``, ``"never"`` or ``"always"``; else the setting.
        namespace : str, optional
        attachments : sequence of Attachment
            Of the data that stands in the statement, see `attach`.

        Returns
        -------
        pandas.DataFrame, pyarrow.Table, numpy.ndarray or xarray.Dataset
            Dimensions first, then attributes, one row a cell. A DataFrame has ``attrs["scidb_query"]``,
            ``["scidb_schema"]`` and ``["scidb_query_id"]``.

        Raises
        ------
        QueryError
            SciDB refused the statement, or it failed.
        ResultTooLarge, ResultLost, QueryOutcomeUnknown, SlotsExhausted, ShimUnreachable
        """
        from scidb_magic.frames import forms

        forms.check_form(as_)
        result = self.connection.fetch(
            afl,
            retry=retry,
            namespace=namespace,
            attachments=attachments,
            schema=None if schema is None else Schema.parse(schema),
            format="binary" if missing == "codes" else check("format", format or self.settings.format),
        )
        columns, shape, origin = result.cells(), result.schema, result.origin
        del result  # and with it the bytes that came
        if order:
            columns = forms.row_major(columns, len(columns) - len(shape.attributes))
        return forms.FORMS[as_](columns, shape, missing, origin)

    def preview(
        self,
        afl: str,
        rows: int,
        as_: str = "dataframe",
        *,
        retry: str | None = None,
        namespace: str | None = None,
        attachments: Sequence[Attachment] = (),
    ) -> Preview:
        """A look at a result: at most `rows` cells, any of them, in row-major order. Raises as `fetch`.

        The server does not write out a huge result where it has ``limit`` and the result is emptyable.
        """
        from scidb_magic.frames import forms

        forms.check_form(as_)
        how: dict[str, Any] = {"retry": retry, "namespace": namespace, "attachments": attachments}
        result = self.connection.fetch(afl, rows=rows, **how)
        columns = result.cells()
        count = len(columns[0]) if columns else 0
        dimensions = len(columns) - len(result.schema.attributes)
        shown = [column.take(slice(0, rows)) for column in forms.row_major(columns, dimensions)]
        data = forms.FORMS[as_](shown, result.schema, None, result.origin)
        return forms.Preview(data, result.complete and count <= rows)

    def execute(
        self,
        afl: str,
        *,
        retry: str | None = None,
        namespace: str | None = None,
        attachments: Sequence[Attachment] = (),
    ) -> str:
        """Run one AFL statement for its effect.

        Returns
        -------
        str
            SciDB's query id.

        Raises
        ------
        QueryError, QueryOutcomeUnknown, SlotsExhausted, ShimUnreachable
        """
        return self.connection.execute(afl, retry=retry, namespace=namespace, attachments=attachments)

    def attach(self, data: Any) -> Attachment:
        """Data to stand in a statement; sent when the statement is, and again when it is.

        Put its ``text``, an ``input(…)``, into the AFL and give it along in ``attachments=[…]``. Where a
        statement has several, all but the last are stored as temporary arrays that live as long as it does.

        Parameters
        ----------
        data : as `upload` takes it

        Raises
        ------
        UploadError
        """
        from scidb_magic.storing.arrays import attached

        return attached(data)

    def upload(
        self,
        data: Any,
        name: str,
        *,
        dims: Iterable[str] | None = None,
        chunks: Iterable[int] | None = None,
        mode: str = "create",
        round: bool = False,
    ) -> str:
        """Store data as an array.

        Parameters
        ----------
        data : pandas.DataFrame or numpy.ndarray
            A frame or structured array becomes one cell a row; a plain n-d array becomes an n-d array
            with dimensions ``i, j, k, …``. Also an Arrow table or array, a list of dicts, an xarray object
            (its dimensions and integer coordinates are kept), or a CSV, TSV or Parquet file.
        name : str
            Name of the array.
        dims : iterable of str, optional
            For a frame the columns, of integers, that become dimensions; for an n-d array its axes' names.
        chunks : iterable of int, optional
            Chunk lengths of the dimensions; else SciDB chooses.
        mode : str
            ``"create"``: the array must not be there yet; ``"replace"``: it takes the place of one that is;
            ``"append"``: into the one that is there, rows behind its last one, cells with `dims` where they
            belong; ``"temp"``: a temporary array of SciDB, kept in memory until the server stops.
        round : bool
            Round times to whole seconds; else a fraction of a second is an error.

        Returns
        -------
        str
            The name.

        Raises
        ------
        UploadError
            The data cannot be sent, or do not fit the array; the message names the column and the first
            offending value.
        """
        return self._storing().upload(data, name, dims=dims, chunks=chunks, mode=mode, round=round)

    def load(
        self,
        paths: Any,
        name: str,
        *,
        dims: Iterable[str] | None = None,
        chunks: Iterable[int] | None = None,
        strict: bool = False,
        again: bool = False,
        server: bool = False,
        on_file: Callable[[int, int, str], object] | None = None,
    ) -> Loaded:
        """Load files into one array, one after the other; the same call again goes on where this one ended.

        The first file makes the array, if it is not there; the others have to fit. A file is one statement:
        it is in as a whole or not at all. A bad one neither stops nor spoils the others.

        Parameters
        ----------
        paths : str, os.PathLike or iterable of these
            CSV, TSV and Parquet files, or patterns such as ``"data/*.csv"``.
        name : str
            Name of the array.
        dims, chunks : iterable, optional
            As for `upload`; by default the dimensions of the array, where the files have columns for all.
        strict : bool
            The first bad file stops the load.
        again : bool
            Also load files that are in already.
        server : bool
            The paths are those of CSV or TSV files on the server's disks, without quotes and with names in
            the first line; it reads as many at once as it has instances, by ``aio_input`` of Paradigm4's
            plugin accelerated_io_tools. The array has to be there.
        on_file : callable, optional
            Called before each file and after the last, with the number of those before it, of all, and its
            path.

        Returns
        -------
        Loaded
            What became of each file.

        Raises
        ------
        UploadError
            No file matches; with `strict` a file that is bad.
        ScidbMagicError
            Of the session; nothing more was tried. Its `loaded` tells which files are in.
        """
        from scidb_magic.storing.loading import load

        options: dict[str, Any] = {"strict": strict, "again": again, "server": server, "on_file": on_file}
        return load(self.connection, paths, name, dims=dims, chunks=chunks, **options)

    def cancel(self) -> bool:
        """Cancel the running query on the server; the session stays usable. False if none runs."""
        return self.connection.cancel()

    def release(self) -> None:
        """Give the slot back; the next query takes a new one."""
        self.connection.release()

    def release_orphans(self) -> tuple[int, int]:
        """Free the slots of this user's processes that are gone; see `Connection.release_orphans`."""
        return self.connection.release_orphans()

    def reconnect(self) -> None:
        """Give the slot back and take a new one."""
        self.connection.reconnect()

    def close(self) -> None:
        """Give everything back for good, the embedded server of this session too."""
        self.connection.close()
        self.connection.rest()

    def status(self) -> SessionStatus:
        """State and counters now; asks nobody."""
        return self.connection.status()

    def slots(self) -> list[Slot]:
        """All slots, as the server lists them; only ours where it does not."""
        return self.connection.slots()

    @property
    def db(self) -> ManagedDB:
        """A ``scidbpy.DB`` whose requests all go through this session."""
        from scidb_magic.bridge.db import ManagedDB

        with _lock:
            if self._db is None:
                self._db = ManagedDB(self.connection)
            return self._db

    def _storing(self) -> Storing:
        from scidb_magic.storing.arrays import Storing

        return Storing(self.connection)
