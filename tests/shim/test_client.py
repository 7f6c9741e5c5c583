"""The client against sockets that answer as told: every status, every fault of a network."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from scidb_magic import errors
from scidb_magic.shim.client import ShimClient
from scidb_magic.shim.download import Download

SID = "abcdefghijklmnopqrstuvwxyz012345"


def answer(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def ok(body: bytes) -> bytes:
    return answer("200 OK", body, "Content-Type: text/plain")


def error(status: int, body: str) -> bytes:
    return answer(f"{status} ERROR", body.encode(), "Content-Type: text/html")


def test_every_endpoint_is_asked_as_shim_wants_it(scripted: Any) -> None:
    server = scripted(
        ok(b"19.11.5"), ok(SID.encode()), ok(b"17"), ok(b"0,1\n"), ok(b"/tmp/f"), ok(b""), ok(b"")
    )
    client = ShimClient(server.url)
    assert client.version() == "19.11.5"
    assert client.new_session(user="ann", password="p w", admin=True) == SID
    assert client.execute_query(SID, "scan(A)", save="csv+", prefix="p()", atts_only=True) == "17"
    assert client.read_lines(SID) == b"0,1\n"
    assert client.upload(SID, b"data") == "/tmp/f"
    client.cancel(SID)
    client.release_session(SID)
    lines = [request.split(b"\r\n")[0].decode() for request in server.asked]
    assert lines == [
        "GET /version HTTP/1.1",
        "GET /new_session?user=ann&password=p+w&admin=1 HTTP/1.1",
        f"GET /execute_query?id={SID}&query=scan%28A%29&save=csv%2B&atts_only=1&prefix=p%28%29 HTTP/1.1",
        f"GET /read_lines?id={SID}&n=0 HTTP/1.1",
        f"POST /upload?id={SID} HTTP/1.1",
        f"GET /cancel?id={SID} HTTP/1.1",
        f"GET /release_session?id={SID} HTTP/1.1",
    ]
    assert all(b"Connection: close" in request for request in server.asked)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequest),
        (401, errors.AuthenticationFailed),
        (404, errors.SessionNotFound),
        (409, errors.NoQuery),
        (410, errors.NotSaved),
        (416, errors.OutOfRange),
        (500, errors.ServerFailure),
        (502, errors.GatewayFailure),
        (503, errors.OutOfResources),
        (418, errors.NotShim),
    ],
)
def test_one_error_a_status(scripted: Any, status: int, kind: type[errors.ShimError]) -> None:
    server = scripted(error(status, "Said in /var/lib/shim_output_buf_XyZ"))
    with pytest.raises(kind) as caught:
        ShimClient(server.url).read_lines(SID)
    assert caught.value.status == status
    assert "shim_output_buf" not in str(caught.value) + caught.value.body
    assert SID not in str(caught.value)


def test_refused_query_is_a_query_error(scripted: Any) -> None:
    with pytest.raises(errors.QueryError):
        ShimClient(scripted(error(406, "Error id: scidb::A::B")).url).execute_query(SID, "scan(A)")


def test_text_is_utf_8_without_a_charset(scripted: Any) -> None:
    body = "naïve\xff".encode() + b"\xff"
    assert ShimClient(scripted(ok(body)).url).read_lines(SID) == body


@pytest.mark.parametrize(
    "said",
    [
        ok(b"<html>It works!</html>"),
        answer("404 Not Found", b"Error 404: Not Found"),
        answer("302 Found", b"", "Location: /elsewhere"),
    ],
)
def test_what_is_not_shim(scripted: Any, said: bytes) -> None:
    with pytest.raises(errors.NotShim, match=r"check the URL|status 302"):
        ShimClient(scripted(said).url).version()


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH_9.9\r\n",
        answer("404 Not Found", b"404 page not found"),
        answer("404 Not Found", b"<html>nothing here</html>"),
    ],
)
def test_what_is_not_shim_when_a_session_is_asked_for(scripted: Any, said: bytes) -> None:
    with pytest.raises(errors.NotShim, match="check the URL"):
        ShimClient(scripted(said).url).new_session()


@pytest.mark.parametrize("sid", [b"short", SID.encode() + b"x", b""])
def test_what_is_no_session_id(scripted: Any, sid: bytes) -> None:
    with pytest.raises(errors.NotShim):
        ShimClient(scripted(ok(sid)).url).new_session()


def test_what_is_no_query_id(scripted: Any) -> None:
    with pytest.raises(errors.NotShim):
        ShimClient(scripted(ok(b"0.17")).url).execute_query(SID, "scan(A)")


def test_debug_that_is_refused(scripted: Any) -> None:
    with pytest.raises(errors.AuthenticationFailed):
        ShimClient(scripted(error(401, "")).url).debug()


def test_debug_that_is_not_there(scripted: Any) -> None:
    assert ShimClient(scripted(answer("404 Not Found", b"Error 404: Not Found")).url).debug() is None


@pytest.mark.parametrize(
    ("said", "reason"), [(b"", "reset"), (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "half")]
)
def test_no_answer_or_half_of_one(scripted: Any, said: bytes, reason: str) -> None:
    with pytest.raises(errors.ShimUnreachable) as caught:
        ShimClient(scripted(said).url).read_bytes(SID)
    assert (caught.value.reason, caught.value.sent) == (reason, True)
    assert SID not in str(caught.value) and caught.value.__cause__ is None


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(errors.ShimUnreachable) as caught:
        ShimClient(f"http://127.0.0.1:{port}").version()
    assert (caught.value.reason, caught.value.sent) == ("refused", False)


@pytest.mark.parametrize("url", ["http://no-such-host.invalid", "http://a..b", "http://", "localhost:8080"])
def test_no_such_host(url: str) -> None:
    with pytest.raises(errors.ShimUnreachable) as caught:
        ShimClient(url).version()
    assert (caught.value.reason, caught.value.sent) == ("dns", False)


def test_connect_has_a_time_out() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        with pytest.raises(errors.ShimUnreachable) as caught:
            ShimClient(f"http://127.0.0.1:{port}", connect_timeout=0.3).version()
        for one in waiting:
            one.close()
    assert (caught.value.reason, caught.value.sent) == ("timeout", False)


def test_server_that_does_not_answer_in_time(scripted: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = ShimClient(f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(errors.ShimUnreachable) as caught:
            client.cancel(SID, timeout=0.1)
    assert (caught.value.reason, caught.value.sent) == ("slow", True)


def test_tls_that_never_comes_up_is_a_connect_that_timed_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = ShimClient(f"https://127.0.0.1:{silent.getsockname()[1]}", connect_timeout=0.1)
        with pytest.raises(errors.ShimUnreachable) as caught:
            client.execute_query(SID, "scan(A)")
    assert (caught.value.reason, caught.value.sent) == ("timeout", False)


def test_bytes_that_are_not_utf_8_are_sent_as_they_came(scripted: Any) -> None:
    server = scripted(ok(b"17"))
    ShimClient(server.url).execute_query(SID, b"f('\xff')".decode("utf-8", "surrogateescape"))
    assert b"query=f%28%27%FF%27%29" in server.asked[0]


def test_half_a_character_is_not_sent() -> None:
    with pytest.raises(errors.BadRequest, match="nothing was sent"):
        ShimClient("http://127.0.0.1:9").execute_query(SID, "f('\ud800')")


def test_a_session_of_the_embedded_server(embedded: Any) -> None:
    client = ShimClient(embedded.url)
    sid = client.new_session()
    with pytest.raises(errors.NoQuery):
        client.cancel(sid)
    with pytest.raises(errors.NotSaved):
        client.read_lines(sid)
    client.execute_query(sid, "build(<x:int64>[i=0:9], i)", save="csv+")
    assert client.read_lines(sid).splitlines()[:2] == [b"0,0", b"1,1"]
    with pytest.raises(errors.OutOfRange):
        client.read_bytes(sid)
    client.execute_query(sid, "build(<x:int64 not null>[i=0:9], i)", save="(int64)")
    head = client.head(sid, lines=False)
    assert head.size == 80 and head.etag
    whole = client.read_bytes(sid)
    assert client.read_bytes(sid, start=8, end=23) == whole[8:24]
    assert client.read_bytes(sid, start=72) == whole[72:]
    assert client.read_bytes(sid, 8) == whole[:8]
    client.cancel(sid)
    with pytest.raises(errors.BadRequest):
        client.upload(sid, b"")
    name = client.upload(sid, b"1,2\n")
    client.execute_query(sid, f"input(<a:int64,b:int64>[i], '{name}', -2, 'csv')", save="csv")
    assert client.read_lines(sid) == b"1,2\n"
    with pytest.raises(errors.QueryError) as caught:
        client.execute_query(sid, "filter(build(<s:string>[i=0:1], 'é'), nope = 'ü')", save="csv+")
    assert caught.value.position is not None
    assert caught.value.statement[caught.value.position :].startswith("nope")
    assert sid[:6] in (client.debug() or "")
    client.release_session(sid)
    with pytest.raises(errors.SessionNotFound) as gone:
        client.release_session(sid)
    assert sid not in str(gone.value) + gone.value.body


def test_too_long_a_query_is_not_sent(scripted: Any) -> None:
    with pytest.raises(errors.RequestTooLong, match="262,000"):
        ShimClient("http://127.0.0.1:9").execute_query(SID, "x" * 262_000)


def test_nothing_secret_is_logged(scripted: Any, caplog: pytest.LogCaptureFixture) -> None:
    server = scripted(ok(SID.encode()), ok(b""))
    client = ShimClient(server.url)
    with caplog.at_level("DEBUG"):
        client.new_session(user="ann", password="s3cret")
        client.release_session(SID)
    assert "/new_session?…" in caplog.text
    assert "s3cret" not in caplog.text and SID not in caplog.text


def test_nothing_secret_shows() -> None:
    client = ShimClient("http://h:1", http_auth=("ann", "s3cret"))
    assert repr(client) == "ShimClient('http://h:1')"
    assert repr(ShimClient("http://ann:s3cret@h:1/shim/")) == "ShimClient('http://h:1/shim')"


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 2", b"HT", b"HTTP/1.1 200 OK\r\nContent-Ty", b"HTTP/1.1 200 OK\r\nEtag: 1.2\r\n"]
)
def test_a_head_that_broke_off_is_no_answer(scripted: Any, said: bytes) -> None:
    with pytest.raises(errors.ShimUnreachable) as caught:
        ShimClient(scripted(said).url).read_lines(SID)
    assert caught.value.reason == "half"


def test_a_page_is_no_answer_though_its_status_is_good(scripted: Any) -> None:
    page = b"<html>Please log in</html>"
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page)
    with pytest.raises(errors.NotShim):
        ShimClient(scripted(answer).url).upload(SID, b"x")
    with pytest.raises(errors.NotShim):
        ShimClient(scripted(answer).url).download(SID, Download(lines=True))
