"""What stands between a client's bytes and the machine, each piece by itself under any text."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scidb_magic.embedded.engine.files import Files
from scidb_magic.embedded.engine.planner import statement_of
from scidb_magic.embedded.http import Disconnected, HttpError, Request, read_request
from scidb_magic.embedded.security import Digest, check_host, check_site, own_names
from scidb_magic.errors import EngineError

from .breaking import broken
from .values import PATHS

BYTES = st.binary(max_size=60)
HEADER = st.one_of(st.text(st.characters(codec="latin-1"), max_size=60), st.text(max_size=20))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """``inside`` is allowed; links in it lead to ``outside``."""
    folder = Path(os.path.realpath(tmp_path_factory.mktemp("sandbox")))
    for name in ("inside/deep", "outside"):
        (folder / name).mkdir(parents=True)
    (folder / "outside" / "secret").write_text("secret")
    (folder / "inside" / "link").symlink_to(folder / "outside")
    (folder / "inside" / "deep" / "file_link").symlink_to(folder / "outside" / "secret")
    yield folder
    assert sorted(path.name for path in (folder / "outside").iterdir()) == ["secret"]
    assert (folder / "outside" / "secret").read_text() == "secret"


PIECES = st.sampled_from(
    ("..", ".", "deep", "link", "file_link", "outside", "secret", "", "x", "\udcff", " ", "~")
)


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.lists(PIECES, max_size=8).map("/".join), st.sampled_from(PATHS), st.text(max_size=30)))
def test_no_name_of_a_file_leads_outside(folder: Path, name: str) -> None:
    files = Files(folder / "inside")
    for whole in (name, f"{folder}/inside/{name}", f"{folder}/{name}"):
        for find in (files.path, files.readable):
            try:
                path = find(whole)
            except EngineError as error:
                assert error.long == "CANT_OPEN_FILE"
            else:
                assert folder / "inside" in Path(os.path.realpath(path)).parents
        # What a writer does outside, `folder` sees at its end.
        try:
            files.writer(whole).close()
        except EngineError as error:
            assert error.long == "CANT_OPEN_FILE"


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from(("host", "origin", "sec-fetch-site", "authorization")), HEADER))
def test_no_header_gets_past_the_guard_or_breaks_it(headers: dict[str, str]) -> None:
    with socket.socket() as connection:
        request = Request("GET", "/version", "/version", None, headers, {}, None, connection)
        refusal = Digest("ada", "secret").refusal(request)
        assert refusal is not None and refusal.status == 401
        try:
            check_host(request, own_names("127.0.0.1"))
            check_site(request)
        except HttpError as error:
            assert error.status == 403


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.one_of(BYTES, st.sampled_from((b"GET ", b"/version?", b" HTTP/1.1", b"\r\n", b"Content-Length: ")))
    )
)
def test_a_head_is_read_or_refused(pieces: list[bytes]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sender = threading.Thread(
            target=lambda: (theirs.sendall(b"".join(pieces)), theirs.shutdown(socket.SHUT_WR))
        )
        sender.start()
        try:
            request = read_request(ours)
            assert request.method in {"GET", "POST", "HEAD"}
        except HttpError as error:
            assert error.status in {400, 500, 501, 505}
        except Disconnected:
            assert b"\r\n\r\n" not in b"".join(pieces)
        finally:
            sender.join()


STATEMENTS = (
    b"filter(fz_mixed, a > 3 and s <> 'x')",
    b"let { f(x) = x + 1; A = fz_mixed } in apply(A, b, f(a))",
    b"create temp array A <a:int64 not null default 5, b:string> [i=0:*:0:10; j=-3:3,2,1]",
    b"join(A as X, fz_grid@2 as Y, k: (1, 'two', 3.5e0)) -- so",
)


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(STATEMENTS), st.randoms(use_true_random=False))
def test_a_statement_is_parsed_or_refused(statement: bytes, random: object) -> None:
    text = broken(random, statement).decode("utf-8", "surrogateescape")  # type: ignore[arg-type]
    try:
        statement_of(text)
    except EngineError as error:
        assert error.short in {"PARSER", "SYNTAX", "INFER_SCHEMA", "TYPE", "TYPESYSTEM", "QPROC"}
        assert error.long.isupper()
