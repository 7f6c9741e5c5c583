"""Shim's HTTP protocol, one method an endpoint; no policy.

Every request has a TCP connection of its own: shim closes connections without saying so, and on a
reused one an unanswered request could not be told from one that ran. Every connect has a time-out; a
query, a read and an upload have no read time-out. Bodies are decoded here, as shim names no charset.

Imported only when a server is talked to.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import requests

from scidb_magic import errors
from scidb_magic.shim import complaint, faults, tls
from scidb_magic.shim.auth import HttpAuth
from scidb_magic.shim.download import Download, length
from scidb_magic.shim.secret import Secret, without_secrets
from scidb_magic.shim.transport import Call, Payload, Reply, Transport

ANSWER_TIMEOUT = 30.0
"""Seconds for the answer to what does not depend on a query."""

_SESSION_ID = re.compile(r"[0-9a-z]{32}$")
_QUERY_ID = re.compile(r"\d+$")
_VERSION = re.compile(r"\d+(\.\d+)+")
_DIGITS = re.compile(r"\d*$")
_GOOD = (requests.codes.ok, requests.codes.partial_content)
_NOT_SHIM = re.compile(r"Error 404: Not Found|\s*<")
"""How the body of a 404 begins that is not shim's: its file server's, or another server's page."""


@dataclass(frozen=True, slots=True)
class Head:
    """Size in bytes and ``Etag`` of a saved output."""

    size: int
    etag: str | None


@dataclass(frozen=True, slots=True)
class Access:
    """What it takes to reach a shim, for a client that has only the standard library.

    Attributes
    ----------
    url : str
    http_user, http_password : str or None
        Of the web server in front of shim.
    verify : bool
        Whether the TLS certificate is checked.
    ca : str or None
        Path of the certificates that are trusted, a file or a folder; None where nothing is checked.
    digest : bool
        Whether the web server has asked for Digest, as far as was heard.
    """

    url: str
    http_user: str | None
    http_password: str | None = field(repr=False)
    verify: bool
    ca: str | None
    digest: bool = False


class ShimClient:
    """A client of one shim; keeps no session and no connection, so threads may share it.

    Parameters
    ----------
    url : str
    http_auth : (user, password), optional
        For the web server in front of shim, whether it asks for Digest or Basic.
    verify : bool or str
        Check the TLS certificate; a str is the path of a file, or a folder, of trusted certificates.
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
        self._auth = HttpAuth(*http_auth) if http_auth is not None else None
        self._verify = tls.trusted(verify)
        self._transport = Transport(
            self.url, http_auth=self._auth, verify=self._verify, connect_timeout=connect_timeout
        )
        self._place = self._transport.place

    def __repr__(self) -> str:
        return f"ShimClient({self.shown_url!r})"

    @property
    def shown_url(self) -> str:
        """The URL without a user."""
        return self._transport.shown

    def access(self) -> Access:
        """How this client reaches shim, in plain values."""
        user, password = self._auth.credentials if self._auth is not None else (None, None)
        ca = tls.authorities(self._verify)
        digest = self._auth is not None and self._auth.knows_digest
        return Access(self.url, user, password, verify=ca is not None, ca=ca, digest=digest)

    def version(self) -> str:
        """SciDB's version, such as ``"19.11.5"``.

        Raises
        ------
        NotShim, ShimUnreachable, AuthenticationFailed
        """
        return self._expected(_VERSION, self._text(Call("version", timeout=ANSWER_TIMEOUT)))

    def new_session(
        self,
        *,
        user: str | None = None,
        password: str | None = None,
        admin: bool = False,
        timeout: float | None = None,
    ) -> Secret:
        """Take a slot; the answer is the session id.

        Raises
        ------
        AuthenticationFailed, OutOfResources, GatewayFailure, NotShim, ShimUnreachable
        """
        password = password if password is None else Secret(password)
        parameters = {"user": user, "password": password, "admin": "1" if admin else None}
        call = Call("new_session", parameters, timeout=timeout or ANSWER_TIMEOUT)
        return Secret(self._expected(_SESSION_ID, self._text(call)))

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

        Once shim says 200 the query has ended; where the id after it is cut off, the answer is ``""``.

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
        with self._transport.send(Call("execute_query", parameters, timeout=timeout)) as answer:
            reply = answer.whole()
        if reply.status == errors.QueryError.status:
            raise complaint.query_error(reply.text, query, saved=save is not None)
        if reply.status == requests.codes.ok and reply.fault is not None:
            self._expected(_DIGITS, reply.text)
            return ""
        return self._expected(_QUERY_ID, self._good(reply).text)

    def download(self, sid: str, download: Download) -> None:
        """Bring the saved output, or what of it is still missing in `download`, piece by piece.

        To go on is right only in the same session, with no statement since. Needs another request for
        the size where the beginning of an output of unknown size is asked for.

        Raises
        ------
        OutOfRange
            The output was saved in the other kind of format, or it is another one than that of the
            beginning.
        ShimUnreachable
            With what came in `download`.
        SessionNotFound, NotSaved, ServerFailure
        """
        if download.must_know_size:
            head = self.head(sid, lines=download.lines)
            download.meet(head.size, head.etag)
        if download.complete:
            return
        endpoint = "read_lines" if download.lines else "read_bytes"
        with self._transport.send(Call(endpoint, {"id": sid, "n": "0"}, headers=download.range())) as answer:
            if answer.status not in _GOOD or _is_page(answer.headers):
                self._good(answer.whole())
            pieces = answer.pieces()
            # A head of which a part is missing has no body: only after a first piece may it be judged.
            first = next(pieces, b"")
            download.begin(answer.status, answer.headers)
            for piece in itertools.chain([first], pieces):
                download.add(piece)
                if download.complete:
                    return
        if download.size is None:
            download.size = download.received

    def read_lines(self, sid: str, n: int = 0) -> bytes:
        """The saved output in a text format: the whole, or the next `n` lines.

        Raises
        ------
        SessionNotFound, NotSaved, OutOfRange, ServerFailure, ShimUnreachable
        """
        return self._ask(Call("read_lines", {"id": sid, "n": str(n)})).body

    def read_bytes(self, sid: str, n: int = 0, *, start: int | None = None, end: int | None = None) -> bytes:
        """The saved output in a binary format: the whole, the next `n` bytes, or the bytes `start` … `end`.

        A range must lie inside the output, else shim answers nonsense; see `head`. Raises as `read_lines`.
        """
        headers = {} if start is None else {"Range": f"bytes={start}-{'' if end is None else end}"}
        return self._ask(Call("read_bytes", {"id": sid, "n": str(n)}, headers=headers)).body

    def head(self, sid: str, *, lines: bool, timeout: float | None = None) -> Head:
        """Size and ``Etag`` of the saved output, of a text format if `lines`. Raises as `read_lines`."""
        endpoint = "read_lines" if lines else "read_bytes"
        parameters = {"id": sid, "n": "0"}
        call = Call(endpoint, parameters, method="HEAD", timeout=timeout or ANSWER_TIMEOUT)
        with self._transport.send(call) as answer:
            self._good(answer.whole())
        size = length(answer.headers)
        if size is None:
            raise faults.not_shim(self._place, "")
        return Head(size, answer.headers.get("Etag"))

    def upload(self, sid: str, payload: Payload) -> str:
        """Send data into the session's one input file; the answer is its name on the server.

        Parameters
        ----------
        sid : str
        payload : bytes or Pieces

        Raises
        ------
        BadRequest
            The data are empty.
        SessionNotFound, ServerFailure, ShimUnreachable
        """
        if self._auth is not None:
            # Else the server may answer with a challenge and close while the data are on their way.
            self.version()
        return self._text(Call("upload", {"id": sid}, method="POST", payload=payload))

    def cancel(self, sid: str, *, timeout: float | None = None) -> None:
        """Cancel the session's running query; answers 200 also when that has just ended.

        Raises
        ------
        SessionNotFound, NoQuery, GatewayFailure, ShimUnreachable
        """
        self._ask(Call("cancel", {"id": sid}, timeout=timeout or ANSWER_TIMEOUT))

    def release_session(self, sid: str, *, timeout: float | None = None) -> None:
        """Give the slot back; shim answers after the end of the running query.

        Raises
        ------
        SessionNotFound, ShimUnreachable
        """
        self._ask(Call("release_session", {"id": sid}, timeout=timeout or ANSWER_TIMEOUT))

    def debug(self) -> str | None:
        """The list of slots; None where shim was built without it.

        Raises
        ------
        AuthenticationFailed, ShimUnreachable
        """
        with self._transport.send(Call("debug", timeout=ANSWER_TIMEOUT)) as answer:
            reply = answer.whole()
        if reply.status == requests.codes.not_found:
            return None
        return self._good(reply).text

    def _text(self, call: Call) -> str:
        return self._ask(call).text.strip()

    def _ask(self, call: Call) -> Reply:
        with self._transport.send(call) as answer:
            reply = answer.whole()
        return self._good(reply)

    def _good(self, reply: Reply) -> Reply:
        """A whole and good answer; a typed error for any other."""
        if reply.fault is not None:
            raise reply.fault
        if reply.status not in _GOOD:
            raise self._refusal(reply)
        if _is_page(reply.headers):
            raise faults.not_shim(self._place, reply.complaint)
        return reply

    def _refusal(self, reply: Reply) -> errors.ScidbMagicError:
        parameters, text = reply.call.parameters, reply.complaint
        if reply.status == requests.codes.unauthorized:
            return self._denial(reply.headers.get("WWW-Authenticate"), text, parameters.get("user"))
        about_session = "id" in parameters and not _NOT_SHIM.match(text)
        if reply.status == requests.codes.not_found and not about_session:
            return faults.not_shim(self._place, text)
        return faults.of_status(reply.status, text)

    def _denial(self, challenge: str | None, text: str, user: str | None) -> errors.AuthenticationFailed:
        """A 401 of SciDB, asked with `user`, or of the web server in front of shim."""
        if challenge is None and "SciDB" in text:
            return faults.denied(self._place, text, by="scidb", sent="refused" if user else "none")
        if self._auth is None:
            return faults.denied(self._place, text, by="web server", sent="none")
        withheld = self._auth.withholds(challenge or "", encrypted=self._transport.encrypted)
        return faults.denied(self._place, text, by="web server", sent="withheld" if withheld else "refused")

    def _expected(self, form: re.Pattern[str], text: str) -> str:
        if form.match(text) is None:
            text = without_secrets(text)  # rebound, for a traceback with the values of locals
            raise faults.not_shim(self._place, text)
        return text


def _is_page(headers: Mapping[str, str]) -> bool:
    """Whether this is a web page: shim's good answers are plain text or bytes."""
    return headers.get("Content-Type", "").startswith("text/html")
