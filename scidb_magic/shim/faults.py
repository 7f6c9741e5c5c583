"""From what went wrong on the wire to one typed error; what the server says, without its secrets."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from collections.abc import Iterator

import requests
import urllib3.exceptions as wire
from urllib3.util.ssl_match_hostname import CertificateError

from scidb_magic import errors
from scidb_magic.shim.tls import NotConnected

_PATH = re.compile(r"(?:/[^\s'\"/]+)*/shim_(?:in|out)put_buf\w*|(?<=')/[^\s']*\Z")
"""Also one that is cut off: shim ends an error's text after 4,095 bytes."""
_WORDS: dict[int, tuple[type[errors.ShimError], str]] = {
    400: (errors.BadRequest, "Shim did not understand the request"),
    404: (errors.SessionNotFound, "The server does not know this session any more"),
    409: (errors.NoQuery, "The session has no query that could be cancelled"),
    410: (errors.NotSaved, "The session has no saved output"),
    416: (errors.OutOfRange, "There is no such part of the saved output"),
    500: (errors.ServerFailure, "Shim failed and has released the session"),
    502: (errors.GatewayFailure, "Shim has lost SciDB"),
    503: (errors.OutOfResources, "The server has no free slot"),
}


def without_paths(text: str) -> str:
    """Server text without the paths of shim's files."""
    return _PATH.sub("…", text)


def of_status(status: int, body: str) -> errors.ScidbMagicError:
    """The typed error of an answer that is none of 200, 401 and 406."""
    if "Request Too Large" in body:
        return errors.RequestTooLong("The query is too long for shim; it was not run.")
    kind, words = _WORDS.get(status, (errors.NotShim, f"The server answered with status {status}"))
    said = _said(body)
    return kind(f"{words}: {said}" if said else f"{words}.", status=status, body=without_paths(body))


def denied(place: str, body: str, *, by: str, sent: str) -> errors.AuthenticationFailed:
    """The error of a 401 `by` the "web server" or "scidb"; `sent` is "none", "refused" or "withheld"."""
    sentence = _DENIALS[by, sent].format(place=place, said=_said(body))
    return errors.AuthenticationFailed(sentence, body=without_paths(body), refused_by=by)


_DENIALS = {
    ("scidb", "refused"): "SciDB refused user and password ({said}): check them.",
    ("scidb", "none"): "SciDB asks for a user and a password, and got none ({said}): give both.",
    ("web server", "refused"): "The web server in front of shim at {place} refused http_auth: check http_user"
    " and http_password.",
    ("web server", "none"): "The web server in front of shim at {place} asks for http_auth, and got none:"
    " give http_user and http_password, which are not SciDB's.",
    ("web server", "withheld"): "The web server in front of shim at {place} asks for the password in plain"
    " text, and did not before: http_auth was not sent. Use https.",
}


def _said(body: str) -> str:
    return " ".join(without_paths(body).split())[:300]


FAULTS = (requests.RequestException, wire.HTTPError)
"""What requests raises; some errors of urllib3 come through as they are."""


def no_answer(error: Exception, place: str) -> errors.ScidbMagicError:
    """The typed error of a request that got no answer; `place` is host and port."""
    reason = _reason(error)
    if reason == "other":
        begins = any("HTTP/".startswith(line[:5]) for line in _status_lines(error))
        return half(place) if begins else not_shim(place, "")
    if reason == "tls":
        return errors.CertificateNotTrusted(_tls_sentence(error).format(place=place))
    return _unreachable(reason, place)


def broken_off(error: Exception, place: str) -> errors.ShimUnreachable:
    """The error of an answer whose head came and whose body did not come whole."""
    return _unreachable("slow" if _reason(error) == "slow" else "half", place)


def half(place: str) -> errors.ShimUnreachable:
    """The error of an answer that is shorter than it said."""
    return _unreachable("half", place)


def not_shim(place: str, body: str) -> errors.NotShim:
    """The error of an answer that is not shim's."""
    return errors.NotShim(f"{place} answers, but not as shim does: check the URL.", body=body[:300])


def _unreachable(reason: str, place: str) -> errors.ShimUnreachable:
    sentence, sent = _REASONS[reason]
    told = {"no proxy": "refused", "no handshake": "refused", "slow handshake": "timeout"}
    return errors.ShimUnreachable(sentence.format(place=place), reason=told.get(reason, reason), sent=sent)


_REASONS = {
    "dns": ("There is no host for {place}: check the URL.", False),
    "refused": ("Nothing answers at {place}: check the URL, and whether shim runs there.", False),
    "no proxy": (
        "No connection to {place} through the proxy: check https_proxy, http_proxy, no_proxy.",
        False,
    ),
    "no handshake": (
        "{place} closed the connection before TLS was up: check whether shim runs there.",
        False,
    ),
    "slow handshake": (
        "{place} did not answer in TLS within connect_timeout: check https in the URL.",
        False,
    ),
    "timeout": ("No connection to {place} within connect_timeout: check host, port and firewall.", False),
    "slow": ("{place} took the request but did not answer in time.", True),
    "reset": ("{place} closed the connection without an answer.", True),
    "half": ("The answer of {place} broke off.", True),
}


def _status_lines(error: BaseException) -> list[str]:
    """What came in place of a status line; of a true one, its beginning."""
    return [str(cause.args[0]) for cause in _causes(error) if isinstance(cause, http.client.BadStatusLine)]


def _reason(error: BaseException) -> str:
    chain = list(_causes(error))
    before = any(isinstance(cause, NotConnected) for cause in chain)
    for kinds, reason in _BEFORE_TLS if before else _KINDS:
        if any(isinstance(cause, kinds) and not isinstance(cause, NotConnected) for cause in chain):
            behind = reason == "refused" and any(isinstance(cause, wire.ProxyError) for cause in chain)
            return "no proxy" if behind else reason
    return "no proxy" if before else "reset"


_Kinds = tuple[tuple[tuple[type[BaseException], ...], str], ...]

_BEFORE_TLS: _Kinds = (
    ((TimeoutError,), "slow handshake"),
    ((ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError), "no handshake"),
    ((ssl.SSLError, CertificateError), "tls"),
)
_KINDS: _Kinds = (
    ((ssl.SSLCertVerificationError, CertificateError), "tls"),
    (
        (
            socket.gaierror,
            wire.LocationValueError,
            requests.exceptions.InvalidURL,
            requests.exceptions.InvalidSchema,
            requests.exceptions.MissingSchema,
        ),
        "dns",
    ),
    # A refused connection is a kind of ConnectTimeoutError to urllib3.
    ((wire.NewConnectionError, ConnectionRefusedError), "refused"),
    ((requests.exceptions.ConnectTimeout, wire.ConnectTimeoutError), "timeout"),
    ((requests.exceptions.ReadTimeout, wire.ReadTimeoutError), "slow"),
    ((requests.exceptions.ChunkedEncodingError, wire.IncompleteRead), "half"),
    # A connection closed without an answer is a kind of BadStatusLine to http.client.
    ((http.client.RemoteDisconnected,), "reset"),
    ((http.client.BadStatusLine,), "other"),
)

_NO_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"}
_CERTIFICATES = {
    9: "The certificate of {place} is not valid yet",
    10: "The certificate of {place} has expired",
    62: "The certificate of {place} is for another name",
    64: "The certificate of {place} is for another name",
}
"""OpenSSL's codes (x509_vfy.h)."""
_ADVICE = ": give a file of certificates to trust by verify=PATH, or verify='no' only if you must."


def _tls_sentence(error: BaseException) -> str:
    """What to say of a failed handshake; it has a ``{place}``."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _CERTIFICATES.get(cause.verify_code, "The certificate of {place} is not trusted") + _ADVICE
        if isinstance(cause, CertificateError):
            return _CERTIFICATES[62] + _ADVICE
        reason = getattr(cause, "reason", None) if isinstance(cause, ssl.SSLError) else None
        if reason in _NO_TLS:
            return "{place} does not speak TLS: check whether the URL should begin with http://."
        if reason:
            return f"No TLS connection to {{place}} ({reason.lower().replace('_', ' ')})" + _ADVICE
    return "No TLS connection to {place}" + _ADVICE


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that lie under it; requests and urllib3 keep them in `args` and `reason`."""
    seen: list[BaseException] = [error]
    for found in seen:
        yield found
        inner = (*found.args, getattr(found, "reason", None), found.__cause__, found.__context__)
        seen.extend(one for one in inner if isinstance(one, BaseException) and one not in seen)
