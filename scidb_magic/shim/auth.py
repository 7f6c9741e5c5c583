"""The web server's own authentication, in front of shim: Digest or Basic, whichever it asks for.

What the first challenge taught is shared by all threads, so only the first request is asked twice. A
challenge is answered on a new connection: shim closes the one it came on without saying so, and an answer
sent on that one could get lost. The arithmetic is requests'.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from requests.auth import HTTPBasicAuth, HTTPDigestAuth
from requests.utils import parse_dict_header

from scidb_magic.shim.secret import Secret

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_SCHEME = re.compile(r"(?:^|,)\s*(digest|basic)(?=\s|,|$)", re.IGNORECASE)
_UNAUTHORIZED = 401
_NAME = re.compile(r"digest\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Learned:
    """A challenge of Digest, and how often its nonce was used: a number that no two requests share."""

    fields: Mapping[str, str]
    used: Iterator[int]

    @property
    def nonce(self) -> str:
        return self.fields["nonce"]


class HttpAuth(HTTPDigestAuth):
    """Signs requests; without a lock, so that a fork cannot leave one behind.

    Parameters
    ----------
    user, password : str

    Attributes
    ----------
    credentials : (str, Secret)
        User and password.
    """

    def __init__(self, user: str, password: str) -> None:
        super().__init__(user, Secret(password))
        self.credentials = (user, Secret(password))
        self._digest: _Learned | None = None
        self._basic = False

    def __repr__(self) -> str:
        return "HttpAuth()"

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        """Called by requests before a request is sent."""
        self.init_per_thread_state()
        learned = self._digest
        state = self._state
        state.chal, state.last_nonce = (learned.fields, learned.nonce) if learned else ({}, "")
        super().__call__(r)  # type: ignore[no-untyped-call]
        if self._basic and learned is None:
            self._sign_basic(r)
        return r

    def build_digest_header(self, method: str, url: str) -> str | None:
        """The header's value, with the next number of the nonce."""
        state = self._state
        learned = self._digest
        if learned is None or learned.nonce != state.chal["nonce"]:
            learned = self._digest = _Learned(dict(state.chal), itertools.count())
        state.last_nonce, state.nonce_count = learned.nonce, next(learned.used)
        header: str | None = super().build_digest_header(method, url)  # type: ignore[no-untyped-call]
        # http.client writes headers as Latin-1, and a user's name may need more.
        return header and header.encode().decode("latin-1")

    def handle_401(self, r: requests.Response, **kwargs: Any) -> requests.Response:
        """Called by requests with every answer."""
        encrypted = (r.request.url or "").startswith("https:")
        challenge = r.headers.get("WWW-Authenticate", "")
        scheme = self._answerable(challenge, encrypted) if r.status_code == _UNAUTHORIZED else None
        basic_refused = r.request.headers.get("Authorization", "").startswith("Basic ")
        if scheme is None or (scheme == "basic" and basic_refused):
            return r
        r.close()
        r.connection.close()
        if scheme == "digest":
            answered: requests.Response = super().handle_401(r, **kwargs)  # type: ignore[no-untyped-call]
            return answered
        self._basic = True
        again = r.request.copy()
        self._sign_basic(again)
        answered = r.connection.send(again, **kwargs)
        answered.history.append(r)
        return answered

    @property
    def knows_digest(self) -> bool:
        """Whether Digest was asked for."""
        return self._digest is not None

    def withholds(self, challenge: str, *, encrypted: bool) -> bool:
        """Whether the challenge could be answered, but not without giving the password away."""
        return bool(schemes(challenge)) and self._answerable(challenge, encrypted) is None

    def _answerable(self, challenge: str, encrypted: bool) -> str | None:
        """The scheme to answer with. Basic over plain HTTP only where nothing better was ever asked for."""
        offered = schemes(challenge)
        if "digest" in offered:
            return "digest"
        return "basic" if "basic" in offered and (encrypted or self._digest is None) else None

    @property
    def _state(self) -> Any:
        return self._thread_local  # type: ignore[attr-defined]

    def _sign_basic(self, r: requests.PreparedRequest) -> None:
        HTTPBasicAuth(*(text.encode() for text in self.credentials))(r)


def schemes(challenge: str) -> set[str]:
    """The schemes that a ``WWW-Authenticate`` offers and that we know; Digest only with all it needs."""
    offered = {name.lower() for name in _SCHEME.findall(_QUOTED.sub('""', challenge))}
    fields = parse_dict_header(_NAME.sub("", challenge, count=1))  # type: ignore[no-untyped-call]
    if not {"nonce", "realm"} <= fields.keys():
        offered.discard("digest")
    return offered
