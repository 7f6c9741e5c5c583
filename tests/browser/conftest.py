"""A real browser on real front ends: Debian's Chromium on JupyterLab and Notebook 7, light and dark.

A test that takes `book` runs in JupyterLab, light, and in Notebook, dark; with ``SCIDB_MAGIC_LONG`` in all
four. One that needs only some of them says so::

    @pytest.mark.parametrize("book", [("lab", "light")], indirect=True)

Browser and server are started once; page, kernel and session are each test's own. The pictures are in the
folder that ``SCIDB_SCREENSHOTS`` names, or else among pytest's temporary files; a failed test leaves one of
its end, under its name.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from .front_ends import FRONT_ENDS, THEMES, Book, Server

# Read at once: `clean_environment` takes it away.
SCREENSHOTS = os.environ.get("SCIDB_SCREENSHOTS")
LONG = bool(os.environ.get("SCIDB_MAGIC_LONG"))
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SIZE = {"width": 1200, "height": 800}
PATIENCE = 30_000
"""Milliseconds for a page; an `expect` has a third of it."""


def pytest_make_parametrize_id(val: object) -> str | None:
    """``lab-light``, wherever the pair was given."""
    return "-".join(map(str, val)) if isinstance(val, tuple) else None


# Of the package, not of the session: while Playwright is there, its event loop counts as running in this
# thread, and the tests of the other folders want to run their own.
@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="package")
def program(playwright: Playwright) -> str:
    """Where Chromium is; in CI its absence is a failure."""
    own = playwright.chromium.executable_path
    found = next(filter(None, map(shutil.which, (*NAMES, own))), None)
    if found is None:
        reason = "no Chromium: apt-get install chromium, or playwright install chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="package")
def chromium(playwright: Playwright, program: str) -> Iterator[Browser]:
    """One headless Chromium."""
    expect.set_options(timeout=PATIENCE / 3)
    with playwright.chromium.launch(executable_path=program, args=FLAGS) as browser:
        yield browser


@pytest.fixture(scope="package")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for both front ends; its kernels know no SciDB but the embedded one."""
    with Server(tmp_path_factory.mktemp("jupyter"), SCIDB_URL="embedded:") as server:
        yield server


@pytest.fixture(scope="package")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the screenshots."""
    return Path(SCREENSHOTS) if SCREENSHOTS else tmp_path_factory.mktemp("screenshots")


@pytest.fixture(params=list(product(FRONT_ENDS, THEMES) if LONG else zip(FRONT_ENDS, THEMES, strict=True)))
def book(
    request: pytest.FixtureRequest, chromium: Browser, jupyter: Server, pictures: Path
) -> Iterator[Book]:
    """A page of its own, in which a test may `open` a notebook; its kernels end with the test."""
    front_end, theme = request.param
    failed = request.session.testsfailed
    with chromium.new_context(color_scheme=theme, viewport=SIZE) as context:
        context.set_default_timeout(PATIENCE)
        book = Book(context.new_page(), jupyter, front_end, theme, pictures)
        yield book
        if request.session.testsfailed > failed:
            book.screenshot(request.function.__name__)
    jupyter.delete_kernels()
