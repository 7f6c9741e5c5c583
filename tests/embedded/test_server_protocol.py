"""Statuses, texts and headers of shim, as `reference/shim-protocol.md` tells them."""

from __future__ import annotations

import random
import re
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from scidb_magic.embedded.endpoints import wrapped

BUILD = "build(<a:int64>[i=0:4],i*10)"
SHIM_HEADERS = {"content-length", "cache-control", "content-type"}


def test_version(wire: Any) -> None:
    reply = wire("/version")
    assert (reply.status, reply.text) == (200, "19.11.5")
    assert set(reply.headers) == SHIM_HEADERS
    assert reply.headers["cache-control"] == "no-cache"
    assert reply.headers["content-type"] == "text/plain"


def test_no_cors_header_and_no_keep_alive(wire: Any) -> None:
    twice = b"GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n" * 2
    answer = wire.raw(twice, shut=False)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n19.11.5"), "one answer, then the end"
    assert b"access-control" not in answer.lower()
    assert b"connection:" not in answer.lower()


def test_session_ids_are_random_and_of_shims_form(wire: Any) -> None:
    first, second = wire.session(), wire.session()
    assert re.fullmatch("[0-9a-z]{32}", first) and re.fullmatch("[0-9a-z]{32}", second)
    assert first != second
    for number in (first, second):
        reply = wire("/release_session", id=number)
        assert (reply.status, reply.body) == (200, b"")


def test_query_without_save(wire: Any, sid: str) -> None:
    reply = wire.query(sid, BUILD)
    assert reply.status == 200
    assert reply.text.isdecimal()
    assert wire("/read_lines", id=sid, n=0).text == "Output not saved"


def test_text_result(wire: Any, sid: str) -> None:
    assert wire.query(sid, BUILD, save="csv+").status == 200
    reply = wire("/read_lines", id=sid, n=0)
    assert reply.text == "0,0\n1,10\n2,20\n3,30\n4,40\n"
    assert reply.headers["connection"] == "close"
    assert reply.headers["accept-ranges"] == "bytes"
    assert reply.headers["content-length"] == str(len(reply.body))
    assert re.fullmatch(rf'"[0-9a-f]+\.{len(reply.body)}"', reply.headers["etag"])
    without_n = wire("/read_lines", id=sid)
    assert without_n.body == reply.body


def test_binary_result(wire: Any, sid: str) -> None:
    assert wire.query(sid, BUILD, save="(int64)").status == 200
    body = wire("/read_bytes", id=sid, n=0).body
    assert body == b"".join((10 * i).to_bytes(8, "little") for i in range(5))


def test_arrow_goes_through_aio_save(wire: Any, sid: str) -> None:
    import pyarrow as pa

    for atts_only, names in ((1, ["a"]), (0, ["a", "i"])):
        assert wire.query(sid, BUILD, save="arrow", atts_only=atts_only).status == 200
        table = pa.ipc.open_stream(wire("/read_bytes", id=sid, n=0).body).read_all()
        assert table.column_names == names
        assert table["a"].to_pylist() == [0, 10, 20, 30, 40]


def test_head_tells_size_and_etag(wire: Any, sid: str) -> None:
    wire.query(sid, BUILD, save="csv+")
    whole = wire("/read_lines", id=sid, n=0)
    head = wire("/read_lines", method="HEAD", id=sid, n=0)
    assert head.status == 200 and head.body == b""
    assert head.headers["content-length"] == str(len(whole.body))
    assert head.headers["etag"] == whole.headers["etag"]
    other = wire("/read_bytes", method="HEAD", id=sid, n=0)
    assert other.status == 416


@pytest.mark.parametrize(
    ("wanted", "part", "place"),
    [
        ("bytes=0-3", slice(0, 4), "0-3"),
        ("bytes=5-", slice(5, None), "5-23"),
        ("bytes=20-23", slice(20, 24), "20-23"),
        ("bytes=20-99", slice(20, None), "20-23"),
    ],
)
def test_range(wire: Any, sid: str, wanted: str, part: slice, place: str) -> None:
    wire.query(sid, BUILD, save="csv+")
    whole = wire("/read_lines", id=sid, n=0).body
    assert len(whole) == 24
    reply = wire("/read_lines", headers={"Range": wanted}, id=sid, n=0)
    assert (reply.status, reply.reason) == (206, "Partial Content")
    assert reply.body == whole[part]
    assert reply.headers["content-range"] == f"bytes {place}/24"
    assert reply.headers["content-length"] == str(len(reply.body))


def test_range_past_the_end_has_a_negative_length(wire: Any, sid: str) -> None:
    wire.query(sid, BUILD, save="csv+")
    request = f"GET /read_lines?id={sid}&n=0 HTTP/1.1\r\nHost: x.localhost\r\nRange: bytes=30-\r\n\r\n"
    answer = wire.raw(request.encode())
    assert answer.startswith(b"HTTP/1.1 206 ")
    assert b"Content-Length: -6\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_cursor_of_lines(wire: Any, sid: str) -> None:
    wire.query(sid, BUILD, save="csv+")
    assert wire("/read_lines", id=sid, n=2).text == "0,0\n1,10\n"
    assert wire("/read_lines", id=sid, n=0).text.count("\n") == 5, "n=0 is apart from the cursor"
    assert wire("/read_lines", id=sid, n=99).text == "2,20\n3,30\n4,40\n"
    end = wire("/read_lines", id=sid, n=1)
    assert (end.status, end.reason, end.text) == (416, "ERROR", "EOF - range out of bounds")
    wire.query(sid, BUILD, save="csv+")
    assert wire("/read_lines", id=sid, n=1).status == 416, "the cursor stays over the next query"


def test_cursor_of_bytes(wire: Any, sid: str) -> None:
    wire.query(sid, BUILD, save="(int64)")
    first = wire("/read_bytes", id=sid, n=24)
    assert first.headers["content-type"] == "application/octet-stream"
    assert len(first.body) == 24
    assert len(wire("/read_bytes", id=sid, n=24).body) == 16
    assert wire("/read_bytes", id=sid, n=24).text == "EOF - range out of bounds"


def test_empty_result_is_an_empty_body(wire: Any, sid: str) -> None:
    wire.query(sid, f"filter({BUILD},a<0)", save="csv+")
    reply = wire("/read_lines", id=sid, n=0)
    assert (reply.status, reply.body) == (200, b"")


def test_the_other_format_is_refused(wire: Any, sid: str) -> None:
    wire.query(sid, BUILD, save="csv+")
    assert wire("/read_bytes", id=sid, n=0).text == "Output not saved in binary format"
    wire.query(sid, BUILD, save="(int64)")
    reply = wire("/read_lines", id=sid, n=0)
    assert (reply.status, reply.text) == (416, "Output not saved in text format")


def test_the_last_saved_output_stays(wire: Any, sid: str) -> None:
    wire.query(sid, BUILD, save="csv+")
    wire.query(sid, "list('functions')")
    assert wire("/read_lines", id=sid, n=0).text.startswith("0,0\n1,10\n")


def test_reads_after_a_failed_query_still_answer(wire: Any, sid: str) -> None:
    assert wire.query(sid, "scan(server_protocol_nope)", save="csv+").status == 406
    assert wire("/read_lines", id=sid, n=0).status == 200


def test_error_text(wire: Any, sid: str) -> None:
    reply = wire.query(sid, "scan(server_protocol_nope)", save="csv+")
    assert (reply.status, reply.reason) == (406, "ERROR")
    assert reply.headers["content-type"] == "text/html"
    lines = reply.text.splitlines()
    assert lines[0].startswith("UserQueryException in file: ")
    assert lines[1] == "Error id: scidb::SCIDB_SE_QPROC::SCIDB_LE_ARRAY_DOESNT_EXIST"
    assert lines[2].endswith("Array 'public.server_protocol_nope' does not exist.")
    assert lines[3].startswith("save(scan(server_protocol_nope),'") and lines[3].endswith(",0,'csv+')")
    assert lines[4] == " " * len("save(scan(") + "^" * len("server_protocol_nope")


def test_error_text_is_cut(wire: Any, sid: str) -> None:
    reply = wire.query(sid, f"scan(nope) -- {'x' * 9000}")
    assert reply.status == 406
    assert len(reply.body) == 4095


def test_a_comment_at_the_end_swallows_the_wrapper(wire: Any, sid: str) -> None:
    reply = wire.query(sid, f"{BUILD} -- note", save="csv+")
    assert reply.status == 406
    assert "SCIDB_LE_QUERY_PARSING_ERROR" in reply.text


def test_prefix_runs_first_and_splits_at_every_semicolon(wire: Any, sid: str) -> None:
    prefix = "store(build(<a:int64>[i=0:1],7),server_prefix);store(server_prefix,server_prefix2);"
    assert wire.query(sid, "scan(server_prefix2)", save="csv", prefix=prefix).status == 200
    assert wire("/read_lines", id=sid, n=0).text == "7\n7\n"
    reply = wire.query(sid, BUILD, prefix="list('a;b')")
    assert reply.status == 406
    for name in ("server_prefix", "server_prefix2"):
        assert wire.query(sid, f"remove({name})").status == 200


def test_plus_is_a_space_in_parameters(wire: Any, sid: str) -> None:
    target = f"/execute_query?id={sid}&save=csv&query=build(%3Ca:int64%3E[i=0:0],1{{}}1)"
    assert wire(target.format("+")).status == 406, "1 1 is no expression"
    assert wire(target.format("%2B")).status == 200
    assert wire("/read_lines", id=sid).text == "2\n"


def test_text_is_utf8(wire: Any, sid: str) -> None:
    assert wire.query(sid, "build(<a:string>[i=0:0],'äöü 漢')", save="tsv").status == 200
    assert wire("/read_lines", id=sid, n=0).body == "äöü 漢\n".encode()


@pytest.mark.parametrize(
    "endpoint", ["execute_query", "release_session", "read_lines", "read_bytes", "cancel", "upload"]
)
def test_arguments_missing_and_session_not_found(wire: Any, endpoint: str) -> None:
    missing = wire(f"/{endpoint}")
    assert (missing.status, missing.reason, missing.text) == (400, "ERROR", "HTTP arguments missing")
    unknown = wire(f"/{endpoint}", id="0" * 32, query="x")
    assert (unknown.status, unknown.text) == (404, "Session not found")


def test_no_query_argument(wire: Any, sid: str) -> None:
    assert wire("/execute_query", id=sid).text == "HTTP arguments missing"


def test_output_not_saved(wire: Any, sid: str) -> None:
    for endpoint in ("/read_lines", "/read_bytes"):
        reply = wire(endpoint, id=sid, n=0)
        assert (reply.status, reply.text) == (410, "Output not saved")


def test_nothing_to_cancel(wire: Any, sid: str) -> None:
    reply = wire("/cancel", id=sid)
    assert (reply.status, reply.text) == (409, "Session has no query")
    wire.query(sid, BUILD)
    reply = wire("/cancel", id=sid)
    assert (reply.status, reply.body) == (200, b""), "also when the query has ended"
    assert wire.query(sid, BUILD).status == 200


def test_released_session_is_gone(wire: Any) -> None:
    sid = wire.session()
    assert wire("/release_session", id=sid).status == 200
    assert wire("/release_session", id=sid).text == "Session not found"
    assert wire.query(sid, BUILD).status == 404


def test_upload_and_input(wire: Any, sid: str) -> None:
    data = b"".join(i.to_bytes(8, "little") for i in range(3))
    name = wire(f"/upload?id={sid}", method="POST", body=data).text
    assert name.rpartition("/")[2].startswith("shim_input_buf_")
    reply = wire.query(sid, f"input(<a:int64>[i=0:2],'{name}',-2,'(int64)')", save="csv")
    assert reply.status == 200, reply.text
    assert wire("/read_lines", id=sid, n=0).text == "0\n1\n2\n"
    assert wire(f"/upload?id={sid}", method="POST", body=b"x").text == name, "one input file a session"


def test_upload_errors(wire: Any, sid: str) -> None:
    empty = wire(f"/upload?id={sid}", method="POST", body=b"")
    assert (empty.status, empty.text) == (400, "Uploaded file is empty")
    chunked = wire(f"/upload?id={sid}", method="POST", body=iter([b"x"]))
    assert chunked.status == 411


def test_upload_waits_for_100_continue(wire: Any, sid: str) -> None:
    with socket.create_connection(wire.address, timeout=60) as connection:
        head = f"POST /upload?id={sid} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
        connection.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")


def test_upload_that_breaks_off_frees_the_session(wire: Any, sid: str) -> None:
    head = f"POST /upload?id={sid} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc"
    assert wire.raw(head.encode()) == b""
    assert wire.query(sid, BUILD).status == 200


def test_post_works_like_get(wire: Any) -> None:
    sid = wire("/new_session", method="POST", body=b"form=ignored").text
    assert wire("/release_session", method="POST", id=sid).status == 200


def test_everything_else_is_the_file_servers(wire: Any) -> None:
    for path in ("/", "/nothing", "/version/", "/../../etc/passwd", "/%2e%2e/etc/passwd", "/get_log"):
        reply = wire(path)
        assert (reply.status, reply.reason, reply.text) == (404, "Not Found", "Error 404: Not Found")
        assert reply.headers["connection"] == "close"


@pytest.mark.parametrize("length", [262_200, 1_000_000])
def test_request_too_large(wire: Any, length: int) -> None:
    request = b"GET /version?x=" + b"x" * length + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = wire.raw(request)
    assert answer.startswith(b"HTTP/1.1 500 Server Error\r\n")
    assert answer.endswith(b"\r\n\r\nError 500: Server Error\nRequest Too Large")


def test_just_under_the_limit(wire: Any) -> None:
    answer = wire.raw(b"GET /version?x=" + b"x" * 262_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.endswith(b"19.11.5")


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"\x00\xff\xfe garbage\r\n\r\n", 400),
        (b"GET\r\n\r\n", 400),
        (b"GET /version\r\n\r\n", 400),
        (b"GET /version HTTP/2.0\r\n\r\n", 505),
        (b"OPTIONS /version HTTP/1.1\r\n\r\n", 501),
        (b"DELETE /version HTTP/1.1\r\n\r\n", 501),
        (b"POST /upload?id=x HTTP/1.1\r\nContent-Length: -5\r\n\r\n", 400),
        (b"POST /upload?id=x HTTP/1.1\r\nContent-Length: 9999999999999999999999\r\n\r\n", 400),
        (b"GET /version HTTP/1.0\r\n\r\n", 200),
        (b"GET /version HTTP/1.1\r\nno colon here\r\n: empty\r\n\r\n", 200),
    ],
)
def test_what_is_not_quite_http(wire: Any, request_head: bytes, status: int) -> None:
    assert wire.raw(request_head).startswith(f"HTTP/1.1 {status} ".encode())


def test_a_client_that_says_nothing_gets_nothing(wire: Any) -> None:
    assert wire.raw(b"") == b""
    assert wire.raw(b"GET /vers") == b""
    assert wire("/version").status == 200


def test_random_requests_get_a_status_and_leave_the_server_alive(wire: Any) -> None:
    source = random.Random(20240229)
    pieces = [
        b"GET ",
        b"POST ",
        b"HEAD ",
        b"/",
        b"/version",
        b"/execute_query?id=",
        b"/upload?",
        b"%",
        b"%zz",
        b"&",
    ]
    pieces += [
        b" HTTP/1.1\r\n",
        b" HTTP/1.0\r\n",
        b"\r\n",
        b"\n",
        b"\x00",
        b"\xff\xfe",
        b"Content-Length: ",
        b"7",
    ]
    pieces += [
        b"Range: bytes=",
        b"-",
        b"Host: localhost",
        b":",
        b"Authorization: Digest ",
        b'"',
        b"=",
        b"\r\n\r\n",
    ]
    for _ in range(300):
        request = b"".join(source.choices(pieces, k=source.randint(1, 12)))
        answer = wire.raw(request)
        whole = b"\r\n\r\n" in request
        assert re.match(rb"HTTP/1\.1 \d{3} ", answer) if whole else not answer, request
    assert wire("/version").status == 200


def test_a_slow_client_gets_all_that_was_read(in_process: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time-out is that of no progress."""
    monkeypatch.setattr("scidb_magic.embedded.http.STALL_SECONDS", 0.5)
    wire = in_process().wire
    sid = wire.session()
    wire.query(sid, "build(<v:int64>[i=0:1999999],i)", save="(int64)")
    with socket.create_connection(wire.address) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.sendall(f"GET /read_bytes?id={sid}&n=16000000 HTTP/1.1\r\n\r\n".encode())
        received, waiting = 0, threading.Event()
        while piece := connection.recv(1 << 19):
            received += len(piece)
            waiting.wait(0.03)
    assert received > 16_000_000


def test_a_folder_with_a_quote_in_its_name() -> None:
    text = wrapped("scan(A)", "csv", Path("/tmp/o'neil"), {})
    assert text == r"save(scan(A),'/tmp/o\'neil',0,'csv')"
