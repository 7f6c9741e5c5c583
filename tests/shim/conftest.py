"""Servers that answer as told, a wire that is cut, certificates."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


class Scripted:
    """A server that gives each connection the next of its answers and keeps what it was asked."""

    def __init__(self, *answers: bytes, context: ssl.SSLContext | None = None) -> None:
        self.asked: list[bytes] = []
        self._answers = answers
        self._context = context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        for answer in self._answers:
            connection, _ = self._socket.accept()
            try:
                with (
                    self._context.wrap_socket(connection, server_side=True)
                    if self._context
                    else connection as one
                ):
                    request = b""
                    while b"\r\n\r\n" not in request:
                        request += one.recv(65536)
                    self.asked.append(request)
                    one.sendall(answer)
            except (OSError, ssl.SSLError):
                self.asked.append(b"")

    def close(self) -> None:
        self._thread.join(10)
        self._socket.close()


@pytest.fixture
def scripted() -> Iterator[Callable[..., Scripted]]:
    made: list[Scripted] = []

    def make(*answers: bytes, **more: Any) -> Scripted:
        made.append(Scripted(*answers, **more))
        return made[-1]

    yield make
    for server in made:
        server.close()


class Cutter:
    """A wire to a server that is cut: each connection after as many bytes of the answer as `cuts` says next.

    None lets all through; without `politely` it is reset instead of closed.
    """

    def __init__(self, port: int) -> None:
        self.cuts: list[int | None] = []
        self.politely = True
        self._target = port
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    def _serve(self) -> None:
        while True:
            client, _ = self._socket.accept()
            if self._target == 0:
                client.close()
                return
            cut = self.cuts.pop(0) if self.cuts else None
            server = socket.create_connection(("127.0.0.1", self._target))
            self._threads.append(threading.Thread(target=self._relay, args=(client, server, cut)))
            self._threads[-1].start()

    def _relay(self, client: socket.socket, server: socket.socket, left: int | None) -> None:
        with client, server, contextlib.suppress(OSError):
            while left != 0:
                ready, _, _ = select.select([client, server], [], [])
                source, target = (client, server) if client in ready else (server, client)
                data = source.recv(65536 if source is client or left is None else min(left, 65536))
                if not data:
                    return
                target.sendall(data)
                if source is server and left is not None:
                    left -= len(data)
            if not self.politely:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self) -> None:
        self._target = 0
        socket.create_connection(("127.0.0.1", self.port)).close()
        for thread in self._threads:
            thread.join(10)
        self._socket.close()


@pytest.fixture
def cutter() -> Iterator[Callable[[int], Cutter]]:
    made: list[Cutter] = []

    def make(port: int) -> Cutter:
        made.append(Cutter(port))
        return made[-1]

    yield make
    for one in made:
        one.close()


@dataclass(frozen=True)
class Certificates:
    """Files of an authority, and servers' contexts and files with certificates that it signed."""

    ca: Path
    cert: Path
    key: Path
    expired: Path
    misnamed: Path

    def context(self, chain: Path | None = None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain or self.cert, None if chain else self.key)
        return context


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """One for 127.0.0.1 and localhost, an expired one, and one for another name."""
    from datetime import datetime, timezone

    import trustme

    folder = tmp_path_factory.mktemp("tls")
    files = {name: folder / f"{name}.pem" for name in ("ca", "cert", "key", "expired", "misnamed")}
    authority = trustme.CA()
    good = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(str(files["ca"]))
    good.cert_chain_pems[0].write_to_path(str(files["cert"]))
    good.private_key_pem.write_to_path(str(files["key"]))
    past = authority.issue_cert("127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=timezone.utc))
    past.private_key_and_cert_chain_pem.write_to_path(str(files["expired"]))
    other = authority.issue_cert("scidb.example")
    other.private_key_and_cert_chain_pem.write_to_path(str(files["misnamed"]))
    return Certificates(**files)
