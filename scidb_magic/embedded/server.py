"""Sockets and threads: one thread a connection, one request a connection."""

from __future__ import annotations

import ipaddress
import logging
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scidb_magic.embedded.endpoints import Shim
from scidb_magic.embedded.http import (
    HEAD_SECONDS,
    Answer,
    Disconnected,
    HttpError,
    Request,
    failure,
    linger,
    read_request,
    send,
)
from scidb_magic.embedded.security import Digest, check_host, check_site, own_names
from scidb_magic.embedded.slots import Clock, Engine, Slots

ROOM_SECONDS = 0.2
"""How long a connection waits for one of the others to end before it is closed."""

MAX_CONNECTIONS = 256
"""Open connections at once; shim has 50 threads, and with 50 long queries could not even cancel."""

_log = logging.getLogger("scidb_magic.embedded")


class Server:
    """The embedded server in this process.

    Parameters
    ----------
    engine : Engine
        Closed by `close`.
    folder : Path
        Where sessions keep their files; the engine's scratch folder.
    host, port
        Where to listen; port 0 picks a free one.
    max_sessions : int
        Slots.
    timeout : float
        Seconds after which an idle session may be reaped.
    digest : Digest, optional
        Who may ask; None is everybody on this machine.
    tls : ssl.SSLContext, optional
    repeat_ids : bool
        See `Slots`.
    clock : callable
        The slots' clock, in seconds.

    Raises
    ------
    OSError
        The port is taken or the host is not this machine's.
    """

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        max_sessions: int = 50,
        timeout: float = 60.0,
        digest: Digest | None = None,
        tls: ssl.SSLContext | None = None,
        repeat_ids: bool = False,
        clock: Clock = time.monotonic,
    ) -> None:
        self.slots = Slots(max_sessions, timeout, folder, clock, repeat_ids=repeat_ids)
        self._engine = engine
        self._shim = Shim(engine, self.slots)
        self._digest = digest
        self._tls = tls
        self._names = own_names(host)
        self._host = host
        self._listener = _Listener(host, port, self._serve)
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Where it listens, with the port that it was given."""
        scheme = "https" if self._tls else "http"
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{scheme}://{host}:{self._listener.server_address[1]}"

    def start(self) -> None:
        """Serve, in a thread of its own."""
        self._thread.start()

    def close(self, seconds: float = 2.0) -> None:
        """Stop listening, cancel what runs, wait up to `seconds` for it, close sessions and engine."""
        self._listener.shutdown()
        self._listener.server_close()
        for session in self.slots.sessions():
            if session.asked and session.engine is not None:
                session.engine.cancel()
        self._listener.wait(seconds)
        self.slots.close()
        self._engine.close()

    def _serve(self, raw: socket.socket) -> None:
        """One connection, from handshake to close; nothing gets out of here."""
        try:
            raw.settimeout(HEAD_SECONDS)
            connection = self._tls.wrap_socket(raw, server_side=True) if self._tls else raw
            with connection:
                self._exchange(connection)
        except (Disconnected, OSError):
            # The client's affair: it went away, or spoke no TLS.
            return
        except Exception:  # noqa: BLE001 (one connection must not end the server)
            _log.exception("A connection failed")

    def _exchange(self, connection: socket.socket) -> None:
        request: Request | None = None
        try:
            request = read_request(connection)
            answer = self._answer(request)
        except HttpError as error:
            answer = error.answer()
        try:
            send(connection, answer, body=request is None or request.method != "HEAD")
        finally:
            if answer.finish is not None:
                answer.finish()
        if request is None or request.is_unread():
            linger(connection)

    def _answer(self, request: Request) -> Answer:
        try:
            check_host(request, self._names)
            check_site(request)
            refusal = self._digest.refusal(request) if self._digest else None
            return self._shim.answer(request) if refusal is None else refusal
        except (HttpError, Disconnected):
            raise
        except Exception as error:  # noqa: BLE001 (500, whatever it is)
            _log.exception("A request failed")
            return failure(500, f"Internal error of the embedded server: {type(error).__name__}")


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, host: str, port: int, serve: Callable[[socket.socket], None]) -> None:
        self.address_family = _family(host)
        self._serve = serve
        self._room = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._open = 0
        self._change = threading.Condition()
        super().__init__((host, port), socketserver.BaseRequestHandler)

    def process_request(self, request: Any, client_address: Any) -> None:
        # Not waited for without end: nobody would be accepted meanwhile, nor the server's own end be heard.
        if not self._room.acquire(timeout=ROOM_SECONDS):
            self.shutdown_request(request)
            return
        with self._change:
            self._open += 1
        try:
            super().process_request(request, client_address)
        except RuntimeError:
            # No more threads: this connection is closed by our base class, the server goes on.
            self._leave()
            raise

    def finish_request(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        try:
            self._serve(request)
        finally:
            self._leave()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        _log.exception("A connection could not be served")

    def _leave(self) -> None:
        self._room.release()
        with self._change:
            self._open -= 1
            self._change.notify_all()

    def wait(self, seconds: float) -> None:
        """Until no connection is open, at most `seconds`."""
        with self._change:
            self._change.wait_for(lambda: self._open == 0, seconds)


def _family(host: str) -> socket.AddressFamily:
    try:
        return socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    except ValueError:
        return socket.AF_INET
