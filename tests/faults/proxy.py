"""A proxy between a client of shim and its server that does what networks and servers do wrong.

::

    client ──▶ door (listening socket) ──▶ plan says a fault ──▶ upstream (the real server)
                 └ can be shut: connections are refused       └ log: what was asked, what was done to it

Every request has a connection of its own, as the client sends ``Connection: close`` and shim keeps none.
The port stays the proxy's while the door is shut: a second socket is bound to it and never listens.
The log is the truth that tests compare the client's words with: did the server run it or not?
"""

from __future__ import annotations

import contextlib
import random
import re
import select
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import parse_qs, urlsplit

HOST = "127.0.0.1"
PIECE = 1 << 18
PATIENCE = 60.0
"""Seconds after which a side that says nothing is given up, so that no thread outlives the tests."""


class Kind(Enum):
    """What happens to a request."""

    PASS = "pass"
    SHUT = "shut"
    """It passes, and before its answer leaves, the door is shut: the next connection is refused."""
    RESET_BEFORE = "reset before"
    RESET_AFTER = "reset after"
    TRUNCATE_HEAD = "truncate head"
    TRUNCATE_BODY = "truncate body"
    DELAY = "delay"
    EXPIRE = "expire"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes
    ----------
    kind : Kind
    seconds : float
        Of a delay; of a shut door, 0 until `Proxy.open`.
    share : float
        Of the head or the body, what is sent before the answer is cut.
    abrupt : bool
        Cut by a reset, else by a close.
    status, body : int, bytes
        Of an answer that the proxy gives itself, without asking the server.
    """

    kind: Kind
    seconds: float = 0.0
    share: float = 0.5
    abrupt: bool = True
    status: int = 0
    body: bytes = b""

    def __str__(self) -> str:
        return f"{self.kind.value} {self.status}" if self.status else self.kind.value


PASS = Fault(Kind.PASS)
RESET_BEFORE = Fault(Kind.RESET_BEFORE)
RESET_AFTER = Fault(Kind.RESET_AFTER)
TRUNCATE_HEAD = Fault(Kind.TRUNCATE_HEAD)
TRUNCATE_BODY = Fault(Kind.TRUNCATE_BODY)
CLOSED_HEAD = Fault(Kind.TRUNCATE_HEAD, abrupt=False)
CLOSED_BODY = Fault(Kind.TRUNCATE_BODY, abrupt=False)
NO_ANSWER = Fault(Kind.TRUNCATE_HEAD, share=0.0, abrupt=False)
DELAY = Fault(Kind.DELAY, seconds=0.2)
EXPIRE = Fault(Kind.EXPIRE)
BAD_REQUEST = Fault(Kind.ANSWER, status=400, body=b"HTTP arguments missing")
DENIED = Fault(Kind.ANSWER, status=401, body=b"SciDB authentication failed")
FAILURE = Fault(Kind.ANSWER, status=500, body=b"Output file error")
TOO_LARGE = Fault(Kind.ANSWER, status=500, body=b"Error 500: Server Error\nRequest Too Large")
BAD_GATEWAY = Fault(Kind.ANSWER, status=502, body=b"SciDB connection failed")
UNAVAILABLE = Fault(Kind.ANSWER, status=503, body=b"Out of resources")
PAGE = Fault(Kind.ANSWER, status=200, body=b"<!DOCTYPE html><html><body>Please log in</body></html>")


def shut(seconds: float = 0.0) -> Fault:
    """The fault after whose request the door is shut for so long."""
    return Fault(Kind.SHUT, seconds=seconds)


@dataclass(slots=True)
class Asked:
    """One request and what became of it.

    Attributes
    ----------
    number, nth : int
        Of all requests, and of those on this endpoint since the plan was given; from 1.
    method, endpoint, query, sid, range : str
        `sid` of a new session is that of the server's answer, whether or not the client saw it.
    fault : Fault
    status : int
        The server's own; 0 where it was not asked.
    expired : bool
        The session was released before.
    """

    number: int
    nth: int
    method: str
    endpoint: str
    query: str
    sid: str
    range: str
    fault: Fault = PASS
    status: int = 0
    expired: bool = False

    @property
    def executed(self) -> bool:
        """Whether the server ran the query."""
        return self.endpoint == "execute_query" and self.status == 200

    def __str__(self) -> str:
        told = f"{self.number:5} {self.method:4} {self.endpoint:15} {self.sid[:6]:6} -> {self.status:3}"
        more = [self.range, self.query if len(self.query) < 90 else self.query[:87] + "..."]
        fault = "" if self.fault is PASS else f"  !! {self.fault}"
        return " ".join((told, *filter(None, more))) + fault


Plan = Callable[[Asked], Fault]


def scripted(steps: Mapping[tuple[str, int], Fault]) -> Plan:
    """A plan by endpoint and occurrence: ``{("execute_query", 2): RESET_AFTER}``; all else passes."""
    return lambda asked: steps.get((asked.endpoint, asked.nth), PASS)


class Weather:
    """A plan by chance, always the same for a seed: each request may meet each kind of fault.

    Parameters
    ----------
    seed : int
    rate : float
        Of every kind of fault, of all requests.
    """

    def __init__(self, seed: int, rate: float) -> None:
        self._chance = random.Random(seed)
        self._rate = rate

    def __call__(self, asked: Asked) -> Fault:
        draw = self._chance.random()
        makers = self._makers()
        number = int(draw / self._rate)
        return makers[number]() if number < len(makers) else PASS

    def _makers(self) -> Sequence[Callable[[], Fault]]:
        chance = self._chance

        def cut(kind: Kind) -> Fault:
            return Fault(kind, share=chance.random(), abrupt=chance.random() < 0.5)

        return (
            lambda: shut(chance.uniform(0.02, 0.25)),
            lambda: RESET_BEFORE,
            lambda: RESET_AFTER,
            lambda: cut(Kind.TRUNCATE_HEAD),
            lambda: cut(Kind.TRUNCATE_BODY),
            lambda: Fault(Kind.DELAY, seconds=chance.uniform(0.0, 0.1)),
            lambda: EXPIRE,
            lambda: BAD_GATEWAY,
            lambda: UNAVAILABLE,
            lambda: PAGE,
        )


@dataclass
class Proxy:
    """The proxy in front of the server at port `upstream` of this machine.

    Parameters
    ----------
    upstream : int
        Port; may be changed, as when a server was started anew.
    renamed : mapping of bytes to bytes
        Replaced in the request line: a name that only the client's user knows, by one of the server's.

    Attributes
    ----------
    log : list of Asked
        Every request, in the order of their arrival.
    on_fault : callable
        Called with what was asked when a connection is reset or an answer cut, before the client can notice.
    """

    upstream: int
    renamed: Mapping[bytes, bytes] = field(default_factory=dict)
    log: list[Asked] = field(default_factory=list)
    on_fault: Callable[[Asked], object] = field(default=lambda asked: None, repr=False)

    def __post_init__(self) -> None:
        self._plan: Plan = lambda asked: PASS
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._timers: list[threading.Timer] = []
        self._ended = False
        self._keeper = _bound(0)
        self.port = int(self._keeper.getsockname()[1])
        self._bell, self._wake = socket.socketpair()
        self._bell.setblocking(False)
        self._wanted_open = True
        self._state = threading.Condition()
        self._is_open = False
        self._porter = threading.Thread(target=self._admit, name="fault proxy", daemon=True)
        self._porter.start()
        self.open()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def follow(self, plan: Plan | Mapping[tuple[str, int], Fault]) -> None:
        """Do as `plan` says from now on; occurrences are counted anew."""
        with self._lock:
            self._plan = plan if callable(plan) else scripted(plan)
            self._counts.clear()

    def mark(self) -> int:
        """A place in the log, for `since`."""
        return len(self.log)

    def since(self, mark: int) -> list[Asked]:
        """What was asked after `mark`."""
        return self.log[mark:]

    def told(self, mark: int = 0) -> str:
        """The log as text, for the message of an assertion."""
        return "\n".join(str(asked) for asked in self.log[mark:])

    def shut(self, seconds: float = 0.0) -> None:
        """Refuse every connection from now on, for so long, or until `open`."""
        self._move(False)
        if seconds:
            timer = threading.Timer(seconds, self.open)
            timer.daemon = True
            self._timers.append(timer)
            timer.start()

    def open(self) -> None:
        """Take connections again, on the same port."""
        self._move(True)

    def close(self) -> None:
        """Shut the door for good and wait for what is on its way."""
        for timer in self._timers:
            timer.cancel()
        self.shut()
        self._ended = True
        self._wake.send(b"!")
        self._porter.join(PATIENCE)
        for thread in list(self._threads):
            thread.join(PATIENCE)
        for end in (self._bell, self._wake, self._keeper):
            end.close()

    # Connections

    def _move(self, wanted: bool) -> None:
        """Have the porter open or shut the door, and wait until that is done."""
        with self._state:
            self._wanted_open = wanted
            if not self._ended:
                self._wake.send(b"!")
                self._state.wait_for(lambda: self._is_open == wanted or self._ended, PATIENCE)

    def _admit(self) -> None:
        door: socket.socket | None = None
        while not self._ended:
            select.select([self._bell] if door is None else [self._bell, door], [], [])
            # Those that came before the door is shut are served; closing it would reset them.
            for connection in _waiting(door):
                self._serve(connection)
            with contextlib.suppress(BlockingIOError):
                self._bell.recv(100)
            with self._state:
                if self._wanted_open and door is None:
                    door = _listening(self.port)
                elif door is not None and not self._wanted_open:
                    door.close()
                    door = None
                self._is_open = door is not None
                self._state.notify_all()

    def _serve(self, connection: socket.socket) -> None:
        def work() -> None:
            with connection, contextlib.suppress(OSError):  # the client went away: its own affair
                self._exchange(connection)
            self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=work, name="fault proxy", daemon=True)
        self._threads.add(thread)
        thread.start()

    def _exchange(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        request = _request(connection)
        if not request:
            return
        asked, fault = self._planned(request)
        if fault.kind is Kind.RESET_BEFORE:
            self.on_fault(asked)
            _reset(connection)
            return
        if fault.kind is Kind.ANSWER:
            connection.sendall(_answer(fault))
            return
        if fault.kind is Kind.DELAY:
            time.sleep(fault.seconds)
        if fault.kind is Kind.EXPIRE and asked.sid:
            gone = self._forward(f"GET /release_session?id={asked.sid} HTTP/1.1\r\n\r\n".encode())
            asked.expired = _status(gone) == 200
        answer = self._forward(self._translated(request))
        asked.status = _status(answer)
        if asked.endpoint == "new_session" and asked.status == 200:
            asked.sid = _parts(answer)[1].decode().strip()
        if fault.kind in (Kind.RESET_AFTER, Kind.TRUNCATE_HEAD, Kind.TRUNCATE_BODY):
            self.on_fault(asked)
        _AFTER.get(fault.kind, _pass_on)(self, connection, answer, fault)

    def _planned(self, request: bytes) -> tuple[Asked, Fault]:
        method, target, _ = request.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
        place = urlsplit(target)
        arguments = parse_qs(place.query, keep_blank_values=True, errors="surrogateescape")
        ranged = re.search(rb"\r\nrange: *([^\r\n]*)", request.partition(b"\r\n\r\n")[0], re.IGNORECASE)
        endpoint = place.path.strip("/")
        with self._lock:
            self._counts[endpoint] += 1
            asked = Asked(
                len(self.log) + 1,
                self._counts[endpoint],
                method,
                endpoint,
                *(arguments.get(name, [""])[0] for name in ("query", "id")),
                ranged[1].decode() if ranged else "",
            )
            asked.fault = self._plan(asked)
            self.log.append(asked)
        return asked, asked.fault

    def _translated(self, request: bytes) -> bytes:
        line, end, rest = request.partition(b"\r\n")
        for name, other in self.renamed.items():
            line = line.replace(name, other)
        return line + end + rest

    def _forward(self, request: bytes) -> bytes:
        """The server's whole answer: it closes the connection behind it."""
        with socket.create_connection((HOST, self.upstream), PATIENCE) as server:
            server.sendall(request)
            return b"".join(iter(lambda: server.recv(PIECE), b""))


def _pass_on(proxy: Proxy, connection: socket.socket, answer: bytes, fault: Fault) -> None:
    connection.sendall(answer)


def _shut_first(proxy: Proxy, connection: socket.socket, answer: bytes, fault: Fault) -> None:
    proxy.shut(fault.seconds)
    connection.sendall(answer)


def _reset_after(proxy: Proxy, connection: socket.socket, answer: bytes, fault: Fault) -> None:
    _reset(connection)


def _truncate_head(proxy: Proxy, connection: socket.socket, answer: bytes, fault: Fault) -> None:
    _cut(connection, answer, int(len(_parts(answer)[0]) * min(fault.share, 0.9)), fault)


def _truncate_body(proxy: Proxy, connection: socket.socket, answer: bytes, fault: Fault) -> None:
    head, body = _parts(answer)
    if not body:
        _truncate_head(proxy, connection, answer, fault)
        return
    _cut(connection, answer, len(head) + 4 + min(int(len(body) * fault.share), len(body) - 1), fault)


_AFTER: dict[Kind, Callable[[Proxy, socket.socket, bytes, Fault], None]] = {
    Kind.SHUT: _shut_first,
    Kind.RESET_AFTER: _reset_after,
    Kind.TRUNCATE_HEAD: _truncate_head,
    Kind.TRUNCATE_BODY: _truncate_body,
}
"""What is done with the server's answer."""


def _cut(connection: socket.socket, answer: bytes, length: int, fault: Fault) -> None:
    connection.sendall(answer[:length])
    if fault.abrupt:
        _reset(connection)


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((HOST, port))
    return bound


def _listening(port: int) -> socket.socket:
    door = _bound(port)
    door.listen(128)
    door.setblocking(False)
    return door


def _waiting(door: socket.socket | None) -> Iterator[socket.socket]:
    """The connections that nobody has taken yet."""
    with contextlib.suppress(BlockingIOError):
        while door is not None:
            yield door.accept()[0]


def _request(connection: socket.socket) -> bytes:
    """Head and body; nothing if the client went away before it was whole."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(PIECE)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    pieces, missing = [data], (int(length[1]) if length else 0) - len(body)
    while missing > 0:
        piece = connection.recv(min(PIECE, missing))
        if not piece:
            return b""
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _answer(fault: Fault) -> bytes:
    head = f"HTTP/1.1 {fault.status} {'OK' if fault.status == 200 else 'ERROR'}\r\n"
    return f"{head}Content-Length: {len(fault.body)}\r\nContent-Type: text/html\r\n\r\n".encode() + fault.body


def _parts(answer: bytes) -> tuple[bytes, bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


def _status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0
