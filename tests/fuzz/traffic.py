"""Requests as no client sends them, and those that a client sends wrong."""

from __future__ import annotations

import re
import socket
import struct
from random import Random

from .target import SECRET, Reply, Target, received, request_of
from .values import PATHS, SQL

STATUSES = frozenset({200, 206, 400, 403, 404, 406, 409, 410, 411, 416, 500, 501, 503, 505})
"""What shim and its web server answer; 403 is the guard's against web pages. No 502 without a release."""

ENDPOINTS = (
    "version",
    "new_session",
    "release_session",
    "execute_query",
    "read_lines",
    "read_bytes",
    "upload",
)
ENDPOINTS += ("cancel", "debug")
NO_ENDPOINTS = (
    "",
    "index.html",
    "../../etc/passwd",
    "%2e%2e/%2e%2e/etc/passwd",
    "version/",
    "Version",
    "get_log",
)
NO_ENDPOINTS += (
    "%00",
    "\\..\\..",
    "login",
    "new_session%00",
    "\u00e4",
    "*",
    "//version",
    "http://127.0.0.1/version",
)
METHODS = (
    b"GET",
    b"GET",
    b"GET",
    b"POST",
    b"HEAD",
    b"PUT",
    b"DELETE",
    b"OPTIONS",
    b"TRACE",
    b"CONNECT",
    b"get",
    b"",
    b"\x16\x03",
)
VERSIONS = (b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/9", b"HTTP/", b"http/1.1", b"", b"\0")
HEADERS = (
    b"Host: localhost",
    b"Host: evil.example",
    b"Host: [::1]:80",
    b"Host: [",
    b"Host:",
    b"Origin: null",
    b"Origin: http://[::1",
    b"Sec-Fetch-Site: cross-site",
    b"Connection: keep-alive",
    b"Expect: 100-continue",
    b"Expect: 200-ok",
    b"Transfer-Encoding: chunked",
    b"Range: bytes=0-",
    b"Range: bytes=5-2",
    b"Range: bytes=99999999999999999999999-",
    b"Range: bytes=-5",
    b"Range: bytes=0-1,3-4",
    b"Range: lines=1",
    b'Authorization: Digest username="x',
    b"Authorization: Basic \xff",
    b"If-None-Match: *",
    b"no colon here",
    b": no name",
    b" folded",
    b"X-Bytes: \x80\xff\x00\x01",
    b"X: " + b"y" * 9000,
)
LENGTHS = (
    b"0",
    b"1",
    b"5",
    b"-1",
    b"+5",
    b"5 5",
    b"0x5",
    b"1e3",
    b"99999999999999999999",
    b"9" * 18,
    b"",
    b"\xd9\xa5",
    b"five",
)
NUMBERS = ("0", "1", "2", "-1", "99999999999999999999999", "x", "", "1e3", "\u0663", " 7", "0x10")

Complaint = tuple[str, str]
Shot = tuple[str, int, "Complaint | None"]


class Traffic:
    """Shots of one worker at one server.

    It has up to three sessions. A request that takes a session is always read to its end: shim's slot is
    lost to one who does not listen, until it is reaped.
    """

    def __init__(self, random: Random, target: Target) -> None:
        self.random = random
        self.target = target
        self.sessions: list[str] = []
        self.idle: list[socket.socket] = []
        self.kinds = (
            (self.calls, 55),
            (self.heads, 15),
            (self.uploads, 15),
            (self.noise, 8),
            (self.vanishing, 8),
            (self.slow, 4),
            (self.huge, 0.3),
        )

    def shot(self) -> Shot:
        """Send one request: its kind, the status and what is wrong."""
        (kind,) = self.random.choices([each for each, _ in self.kinds], [weight for _, weight in self.kinds])
        try:
            status, complaint = kind()
        except TimeoutError:
            status, complaint = 0, ("no answer", "after a minute")
        return kind.__name__, status, complaint

    def end(self) -> None:
        """Let go of everything."""
        for connection in self.idle:
            connection.close()
        for sid in self.sessions:
            self.target.get("/release_session", {"id": sid})

    # Kinds

    def calls(self) -> tuple[int, Complaint | None]:
        """An endpoint with parameters that may be wrong."""
        request, path = self._call()
        if path == "new_session" and len(self.sessions) >= 3:
            request, path = request_of("/release_session", {"id": self.sessions.pop()}), "release_session"
        return self._judged(request, self.target.send(request))

    def heads(self) -> tuple[int, Complaint | None]:
        """Strange methods, versions and headers."""
        random = self.random
        target = self._call()[0].split(b" ")[1] if random.random() < 0.8 else random.randbytes(9)
        if b"new_session" in target:
            target = b"/version"
        lines = [b" ".join((random.choice(METHODS), target, random.choice(VERSIONS)))]
        lines += random.choices(HEADERS, k=random.randrange(6))
        if random.random() < 0.3:
            lines.append(b"Content-Length: " + random.choice(LENGTHS))
        end = random.choice((b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"))
        request = end.join(lines) + end * 2 + random.choice((b"", b"", b"body", random.randbytes(50)))
        return self._judged(request, self.target.send(request, shut=True))

    def uploads(self) -> tuple[int, Complaint | None]:
        """Bodies that are too short, too long, or end in the middle."""
        random = self.random
        body = random.randbytes(random.choice((0, 1, 10, 1000, 300_000)))
        length = random.choice((len(body), len(body), len(body) + 10, max(0, len(body) - 3), 10**12))
        announced = str(length).encode() if random.random() < 0.9 else random.choice(LENGTHS)
        more = random.choice(
            (
                b"",
                b"",
                b"Expect: 100-continue\r\n",
                b"Content-Length: 3\r\n",
                b"Transfer-Encoding: chunked\r\n",
            )
        )
        method = random.choice((b"POST", b"POST", b"POST", b"GET", b"HEAD"))
        head = method + f" /upload?id={self._sid()} HTTP/1.1\r\nHost: localhost\r\n".encode() + more
        if random.random() < 0.95:
            head += b"Content-Length: " + announced + b"\r\n"
        request = head + b"\r\n" + body
        return self._judged(request, self.target.send(request, shut=True))

    def noise(self) -> tuple[int, Complaint | None]:
        """Bytes, or a request with some of them wrong."""
        random = self.random
        request = bytearray(random.randbytes(random.choice((0, 1, 20, 2000))))
        if random.random() < 0.6:
            call, path = self._call()
            request = bytearray(call if path != "new_session" else request_of("/debug"))
            for _ in range(random.choice((1, 2, 5))):
                request[random.randrange(len(request))] = random.randrange(256)
        if random.random() < 0.5:
            request += b"\r\n\r\n"
        return self._judged(bytes(request), self.target.send(bytes(request), shut=True))

    def vanishing(self) -> tuple[int, Complaint | None]:
        """A client that resets the connection, before or after the end of its request."""
        request, path = self._call()
        if path == "new_session":
            request = request_of("/version")
        request = request[: self.random.choice((len(request), self.random.randrange(len(request))))]
        with socket.create_connection(self.target.address, timeout=60) as connection:
            connection.sendall(request)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return 0, None

    def slow(self) -> tuple[int, Complaint | None]:
        """A client that does not get on with its request, and holds the line; an older one goes on."""
        if len(self.idle) > 2:
            connection = self.idle.pop(0)
            with connection:
                connection.sendall(b"n HTTP/1.1\r\n\r\n")
                return self._judged(b"GET /version HTTP/1.1\r\n\r\n", received(connection))
        connection = socket.create_connection(self.target.address, timeout=60)
        connection.sendall(b"GET /versio")
        self.idle.append(connection)
        return 0, None

    def huge(self) -> tuple[int, Complaint | None]:
        """A head that is larger than a head may be, or just not."""
        size = self.random.choice((262_000, 262_145, 300_000, 3_000_000))
        if self.random.random() < 0.5:
            request = b"GET /version?" + b"x" * size + b" HTTP/1.1\r\n\r\n"
        else:
            request = b"GET /version HTTP/1.1\r\n" + b"X: y\r\n" * (size // 6) + b"\r\n"
        return self._judged(request, self.target.send(request))

    # Parts

    def _sid(self) -> str:
        random = self.random
        if self.sessions and random.random() < 0.85:
            return random.choice(self.sessions)
        return random.choice(("", "0" * 32, "x", "%00", "a" * 3000, "%ff%fe", "..", "'", "%C3%A4"))

    def _call(self) -> tuple[bytes, str]:
        """A request to an endpoint or beside one, and which it is."""
        random = self.random
        path = random.choices(ENDPOINTS, (1, 1, 1, 5, 3, 3, 1, 2, 1))[0]
        if random.random() < 0.1:
            path = random.choice(NO_ENDPOINTS)
        if not self.sessions and random.random() < 0.5:
            path = "new_session"
        pairs = [("id", self._sid())] if random.random() < 0.9 else []
        if path == "execute_query":
            pairs.append(("query", random.choice(_QUERIES)))
            pairs.append(("save", random.choice(("csv", "(int64)", "arrow", "", "%ff", "csv%2B"))))
        pairs.append(("n", random.choice(NUMBERS)))
        if random.random() < 0.1:
            pairs.append(
                (
                    random.choice(("id", "query", "%00", "", "n")),
                    random.choice(("%", "%zz", "%u1234", "&&", "=", "+")),
                )
            )
        if random.random() < 0.1:
            random.shuffle(pairs)
        query = random.choice("&&&&&;").join(f"{name}={value}" for name, value in pairs)
        request = f"GET /{path}" + (f"?{query}" if random.random() < 0.97 else "")
        headers = "".join(
            f"\r\n{random.choice(HEADERS[6:18]).decode()}" for _ in range(random.choice((0, 0, 0, 1)))
        )
        return f"{request} HTTP/1.1\r\nHost: localhost{headers}\r\n\r\n".encode(), path

    def _judged(self, request: bytes, raw: bytes) -> tuple[int, Complaint | None]:
        """Note the sessions that were given, and what is wrong with the answer."""
        answer = raw.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        reply = Reply.of(answer)
        if reply.status == 200 and re.fullmatch("[0-9a-z]{32}", reply.text):
            self.sessions.append(reply.text)
        elif reply.text == "Session not found" or (reply.status == 200 and b"/release_session" in request):
            # It may also have been released by a request whose answer nobody heard.
            meant = re.search(rb"[?&]id=([^& ]*)", request)
            self.sessions = [sid for sid in self.sessions if not meant or meant[1] != sid.encode()]
        wrong = _wrong(request, answer, reply)
        return reply.status, (wrong, f"{request[:600]!r}\n    {raw[:600]!r}") if wrong else None


_QUERIES = [
    "build(%3Ca:int64%3E[i=0:4],i)",
    "fz_grid",
    "scan(fz_grid)",
    "build(%3Ca:string%3E[i=0:4],'%ff%00')",
    "save(fz_grid,'../x',0,'csv')",
    "%00",
    "",
    *(text.replace("%", "%25").replace(" ", "+").replace("&", "%26") for text in (*SQL, *PATHS[:12])),
]


def _wrong(request: bytes, answer: bytes, reply: Reply) -> str:
    """What is wrong with an answer; empty where nothing is."""
    if SECRET in reply.text or "root:" in reply.text:
        return "the secret"
    if not answer:
        return "" if _unfinished(request) else "no answer to a whole request"
    if reply.status not in STATUSES:
        return f"status {reply.status}"
    if reply.status == 500 and "Too Large" not in reply.text:
        return f"500 {reply.text[:100]}"
    announced = reply.headers.get("content-length", "")
    if not re.fullmatch(r"-?\d+", announced):
        return "no Content-Length"
    if request.startswith(b"HEAD "):
        # A request that is none gets its error whole.
        return "a body for HEAD" if reply.body and reply.status not in (400, 505) else ""
    if len(reply.body) != max(0, int(announced)):
        return "a wrong Content-Length"
    return "" if reply.status in (200, 206) or reply.body else "an error without a text"


def _unfinished(request: bytes) -> bool:
    """Whether the server may still wait for the rest of a request: no end of head, or a body cut off."""
    head, end, body = request.partition(b"\r\n\r\n")
    if not end:
        return True
    length = re.search(rb"(?i)\n\s*content-length\s*:\s*(\d{1,18})\s*(?:[\r\n]|$)", head)
    return length is not None and len(body) < int(length[1])
