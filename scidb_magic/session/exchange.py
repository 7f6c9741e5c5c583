"""The requests of one statement on one session, with the byte counts and the phase they are in."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from scidb_magic.afl.literals import quote
from scidb_magic.errors import QueryError, ResultTooLarge, ScidbMagicError, UploadError
from scidb_magic.session.held import PUBLIC, UNKNOWN
from scidb_magic.session.proof import Proof, fate_at_once
from scidb_magic.session.recovery import Action, Fate, Phase, decide
from scidb_magic.session.uploads import Counted, Named
from scidb_magic.session.waiting import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scidb_magic.session.held import Held
    from scidb_magic.session.uploads import Attachment
    from scidb_magic.shim.client import Head
    from scidb_magic.shim.download import Download


class Sink(Protocol):
    """What takes a result piece by piece."""

    def feed(self, piece: bytes) -> None:
        """Take the next bytes."""


S = TypeVar("S", bound=Sink)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Query:
    """What is sent for a statement.

    Attributes
    ----------
    text : str
        The AFL to send, with the tokens of attachments.
    statement : str
        The user's statement (comments blanked), of the same length as written.
    offset : int
        Where `statement` begins in `text`.
    changes : bool
        Whether running it twice could change something.
    namespace : str, optional
        That its unqualified names mean.
    auxiliary : bool
        It only asks about the statement.
    """

    text: str
    statement: str
    offset: int = 0
    changes: bool = False
    namespace: str | None = None
    auxiliary: bool = False


class Transfer(NamedTuple):
    """Bytes of a result that have come, or of an upload that have gone, and of how many, if that is known."""

    done: int
    total: int | None


class Exchange:
    """One statement's requests on a session; remembers which phase a fault happened in.

    Parameters
    ----------
    session : Held
    attachments : sequence of Attachment
    cancelled : threading.Event
        Set, no further query is sent.
    patience : float
        Seconds for which a broken download may wait to go on.

    Attributes
    ----------
    phase : Phase
        Of the last request.
    changes : bool
        Whether the query of the last request changes anything.
    sent : bool
        Whether the statement's own query was sent, and not just one about its schema.
    bytes : int
        Received and sent as data, without headers.
    transfer : Transfer or None
        How far the last upload or download is; None before it began.
    stored : list of Query
        To be run at the statement's end: they remove the arrays that were made for it.
    """

    def __init__(
        self,
        session: Held,
        attachments: Sequence[Attachment] = (),
        *,
        cancelled: threading.Event,
        patience: float,
    ) -> None:
        self.session = session
        self.client = session.client
        self.sid = session.sid
        self.phase = Phase.EXECUTE
        self.changes = self.sent = False
        self.bytes = 0
        self.transfer: Transfer | None = None
        self._attachments = list(attachments)
        self._cancelled = cancelled
        self._patience = patience
        self._names = Named()
        self.stored: list[Query] = []

    def attach(self, attachment: Attachment) -> None:
        """Data to be sent before the next `execute`."""
        self._attachments.append(attachment)

    def execute(
        self,
        query: Query,
        *,
        save: str | None = None,
        atts_only: bool | None = None,
        result_size_limit: int | None = None,
    ) -> str:
        """Send the attachments, if not yet sent, and run `query`; the answer is its id.

        `save`, `atts_only` and `result_size_limit` as `ShimClient.execute_query` takes them.

        Raises
        ------
        QueryError
            With `position` in the user's statement; also where the statement was cancelled meanwhile.
        """
        self._refuse_if_cancelled(query.statement)
        self._send_attachments(query)
        self.changes = query.changes
        text = self._names.filled(query.text)
        self.phase = Phase.EXECUTE
        moved: QueryError | None = None
        before, wanted = self.session.namespace, query.namespace or PUBLIC
        # A namespace stays in force on a connection of SciDB until the next one is set.
        prefix = None if wanted == before == PUBLIC else f"set_namespace({quote(wanted)})"
        self.session.namespace = wanted if wanted == before else UNKNOWN
        self.sent |= not query.auxiliary
        try:
            query_id = self.client.execute_query(
                self.sid,
                text,
                save=save,
                atts_only=atts_only,
                prefix=prefix,
                result_size_limit=result_size_limit,
            )
        except QueryError as error:
            moved = self._moved(error, query, text)
            # The Community Edition has no namespaces, and so nothing to bring the public one back with.
            wanted = before if "set_namespace" in error.description else wanted
        self.session.heard()
        self.session.namespace = wanted
        if save is not None and not (moved and moved.position is not None):
            # The output is another one now, or, after a failure at run time, perhaps.
            self.session.proof = None
        if moved is not None:
            raise moved
        return query_id

    def read_text(self, limit: int | None = None) -> str:
        """The saved output of the last query, a text format.

        Raises
        ------
        ResultTooLarge
            It is over `limit` bytes; known when these have come.
        """
        from scidb_magic.shim.download import Download

        def look(download: Download) -> None:
            self._refuse_if_cancelled()
            if limit is not None and download.received > limit:
                raise _too_large(f"more than {limit:,}", download.received, limit)

        download = Download(lines=True, on_piece=look)
        self._read(lambda: self.client.download(self.sid, download), download)
        return download.body.decode("utf-8", "surrogateescape")

    def read_bytes(self, limit: int) -> bytearray:
        """The saved output of the last query, a binary format.

        Raises
        ------
        ResultTooLarge
            It is over `limit` bytes; known before the download.
        """
        return self._downloaded(self._bounded(limit), None).body

    def read_into(self, make: Callable[[int], S], limit: int) -> S:
        """The saved output of the last query, a binary format, given to a sink as it comes.

        Parameters
        ----------
        make : callable
            Takes the size in bytes and answers the sink, whose `feed` takes the pieces.
        limit : int
            As for `read_bytes`, as the errors are.
        """
        head = self._bounded(limit)
        sink = make(head.size)
        self._downloaded(head, None, sink.feed)
        return sink

    def read_part(self, end: int) -> tuple[bytearray, bool]:
        """The first `end` bytes of the saved output, and whether that is all of it."""
        head = self._head()
        return self._downloaded(head, end).body, head.size <= end

    def _bounded(self, limit: int) -> Head:
        head = self._head()
        if head.size > limit:
            raise _too_large(f"{head.size:,}", head.size, limit)
        return head

    def _head(self) -> Head:
        head = self._read(lambda: self.client.head(self.sid, lines=False))
        self._saw(False, head.etag)
        return head

    def _downloaded(
        self, head: Head, end: int | None, sink: Callable[[bytes], None] | None = None
    ) -> Download:
        from scidb_magic.shim.download import Download

        download = Download(
            lines=False, end=end, size=head.size, etag=head.etag, sink=sink, on_piece=self._received
        )
        self._read(lambda: self.client.download(self.sid, download), download)
        return download

    def _received(self, download: Download) -> None:
        self._refuse_if_cancelled()
        self.transfer = Transfer(download.received, download.stop)

    def _refuse_if_cancelled(self, statement: str = "") -> None:
        if self._cancelled.is_set():
            raise QueryError("SCIDB_LE_QUERY_CANCELLED", "The statement was cancelled.", statement=statement)

    def _read(self, request: Callable[[], T], download: Download | None = None) -> T:
        """The answer of a request for the saved output, asked for again where `recovery` says to go on.

        A download goes on where it broke off: from the same session, with no statement since, after a
        proof that the output is still the one whose beginning we have.
        """
        self.phase = Phase.READ
        backoff = Backoff(self._patience, immediate=True)
        while True:
            before = download.received if download is not None else 0
            fault: ScidbMagicError | None = None
            try:
                answer = request()
                self.session.heard()
                return answer
            except ScidbMagicError as error:
                fault = error
            finally:
                if download is not None:
                    self._saw(download.lines, download.etag)
                    self.bytes += download.received - before
            if download is not None and download.received > before:
                backoff = Backoff(self._patience, immediate=True)
            decision = decide(Phase.READ, fault)
            if decision.read is not Action.RESUME or not self._may_go_on(backoff):
                raise fault

    def _may_go_on(self, backoff: Backoff) -> bool:
        """Whether the session is still ours, and its output the one that we were reading."""
        known = self.session.proof
        while known is not None and backoff.pause(self._cancelled):
            fate = fate_at_once(self.client, self.sid, known)
            if fate is not None:
                return fate is Fate.KEEP
        return False

    def _saw(self, lines: bool, etag: str | None) -> None:
        if etag is not None:
            self.session.proof = Proof(lines, etag)

    def _send_attachments(self, query: Query) -> None:
        """Send what `query` reads; `uploads` tells why all but the last are stored."""
        *others, last = self._names.missing(query.text, self._attachments) or (None,)
        for attachment in others:
            if attachment is not None:
                self._store(attachment, query.namespace)
        if last is not None:
            self.phase = Phase.UPLOAD
            self.changes = query.changes
            payload = Counted(last.payload, self._sending)
            self._names.file(last, self.client.upload(self.sid, payload))
            self.transfer = None
            self.bytes += len(payload)

    def _store(self, attachment: Attachment, namespace: str | None) -> None:
        """Make a temporary array of an attachment."""
        if not attachment.text:
            raise UploadError(
                "A statement takes one file of bytes, and nothing beside it: store the others first, with"
                " session.upload(data, name)."
            )
        array = f"scidb_magic_upload_{secrets.token_hex(8)}"
        own = Query("", "", namespace=namespace, auxiliary=True)
        # The array may be removed when another namespace is in force, at the end of the session.
        removed = array if namespace in (None, PUBLIC) else f"{namespace}.{array}"
        remove, create, store = (
            replace(own, text=text, statement=text)
            for text in (
                f"remove({removed})",
                f"create temp array {array} {attachment.schema}",
                f"store({attachment.text}, {array})",
            )
        )
        self.stored.append(remove)
        self.execute(create)
        self.execute(store)
        self._names.array(attachment, array)

    def _sending(self, sent: int, total: int) -> None:
        self._refuse_if_cancelled()
        self.transfer = Transfer(sent, total)

    def _moved(self, error: QueryError, query: Query, sent: str) -> QueryError:
        position = error.position
        if position is not None and error.statement == sent:
            position = self._names.before(position, query.text) - query.offset
        elif position is not None:
            position = _in_statement(position, error.statement, self._names.filled(query.statement))
            if position is not None:
                position = self._names.before(position, query.statement)
        if position is not None and not 0 <= position <= len(query.statement):
            position = None
        return QueryError(
            error.code,
            self._names.hidden(error.description),
            position,
            error.query_id,
            length=error.length,
            statement=query.statement,
            short_code=error.short_code,
            body=self._names.hidden(error.body),
        )


def _in_statement(position: int, echo: str, statement: str) -> int | None:
    """The place in `statement` of one in `echo`, whose last lines are the first of the statement.

    So SciDB tells an error in the query of a ``show('query', 'afl')``.
    """
    start = 0
    while not statement.startswith(echo[start:]):
        start = echo.find("\n", start) + 1
        if not start:
            return None
    return position - start


def _too_large(told: str, size: int, limit: int) -> ResultTooLarge:
    return ResultTooLarge(
        f"The result has {told} bytes and max_result_bytes is {limit:,}: select less, or raise"
        " the limit with %config SciDBMagics.max_result_bytes or connect(max_result_bytes=…).",
        size=size,
        limit=limit,
    )
