"""Shim's HTTP protocol, one method an endpoint; no policy.

Every request has a TCP connection of its own: shim closes connections without saying so, and on a
reused one an unanswered request could not be told from one that ran. Every connect has a time-out; a
query, a read and an upload have no read time-out. Bodies are decoded here, as shim names no charset.

Imported only when a server is talked to.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from dataclasses import dataclass
from typing import IO
from urllib.parse import urlsplit

import requests

from scidb_magic import errors
from scidb_magic.shim import complaint, faults
from scidb_magic.shim.digest import Digest

MAX_REQUEST = 262_000
"""Bytes of a request line with its headers that shim takes (observed: refused at 262,124)."""

HEADER_ALLOWANCE = 2_000
"""Bytes kept for the headers, digest included."""

ANSWER_TIMEOUT = 30.0
"""Seconds for the answer to what does not depend on a query."""

_SESSION_ID = re.compile(r"[0-9a-z]{32}$")
_QUERY_ID = re.compile(r"\d+$")
_VERSION = re.compile(r"\d+(\.\d+)+")
_NOT_SHIM = re.compile(r"Error 404: Not Found|\s*<")
"""How the body of a 404 begins that is not shim's: its file server's, or another server's page."""

_ARGUMENTS = re.compile(
    r"(/(?:new_session|execute_query|read_lines|read_bytes|upload|cancel|release_session))\?[^\s\"']*"
)


class _NoArguments(logging.Filter):
    """Takes the arguments of shim's endpoints, session id and password among them, out of urllib3's log."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = _ARGUMENTS.sub(r"\1?…", record.getMessage()), ()
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_NoArguments())

Payload = bytes | IO[bytes]
"""Has a length: shim takes no chunked transfer."""


@dataclass(frozen=True, slots=True)
class Head:
    """Size in bytes and ``Etag`` of a saved output."""

    size: int
    etag: str | None


class ShimClient:
    """A client of one shim; keeps no session and no connection, so threads may share it.

    Parameters
    ----------
    url : str
    http_auth : (user, password), optional
        For the digest authentication of the web server.
    verify : bool or str
        Check the TLS certificate; a str is the path of a file of trusted certificates.
    connect_timeout : float
        Seconds.
    """

    def __init__(
        self,
        url: str,
        *,
        http_auth: tuple[str, str] | None = None,
        verify: bool | str = True,
        connect_timeout: float = 10.0,
    ) -> None:
        self.url = url.rstrip("/")
        self._auth = Digest(*http_auth) if http_auth is not None else None
        self._verify = verify
        self._connect_timeout = connect_timeout
        place = urlsplit(self.url)
        self._place = place.netloc.rpartition("@")[2] or self.url
        self._shown = place._replace(netloc=place.netloc.rpartition("@")[2]).geturl()
        self._loopback = _is_loopback(place.hostname or "")

    def __repr__(self) -> str:
        return f"ShimClient({self._shown!r})"

    def version(self) -> str:
        """SciDB's version, such as ``"19.11.5"``.

        Raises
        ------
        NotShim, ShimUnreachable, AuthenticationFailed
        """
        text = self._text("version", {}, timeout=ANSWER_TIMEOUT).strip()
        return self._expected(_VERSION, text)

    def new_session(
        self, *, user: str | None = None, password: str | None = None, admin: bool = False
    ) -> str:
        """Take a slot; the answer is the session id.

        Raises
        ------
        AuthenticationFailed, OutOfResources, GatewayFailure, NotShim, ShimUnreachable
        """
        parameters = {"user": user, "password": password, "admin": "1" if admin else None}
        return self._expected(
            _SESSION_ID, self._text("new_session", parameters, timeout=ANSWER_TIMEOUT).strip()
        )

    def execute_query(
        self,
        sid: str,
        query: str,
        *,
        save: str | None = None,
        atts_only: bool | None = None,
        prefix: str | None = None,
        result_size_limit: int | None = None,
        timeout: float | None = None,
    ) -> str:
        """Run a query (without comments, without ``;``) and wait for its end; the answer is its id.

        Parameters
        ----------
        sid, query : str
        save : str, optional
            Format to save the result in, for `read_lines` or `read_bytes`.
        atts_only : bool, optional
            For ``save="arrow"``: leave the dimensions out.
        prefix : str, optional
            Statement to run first; shim splits it at every ``;``.
        result_size_limit : int, optional
            Of the saved output, in MB.
        timeout : float, optional
            Seconds to wait for the answer; else as long as the query takes.

        Raises
        ------
        QueryError
            SciDB refused the query, or it failed; `position` counts in `query`.
        RequestTooLong
            Nothing was sent.
        SessionNotFound, BadRequest, ServerFailure, GatewayFailure, NotShim, ShimUnreachable
        """
        parameters = {
            "id": sid,
            "query": query,
            "save": save,
            "atts_only": None if atts_only is None else str(int(atts_only)),
            "prefix": prefix,
            "result_size_limit": None if result_size_limit is None else str(result_size_limit),
        }
        answer = self._send("GET", "execute_query", parameters, timeout)
        if answer.status_code == errors.QueryError.status:
            raise complaint.query_error(_decoded(answer), query, saved=save is not None)
        return self._expected(_QUERY_ID, _decoded(self._checked(answer)).strip())

    def read_lines(self, sid: str, n: int = 0) -> bytes:
        """The saved output in a text format: the whole, or the next `n` lines.

        Raises
        ------
        SessionNotFound, NotSaved, OutOfRange, ServerFailure, ShimUnreachable
        """
        return self._bytes("read_lines", {"id": sid, "n": str(n)}, {})

    def read_bytes(self, sid: str, n: int = 0, *, start: int | None = None, end: int | None = None) -> bytes:
        """The saved output in a binary format: the whole, the next `n` bytes, or the bytes `start` … `end`.

        A range must lie inside the output, else shim answers nonsense; see `head`. Raises as `read_lines`.
        """
        headers = {} if start is None else {"Range": f"bytes={start}-{'' if end is None else end}"}
        return self._bytes("read_bytes", {"id": sid, "n": str(n)}, headers)

    def head(self, sid: str, *, lines: bool) -> Head:
        """Size and ``Etag`` of the saved output, of a text format if `lines`. Raises as `read_lines`."""
        endpoint = "read_lines" if lines else "read_bytes"
        answer = self._checked(self._send("HEAD", endpoint, {"id": sid, "n": "0"}, ANSWER_TIMEOUT))
        return Head(int(answer.headers.get("Content-Length", 0)), answer.headers.get("Etag"))

    def upload(self, sid: str, payload: Payload) -> str:
        """Send data into the session's one input file; the answer is its name on the server.

        Raises
        ------
        BadRequest
            The data are empty.
        SessionNotFound, ServerFailure, ShimUnreachable
        """
        if self._auth is not None and not self._auth.challenged:
            # Else the server would answer the challenge and close while the data are on their way.
            self.version()
        return _decoded(self._checked(self._send("POST", "upload", {"id": sid}, None, payload))).strip()

    def cancel(self, sid: str, *, timeout: float | None = None) -> None:
        """Cancel the session's running query; answers 200 also when that has just ended.

        Raises
        ------
        SessionNotFound, NoQuery, GatewayFailure, ShimUnreachable
        """
        self._checked(self._send("GET", "cancel", {"id": sid}, timeout or ANSWER_TIMEOUT))

    def release_session(self, sid: str, *, timeout: float | None = None) -> None:
        """Give the slot back; shim answers after the end of the running query.

        Raises
        ------
        SessionNotFound, ShimUnreachable
        """
        self._checked(self._send("GET", "release_session", {"id": sid}, timeout or ANSWER_TIMEOUT))

    def debug(self) -> str | None:
        """The list of slots; None where shim was built without it.

        Raises
        ------
        AuthenticationFailed, ShimUnreachable
        """
        answer = self._send("GET", "debug", {}, ANSWER_TIMEOUT)
        if answer.status_code == requests.codes.not_found:
            return None
        return _decoded(self._checked(answer))

    def _text(self, endpoint: str, parameters: dict[str, str | None], *, timeout: float) -> str:
        return _decoded(self._checked(self._send("GET", endpoint, parameters, timeout)))

    def _bytes(self, endpoint: str, parameters: dict[str, str | None], headers: dict[str, str]) -> bytes:
        return self._checked(self._send("GET", endpoint, parameters, None, headers=headers)).content

    def _send(
        self,
        method: str,
        endpoint: str,
        parameters: dict[str, str | None],
        timeout: float | None,
        payload: Payload | None = None,
        headers: dict[str, str] | None = None,
    ) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = not self._loopback
            session.verify = self._verify
            session.auth = self._auth
            request = requests.Request(
                method,
                f"{self.url}/{endpoint}",
                params=_encoded(parameters),
                data=payload,
                headers={"Connection": "close", "Accept-Encoding": "identity", **(headers or {})},
            )
            try:
                prepared = session.prepare_request(request)
                size = len(prepared.url or "")
                if size > MAX_REQUEST - HEADER_ALLOWANCE:
                    raise errors.RequestTooLong(
                        f"The query is too long for shim: {size:,} of {MAX_REQUEST:,} bytes when encoded."
                        " Upload the data in it, or split it."
                    )
                settings = session.merge_environment_settings(prepared.url, {}, False, self._verify, None)
                answer = session.send(
                    prepared,
                    timeout=(min(self._connect_timeout, timeout or self._connect_timeout), timeout),
                    allow_redirects=False,
                    **settings,
                )
            except faults.FAULTS as error:
                # Not chained: requests' own words hold the whole URL, with session id and password.
                raise faults.no_answer(error, self._place, patient=timeout is None) from None
        expected = answer.headers.get("Content-Length")
        if method != "HEAD" and expected is not None and len(answer.content) != int(expected):
            raise faults.half(self._place)
        return answer

    def _checked(self, answer: requests.Response) -> requests.Response:
        """A good answer; a typed error for any other."""
        if answer.status_code in (requests.codes.ok, requests.codes.partial_content):
            return answer
        body = _decoded(answer)
        about_session = "?id=" in (answer.request.url or "") and not _NOT_SHIM.match(body)
        if answer.status_code == requests.codes.not_found and not about_session:
            raise faults.not_shim(self._place, body)
        raise faults.of_status(answer.status_code, body)

    def _expected(self, form: re.Pattern[str], text: str) -> str:
        if form.match(text) is None:
            raise faults.not_shim(self._place, text)
        return text


def _encoded(parameters: dict[str, str | None]) -> dict[str, bytes]:
    given = {name: value for name, value in parameters.items() if value is not None}
    try:
        return {name: value.encode("utf-8", "surrogateescape") for name, value in given.items()}
    except UnicodeEncodeError:
        raise errors.BadRequest(
            "The text holds half a character (a lone surrogate); nothing was sent."
        ) from None


def _decoded(answer: requests.Response) -> str:
    return answer.content.decode("utf-8", "surrogateescape")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
