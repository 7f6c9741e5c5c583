"""A small client of stdlib parts, that shows what is on the wire, and servers in this process."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest


@dataclass(frozen=True)
class Reply:
    """An answer: `reason` is the rest of the status line, header names are lower-case."""

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Wire:
    """Requests to one server, one connection each."""

    def __init__(self, url: str) -> None:
        self.url = url
        place = urlsplit(url)
        self.address = (place.hostname or "", place.port or 80)

    def __call__(
        self, path: str, *, method: str = "GET", headers: Any = (), body: Any = None, **parameters: Any
    ) -> Reply:
        target = f"{path}?{urlencode(parameters)}" if parameters else path
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        try:
            connection.request(method, target, body, dict(headers))
            answer = connection.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, answer.reason, fields, answer.read())
        finally:
            connection.close()

    def raw(self, request: bytes, *, shut: bool = True) -> bytes:
        """Everything that the server answers to these bytes, until it closes."""
        with socket.create_connection(self.address, timeout=60) as connection:
            connection.sendall(request)
            if shut:
                connection.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
            return answer

    def session(self) -> str:
        return self("/new_session").text

    def query(self, sid: str, query: str, **more: Any) -> Reply:
        return self("/execute_query", id=sid, query=query, **more)

    def wait_until_busy(self, sid: str) -> None:
        """Return when a query of that session runs: then, and only then, a read has to wait."""
        busy = False
        while not busy:
            with socket.create_connection(self.address, timeout=0.3) as connection:
                connection.sendall(f"HEAD /read_lines?id={sid}&n=0 HTTP/1.1\r\n\r\n".encode())
                try:
                    connection.recv(1)
                except TimeoutError:
                    busy = True

    def slots_in_use(self) -> int:
        return self("/debug").text.count("avail 0")


@pytest.fixture
def wire_to() -> type[Wire]:
    """``wire_to(url)``: a client of any server."""
    return Wire


@pytest.fixture
def wire(embedded: Any) -> Iterator[Wire]:
    """The shared server; the test must release what it takes."""
    client = Wire(embedded.url)
    before = client.slots_in_use()
    yield client
    assert client.slots_in_use() == before, "the test left a session behind"


@pytest.fixture
def sid(wire: Wire) -> Iterator[str]:
    """A session on the shared server."""
    number = wire.session()
    yield number
    wire("/release_session", id=number)


class HandClock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def in_process(tmp_path: Path) -> Iterator[Callable[..., SimpleNamespace]]:
    """Start a server in this process: ``in_process(engine=None, **options)``, with the real engine unless
    another is given; the result has `wire`, `clock` and `server`."""
    from scidb_magic.embedded.engine import Engine
    from scidb_magic.embedded.server import Server

    servers: list[Server] = []

    def start(engine: Any = None, **options: Any) -> SimpleNamespace:
        clock = HandClock()
        engine = engine or Engine(None, scratch=tmp_path)
        server = Server(engine, tmp_path, clock=clock, **options)
        server.start()
        servers.append(server)
        return SimpleNamespace(wire=Wire(server.url), clock=clock, server=server)

    yield start
    for server in servers:
        server.close()
