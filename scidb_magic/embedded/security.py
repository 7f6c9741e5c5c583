"""Who may ask: no web page through a browser, and, with ``--digest``, nobody without the password.

A server on loopback can be reached by every web page that the user's browser shows. A page can

* send requests to 127.0.0.1 whose answers it cannot read: browsers mark them with ``Sec-Fetch-Site``
  or ``Origin``, and such requests are refused;
* point its own name at 127.0.0.1 (DNS rebinding) and read the answers: then ``Host`` holds that name,
  so only names of this machine and plain addresses, which no page can own, are served.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from scidb_magic.embedded.http import Answer, HttpError, Request

NONCE_SECONDS = 3600.0
"""A nonce older than this is answered with ``stale=true``; clients then ask again by themselves."""

_FIELD = re.compile(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_OWN_SITE = frozenset({"", "none", "same-origin"})


def is_loopback(host: str) -> bool:
    """Whether `host`, an address or a name to listen on, is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_host(request: Request, names: frozenset[str]) -> None:
    """Refuse a ``Host`` that is neither an address nor one of `names`.

    A request without it cannot come from a browser and passes, as with shim.

    Raises
    ------
    HttpError
        403.
    """
    given = request.headers.get("host")
    if given is None:
        return
    host = _host_name(given)
    if host in names or host == "localhost" or host.endswith(".localhost") or _is_address(host):
        return
    raise HttpError(403, "Forbidden", "This server does not answer to that Host")


def check_site(request: Request) -> None:
    """Refuse what a browser sends on behalf of another site's page.

    Raises
    ------
    HttpError
        403.
    """
    origin = request.headers.get("origin")
    foreign = origin is not None and _place(origin) != request.headers.get("host")
    if foreign or request.headers.get("sec-fetch-site", "").lower() not in _OWN_SITE:
        raise HttpError(403, "Forbidden", "Requests from other sites are refused")


def _place(url: str) -> str:
    """Host and port of a URL; empty, which no host is, of what is none."""
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


def own_names(host: str) -> frozenset[str]:
    """Names that ``Host`` may hold when the server listens on `host`: on the network, this machine's."""
    if is_loopback(host):
        return frozenset({"localhost"})
    return frozenset(name.lower() for name in (host, socket.gethostname(), socket.getfqdn()))


def _host_name(given: str) -> str:
    if given.startswith("["):
        return given[1:].partition("]")[0].lower()
    return given.partition(":")[0].rstrip(".").lower()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Digest:
    """Digest authentication (RFC 2617, MD5, ``qop="auth"``), as shim's web server asks for it.

    The nonce is the server's time, signed, so that nothing is kept for a request; it works for
    `NONCE_SECONDS` and not after a restart.
    """

    user: str
    password: str = field(repr=False)
    realm: str = "scidb_magic"
    clock: Callable[[], float] = field(default=time.time, repr=False)
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    @classmethod
    def parse(cls, credential: str) -> Digest:
        """From ``USER:PASSWORD``.

        Raises
        ------
        ValueError
            There is no colon, or a part is empty.
        """
        user, _, password = credential.partition(":")
        if not user or not password:
            raise ValueError("a credential is written USER:PASSWORD")
        return cls(user, password)

    def refusal(self, request: Request) -> Answer | None:
        """None if `request` is authenticated, else the 401 that asks for it."""
        fields = _fields(request.headers.get("authorization", ""))
        fresh = self._is_fresh(fields.get("nonce", ""))
        if fields and self._is_right(fields, request):
            if fresh:
                return None
            return self._challenge(', stale="true"')
        return self._challenge("")

    def _is_right(self, fields: Mapping[str, str], request: Request) -> bool:
        """Whether whoever made the header knew the password, for this very request."""
        secret = _md5(f"{self.user}:{self.realm}:{self.password}")
        subject = _md5(f"{request.method}:{fields.get('uri', '')}")
        middle = [fields.get(name, "") for name in ("nonce", "nc", "cnonce", "qop")]
        expected = _md5(":".join((secret, *middle, subject)))
        same = [
            _equal(fields.get("response", ""), expected),
            _equal(fields.get("username", ""), self.user),
            _equal(fields.get("uri", ""), request.target),
            fields.get("qop") == "auth",
            self._is_ours(fields.get("nonce", "")),
        ]
        return all(same)

    def _challenge(self, more: str) -> Answer:
        value = f'Digest qop="auth", realm="{self.realm}", nonce="{self._nonce()}"{more}'
        # Said although shim does not: a client that answers the challenge does so at once, and would
        # take the connection that we are about to close.
        headers = (("WWW-Authenticate", value), ("Connection", "close"))
        return Answer(401, reason="Unauthorized", headers=headers, shim=False)

    def _nonce(self) -> str:
        stamp = f"{int(self.clock()):x}.{secrets.token_hex(8)}"
        return f"{stamp}.{self._signature(stamp)}"

    def _signature(self, stamp: str) -> str:
        return hmac.new(self._key, stamp.encode(), hashlib.sha256).hexdigest()

    def _is_ours(self, nonce: str) -> bool:
        stamp, _, signature = nonce.rpartition(".")
        return _equal(signature, self._signature(stamp))

    def _is_fresh(self, nonce: str) -> bool:
        if not self._is_ours(nonce):
            return False
        return self.clock() - int(nonce.partition(".")[0], 16) <= NONCE_SECONDS


def _fields(header: str) -> dict[str, str]:
    scheme, _, rest = header.partition(" ")
    if scheme.lower() != "digest":
        return {}
    return {name: re.sub(r"\\(.)", r"\1", quoted) or plain for name, quoted, plain in _FIELD.findall(rest)}


def _md5(text: str) -> str:
    return hashlib.md5(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()


def _equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("utf-8", "replace"))


def tls_context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """A server's context, TLS 1.2 or newer.

    Raises
    ------
    OSError, ssl.SSLError
        A file cannot be read or does not hold what it should.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context
