"""The servers that are measured against: an embedded one, and one that repeats what that one said.

The second stands between client and server. It hands everything on, but keeps the answers to queries and
downloads, and gives them again at once when the same is asked after the same query. ``python -m
tests.bench.servers URL`` is that server.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

QUERY, READS = "/execute_query", ("/read_bytes", "/read_lines")
KEPT = ("content-type", "etag", "accept-ranges", "content-range", "cache-control")


class Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes
    length: str


class Repeater(ThreadingHTTPServer):
    """Keeps the answers; of each session the last query, and the last one that the other server ran."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream).netloc
        self.answers: dict[tuple[str, ...], Answer] = {}
        self.asked: dict[str, str] = {}
        self.ran: dict[str, str] = {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Repeater

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        values = dict(parse_qsl(url.query, keep_blank_values=True))
        session = values.get("id", "")
        if url.path == QUERY:
            self.server.asked[session] = self.path
        if url.path == QUERY or url.path in READS:
            last = self.server.asked.get(session, "")
            key = (self.command, self.path, last, self.headers.get("Range", ""))
            answer = self.server.answers.get(key)
            if answer is None:
                if url.path in READS and self.server.ran.get(session) != last:
                    self._upstream("GET", last)
                answer = self.server.answers[key] = self._upstream(self.command, self.path)
                self.server.ran[session] = last
        else:
            answer = self._upstream(self.command, self.path)
        self._send(answer)

    do_HEAD = do_POST = do_GET

    def _upstream(self, method: str, path: str) -> Answer:
        length = int(self.headers.get("Content-Length") or 0)
        names = ("Range", "If-Range", "Content-Type")
        headers = {name: self.headers[name] for name in names if self.headers.get(name)}
        connection = HTTPConnection(self.server.upstream)
        connection.request(method, path, self.rfile.read(length) if length else None, headers)
        answer = connection.getresponse()
        body = answer.read()
        kept = [(name, value) for name, value in answer.getheaders() if name.lower() in KEPT]
        size = answer.getheader("Content-Length") or str(len(body))
        connection.close()
        return Answer(answer.status, kept, body, size)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", answer.length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _server(*command: str) -> Iterator[str]:
    with subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


@contextmanager
def embedded() -> Iterator[str]:
    """URL of an embedded server of our own."""
    with _server("scidb_magic.embedded", "--port", "0") as url:
        yield url


@contextmanager
def repeater(upstream: str) -> Iterator[str]:
    """URL of a server that repeats another's answers."""
    with _server("tests.bench.servers", upstream) as url:
        yield url


if __name__ == "__main__":
    socket.setdefaulttimeout(120)
    server = Repeater(sys.argv[1])
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
