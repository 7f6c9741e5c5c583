"""Who may ask, and what cannot be reached."""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from scidb_magic.embedded.http import HttpError, Request
from scidb_magic.embedded.security import Digest, check_host, is_loopback, own_names

AUTH = ("ada", 'se"c:ret')


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8080", 200),
        ("127.0.0.1", 200),
        ("localhost:1", 200),
        ("LocalHost", 200),
        ("[::1]:8080", 200),
        ("evil.example", 403),
        ("evil.example:8080", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1@evil.example", 403),
        ("", 403),
    ],
)
def test_host(wire: Any, host: str, status: int) -> None:
    answer = wire.raw(f"GET /version HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


def test_no_host_is_no_browser(wire: Any) -> None:
    assert wire.raw(b"GET /version HTTP/1.1\r\n\r\n").endswith(b"19.11.5")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_requests_of_foreign_pages_are_refused(wire: Any, headers: dict[str, str], status: int) -> None:
    assert wire("/version", headers=headers).status == status


def test_a_page_of_our_own_origin_may_ask(wire: Any) -> None:
    assert wire("/version", headers={"Origin": wire.url}).status == 200


def test_a_foreign_page_takes_no_slot(wire: Any) -> None:
    before = wire.slots_in_use()
    assert wire("/new_session", headers={"Sec-Fetch-Site": "cross-site"}).status == 403
    assert wire.slots_in_use() == before


def test_names_beyond_loopback() -> None:
    assert is_loopback("127.0.0.1") and is_loopback("localhost") and is_loopback("::1")
    assert not is_loopback("0.0.0.0") and not is_loopback("192.0.2.1") and not is_loopback("example.org")
    names = own_names("0.0.0.0")
    assert socket.gethostname().lower() in names
    check_host(_request(headers={"host": f"{socket.gethostname()}:80"}), names)
    with pytest.raises(HttpError):
        check_host(_request(headers={"host": "evil.example"}), names)


def _request(**fields: Any) -> Request:
    plain = {"method": "GET", "target": "/version", "path": "/version", "query_string": None, "headers": {}}
    rest = {"parameters": {}, "length": None, "connection": socket.socket()}
    with rest["connection"]:
        return Request(**(plain | rest | fields))


def test_digest_with_the_standard_librarys_client(embedded_factory: Any) -> None:
    server = embedded_factory(http_auth=AUTH)

    def get(path: str, *auth: str, data: bytes | None = None) -> str:
        handler = urllib.request.HTTPDigestAuthHandler()
        handler.add_password("scidb_magic", server.url, *auth)
        opener = urllib.request.build_opener(handler)
        with opener.open(server.url + path, data, timeout=30) as answer:
            return answer.read().decode()

    assert get("/version", *AUTH) == "19.11.5"
    sid = get("/new_session", *AUTH)
    assert get(f"/upload?id={sid}", *AUTH, data=b"x" * 1_000_000).startswith("/")
    for wrong in (("ada", "guess"), ("bob", AUTH[1])):
        with pytest.raises(urllib.error.HTTPError) as refused:
            get("/version", *wrong)
        assert refused.value.code == 401


def test_digest_with_requests(embedded_factory: Any) -> None:
    import requests
    from requests.auth import HTTPDigestAuth

    server = embedded_factory(http_auth=("ada", "secret"))
    auth = HTTPDigestAuth("ada", "secret")
    for _ in range(20):
        assert requests.get(f"{server.url}/version", auth=auth, timeout=30).text == "19.11.5"
    sid = requests.get(f"{server.url}/new_session", auth=auth, timeout=30).text
    name = requests.post(
        f"{server.url}/upload?id={sid}", b"y" * 3_000_000, auth=HTTPDigestAuth("ada", "secret")
    )
    assert name.status_code == 200


def test_everything_asks_for_digest(embedded_factory: Any, wire_to: Any) -> None:
    wire = wire_to(embedded_factory(http_auth=AUTH).url)
    for path in ("/version", "/new_session", "/debug", "/nothing", "/execute_query?id=x&query=y"):
        reply = wire(path)
        assert (reply.status, reply.reason, reply.body) == (401, "Unauthorized", b"")
        assert re.match('Digest qop="auth", realm="[^"]+", nonce="[^"]+"$', reply.headers["www-authenticate"])
    body = b"z" * 5_000_000
    assert wire("/upload?id=x", method="POST", body=body).status == 401, "the body is taken, not reset"


def _authorization(challenge: str, user: str, password: str, method: str, uri: str) -> str:
    realm, nonce = (re.search(f'{name}="([^"]*)"', challenge)[1] for name in ("realm", "nonce"))

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    middle = f"{nonce}:00000001:cafe:auth"
    response = md5(f"{md5(f'{user}:{realm}:{password}')}:{middle}:{md5(f'{method}:{uri}')}")
    return (
        f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", qop=auth, nc=00000001,'
        f' cnonce="cafe", response="{response}"'
    )


def test_digest_is_bound_to_server_time_and_request() -> None:
    now = 1e9
    digest = Digest("ada", "secret", clock=lambda: now)
    challenge = dict(digest.refusal(_request()).headers)["WWW-Authenticate"]
    good = _authorization(challenge, "ada", "secret", "GET", "/version")
    assert digest.refusal(_request(headers={"authorization": good})) is None

    def refused(request: Request, by: Digest = digest) -> str:
        answer = by.refusal(request)
        assert answer is not None and answer.status == 401
        return dict(answer.headers)["WWW-Authenticate"]

    assert "stale" not in refused(_request(target="/cancel?id=x", headers={"authorization": good}))
    assert "stale" not in refused(_request(method="POST", headers={"authorization": good}))
    assert "stale" not in refused(_request(headers={"authorization": good}), Digest("ada", "secret"))
    for broken in ("Digest", "Digest x", "Basic YWRhOnNlY3JldA==", good.replace("cafe", "babe"), good[:-9]):
        assert "stale" not in refused(_request(headers={"authorization": broken}))
    now += 3601
    assert 'stale="true"' in refused(_request(headers={"authorization": good}))


def test_no_secret_in_reprs() -> None:
    assert "secret" not in repr(Digest("ada", "secret"))
    for wrong in ("ada", "ada:", ":secret", ""):
        with pytest.raises(ValueError, match="USER:PASSWORD"):
            Digest.parse(wrong)


def test_digest_from_standard_input_is_not_in_the_process_list() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "scidb_magic.embedded", "--port", "0", "--digest", "-", "--end-with-stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout
    process.stdin.write("ada:topsecret\n")
    process.stdin.flush()
    url = process.stdout.readline().split()[-1]
    if Path("/proc").is_dir():
        assert b"topsecret" not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
    handler = urllib.request.HTTPDigestAuthHandler()
    handler.add_password("scidb_magic", url, "ada", "topsecret")
    with urllib.request.build_opener(handler).open(f"{url}/version", timeout=30) as answer:
        assert answer.read() == b"19.11.5"
    process.stdin.close()
    assert process.wait(20) == 0
    process.stdout.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A certificate for localhost, its key, and the authority that signed it."""
    import trustme

    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    files = {name: folder / f"{name}.pem" for name in ("ca", "cert", "key")}
    authority.cert_pem.write_to_path(str(files["ca"]))
    issued.cert_chain_pems[0].write_to_path(str(files["cert"]))
    issued.private_key_pem.write_to_path(str(files["key"]))
    return files


def test_tls(embedded_factory: Any, wire_to: Any, certificate: dict[str, Path]) -> None:
    server = embedded_factory("--tls-cert", str(certificate["cert"]), "--tls-key", str(certificate["key"]))
    assert server.url.startswith("https://127.0.0.1:")
    context = ssl.create_default_context(cafile=str(certificate["ca"]))
    for _ in range(3):
        with urllib.request.urlopen(f"{server.url}/version", context=context, timeout=30) as answer:
            assert answer.read() == b"19.11.5"
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"{server.url}/version", timeout=30)
    with contextlib.suppress(OSError):
        assert not wire_to(server.url).raw(b"GET /version HTTP/1.1\r\n\r\n").startswith(b"HTTP")
    with urllib.request.urlopen(f"{server.url}/version", context=context, timeout=30) as answer:
        assert answer.read() == b"19.11.5", "plain HTTP did no harm"


def test_slow_clients_do_not_block_the_others(wire: Any) -> None:
    slow = [socket.create_connection(wire.address) for _ in range(60)]
    try:
        for number, connection in enumerate(slow):
            connection.sendall(b"GET /version HTT"[: number % 16])
        assert wire("/version").status == 200
        slow[5].sendall(b"GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n"[5:])
        assert slow[5].recv(100).startswith(b"HTTP/1.1 200 ")
    finally:
        for connection in slow:
            connection.close()


def test_a_head_must_come_in_time(in_process: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scidb_magic.embedded.http.HEAD_SECONDS", 0.2)
    wire = in_process().wire
    assert wire.raw(b"GET /version HTTP/1.1\r\nX: ", shut=False) == b"", "closed, without an answer"


def test_a_house_full_of_silent_clients_ends_cleanly(embedded_factory: Any) -> None:
    server = embedded_factory()
    address = ("127.0.0.1", server.port)
    silent = [socket.create_connection(address) for _ in range(270)]
    try:
        assert server.stop() == 0
    finally:
        for connection in silent:
            connection.close()


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../../../../etc/passwd", "{own}/../../etc/passwd", "{own}/x/../../../etc/passwd"]
)
def test_files_outside_cannot_be_read_or_written(wire: Any, sid: str, path: str, tmp_path: Path) -> None:
    own = wire(f"/upload?id={sid}", method="POST", body=b"x").text.rpartition("/")[0]
    name = path.format(own=own)
    reply = wire.query(sid, f"input(<a:string>[i=0:*],'{name}',-2,'csv')", save="csv")
    assert reply.status == 406
    assert "root:" not in reply.text
    target = tmp_path / "stolen"
    assert wire.query(sid, f"save(build(<a:int64>[i=0:1],i),'{target}',0,'csv')").status == 406
    assert not target.exists()


def test_a_link_in_the_own_folder_leads_nowhere(in_process: Any, tmp_path: Path) -> None:
    wire = in_process().wire
    sid = wire.session()
    (tmp_path / "link").symlink_to("/etc/passwd")
    reply = wire.query(sid, f"input(<a:string>[i=0:*],'{tmp_path}/link',-2,'csv')", save="csv")
    assert reply.status == 406
    assert "root:" not in reply.text
