"""The requests of SciDB-Py's own code, where that makes them one by one.

``scidbpy.iquery(db, …)`` is SciDB-Py's function and not a method of ours: it uploads, executes and
reads by ``DB._shim``. Here an execute brings its saved output along, under one turn of the session and
sent again with it; the read that follows finds the output here, as does every read in the same thread.
An upload is sent with the query that names its file.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from scidb_magic.session.connection import Connection
from scidb_magic.session.exchange import Exchange, Query
from scidb_magic.session.uploads import Attachment

_BINARY = ("(", "arrow")
"""How the binary formats of ``save`` begin."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What SciDB-Py reads of an answer."""

    content: bytes = b""

    @property
    def text(self) -> str:
        """The content as UTF-8, which shim does not name as its encoding."""
        return self.content.decode("utf-8", "surrogateescape")


class _Thread(threading.local):
    """What one thread has uploaded and not read yet."""

    attachment: Attachment | None = None
    output: bytes = b""


class Endpoints:
    """Answers ``DB._shim`` on one `Connection`; each method is an endpoint of shim."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._thread = _Thread()

    def upload(self, *, data: Any, **_: Any) -> Answer:
        """The name is a token; the data are sent with the query that holds it."""
        content = data.read() if hasattr(data, "read") else data
        attachment = Attachment.of(content.encode() if isinstance(content, str) else bytes(content))
        self._thread.attachment = attachment
        return Answer(attachment.token.encode())

    def execute_query(
        self,
        *,
        query: str,
        namespace: str | None,
        save: str | None = None,
        atts_only: int | None = None,
        **_: Any,
    ) -> Answer:
        """Run a query and, where it is saved, bring its output."""
        attachment = self._thread.attachment
        limit = self._connection.settings.max_result_bytes
        asked = Query(query, query, 0, self._connection.changes(query), namespace)

        def work(exchange: Exchange) -> tuple[str, bytes]:
            if attachment is not None and attachment.token in query:
                exchange.attach(attachment)
            if save is None:
                return exchange.execute(asked), b""
            if not save.startswith(_BINARY):
                query_id = exchange.execute(asked, save=save)
                return query_id, exchange.read_text(limit).encode("utf-8", "surrogateescape")
            query_id = exchange.execute(
                asked, save=save, atts_only=bool(atts_only), result_size_limit=max(1, limit // 2**20)
            )
            return query_id, bytes(exchange.read_bytes(limit))

        self._thread.output = b""
        query_id, self._thread.output = self._connection.run(work, statement=query)
        return Answer(query_id.encode())

    def read_lines(self, **_: Any) -> Answer:
        """The output of this thread's last saved query."""
        return Answer(self._thread.output)

    read_bytes = read_lines

    def cancel(self, **_: Any) -> Answer:
        """Cancel what runs; the session stays."""
        self._connection.cancel()
        return Answer()
