"""From what went wrong on the wire to one typed error; what the server says, without its secrets."""

from __future__ import annotations

import http.client
import re
import socket
from collections.abc import Iterator

import requests
import urllib3.exceptions as wire

from scidb_magic import errors

_PATH = re.compile(r"(?:/[^\s'\"/]+)*/shim_(?:in|out)put_buf\w*|(?<=')/[^\s']*\Z")
"""Also one that is cut off: shim ends an error's text after 4,095 bytes."""
_WORDS: dict[int, tuple[type[errors.ShimError], str]] = {
    400: (errors.BadRequest, "Shim did not understand the request"),
    401: (errors.AuthenticationFailed, "The server refused user or password"),
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
    """The typed error of an answer that is neither 200 nor 406."""
    if "Request Too Large" in body:
        return errors.RequestTooLong("The query is too long for shim; it was not run.")
    kind, words = _WORDS.get(status, (errors.NotShim, f"The server answered with status {status}"))
    said = " ".join(without_paths(body).split())
    return kind(f"{words}: {said[:300]}" if said else f"{words}.", status=status, body=without_paths(body))


FAULTS = (requests.RequestException, wire.HTTPError)
"""What requests raises; some errors of urllib3 come through as they are."""


def no_answer(error: Exception, place: str, *, patient: bool) -> errors.ScidbMagicError:
    """The typed error of a request that got no answer; `place` is host and port.

    A `patient` request has no read time-out, so one that timed out was still connecting (TLS, a proxy).
    """
    reason = _reason(error)
    if reason == "other":
        return not_shim(place, "")
    if reason == "slow" and patient:
        reason = "timeout"
    return _unreachable(reason, place)


def half(place: str) -> errors.ShimUnreachable:
    """The error of an answer that is shorter than it said."""
    return _unreachable("half", place)


def not_shim(place: str, body: str) -> errors.NotShim:
    """The error of an answer that is not shim's."""
    return errors.NotShim(f"{place} answers, but not as shim does: check the URL.", body=body[:300])


def _unreachable(reason: str, place: str) -> errors.ShimUnreachable:
    sentence, sent = _REASONS[reason]
    return errors.ShimUnreachable(sentence.format(place=place), reason=reason, sent=sent)


_REASONS = {
    "dns": ("There is no host for {place}: check the URL.", False),
    "refused": ("Nothing answers at {place}: check the URL, and whether shim runs there.", False),
    "tls": ("No trusted TLS connection to {place}: check https and the certificate (verify=…).", False),
    "timeout": ("No connection to {place} within connect_timeout: check host, port and firewall.", False),
    "slow": ("{place} took the request but did not answer in time.", True),
    "reset": ("{place} closed the connection without an answer.", True),
    "half": ("The answer of {place} broke off.", True),
}


def _reason(error: BaseException) -> str:
    chain = list(_causes(error))
    for kinds, reason in _KINDS:
        if any(isinstance(cause, kinds) for cause in chain):
            return reason
    return "reset"


_KINDS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((requests.exceptions.SSLError, wire.SSLError), "tls"),
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


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that lie under it; requests and urllib3 keep them in `args` and `reason`."""
    seen: list[BaseException] = [error]
    for found in seen:
        yield found
        inner = (*found.args, getattr(found, "reason", None), found.__cause__, found.__context__)
        seen.extend(one for one in inner if isinstance(one, BaseException) and one not in seen)
