"""The helper process that frees a slot when its master is gone: a script, for ``python -I -S``.

`scidb_magic.session.guard` starts it and tells it what to free::

    master                                helper (own session, nobody's child)
      write end of a pipe  ── charges ──▶  standard input     its end, or the master's: free the slot
                           ◀── pid ──────  standard output    once, by the process that leaves at once

A charge is one line of JSON, the whole of what must be known; the last whole line counts. An empty
line says that nothing is held: then the helper ends. A child that a C library has forked may hold the
pipe's write end, so the master itself is watched too, where the system can do that (the number of its
``pidfd`` is the only argument).

Until the end nothing is imported but what a bare interpreter has: the helper lives as long as a
kernel, and has to be small. Facts about shim: ``reference/shim-protocol.md``.
"""

import os
import select
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Charge = Mapping[str, Any]
    Reply = tuple[int | str, str | None]

TRUSTED_SECONDS = 30.0
"""An id unused for longer has to be proved ours first: shim repeats its ids after a restart."""

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


def main() -> None:
    """Wait for the master's end, then free what it held."""
    leave_family()
    line = watch(*(int(number) for number in sys.argv[1:2]))
    if not line:
        return
    import contextlib
    import json

    charge = json.loads(line)
    if free(charge) and charge["file"] is not None:
        with contextlib.suppress(OSError):
            os.unlink(charge["file"])  # noqa: PTH108


def leave_family() -> None:
    """Be nobody's child: a kernel with a child, even a dead one, is shut down the hard way by ipykernel."""
    # The module signal would make an enum of every signal: a quarter of this process's own memory.
    import _signal as signal  # type: ignore[import-not-found]

    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    child = os.fork()
    if child:
        try:
            os.write(1, b"%d" % child)
        finally:
            os._exit(0)
    os.dup2(2, 1)


def watch(master: "int | None" = None) -> bytes:
    """The last charge, once the master is gone; empty if it held nothing.

    Parameters
    ----------
    master : int, optional
        ``pidfd`` of the master.
    """
    os.set_blocking(0, False)
    poll = select.poll()
    for descriptor in (0, master):
        if descriptor is not None:
            poll.register(descriptor, select.POLLIN)
    last, rest = b"", b""
    while True:
        # The order counts: what the master wrote before its end is in the pipe by then.
        ended = any(descriptor == master for descriptor, _ in poll.poll())
        try:
            while piece := os.read(0, 4096):
                *lines, rest = (rest + piece).split(b"\n")
                if lines:
                    last = lines[-1]
                    if not last.strip(b"{} \r"):
                        return b""
            ended = True
        except BlockingIOError:
            pass
        if ended:
            return last


def free(charge: "Charge") -> bool:
    """Free the slot of `charge`, if it is surely ours; whether the session is over for good."""
    import time

    _limit_the_end()
    deadline = time.monotonic() + PATIENCE
    pause, doubt = FIRST_PAUSE, False
    while True:
        answer = _attempt(charge, doubt, time.time())
        if answer not in AGAIN or (answer == CUT and charge["running"]):
            return answer in OVER
        # Who cut us off may have been a server on its way down.
        doubt = doubt or answer == CUT
        if time.monotonic() + pause > deadline:
            return False
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def _limit_the_end() -> None:
    import _signal as signal

    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(LAST_SECONDS)


def _attempt(charge: "Charge", doubt: bool, now: float) -> "int | str":
    if charge["running"]:
        return _cancel_and_release(charge)
    if doubt or abs(now - charge["used"]) > TRUSTED_SECONDS:
        proof = _prove(charge)
        if proof != OURS:
            return proof
    return _ask(charge, "release_session", ANSWER_SECONDS)[0]


def _prove(charge: "Charge") -> "int | str":
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


def _cancel_and_release(charge: "Charge") -> "int | str":
    """Cancel until the release is answered: the first one may come before the query has begun."""
    import threading

    answers: list[int | str] = []

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


def _ask(charge: "Charge", endpoint: str, seconds: float, *, method: str = "GET") -> "Reply":
    """Status and Etag of the answer, or what happened instead of one."""
    import http.client
    import urllib.error
    import urllib.parse
    import urllib.request

    query = urllib.parse.urlencode({"id": charge["sid"], **({"n": 0} if method == "HEAD" else {})})
    try:
        request = urllib.request.Request(f"{charge['url'].rstrip('/')}/{endpoint}?{query}", method=method)  # noqa: S310
        with _opener(charge).open(request, timeout=seconds) as answer:
            return answer.status, answer.headers.get("Etag")
    except urllib.error.HTTPError as error:
        error.close()
        return error.code, None
    except (OSError, http.client.HTTPException, LookupError, ValueError) as error:
        return _fault(error), None


def _fault(error: Exception) -> str:
    import http.client
    import ssl

    reason = getattr(error, "reason", error)
    for kinds, name in (
        ((ConnectionRefusedError,), REFUSED),
        ((TimeoutError,), LATE),
        ((ConnectionError, http.client.HTTPException, ssl.SSLEOFError), CUT),
        ((ssl.SSLError, FileNotFoundError), BROKEN),
        ((OSError,), LATE),  # no route, no name: that passes
    ):
        if isinstance(reason, kinds):
            return name
    return BROKEN


def _opener(charge: "Charge") -> "Any":
    """What sends one request as the master's client does: no redirects, no proxy on this machine."""
    import ssl
    import urllib.parse
    import urllib.request as web

    context = None
    if charge["url"].startswith("https:"):
        context = ssl.create_default_context(**_trusted(charge["ca"]))
        if not charge["verify"]:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
    host = urllib.parse.urlsplit(charge["url"]).hostname or ""
    handlers: list[web.BaseHandler] = [
        web.ProxyHandler({} if _is_loopback(host) else None),
        web.HTTPHandler(),
        web.HTTPSHandler(context=context),
        web.HTTPDefaultErrorHandler(),
        web.HTTPErrorProcessor(),
    ]
    if charge["http_user"] is not None:
        passwords = web.HTTPPasswordMgrWithDefaultRealm()
        passwords.add_password(None, charge["url"], charge["http_user"], charge["http_password"] or "")
        handlers += [_digest_handler(passwords), web.HTTPBasicAuthHandler(passwords)]
    opener = web.OpenerDirector()
    for handler in handlers:
        opener.add_handler(handler)
    return opener


def _digest_handler(passwords: "Any") -> "Any":
    """Digest authentication (RFC 7616) in UTF-8; the standard library's own takes nothing but ASCII."""
    import hashlib
    import urllib.request

    kinds = {"MD5": "md5", "SHA": "sha1", "SHA-256": "sha256"}

    class Digest(urllib.request.HTTPDigestAuthHandler):
        def get_authorization(self, req: urllib.request.Request, chal: "Mapping[str, str]") -> "Any":
            header = super().get_authorization(req, chal)
            # http.client writes headers as Latin-1.
            return header and header.encode().decode("latin-1")

        def get_algorithm_impls(self, algorithm: str) -> "Any":
            def digest(text: str) -> str:
                return hashlib.new(kinds[algorithm], text.encode(), usedforsecurity=False).hexdigest()

            return digest, lambda secret, data: digest(f"{secret}:{data}")

    return Digest(passwords)


def _trusted(ca: "str | None") -> "dict[str, Any]":
    if ca is None:
        return {}
    return {"capath" if os.path.isdir(ca) else "cafile": ca}  # noqa: PTH112


def _is_loopback(host: str) -> bool:
    import ipaddress

    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


if __name__ == "__main__":
    main()
    os._exit(0)
