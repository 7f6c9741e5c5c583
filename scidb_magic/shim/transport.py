"""One request and its answer: on a connection of its own, with typed faults, and with nothing that shows.

A connection is never used twice: shim closes connections without saying so, and on a reused one an
unanswered request could not be told from one that ran. Every connect has a time-out.

What a request carries (session id, password) is held by objects whose repr says nothing, as IPython's
verbose tracebacks show every local; and faults are raised outside of the ``except`` that caught them,
as requests' and urllib3's own words, which would hang on as context, hold the whole URL.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias
from urllib.parse import urlsplit

import requests

from scidb_magic import errors
from scidb_magic.shim import faults, tls
from scidb_magic.shim.auth import HttpAuth
from scidb_magic.shim.download import length
from scidb_magic.shim.secret import ARGUMENTS, Secret, without_secrets

MAX_REQUEST = 262_000
"""Bytes of a request line with its headers that shim takes (observed: refused at 262,124)."""

PIECE = 1 << 18
"""Bytes that are read at once, at most."""

_HALF_CHARACTER = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Surrogates that stand for no byte."""

log = logging.getLogger("scidb_magic")
_unchecked: set[str] = set()


class _NoArguments(logging.Filter):
    """Takes the arguments of shim's endpoints out of urllib3's log, and what a fault of our own tells."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = ARGUMENTS.sub(r"\1?…", record.getMessage()), ()
        return not record.msg.startswith("Failed to parse headers")


for _name in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").addFilter(_NoArguments())


class Pieces(Protocol):
    """Bytes in pieces, which can be gone through again; its ``len`` are all of them."""

    def __len__(self) -> int:
        """Bytes of all pieces together."""

    def __iter__(self) -> Iterator[bytes]:
        """The pieces, from the first on."""


Payload: TypeAlias = "bytes | Pieces"


@dataclass(frozen=True, slots=True, repr=False)
class Call:
    """A request. `timeout` is for each piece of the answer, in seconds; None waits for ever."""

    endpoint: str
    parameters: Mapping[str, str | None] = field(default_factory=dict)
    method: str = "GET"
    timeout: float | None = None
    payload: Payload | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<{self.method} {self.endpoint}>"

    @property
    def secrets(self) -> tuple[str | None, ...]:
        """What an error page must not echo."""
        return self.parameters.get("id"), self.parameters.get("password")


@dataclass(frozen=True, slots=True, repr=False)
class Reply:
    """An answer that came; `fault` says what its body broke off with."""

    status: int
    headers: Mapping[str, str]
    call: Call
    body: bytes
    fault: errors.ShimUnreachable | None

    def __repr__(self) -> str:
        return f"<{self.status} to {self.call!r}>"

    @property
    def text(self) -> str:
        """The body in UTF-8, as shim names no charset; bytes that are not, in surrogates."""
        return self.body.decode("utf-8", "surrogateescape")

    @property
    def complaint(self) -> str:
        """The text without an echo of the request's secrets."""
        return without_secrets(self.text, self.call.secrets)


class Answer:
    """An answer whose body may still be on its way; a context manager that closes the connection."""

    def __init__(
        self, response: requests.Response, call: Call, place: str, closing: contextlib.ExitStack
    ) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.call = call
        # urllib3 has read1 from 2.1 on; with read, a connection that is reset takes a piece along.
        self._read = getattr(response.raw, "read1", response.raw.read)
        self._place = place
        self._closing = closing

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.close()

    def pieces(self) -> Iterator[bytes]:
        """The body as it comes, not decoded.

        Raises
        ------
        ShimUnreachable
            It broke off.
        """
        expected = 0 if self.call.method == "HEAD" else length(self.headers)
        if expected is None and "Transfer-Encoding" not in self.headers:
            # Shim always tells the length: the head itself was cut off.
            raise faults.half(self._place)
        received = 0
        while piece := self._next():
            received += len(piece)
            yield piece
        if expected is not None and received < expected:
            raise faults.half(self._place)

    def whole(self) -> Reply:
        """The answer with its body, or with what came of it and the fault that ended it."""
        pieces: list[bytes] = []
        fault = None
        try:
            for piece in self.pieces():
                pieces.append(piece)  # noqa: PERF402 - what came before a fault must stay
        except errors.ShimUnreachable as error:
            fault = error.with_traceback(None)
        return Reply(self.status, self.headers, self.call, b"".join(pieces), fault)

    def _next(self) -> bytes:
        try:
            piece: bytes = self._read(PIECE, decode_content=False)
            return piece
        except faults.FAULTS as error:
            fault = faults.broken_off(error, self._place)
        try:
            raise fault
        finally:
            del fault


class Transport:
    """Sends calls to one URL; keeps no connection, so threads may share it.

    Parameters
    ----------
    url : str
    http_auth : HttpAuth, optional
    verify : bool or str
        As `tls.trusted` answers.
    connect_timeout : float
        Seconds.

    Attributes
    ----------
    place : str
        Host and port.
    shown : str
        The URL without a user.
    encrypted : bool
        Whether it is one of https.
    """

    def __init__(
        self, url: str, *, http_auth: HttpAuth | None, verify: bool | str, connect_timeout: float
    ) -> None:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        self.place = host or url
        self.shown = parts._replace(netloc=host).geturl()
        self._url = Secret(url)
        self.encrypted = parts.scheme == "https"
        self._loopback = _is_loopback(parts.hostname or "")
        self._auth = http_auth
        self._verify = verify
        self._connect_timeout = connect_timeout
        self._context: ssl.SSLContext | None = None

    def send(self, call: Call) -> Answer:
        """Send a call and wait for the head of its answer.

        Raises
        ------
        BadRequest, RequestTooLong, SettingError
            Nothing was sent.
        ShimUnreachable, NotShim
        """
        if any(value is not None and _HALF_CHARACTER.search(value) for value in call.parameters.values()):
            raise errors.BadRequest("The text holds half a character (a lone surrogate); nothing was sent.")
        with contextlib.ExitStack() as stack:
            fault: BaseException
            try:
                response = stack.enter_context(self._response(call, stack.enter_context(self._session())))
                return Answer(response, call, self.place, stack.pop_all())
            except faults.FAULTS as error:
                fault = faults.no_answer(error, self.place)
            except KeyboardInterrupt:
                # A new one: the frames of this one know the whole URL.
                fault = KeyboardInterrupt()
            except Exception as error:  # noqa: BLE001 (of the payload, or our own; as above)
                fault = error.with_traceback(None)
                fault.__context__ = None
            try:
                raise fault
            finally:
                del fault

    def _session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = not self._loopback
        # One that does nothing keeps requests from looking for a password in ~/.netrc.
        session.auth = self._auth or _unsigned
        if self.encrypted:
            session.mount("https://", tls.Adapter(self._secured()))
        return session

    def _response(self, call: Call, session: requests.Session) -> requests.Response:
        prepared = session.prepare_request(
            requests.Request(
                call.method,
                f"{self._url}/{call.endpoint}",
                params={
                    name: value.encode("utf-8", "surrogateescape")
                    for name, value in call.parameters.items()
                    if value is not None
                },
                data=call.payload,
                headers={"Connection": "close", "Accept-Encoding": "identity", **call.headers},
            )
        )
        size = _head_size(prepared)
        if size > MAX_REQUEST:
            raise errors.RequestTooLong(
                f"The query is too long for shim: {size:,} of {MAX_REQUEST:,} bytes when encoded."
                " Upload the data in it, or split it."
            )
        connect = min(self._connect_timeout, call.timeout or self._connect_timeout)
        return session.send(
            prepared,
            stream=True,
            timeout=(connect, call.timeout),
            allow_redirects=False,
            verify=self._verify is not False,
            proxies=session.merge_environment_settings(prepared.url, {}, True, None, None)["proxies"],
        )

    def _secured(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = tls.context(self._verify)
        if self._verify is False and self.shown not in _unchecked:
            _unchecked.add(self.shown)
            log.warning("The TLS certificate of %s is not checked, as verify is off.", self.place)
        return self._context


def _unsigned(request: Any) -> Any:
    return request


def _head_size(prepared: requests.PreparedRequest) -> int:
    """Bytes of request line and headers; digest has the URL in a header once more."""
    headers = sum(len(name) + len(value) + 4 for name, value in prepared.headers.items())
    return len(prepared.url or "") + headers + 200


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
