"""HTTP as shim's web server (mongoose) speaks it: one request a connection, no keep-alive.

Facts: shim.c and mongoose.c of shim 19.11, and ``reference/shim-protocol.md``.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import unquote_to_bytes

MAX_HEAD = 262_144
"""Bytes of request line and headers together (shim.c, MAX_REQUEST_SIZE)."""

MAX_ERROR = 4095
"""Bytes of an error's text; shim cuts there."""

HEAD_SECONDS = 30.0
"""A request's head must be there within this time (shim's ``request_timeout_ms``)."""

STALL_SECONDS = 120.0
"""A client that neither sends nor takes a byte for so long is given up."""

LINGER_SECONDS = 60.0
"""How long a request that was answered too early may go on sending into the void."""

_METHODS = frozenset({"GET", "POST", "HEAD"})
_PIECE = 1 << 18
_REASONS = {200: "OK", 206: "Partial Content"}


class HttpError(Exception):
    """An answer of the web server itself, not of shim: ``Error 404: Not Found``."""

    def __init__(self, status: int, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.detail = detail

    def answer(self) -> Answer:
        """What is sent for it, in the web server's own form."""
        body = f"Error {self.status}: {self.reason}" + (f"\n{self.detail}" if self.detail else "")
        return Answer(
            self.status, body.encode(), reason=self.reason, headers=(("Connection", "close"),), shim=False
        )


class Disconnected(Exception):
    """The client went away, or was too slow, before the request was whole."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back. `body` is bytes, or a file of which `length` bytes from its position are sent.

    `shim` answers carry shim's own headers; the others only what is in `headers`. `finish` is called
    when the answer was sent or could not be: it closes the file and lets go of the session.
    """

    status: int = 200
    body: bytes | BinaryIO = b""
    length: int | None = None
    reason: str | None = None
    content_type: str = "text/plain"
    headers: tuple[tuple[str, str], ...] = ()
    shim: bool = True
    finish: Callable[[], None] | None = None

    def head(self) -> bytes:
        """Status line and fields."""
        reason = self.reason or _REASONS.get(self.status, "ERROR")
        fields = [("Content-Length", str(self.size()))]
        if self.shim:
            fields += [("Cache-Control", "no-cache"), ("Content-Type", self.content_type)]
        lines = [f"HTTP/1.1 {self.status} {reason}", *(f"{k}: {v}" for k, v in (*fields, *self.headers))]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def size(self) -> int:
        """The Content-Length; negative where shim's is, for a range past the end."""
        if self.length is not None:
            return self.length
        return len(self.body) if isinstance(self.body, bytes) else 0


def failure(status: int, message: str) -> Answer:
    """Shim's error: ``HTTP/1.1 404 ERROR``, text/html, the message, cut to `MAX_ERROR`, as body."""
    body = message.encode("utf-8", "surrogateescape")[:MAX_ERROR]
    return Answer(status, body, content_type="text/html")


@dataclass(slots=True)
class Request:
    """One request.

    Names of `headers` are lower-case, `parameters` are decoded (``+`` is a space), `length` is the
    body's in bytes, None where the head announces none.
    """

    method: str
    target: str
    path: str
    query_string: str | None
    headers: Mapping[str, str]
    parameters: Mapping[str, str]
    length: int | None
    connection: socket.socket
    _rest: bytes = b""
    _taken: int = 0

    def body(self) -> Iterator[bytes]:
        """The body in pieces, as it arrives.

        Raises
        ------
        HttpError
            411 for a POST without Content-Length: shim's web server knows no chunked requests.
        Disconnected
            The client went away in the middle.
        """
        if self.length is None:
            raise HttpError(411, "Length Required")
        if self.headers.get("expect", "").lower() == "100-continue":
            self.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.connection.settimeout(STALL_SECONDS)
        while (missing := self.length - self._taken) > 0:
            piece, self._rest = self._rest[:missing], b""
            if not piece:
                piece = self._receive(min(_PIECE, missing))
            self._taken += len(piece)
            yield piece

    def is_unread(self) -> bool:
        """Whether some of the announced body was not taken."""
        return self._taken < (self.length or 0) or "transfer-encoding" in self.headers

    def _receive(self, size: int) -> bytes:
        try:
            piece = self.connection.recv(size)
        except OSError as error:
            raise Disconnected from error
        if not piece:
            raise Disconnected
        return piece


def read_request(connection: socket.socket) -> Request:
    """Read and parse one request's head.

    Raises
    ------
    HttpError
        400 what is not HTTP, 500 too large, 501 another method, 505 another version.
    Disconnected
        The client went away, or did not send the head within `HEAD_SECONDS`.
    """
    head, rest = _read_head(connection)
    lines = head.decode("utf-8", "surrogateescape").replace("\r\n", "\n").split("\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[1] or not words[2].startswith("HTTP/"):
        raise HttpError(400, "Bad Request", "Cannot parse HTTP request")
    method, target, version = words
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise HttpError(505, "HTTP version not supported")
    if method not in _METHODS:
        raise HttpError(501, "Method Not Implemented")
    path, mark, query = target.partition("?")
    headers = _headers(lines[1:])
    return Request(
        method=method,
        target=target,
        path=_decoded(path, plus=False),
        query_string=query if mark else None,
        headers=headers,
        parameters=_parameters(query),
        length=_length(headers.get("content-length")),
        connection=connection,
        _rest=rest,
    )


def _read_head(connection: socket.socket) -> tuple[bytes, bytes]:
    deadline = time.monotonic() + HEAD_SECONDS
    data = bytearray()
    while (end := data.find(b"\r\n\r\n")) < 0:
        if len(data) >= MAX_HEAD:
            raise HttpError(500, "Server Error", "Request Too Large")
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise Disconnected
        connection.settimeout(remaining)
        try:
            piece = connection.recv(_PIECE)
        except OSError as error:
            raise Disconnected from error
        if not piece:
            raise Disconnected
        data += piece
    if end > MAX_HEAD:
        raise HttpError(500, "Server Error", "Request Too Large")
    return bytes(data[:end]), bytes(data[end + 4 :])


def _headers(lines: list[str]) -> dict[str, str]:
    """Lower-case names; of a header that is there twice, the first counts, as in mongoose."""
    found: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            found.setdefault(name.strip().lower(), value.strip())
    return found


def _length(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise HttpError(400, "Bad Request", "Content-Length is not a number")
    return int(text)


def _parameters(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in query.split("&"):
        name, equals, value = pair.partition("=")
        if equals:
            found.setdefault(name, _decoded(value, plus=True))
    return found


def _decoded(text: str, *, plus: bool) -> str:
    raw = text.replace("+", " ") if plus else text
    return unquote_to_bytes(raw.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def send(connection: socket.socket, answer: Answer, *, body: bool) -> None:
    """Send `answer`; without its body to a HEAD request.

    Raises
    ------
    Disconnected
        The client went away, or took nothing for `STALL_SECONDS`.
    """
    connection.settimeout(STALL_SECONDS)
    try:
        if isinstance(answer.body, bytes):
            # In pieces, for the time-out is that of a whole call.
            rest = memoryview(answer.head() + (answer.body if body else b""))
            for start in range(0, len(rest), _PIECE):
                connection.sendall(rest[start : start + _PIECE])
            return
        connection.sendall(answer.head())
        if body and answer.size() > 0:
            connection.sendfile(answer.body, offset=answer.body.tell(), count=answer.size())
    except OSError as error:
        raise Disconnected from error


def linger(connection: socket.socket) -> None:
    """After the answer, take what the client still sends.

    Closing at once would reset the connection, and the client would lose the answer.
    """
    deadline = time.monotonic() + LINGER_SECONDS
    try:
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(2.0)
        while connection.recv(_PIECE) and time.monotonic() < deadline:
            pass
    except OSError:
        return
