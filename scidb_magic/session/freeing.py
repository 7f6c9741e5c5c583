"""How the guardian frees a slot: what it does once its master is gone.

Run by `scidb_magic.session.guardian` in a process of its own, which has the standard library and
nothing else; no other room needs it. Facts about shim: ``reference/shim-protocol.md``.

The one rule above all: shim repeats its ids after a restart, so an id that may be somebody else's is
left to shim's reaping.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import ipaddress
import json
import os
import signal
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request as web
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Charge = Mapping[str, Any]
"""The fields of `scidb_magic.session.guard.Charge`."""

Answer = int | str
"""Status, or what came instead of one."""

TRUSTED_SECONDS = 30.0
"""An id unused for longer has to be proved ours first."""

PATIENCE = 30.0
"""How long a server that does not answer is asked again."""

QUERY_SECONDS = 120.0
"""How long a cancelled query is waited for: shim answers a release only after the query's end."""

ANSWER_SECONDS = 5.0
CANCEL_EVERY = 0.3
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 8.0

LAST_SECONDS = 200
"""Whatever hangs, the helper is gone by then."""

OURS, FOREIGN, UNKNOWN = "ours", "foreign", "unknown"
REFUSED, LATE, CUT, BROKEN = "refused", "late", "cut", "broken"
OK, NOT_FOUND, UNAVAILABLE = 200, 404, 503

OVER = frozenset({OK, NOT_FOUND, REFUSED, FOREIGN})
"""After these the session is not ours any more, or never again: the ledger may forget it."""

AGAIN = frozenset({LATE, UNAVAILABLE, CUT})

FAULTS: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((ConnectionRefusedError,), REFUSED),
    ((TimeoutError,), LATE),
    ((ConnectionError, http.client.HTTPException, ssl.SSLEOFError), CUT),
    ((ssl.SSLError, FileNotFoundError), BROKEN),
    ((OSError,), LATE),  # no route, no name: that passes
)
"""What instead of an answer means; the first row that fits counts."""

HASHES = {"MD5": "md5", "SHA": "sha1", "SHA-256": "sha256"}


def end(line: bytes) -> None:
    """Free what the last line of the master says, and have the ledger forget it where it is over."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(LAST_SECONDS)
    charge: Charge = json.loads(line)
    if free(charge) and charge["file"] is not None:
        with contextlib.suppress(OSError):
            Path(charge["file"]).unlink()


def free(charge: Charge) -> bool:
    """Free the slot, if it is surely ours; whether the session is over for good."""
    deadline = time.monotonic() + PATIENCE
    pause, doubt = FIRST_PAUSE, False
    while True:
        answer = _attempt(charge, doubt)
        if answer not in AGAIN or (answer == CUT and charge["running"]):
            return answer in OVER
        # Who cut us off may have been a server on its way down.
        doubt = doubt or answer == CUT
        if time.monotonic() + pause > deadline:
            return False
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def _attempt(charge: Charge, doubt: bool) -> Answer:
    if charge["running"]:
        return _cancel_and_release(charge)
    if doubt or abs(time.time() - charge["used"]) > TRUSTED_SECONDS:
        proof = _prove(charge)
        if proof != OURS:
            return proof
    return _ask(charge, "release_session", ANSWER_SECONDS)[0]


def _prove(charge: Charge) -> Answer:
    """Whether the session's saved output is the one that the master saw last."""
    if charge["lines"] is None or charge["etag"] is None:
        return UNKNOWN
    endpoint = "read_lines" if charge["lines"] else "read_bytes"
    status, etag = _ask(charge, endpoint, ANSWER_SECONDS, method="HEAD")
    if status != OK:
        return status
    if etag is None:
        return UNKNOWN
    return OURS if etag == charge["etag"] else FOREIGN


def _cancel_and_release(charge: Charge) -> Answer:
    """Cancel until the release is answered: the first one may come before the query has begun."""
    answers: list[Answer] = []

    def release() -> None:
        answers.append(_ask(charge, "release_session", QUERY_SECONDS)[0])

    waiting = threading.Thread(target=release, daemon=True)
    while not answers:
        status, _ = _ask(charge, "cancel", ANSWER_SECONDS)
        if status in (REFUSED, NOT_FOUND) and not answers:
            return status
        if waiting.ident is None:
            waiting.start()
        waiting.join(CANCEL_EVERY)
    return answers[0]


def _ask(charge: Charge, endpoint: str, seconds: float, *, method: str = "GET") -> tuple[Answer, str | None]:
    """The answer and its Etag."""
    query = urllib.parse.urlencode({"id": charge["sid"], **({"n": 0} if method == "HEAD" else {})})
    try:
        request = web.Request(f"{charge['url'].rstrip('/')}/{endpoint}?{query}", method=method)  # noqa: S310
        with _opener(charge).open(request, timeout=seconds) as answer:
            return answer.status, answer.headers.get("Etag")
    except urllib.error.HTTPError as error:
        error.close()
        return error.code, None
    except (OSError, http.client.HTTPException, LookupError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return next((name for kinds, name in FAULTS if isinstance(reason, kinds)), BROKEN), None


def _opener(charge: Charge) -> web.OpenerDirector:
    """What sends one request as the master's client does: no redirects, no proxy on this machine."""
    host = urllib.parse.urlsplit(charge["url"]).hostname or ""
    handlers: list[web.BaseHandler] = [
        web.ProxyHandler({} if _is_loopback(host) else None),
        web.HTTPHandler(),
        web.HTTPSHandler(context=_tls(charge)),
        web.HTTPDefaultErrorHandler(),
        web.HTTPErrorProcessor(),
    ]
    if charge["http_user"] is not None:
        passwords = web.HTTPPasswordMgrWithDefaultRealm()
        passwords.add_password(None, charge["url"], charge["http_user"], charge["http_password"] or "")
        handlers.append(_Digest(passwords))
        if not charge["digest"] or charge["url"].startswith("https:"):
            handlers.append(web.HTTPBasicAuthHandler(passwords))
    opener = web.OpenerDirector()
    for handler in handlers:
        opener.add_handler(handler)
    return opener


class _Digest(web.HTTPDigestAuthHandler):
    """Digest authentication (RFC 7616) in UTF-8; the standard library's own takes nothing but ASCII."""

    def get_authorization(self, req: web.Request, chal: Mapping[str, str]) -> Any:
        header = super().get_authorization(req, chal)
        # http.client writes headers as Latin-1.
        return header and header.encode().decode("latin-1")

    def get_algorithm_impls(self, algorithm: str) -> Any:
        def digest(text: str) -> str:
            return hashlib.new(HASHES[algorithm], text.encode(), usedforsecurity=False).hexdigest()

        return digest, lambda secret, data: digest(f"{secret}:{data}")


def _tls(charge: Charge) -> ssl.SSLContext | None:
    if not charge["url"].startswith("https:"):
        return None
    ca = charge["ca"]
    trusted = {} if ca is None else {"capath" if os.path.isdir(ca) else "cafile": ca}  # noqa: PTH112
    context = ssl.create_default_context(**trusted)
    if not charge["verify"]:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
