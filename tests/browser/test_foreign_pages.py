"""A web page in the user's browser reaches nothing, and what a server says is no script."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, Playwright, expect

from .conftest import FLAGS
from .front_ends import Book

PAGE = b"<!doctype html><title>foreign</title><p>a page of somebody else's"
REBOUND = "rebound.example"
"""A name that its owner points at 127.0.0.1, once the page is there."""

ASK = """async ([url, how]) => {
    try {
        const answer = await fetch(url, how);
        return [answer.type, answer.status, await answer.text()];
    } catch (error) {
        return ["error", 0, String(error)];
    }
}"""
FORM = """url => {
    const frame = document.createElement("iframe");
    frame.name = "target";
    const form = document.createElement("form");
    Object.assign(form, {action: url, method: "get", target: "target"});
    const field = document.createElement("input");
    Object.assign(field, {name: "user", value: "x"});
    const done = new Promise(resolve => frame.onload = () => resolve(true));
    document.body.append(frame, form);
    form.append(field);
    form.submit();
    return done;
}"""
PICTURE = """url => new Promise(resolve => {
    const image = new Image();
    image.onload = () => resolve("loaded");
    image.onerror = () => resolve("refused");
    image.src = url;
})"""


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def foreign() -> Iterator[int]:
    """The port of somebody else's page."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def taken(url: str) -> int:
    with urllib.request.urlopen(f"{url}/debug", timeout=10) as answer:
        return answer.read().decode().count("avail 0")


def test_a_page_of_another_site_gets_no_answer_and_takes_no_slot(
    chromium: Browser, foreign: int, embedded_factory: Any
) -> None:
    url = embedded_factory().url
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(f"http://localhost:{foreign}/")
        heard: list[int] = []
        page.on("response", lambda answer: heard.append(answer.status) if url in answer.url else None)
        for how in ({}, {"mode": "no-cors"}, {"method": "POST", "body": "x", "mode": "no-cors"}):
            kind, _, text = page.evaluate(ASK, [f"{url}/new_session", how])
            assert (kind, text) in (("opaque", ""), ("error", "TypeError: Failed to fetch"))
        assert page.evaluate(PICTURE, f"{url}/new_session") == "refused"
        assert page.evaluate(FORM, f"{url}/new_session")
        # Where the browser shows an answer of a foreign site to its developer, it is a refusal.
        assert heard
        assert set(heard) == {403}
    assert taken(url) == 0


def test_a_name_that_is_pointed_here_gets_no_answer(
    playwright: Playwright, program: str, embedded_factory: Any
) -> None:
    url = embedded_factory().url
    port = url.rpartition(":")[2]
    rules = f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1"
    with playwright.chromium.launch(executable_path=program, args=[*FLAGS, rules]) as browser:
        page = browser.new_page()
        answer = page.goto(f"http://{REBOUND}:{port}/version")
        assert answer is not None
        assert answer.status == 403
        assert "19.11" not in page.content()
        # Same origin, as the browser sees it: it would let the page read every answer.
        assert page.evaluate(ASK, [f"http://{REBOUND}:{port}/new_session", {}])[:2] == ["basic", 403]
    assert taken(url) == 0


SCRIPT = "<img src=x onerror=\"document.title='owned'\">"
CELLS = (
    "%load_ext scidb_magic",
    f"script = {SCRIPT!r}",
    "%%scidb\napply(build(<v:int64>[i=0:1], i), text, {{ script }})",
    "%%scidb\nstore(apply(build(<v:int64>[i=0:1], i), text, {{ script }}), named)",
    f"%scidb scan('{SCRIPT}')",
    f"%scidb filter(named, text = nothing) -- {SCRIPT}",
    "%scidb last_error",
    "%scidb history",
    "%scidb arrays",
    "%scidb show apply(named, more, 1)",
    f"%scidb config {SCRIPT.split(maxsplit=1)[0]}",
    "%%scidb\nscan({{ str(script }})",
    "%scidb",
)


@pytest.mark.parametrize("book", [("lab", "light")], indirect=True)
def test_what_a_server_says_is_no_script(book: Book) -> None:
    book.open(CELLS)
    for index in range(len(CELLS)):
        book.run(index)
    expect(book.output(2)).to_contain_text("onerror")
    expect(book.output(7)).to_contain_text("onerror")
    assert book.page.locator(".jp-Cell-outputArea img").count() == 0
    assert "owned" not in book.page.title()


LOOK = """
import json, pathlib, platformdirs
ledger = platformdirs.user_state_path("scidb_magic") / "sessions"
sids = [json.loads(file.read_text())["sid"] for file in ledger.glob("*.json")]
saved = pathlib.Path("notebook.ipynb").read_text()
print("widget-view" in saved, len(sids) > 0, [sid in saved for sid in sids])
"""


@pytest.mark.parametrize("book", [("lab", "light")], indirect=True)
def test_a_saved_notebook_holds_no_session_id(book: Book) -> None:
    book.open((CELLS[0], "%scidb build(<v:int64>[i=0:1], i)", "%scidb", "%scidb slots", LOOK))
    for index in range(4):
        book.run(index)
    expect(book.output(2)).to_contain_text("SciDB session")
    book.command("docmanager:save")
    book.wait()
    book.run(4)
    expect(book.output(4)).to_have_text("True True [False]")
