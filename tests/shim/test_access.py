"""Who is refused by whom: SciDB, the web server in front of shim, or TLS; and nothing secret that shows."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import logging
import re
import select
import signal
import socket
import ssl
import threading
import warnings
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from scidb_magic import errors
from scidb_magic.shim import transport
from scidb_magic.shim.auth import HttpAuth, schemes
from scidb_magic.shim.client import ShimClient
from scidb_magic.shim.download import Download
from scidb_magic.shim.secret import Secret, without_secrets

SID = "abcdefghijklmnopqrstuvwxyz012345"
AUTH = ("ann", "s3cret-of-the-web")


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def ok(body: bytes) -> bytes:
    return answer("200 OK", body)


def challenge(*offers: str) -> bytes:
    return answer("401 Unauthorized", b"", *(f"WWW-Authenticate: {offer}" for offer in offers))


def digest(nonce: str, more: str = "") -> str:
    return f'Digest qop="auth", realm="shim", nonce="{nonce}"{more}'


def signatures(server: Any) -> list[str]:
    """The ``Authorization`` of each request."""
    found = [re.search(rb"Authorization: ([^\r]*)", request) for request in server.asked]
    return [one[1].decode() if one else "" for one in found]


BASIC = "Basic " + b64encode(":".join(AUTH).encode()).decode()


# Digest


def test_digest_is_answered_on_a_new_connection_and_then_kept(scripted: Any) -> None:
    """Shim closes the connection of its challenge and does not say so."""
    server = scripted(challenge(digest("17")), ok(b"19.11.5"), ok(SID.encode()))
    client = ShimClient(server.url, http_auth=AUTH)
    assert client.version() == "19.11.5"
    assert client.new_session() == SID
    assert [one[:6] for one in signatures(server)] == ["", "Digest", "Digest"]
    assert not any(AUTH[1].encode() in request for request in server.asked)


def test_digest_is_learned_once_for_all_threads(scripted: Any) -> None:
    server = scripted(challenge(digest("17")), *[ok(b"19.11.5")] * 11)
    client = ShimClient(server.url, http_auth=AUTH)
    client.version()
    threads = [threading.Thread(target=client.version) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    server.close()
    counts = re.findall(r"nc=(\w+)", "".join(signatures(server)))
    assert sorted(counts) == [f"{n:08x}" for n in range(1, 12)]


def test_digest_gone_stale_is_learned_again_once(scripted: Any) -> None:
    stale = ', stale="true"'
    server = scripted(
        challenge(digest("17")),
        ok(b"19.11.5"),
        challenge(digest("18", stale)),
        ok(b"19.11.5"),
        challenge(digest("19", stale)),
        challenge(digest("20", stale)),
    )
    client = ShimClient(server.url, http_auth=AUTH)
    assert client.version() == client.version() == "19.11.5"
    with pytest.raises(errors.AuthenticationFailed):
        client.version()
    nonces = [re.findall('nonce="(.*?)".* nc=(.*?),', one) for one in signatures(server)]
    assert nonces == [
        [],
        [("17", "00000001")],
        [("17", "00000002")],
        [("18", "00000001")],
        [("18", "00000002")],
        [("19", "00000001")],
    ]


def test_users_name_beyond_latin_1(embedded_factory: Any) -> None:
    server = embedded_factory(http_auth=("Ωmega", "schlüssel"))
    assert ShimClient(server.url, http_auth=("Ωmega", "schlüssel")).version()


def test_upload_is_not_sent_into_a_challenge(scripted: Any) -> None:
    server = scripted(challenge(digest("17")), ok(b"19.11.5"), ok(b"/tmp/f"))
    assert ShimClient(server.url, http_auth=AUTH).upload(SID, b"data") == "/tmp/f"
    assert [request.split()[0] for request in server.asked] == [b"GET", b"GET", b"POST"]


def test_a_query_that_digest_makes_too_long_is_not_sent(scripted: Any) -> None:
    """The signature holds the URL once more."""
    server = scripted(challenge(digest("17")), ok(b"19.11.5"))
    client = ShimClient(server.url, http_auth=AUTH)
    client.version()
    with pytest.raises(errors.RequestTooLong):
        client.execute_query(SID, "x" * 140_000)


def test_embedded_server_with_digest_and_tls(embedded_factory: Any, certificates: Any) -> None:
    server = embedded_factory(
        "--tls-cert", str(certificates.cert), "--tls-key", str(certificates.key), http_auth=AUTH
    )
    client = ShimClient(server.url, http_auth=AUTH, verify=str(certificates.ca))
    sid = client.new_session()
    name = client.upload(sid, b"1,2\n" * 100_000)
    client.execute_query(sid, f"input(<a:int64,b:int64>[i], '{name}', -2, 'csv')", save="csv")
    download = Download(lines=True)
    client.download(sid, download)
    assert download.body == b"1,2\n" * 100_000
    client.release_session(sid)
    with pytest.raises(errors.AuthenticationFailed) as caught:
        ShimClient(server.url, http_auth=("ann", "wr0ng"), verify=str(certificates.ca)).version()
    assert caught.value.refused_by == "web server"
    with pytest.raises(errors.CertificateNotTrusted) as untrusted:
        ShimClient(server.url, http_auth=AUTH).version()
    assert untrusted.value.refused_by == "tls"


# Basic


class BasicProxy(http.server.ThreadingHTTPServer):
    """A web server that asks for Basic and passes on to shim, as nginx does."""

    asked: list[str]

    def __init__(self, target: int) -> None:
        self.asked = []
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                given = self.headers.get("Authorization", "")
                proxy.asked.append(given)
                self.close_connection = True
                if given != BASIC:
                    page = b"<html>401 Authorization Required</html>"
                    self.answer(401, {"WWW-Authenticate": 'Basic realm="Digest of SciDB"'}, page)
                    return
                behind = http.client.HTTPConnection("127.0.0.1", target, timeout=30)
                behind.request(self.command, self.path, body or None)
                told = behind.getresponse()
                self.answer(told.status, {"Etag": told.headers.get("Etag") or "none"}, told.read())
                behind.close()

            do_POST = do_GET

            def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def basic_proxy(embedded: Any) -> Iterator[BasicProxy]:
    proxy = BasicProxy(embedded.port)
    thread = threading.Thread(target=proxy.serve_forever)
    thread.start()
    yield proxy
    proxy.shutdown()
    thread.join(10)
    proxy.server_close()


def test_basic(basic_proxy: BasicProxy) -> None:
    client = ShimClient(basic_proxy.url, http_auth=AUTH)
    sid = client.new_session()
    client.execute_query(sid, "build(<x:int64>[i=0:2], i)", save="csv+")
    assert client.read_lines(sid) == b"0,0\n1,1\n2,2\n"
    name = client.upload(sid, b"1,2\n" * 200_000)
    assert name.startswith("/")
    client.release_session(sid)
    assert basic_proxy.asked == ["", *[BASIC] * 6], "asked twice only once"


@pytest.mark.parametrize(
    ("http_auth", "said"),
    [(("ann", "wr0ng"), "refused http_auth"), (None, "asks for http_auth, and got none")],
)
def test_basic_that_is_refused(basic_proxy: BasicProxy, http_auth: Any, said: str) -> None:
    with pytest.raises(errors.AuthenticationFailed, match=f"web server in front of shim .*{said}") as caught:
        ShimClient(basic_proxy.url, http_auth=http_auth).version()
    assert caught.value.refused_by == "web server"
    assert "wr0ng" not in str(caught.value) + caught.value.body
    assert len(basic_proxy.asked) == (2 if http_auth else 1)


def test_no_password_is_looked_for_elsewhere(
    basic_proxy: BasicProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login bob password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr(transport, "_is_loopback", lambda host: False)
    with pytest.raises(errors.AuthenticationFailed):
        ShimClient(basic_proxy.url).version()
    assert basic_proxy.asked == [""]


def test_basic_over_plain_http_is_not_given_to_a_host_that_asked_for_digest(scripted: Any) -> None:
    server = scripted(challenge(digest("17")), ok(b"19.11.5"), challenge('Basic realm="shim"'))
    client = ShimClient(server.url, http_auth=AUTH)
    client.version()
    with pytest.raises(
        errors.AuthenticationFailed, match=r"in plain text.*was not sent\. Use https"
    ) as caught:
        client.version()
    assert caught.value.refused_by == "web server"
    assert not any(one.startswith("Basic") for one in signatures(server))


def test_basic_under_tls_may_follow_digest(scripted: Any, certificates: Any) -> None:
    server = scripted(
        challenge(digest("17")),
        ok(b"19.11.5"),
        challenge('Basic realm="shim"'),
        ok(b"19.11.5"),
        context=certificates.context(),
    )
    client = ShimClient(server.url, http_auth=AUTH, verify=str(certificates.ca))
    assert client.version() == client.version() == "19.11.5"
    assert signatures(server)[-1] == BASIC


def test_digest_is_chosen_where_both_are_offered(scripted: Any) -> None:
    server = scripted(challenge('Basic realm="shim"', digest("17")), ok(b"19.11.5"))
    assert ShimClient(server.url, http_auth=AUTH).version() == "19.11.5"
    assert signatures(server)[1].startswith("Digest") and 'nonce="17"' in signatures(server)[1]


@pytest.mark.parametrize(
    ("offer", "known"),
    [
        (digest("17"), {"digest"}),
        ('Basic realm="a, Digest b"', {"basic"}),
        ('Basic realm="Digest realm nonce"', {"basic"}),
        (f'Basic realm="x", {digest("17")}', {"basic", "digest"}),
        (f'{digest("17")}, Basic realm="x"', {"basic", "digest"}),
        ("Negotiate, NTLM", set()),
        ("Negotiate, Basic", {"basic"}),
        ('Digest realm="x"', set()),
        ('Bearer realm="Basic"', set()),
        ("", set()),
    ],
)
def test_schemes(offer: str, known: set[str]) -> None:
    assert schemes(offer) == known


# Which of the three refused


def test_scidb_refuses(scripted: Any) -> None:
    said = answer("401 ERROR", b"SciDB authentication failed")
    client = ShimClient(scripted(said, said).url)
    with pytest.raises(errors.AuthenticationFailed, match="SciDB refused user and password") as caught:
        client.new_session(user="ann", password="s3cret")
    assert caught.value.refused_by == "scidb" and "SciDB authentication failed" in str(caught.value)
    with pytest.raises(errors.AuthenticationFailed, match="SciDB asks for a user") as caught:
        client.new_session()
    assert caught.value.refused_by == "scidb"


@pytest.mark.parametrize("said", [answer("401 Unauthorized"), answer("401 Unauthorized", b"<html>no</html>")])
def test_what_scidb_did_not_say_is_the_web_servers(scripted: Any, said: bytes) -> None:
    with pytest.raises(errors.AuthenticationFailed) as caught:
        ShimClient(scripted(said).url).new_session(user="ann", password="s3cret")
    assert caught.value.refused_by == "web server"


def test_unsupported_challenge(scripted: Any) -> None:
    client = ShimClient(scripted(challenge("Negotiate")).url, http_auth=AUTH)
    with pytest.raises(errors.AuthenticationFailed, match="refused http_auth"):
        client.version()


# TLS


@pytest.mark.parametrize(
    ("chain", "trusts", "said"),
    [
        ("cert", False, "is not trusted: give a file .* verify=PATH"),
        ("expired", True, "has expired"),
        ("misnamed", True, "is for another name"),
    ],
)
def test_certificates_that_are_refused(
    scripted: Any, certificates: Any, chain: str, trusts: bool, said: str
) -> None:
    context = certificates.context(None if chain == "cert" else getattr(certificates, chain))
    server = scripted(ok(b"19.11.5"), context=context)
    with pytest.raises(errors.CertificateNotTrusted, match=said) as caught:
        ShimClient(server.url, verify=str(certificates.ca) if trusts else True).version()
    error = caught.value
    assert (error.reason, error.refused_by, error.sent, error.ran) == ("tls", "tls", False, False)
    assert isinstance(error, errors.AuthenticationFailed) and isinstance(error, errors.ShimUnreachable)
    assert "verify='no' only if you must" in str(error)


def test_localhost_has_another_name_than_its_address(scripted: Any, certificates: Any) -> None:
    server = scripted(ok(b"19.11.5"), context=certificates.context())
    client = ShimClient(server.url.replace("127.0.0.1", "localhost"), verify=str(certificates.ca))
    assert client.version() == "19.11.5"


def test_a_server_without_tls(embedded: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def refuse() -> None:
            connection, _ = plain.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        with pytest.raises(errors.CertificateNotTrusted, match=r"does not speak TLS.*http://"):
            ShimClient(f"https://127.0.0.1:{plain.getsockname()[1]}").version()
        thread.join(10)
    with pytest.raises(errors.ShimUnreachable, match=r"did not answer in TLS.*https") as caught:
        ShimClient(f"https://127.0.0.1:{embedded.port}", connect_timeout=0.3).execute_query(SID, "scan(A)")
    assert (caught.value.reason, caught.value.sent) == ("timeout", False)


def test_a_server_that_ends_within_the_handshake(scripted: Any, certificates: Any, cutter: Any) -> None:
    server = scripted(b"", b"", context=certificates.context())
    wire = cutter(int(server.url.rpartition(":")[2]))
    wire.cuts = [5, 5]
    for wire.politely in (True, False):
        with pytest.raises(errors.ShimUnreachable) as caught:
            ShimClient(f"https://127.0.0.1:{wire.port}").execute_query(SID, "scan(A)")
        assert (caught.value.reason, caught.value.sent) == ("refused", False)
        assert "before TLS was up" in str(caught.value)


@pytest.mark.parametrize("politely", [True, False], ids=["closed", "reset"])
def test_a_server_that_ends_behind_the_handshake(
    scripted: Any, certificates: Any, cutter: Any, politely: bool
) -> None:
    """The request may have arrived: a change must not be sent again."""
    server = scripted(ok(b"19.11.5"), ok(b"19.11.5"), context=certificates.context())
    wire = cutter(int(server.url.rpartition(":")[2]))
    wire.politely = politely
    verify = str(certificates.ca)
    assert ShimClient(f"https://127.0.0.1:{wire.port}", verify=verify).version()
    # It ends within the first bytes of the answer.
    wire.cuts = [_handshake_size(certificates) + 10]
    with pytest.raises(errors.ShimUnreachable) as caught:
        ShimClient(f"https://127.0.0.1:{wire.port}", verify=verify).execute_query(SID, "scan(A)")
    assert (caught.value.reason, caught.value.sent) == ("reset", True)
    assert not isinstance(caught.value, errors.CertificateNotTrusted)


def _handshake_size(certificates: Any) -> int:
    """Bytes that a server sends up to the end of the handshake, session tickets included."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    to_server, from_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context(cafile=certificates.ca).wrap_bio(
        incoming, outgoing, server_hostname="127.0.0.1"
    )
    server = certificates.context().wrap_bio(to_server, from_server, server_side=True)
    sent = 0
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            finally:
                to_server.write(outgoing.read())
                told = from_server.read()
                sent += len(told)
                incoming.write(told)
    return sent


def test_files_of_certificates_that_are_none(certificates: Any, scripted: Any, tmp_path: Path) -> None:
    server = scripted(context=certificates.context())
    (tmp_path / "empty.pem").write_text("nothing\n")
    for name in ("missing.pem", "empty.pem"):
        with pytest.raises(errors.SettingError, match=f"verify names .*{name}, and there is no file"):
            ShimClient(server.url, verify=str(tmp_path / name)).version()


def test_unchecked_certificates_are_told_once(
    scripted: Any, certificates: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server = scripted(*[ok(b"19.11.5")] * 3, context=certificates.context(certificates.misnamed))
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING, "scidb_magic"):
        warnings.simplefilter("error")
        client = ShimClient(server.url, verify=False)
        assert client.version() == client.version() == "19.11.5"
        assert ShimClient(server.url, verify=False).version() == "19.11.5"
    assert [record.name for record in caplog.records] == ["scidb_magic"]
    assert "is not checked" in caplog.text


def test_the_environments_certificates_are_trusted(
    scripted: Any, certificates: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.ca))
    client = ShimClient(scripted(ok(b"19.11.5"), context=certificates.context()).url)
    assert client.version() == "19.11.5"
    assert (client.access().verify, client.access().ca) == (True, str(certificates.ca))


class Tunnel(threading.Thread):
    """A proxy that takes one CONNECT, and refuses it or passes all on to `port`."""

    def __init__(self, port: int | None) -> None:
        super().__init__()
        self.asked = b""
        self._target = port
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def run(self) -> None:
        client, _ = self._socket.accept()
        with client:
            while b"\r\n\r\n" not in self.asked:
                self.asked += client.recv(65536)
            if self._target is None:
                client.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
                return
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            with (
                socket.create_connection(("127.0.0.1", self._target)) as server,
                contextlib.suppress(OSError),
            ):
                while True:
                    ready, _, _ = select.select([client, server], [], [])
                    data = ready[0].recv(65536)
                    if not data:
                        return
                    (server if ready[0] is client else client).sendall(data)


@pytest.fixture
def tunnel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int | None], Tunnel]]:
    made: list[Tunnel] = []

    def make(port: int | None) -> Tunnel:
        made.append(Tunnel(port))
        made[-1].start()
        monkeypatch.setattr(transport, "_is_loopback", lambda host: False)
        monkeypatch.setenv("https_proxy", made[-1].url)
        return made[-1]

    yield make
    for one in made:
        one.join(10)
        one._socket.close()


@pytest.mark.parametrize("trusts", [True, False])
def test_through_a_proxy(scripted: Any, certificates: Any, tunnel: Any, trusts: bool) -> None:
    server = scripted(ok(SID.encode()), context=certificates.context())
    proxy = tunnel(int(server.url.rpartition(":")[2]))
    client = ShimClient(server.url, verify=str(certificates.ca) if trusts else True)
    if trusts:
        assert client.new_session(user="ann", password="s3cret") == SID
    else:
        with pytest.raises(errors.CertificateNotTrusted, match="is not trusted"):
            client.new_session(user="ann", password="s3cret")
    assert proxy.asked.startswith(b"CONNECT 127.0.0.1:") and b"s3cret" not in proxy.asked


def test_a_proxy_that_refuses(tunnel: Any) -> None:
    proxy = tunnel(None)
    for _ in range(2):
        with pytest.raises(errors.ShimUnreachable, match="through the proxy") as caught:
            ShimClient("https://127.0.0.1:1").execute_query(SID, "scan(A)")
        assert (caught.value.reason, caught.value.sent) == ("refused", False)
        # The second time there is no proxy.
        proxy.join(10)
        proxy._socket.close()


# What the guardian gets


def test_access(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    plain = ShimClient("https://h:1/").access()
    assert (plain.url, plain.http_user, plain.http_password, plain.verify) == (
        "https://h:1",
        None,
        None,
        True,
    )
    assert plain.ca is not None and Path(plain.ca).is_file()
    assert ShimClient("https://h:1", verify="/a/ca.pem").access().ca == "/a/ca.pem"
    off = ShimClient("https://h:1", http_auth=AUTH, verify=False).access()
    assert (off.http_user, off.http_password, off.verify, off.ca) == (*AUTH, False, None)
    assert AUTH[1] not in repr(off)


# Nothing secret shows


def _everything(error: BaseException) -> str:
    """All that a traceback can show of an error, the verbose one of IPython too."""
    found: list[str] = []
    seen: list[BaseException] = [error]
    for one in seen:
        found += [str(one), repr(one), repr(vars(one))]
        found += [repr(value) for value in _locals(one.__traceback__)]
        seen += [more for more in (one.__cause__, one.__context__) if more is not None and more not in seen]
    return "\n".join(found)


def _locals(traceback: TracebackType | None) -> Iterator[Any]:
    while traceback is not None:
        if traceback.tb_frame.f_globals["__name__"].startswith("scidb_magic"):
            yield dict(traceback.tb_frame.f_locals)
        traceback = traceback.tb_next


ECHO = b"<pre>Cannot GET /execute_query?id=" + SID.encode() + b"&query=x and " + SID.encode() + b"</pre>"
FAULTY: dict[str, bytes] = {
    "reset": b"",
    "half": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n12",
    "no HTTP": b"SSH-2.0\r\n",
    "echo": answer("404 Not Found", ECHO),
    "echo of a gateway": answer("502 Bad Gateway", ECHO),
    "not asked for": answer(
        "418 Teapot", b"/new_session?user=ann&password=s3cret-of-scidb by " + SID.encode()
    ),
    "unauthorized": challenge(digest("17")),
    "not found": answer("404 ERROR", b"Session not found"),
    "redirect": answer("302 Found", b"", "Location: /execute_query?id=" + SID),
}
CALLS: dict[str, Callable[[ShimClient], Any]] = {
    "new_session": lambda client: client.new_session(user="ann", password="s3cret-of-scidb"),
    "execute_query": lambda client: client.execute_query(Secret(SID), "scan(A)", save="csv"),
    "download": lambda client: client.download(Secret(SID), Download(lines=False, size=200, end=100)),
    "head": lambda client: client.head(Secret(SID), lines=False),
    "upload": lambda client: client.upload(Secret(SID), b"data"),
    "cancel": lambda client: client.cancel(Secret(SID)),
    "release": lambda client: client.release_session(Secret(SID), timeout=5),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("said", FAULTY)
def test_no_error_shows_a_secret(
    scripted: Any, said: str, call: str, caplog: pytest.LogCaptureFixture
) -> None:
    page = FAULTY[said].replace(SID.encode(), b"none") if call == "new_session" else FAULTY[said]
    # Else an upload fails with the request that is sent before it, which has no id.
    http_auth = None if call == "upload" else AUTH
    server = scripted(*[page] * (2 if said == "unauthorized" and http_auth else 1))
    with caplog.at_level("DEBUG"), pytest.raises(errors.ScidbMagicError) as caught:
        CALLS[call](ShimClient(server.url, http_auth=http_auth))
        # What broke off behind a 200 is no error of a query.
        CALLS[call](ShimClient("http://127.0.0.1:1"))
    shown = _everything(caught.value) + caplog.text
    for secret in (SID, "s3cret-of-scidb", AUTH[1]):
        assert secret not in shown
    assert caught.value.__cause__ is None and caught.value.__context__ is None


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "https://127.0.0.1:1", "http://no-such-host.invalid"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_no_error_of_a_connection_shows_a_secret(url: str, call: Callable[[ShimClient], Any]) -> None:
    with pytest.raises(errors.ShimUnreachable) as caught:
        call(ShimClient(url, http_auth=AUTH))
    shown = _everything(caught.value)
    for secret in (SID, "s3cret-of-scidb", AUTH[1]):
        assert secret not in shown
    assert caught.value.__cause__ is None and caught.value.__context__ is None


def test_no_interrupt_shows_a_secret() -> None:
    """In a frame of ours; those of requests hold the URL."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = ShimClient(f"http://127.0.0.1:{silent.getsockname()[1]}", http_auth=AUTH)
        connections = []

        def interrupt() -> None:
            connections.append(silent.accept()[0])
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt) as caught:
            client.new_session(user="ann", password="s3cret-of-scidb")
        thread.join(10)
        connections[0].close()
    ours = "\n".join(repr(one) for one in _locals(caught.value.__traceback__))
    assert "new_session" in ours and "s3cret-of-scidb" not in ours


def test_secrets_in_a_text() -> None:
    text = f'GET http://h/read_bytes?id={SID}&n=0" of {SID} with p4ss'
    assert without_secrets(text, [SID, None, "p4ss", "GET"]) == 'GET http://h/read_bytes?…" of … with …'
    assert repr(Secret("p4ss")) == "'********'" and repr(HttpAuth(*AUTH)) == "HttpAuth()"


def test_no_error_of_a_payload_shows_a_secret(scripted: Any) -> None:
    """It passes through frames of requests, which know the whole URL."""

    def pieces() -> Iterator[bytes]:
        yield b"x"
        raise ValueError("the user's own")

    class Payload:
        def __len__(self) -> int:
            return 10

        def __iter__(self) -> Iterator[bytes]:
            return pieces()

    with pytest.raises(ValueError, match="the user's own") as caught:
        ShimClient(scripted(answer("200 OK", b"")).url).upload(Secret(SID), Payload())  # type: ignore[arg-type]
    shown, traceback = [], caught.value.__traceback__
    while traceback is not None:
        if "test_access" not in traceback.tb_frame.f_code.co_filename:
            shown.append(repr(traceback.tb_frame.f_locals))
        traceback = traceback.tb_next
    assert shown
    assert SID not in "".join(shown)
    assert caught.value.__context__ is None


def test_a_good_answer_that_echoes_is_not_kept(scripted: Any) -> None:
    echo = b"You asked for /new_session?user=u&password=s3cret-of-scidb"
    with pytest.raises(errors.NotShim) as caught:
        ShimClient(scripted(answer("200 OK", echo)).url).new_session(user="u", password="s3cret-of-scidb")
    assert "s3cret" not in _everything(caught.value)
