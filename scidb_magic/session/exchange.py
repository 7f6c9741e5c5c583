"""The requests of one statement on one session, with the byte counts and the phase they are in."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scidb_magic.afl.literals import quote
from scidb_magic.errors import QueryError, ResultTooLarge, UploadError
from scidb_magic.session.recovery import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scidb_magic.shim.client import ShimClient


@dataclass(frozen=True, slots=True)
class Attachment:
    """Data that a statement reads: `token` stands for the server's file name in the statement's text."""

    token: str
    payload: bytes

    @classmethod
    def of(cls, payload: bytes) -> Attachment:
        """An attachment with a token that nobody else has."""
        return cls(f"scidb_magic-upload-{secrets.token_hex(8)}", payload)


@dataclass(frozen=True, slots=True)
class Attached:
    """Data that stands in a statement: put `text` into the AFL and give `attachment` along."""

    text: str
    attachment: Attachment


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
    prefix : str, optional
        Statement to run first, for the namespace.
    """

    text: str
    statement: str
    offset: int = 0
    changes: bool = False
    prefix: str | None = None


def namespace_prefix(namespace: str | None) -> str | None:
    """The statement that has to run before a query for its unqualified names to mean `namespace`."""
    return f"set_namespace({quote(namespace)})" if namespace and namespace != "public" else None


class Exchange:
    """One statement's requests on session `sid`; remembers which phase a fault happened in.

    Attributes
    ----------
    phase : Phase
        Of the last request.
    changes : bool
        Whether the query of the last request changes anything.
    bytes : int
        Received and sent as data, without headers.
    """

    def __init__(
        self,
        client: ShimClient,
        sid: str,
        attachments: Sequence[Attachment] = (),
        *,
        cancelled: threading.Event,
    ) -> None:
        self.client = client
        self.sid = sid
        self.phase = Phase.EXECUTE
        self.changes = False
        self.bytes = 0
        self._attachments = list(attachments)
        self._cancelled = cancelled
        self._files: dict[str, str] = {}

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
        if self._cancelled.is_set():
            raise QueryError(
                "SCIDB_LE_QUERY_CANCELLED", "The statement was cancelled.", statement=query.statement
            )
        self.changes = query.changes
        self._send_attachments(query.text)
        text = self._named(query.text)
        self.phase = Phase.EXECUTE
        try:
            return self.client.execute_query(
                self.sid,
                text,
                save=save,
                atts_only=atts_only,
                prefix=query.prefix,
                result_size_limit=result_size_limit,
            )
        except QueryError as error:
            raise self._moved(error, query, text) from None

    def read_text(self) -> str:
        """The saved output of the last query, a text format."""
        self.phase = Phase.READ
        body = self.client.read_lines(self.sid)
        self.bytes += len(body)
        return body.decode("utf-8", "surrogateescape")

    def read_bytes(self, limit: int) -> bytes:
        """The saved output of the last query, a binary format.

        Raises
        ------
        ResultTooLarge
            It is over `limit` bytes; known before the download.
        """
        size = self.size()
        if size > limit:
            raise ResultTooLarge(
                f"The result has {size:,} bytes and max_result_bytes is {limit:,}: select less, or raise the"
                " limit with %config SciDBMagics.max_result_bytes or connect(max_result_bytes=…).",
                size=size,
                limit=limit,
            )
        body = self.client.read_bytes(self.sid)
        self.bytes += len(body)
        return body

    def read_part(self, end: int) -> tuple[bytes, bool]:
        """The first `end` bytes of the saved output, and whether that is all of it."""
        size = self.size()
        if size <= end:
            return self.read_bytes(end), True
        body = self.client.read_bytes(self.sid, start=0, end=end - 1)
        self.bytes += len(body)
        return body, False

    def size(self) -> int:
        """Size in bytes of the saved output."""
        self.phase = Phase.READ
        return self.client.head(self.sid, lines=False).size

    def _send_attachments(self, text: str) -> None:
        """Send what `text` reads. A session of shim has one input file, so that is one attachment."""
        wanted = [attachment for attachment in self._attachments if attachment.token in text]
        if len(wanted) > 1:
            raise UploadError(
                "One frame can stand in a statement, as shim keeps one uploaded file: store the others first,"
                " with session.upload(data, name)."
            )
        self.phase = Phase.UPLOAD
        for attachment in wanted:
            if attachment.token not in self._files:
                self._files = {attachment.token: self.client.upload(self.sid, attachment.payload)}
                self.bytes += len(attachment.payload)

    def _named(self, text: str) -> str:
        """`text` with the server's file names in place of the attachments' tokens."""
        for token, name in self._files.items():
            text = text.replace(token, name)
        return text

    def _moved(self, error: QueryError, query: Query, sent: str) -> QueryError:
        position = error.position
        if position is not None and error.statement == sent:
            position = _before_replacement(position, query.text, self._files) - query.offset
        elif position is not None:
            position = _in_statement(position, error.statement, self._named(query.statement))
            if position is not None:
                position = _before_replacement(position, query.statement, self._files)
        if position is not None and not 0 <= position <= len(query.statement):
            position = None
        return QueryError(
            error.code,
            _without_files(error.description, self._files),
            position,
            error.query_id,
            length=error.length,
            statement=query.statement,
            short_code=error.short_code,
            body=_without_files(error.body, self._files),
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


def _before_replacement(position: int, text: str, names: dict[str, str]) -> int:
    """The place in `text` of what stands at `position` after its tokens were replaced by `names`."""
    shift = 0
    for start, token in sorted((text.find(token), token) for token in names):
        if start >= 0 and position - shift > start:
            shift += len(names[token]) - len(token)
    return position - shift


def _without_files(text: str, names: dict[str, str]) -> str:
    for name in names.values():
        text = text.replace(name, "uploaded data")
    return text
