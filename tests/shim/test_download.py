"""Downloads that break and go on, and answers that break where the statement has run."""

from __future__ import annotations

import random
from typing import Any

import pytest

from scidb_magic import errors
from scidb_magic.shim.client import ShimClient
from scidb_magic.shim.download import Download

SID = "abcdefghijklmnopqrstuvwxyz012345"
ETAG = '"6b03c39b.10"'


def said(status: str, body: bytes, *headers: str, length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def whole(body: bytes, *, length: int | None = None, etag: str = ETAG) -> bytes:
    return said("200 OK", body, f"Etag: {etag}", length=length)


def part(start: int, body: bytes, size: int, *, length: int | None = None, etag: str = ETAG) -> bytes:
    end = start + (len(body) if length is None else length) - 1
    return said(
        "206 Partial Content",
        body,
        f"Content-Range: bytes {start}-{end}/{size}",
        f"Etag: {etag}",
        length=length,
    )


def ranges(server: Any) -> list[str | None]:
    """The ``Range`` of each request; None where there was none."""
    lines = [request.decode().split("\r\n") for request in server.asked]
    return [next((line for line in request if line.startswith("Range")), None) for request in lines]


def test_whole(scripted: Any) -> None:
    server = scripted(whole(b"0123456789"))
    download = Download(lines=True)
    ShimClient(server.url).download(SID, download)
    assert (download.body, download.size, download.etag) == (b"0123456789", 10, ETAG)
    assert download.complete and download.received == 10
    assert server.asked[0].startswith(f"GET /read_lines?id={SID}&n=0 ".encode())
    assert ranges(server) == [None]


@pytest.mark.parametrize("end", [None, 0, 5])
def test_empty_output_is_not_asked_with_a_range(scripted: Any, end: int | None) -> None:
    server = scripted(whole(b""))
    download = Download(lines=False, end=end)
    ShimClient(server.url).download(SID, download)
    assert (download.body, download.size, download.complete) == (b"", 0, True)
    assert ranges(server) == [None]
    assert server.asked[0].startswith(b"GET" if end is None else b"HEAD")


def test_beginning(scripted: Any) -> None:
    server = scripted(said("200 OK", b"", f"Etag: {ETAG}", length=10), part(0, b"012", 10))
    download = Download(lines=False, end=3)
    ShimClient(server.url).download(SID, download)
    assert (download.body, download.size, download.complete) == (b"012", 10, True)
    assert [request.split()[0] for request in server.asked] == [b"HEAD", b"GET"]
    assert ranges(server)[1] == "Range: bytes=0-2"


def test_an_end_behind_the_output_is_the_whole(scripted: Any) -> None:
    server = scripted(said("200 OK", b"", f"Etag: {ETAG}", length=3), whole(b"012"))
    download = Download(lines=False, end=1000)
    ShimClient(server.url).download(SID, download)
    assert (download.body, ranges(server)) == (b"012", [None, None])


def test_a_server_without_ranges_gives_the_beginning_too(scripted: Any) -> None:
    server = scripted(whole(b"0123456789"))
    download = Download(lines=False, end=3, size=10, etag=ETAG)
    ShimClient(server.url).download(SID, download)
    assert (download.body, download.received) == (b"012", 3)


def test_half_goes_on_where_it_broke(scripted: Any) -> None:
    server = scripted(whole(b"0123", length=10), part(4, b"56"[:1], 10, length=6), part(5, b"56789", 10))
    client = ShimClient(server.url)
    download = Download(lines=False)
    for received in (4, 5):
        with pytest.raises(errors.ShimUnreachable) as caught:
            client.download(SID, download)
        assert (caught.value.reason, caught.value.sent) == ("half", True)
        assert (download.received, download.size, download.complete) == (received, 10, False)
    client.download(SID, download)
    assert download.body == b"0123556789"
    assert ranges(server) == [None, "Range: bytes=4-9", "Range: bytes=5-9"]


def test_what_is_complete_is_not_asked_for(scripted: Any) -> None:
    download = Download(lines=False, size=3, etag=ETAG, received=3, body=bytearray(b"012"))
    ShimClient("http://127.0.0.1:9").download(SID, download)
    assert download.body == b"012"


@pytest.mark.parametrize(
    "answer",
    [
        whole(b"0123456789"),
        part(4, b"456789", 10, etag='"6b03c39c.10"'),
        part(4, b"4567890", 11),
        part(3, b"3456789", 10),
        part(4, b"45678", 10),
        said("206 Partial Content", b"456789", f"Etag: {ETAG}"),
        said("206 Partial Content", b"456789", "Content-Range: bytes 4-9/10"),
    ],
    ids=["whole", "other etag", "other size", "other place", "shorter", "no place", "no etag"],
)
def test_another_output_is_not_mixed_in(scripted: Any, answer: bytes) -> None:
    download = Download(lines=False, size=10, etag=ETAG, received=4, body=bytearray(b"0123"))
    with pytest.raises(errors.OutOfRange, match="another one by now") as caught:
        ShimClient(scripted(answer).url).download(SID, download)
    assert (caught.value.status, download.body) == (416, b"0123")


def test_another_output_than_the_head_said(scripted: Any) -> None:
    download = Download(lines=False, size=10, etag=ETAG)
    with pytest.raises(errors.OutOfRange):
        ShimClient(scripted(whole(b"0123456789", etag='"6b03c39c.10"')).url).download(SID, download)
    assert download.received == 0


def test_without_an_etag_nothing_is_gone_on_with(scripted: Any) -> None:
    server = scripted(said("200 OK", b"0123", length=10), said("206 Partial Content", b"456789"))
    client = ShimClient(server.url)
    download = Download(lines=False)
    with pytest.raises(errors.ShimUnreachable):
        client.download(SID, download)
    with pytest.raises(errors.OutOfRange):
        client.download(SID, download)


def test_of_unknown_length(scripted: Any) -> None:
    """As a proxy may send it, in chunks."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    server = scripted(head + b"4\r\n0123\r\n2\r\n45\r\n0\r\n\r\n", head + b"4\r\n0123\r\n2\r\n4")
    client = ShimClient(server.url)
    download = Download(lines=False)
    client.download(SID, download)
    assert (download.body, download.size, download.complete) == (b"012345", 6, True)
    broken = Download(lines=False)
    with pytest.raises(errors.ShimUnreachable) as caught:
        client.download(SID, broken)
    assert (caught.value.reason, broken.size) == ("half", None) and broken.body.startswith(b"0123")


@pytest.mark.parametrize(
    ("status", "kind"), [(404, errors.SessionNotFound), (410, errors.NotSaved), (416, errors.OutOfRange)]
)
def test_refused(scripted: Any, status: int, kind: type[Exception]) -> None:
    download = Download(lines=False)
    with pytest.raises(kind):
        ShimClient(scripted(said(f"{status} ERROR", b"said")).url).download(SID, download)
    assert (download.received, download.size) == (0, None)


@pytest.mark.parametrize("politely", [True, False], ids=["closed", "reset"])
def test_a_cut_wire(embedded: Any, cutter: Any, politely: bool) -> None:
    rng = random.Random(17)
    wire = cutter(embedded.port)
    wire.politely = politely
    direct = ShimClient(embedded.url)
    client = ShimClient(f"http://127.0.0.1:{wire.port}")
    sid = direct.new_session()
    direct.execute_query(sid, "build(<x:int64 not null>[i=0:299999], i)", save="(int64)")
    truth = direct.read_bytes(sid)
    wire.cuts = [rng.randrange(1, 900_000) for _ in range(8)]
    download = Download(lines=False)
    reasons = set()
    while not download.complete:
        try:
            client.download(sid, download)
        except errors.ShimUnreachable as error:
            reasons.add(error.reason)
    assert download.body == truth and reasons <= {"half", "reset"}
    head = direct.head(sid, lines=False)
    assert (download.size, download.etag) == (head.size, head.etag)
    direct.execute_query(sid, "build(<x:int64 not null>[i=0:9], i)", save="(int64)")
    late = Download(
        lines=False, size=download.size, etag=download.etag, received=8, body=bytearray(truth[:8])
    )
    with pytest.raises(errors.OutOfRange):
        direct.download(sid, late)
    direct.release_session(sid)


@pytest.mark.parametrize("politely", [True, False], ids=["closed", "reset"])
def test_a_cut_wire_under_tls(embedded_factory: Any, cutter: Any, certificates: Any, politely: bool) -> None:
    """A wire that is cut behind the handshake is no matter of certificates."""
    server = embedded_factory(
        "--tls-cert", str(certificates.cert), "--tls-key", str(certificates.key), http_auth=("ann", "s3cret")
    )
    wire = cutter(server.port)
    wire.politely = politely
    client = ShimClient(
        f"https://127.0.0.1:{wire.port}", http_auth=("ann", "s3cret"), verify=str(certificates.ca)
    )
    sid = client.new_session()
    client.execute_query(sid, "build(<x:int64 not null>[i=0:99999], i)", save="(int64)")
    wire.cuts = [300_000, 2000]
    download = Download(lines=False)
    with pytest.raises(errors.ShimUnreachable) as caught:
        client.download(sid, download)
    assert caught.value.reason == "half" and 0 < download.received < 800_000
    wire.cuts = [None]
    client.download(sid, download)
    assert download.body == client.read_bytes(sid)
    client.release_session(sid)


def test_a_query_whose_answer_broke_off_has_run(scripted: Any) -> None:
    server = scripted(said("200 OK", b"17", length=3), said("200 OK", b"", length=3))
    client = ShimClient(server.url)
    assert client.execute_query(SID, "store(A, B)") == ""
    assert client.execute_query(SID, "store(A, B)") == ""


def test_a_query_whose_refusal_broke_off_was_refused(scripted: Any) -> None:
    server = scripted(said("406 ERROR", b"Error id: scidb::SCIDB_SE_QPROC::SCIDB_LE_ARRAY_DO", length=400))
    with pytest.raises(errors.QueryError) as caught:
        ShimClient(server.url).execute_query(SID, "scan(A)")
    assert caught.value.short_code == "SCIDB_SE_QPROC"


def test_an_answer_of_another_server_that_broke_off(scripted: Any) -> None:
    with pytest.raises(errors.NotShim):
        ShimClient(scripted(said("200 OK", b"<html>", length=300)).url).execute_query(SID, "scan(A)")


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.new_session(),
        lambda client: client.upload(SID, b"data"),
        lambda client: client.version(),
        lambda client: client.cancel(SID),
        lambda client: client.debug(),
    ],
    ids=["new_session", "upload", "version", "cancel", "debug"],
)
def test_everything_else_must_be_whole(scripted: Any, ask: Any) -> None:
    with pytest.raises(errors.ShimUnreachable) as caught:
        ask(ShimClient(scripted(said("200 OK", SID[:12].encode(), length=32)).url))
    assert caught.value.reason == "half"


@pytest.mark.parametrize("status", ["404 ERROR", "502 ERROR", "503 ERROR"])
def test_a_fault_whose_text_broke_off_is_unknown(scripted: Any, status: str) -> None:
    with pytest.raises(errors.ShimUnreachable) as caught:
        ShimClient(scripted(said(status, b"Sess", length=17)).url).execute_query(SID, "scan(A)")
    assert caught.value.reason == "half"


def test_a_size_that_nobody_says_is_not_zero(scripted: Any) -> None:
    with pytest.raises(errors.NotShim):
        ShimClient(scripted(b"HTTP/1.1 200 OK\r\n\r\n").url).head(SID, lines=True)
