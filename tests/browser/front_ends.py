"""JupyterLab and Notebook 7, both from one server, and a notebook that is open in one of them.

A `Server` is a real ``jupyter lab`` process that knows nothing of its user: all its folders are its own. A
`Book` is a notebook in a browser page, with the words a test needs; what has no word here is reached
through `Book.page`. All waiting is for what the front end itself says: its promises and its DOM.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page

import scidb_magic

PACKAGES = str(Path(scidb_magic.__file__).parents[1])
INSTALLED = Path(sys.prefix) / "share" / "jupyter" / "labextensions" / "scidb-magic"
FRONT_ENDS = {"lab": "lab/tree/{path}?reset&token={token}", "notebook": "notebooks/{path}?token={token}"}
THEMES = ("light", "dark")
START_SECONDS = 60.0
END_SECONDS = 20.0
NUDGE_SECONDS = 2.0
STRANDS_REQUESTS = (7, 0) <= tuple(map(int, version("ipykernel").split(".")[:2])) < (7, 4)
"""A request that comes while a reply goes may lie unread until the next one comes: ipykernel 7.4 says so
where it mends it (subshell_manager.py). It is not for Python 3.10."""

FOLDERS = (
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_DATA_DIR",
    "JUPYTER_RUNTIME_DIR",
    "IPYTHONDIR",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "HOME",
)
PAGE_CONFIG = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
SETTINGS = {
    "@jupyterlab/apputils-extension:themes": {"adaptive-theme": True},
    # Else what a busy machine has not completed in a second is silently dropped.
    "@jupyterlab/completer-extension:manager": {"providerTimeout": 20_000},
}
OPTIONS = (
    "--no-browser",
    "--allow-root",
    "--ip=127.0.0.1",
    "--port=0",
    "--LabApp.expose_app_in_browser=True",
    "--JupyterNotebookApp.expose_app_in_browser=True",
    "--LabApp.extension_manager=readonly",
)

IS_OPEN = "path => window.jupyterapp?.shell.currentWidget?.context?.path === path"
IS_CONNECTED = """async () => {
    const { context, sessionContext } = jupyterapp.shell.currentWidget;
    await Promise.all([jupyterapp.restored, context.ready, sessionContext.ready]);
    await sessionContext.session.kernel.info;
    window.unfinished = 0;
    return true;
}"""
NUDGE = """milliseconds => setInterval(() => {
    jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.requestKernelInfo().catch(() => {});
}, milliseconds)"""
HAS_THEME = "theme => document.body.dataset.jpThemeLight === String(theme === 'light')"
ACTIVATE = """index => {
    const notebook = jupyterapp.shell.currentWidget.content;
    notebook.deselectAll();
    notebook.activeCellIndex = index;
}"""
BEGIN = """command => {
    window.unfinished += 1;
    jupyterapp.commands.execute(command).finally(() => { window.unfinished -= 1; });
}"""
IS_FINISHED = "() => window.unfinished === 0"
SOURCE = "index => jupyterapp.shell.currentWidget.content.widgets[index].model.sharedModel.getSource()"


class Server:
    """A running ``jupyter lab``, which serves Notebook 7 too; stopped at the end of a ``with`` block.

    Parameters
    ----------
    folder : Path
        For all that it writes.
    environment : dict of str
        For it and its kernels, beside this process's.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        self.root = folder / "notebooks"
        own = {name: folder / name.lower() for name in FOLDERS}
        for each in (self.root, *own.values()):
            each.mkdir()
        _configure(own["JUPYTER_CONFIG_DIR"] / "labconfig")
        if not INSTALLED.exists() and not os.environ.get("CI"):
            extensions = own["JUPYTER_DATA_DIR"] / "labextensions"
            extensions.mkdir()
            (extensions / INSTALLED.name).symlink_to(Path(PACKAGES) / "scidb_magic" / "labextension")
        self._token = secrets.token_hex()
        self._environment = {
            **os.environ,
            **{name: str(path) for name, path in own.items()},
            "PYTHONPATH": os.pathsep.join(filter(None, (PACKAGES, os.environ.get("PYTHONPATH")))),
            "JUPYTER_TOKEN": self._token,
            **environment,
        }
        self._told = own["JUPYTER_RUNTIME_DIR"]
        self._log = folder / "log"

    def __enter__(self) -> Server:
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", *OPTIONS],
                cwd=self.root,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while not (url := self._found()):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"jupyter lab did not start:\n{self._log.read_text()}")
            time.sleep(0.01)
        self._url = url
        return self

    def _found(self) -> str:
        """Its URL, from the file that it writes when it listens, and that is empty for a moment."""
        texts = [file.read_text() for file in self._told.glob("jpserver-*.json")]
        return next((json.loads(text)["url"] for text in texts if text.endswith("}")), "")

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it, and wait for that."""
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def address(self, front_end: str, path: str) -> str:
        """Where a front end shows a notebook."""
        return self._url + FRONT_ENDS[front_end].format(path=path, token=self._token)

    def ask(self, path: str, method: str = "GET") -> Any:
        """An answer of its REST interface, such as ``ask("api/kernels")``."""
        request = urllib.request.Request(self._url + path, method=method)
        request.add_header("Authorization", f"token {self._token}")
        with urllib.request.urlopen(request, timeout=END_SECONDS) as answer:
            return json.loads(answer.read() or "null")

    def delete_kernels(self) -> None:
        """End all kernels as a user's "Shut Down All" does."""
        for session in self.ask("api/sessions"):
            self.ask(f"api/sessions/{session['id']}", "DELETE")


def _configure(folder: Path) -> None:
    """No news, and the theme that the browser prefers, so that a page has it from its beginning."""
    folder.mkdir(parents=True)
    (folder / "page_config.json").write_text(json.dumps(PAGE_CONFIG))
    (folder / "default_setting_overrides.json").write_text(json.dumps(SETTINGS))


class Book:
    """A notebook in a page of a front end.

    Cells are counted from 0.

    Parameters
    ----------
    page : Page
        Of a context that prefers `theme`.
    server : Server
    front_end : str
        ``lab`` or ``notebook``.
    theme : str
        ``light`` or ``dark``.
    pictures : Path
        The folder of the screenshots.

    Attributes
    ----------
    failures : list of str
        The exceptions that nobody caught in the page since the notebook was open; Notebook 7 has one of its
        own before.
    """

    def __init__(self, page: Page, server: Server, front_end: str, theme: str, pictures: Path) -> None:
        self.page = page
        self.front_end = front_end
        self.theme = theme
        self.failures: list[str] = []
        self._server = server
        self._pictures = pictures
        page.on("pageerror", lambda error: self.failures.append(str(error)))

    def open(self, cells: Iterable[str], name: str = "notebook") -> None:
        """Write a notebook of these code cells, open it, and wait for its kernel."""
        path = f"{self.front_end}-{self.theme}/{name}.ipynb"
        file = self._server.root / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(_notebook(cells)))
        self.page.goto(self._server.address(self.front_end, path), wait_until="commit")
        self.page.wait_for_function(IS_OPEN, arg=path)
        self.page.wait_for_function(IS_CONNECTED)
        if STRANDS_REQUESTS:
            self.page.evaluate(NUDGE, 1000 * NUDGE_SECONDS)
        self.page.wait_for_function(HAS_THEME, arg=self.theme)
        self.failures.clear()

    @property
    def kernel_id(self) -> str:
        """The id of its kernel."""
        return str(self.page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.id"))

    def command(self, name: str) -> None:
        """Begin a command of the front end, such as ``notebook:interrupt-kernel``; `wait` for its end."""
        self.page.evaluate(BEGIN, name)

    def wait(self, seconds: float = 30.0) -> None:
        """Wait for the end of all that was begun: replies are there, and the kernel is idle."""
        self.page.wait_for_function(IS_FINISHED, timeout=seconds * 1000)

    def begin(self, index: int) -> None:
        """Run a cell, and wait for nothing."""
        self.page.evaluate(ACTIVATE, index)
        self.command("notebook:run-cell")

    def run(self, index: int) -> None:
        """Run a cell to its end, failed or not."""
        self.begin(index)
        self.wait()

    def run_all(self) -> None:
        """Run all cells to their end, or to the first that fails."""
        self.command("notebook:run-all-cells")
        self.wait()

    def cell(self, index: int) -> Locator:
        """A cell, its input and its output."""
        return self.page.locator(f'.jp-Notebook .jp-Cell[data-windowed-list-index="{index}"]')

    def output(self, index: int) -> Locator:
        """All outputs of a cell."""
        return self.cell(index).locator(".jp-Cell-outputArea")

    def source(self, index: int) -> str:
        """What stands in a cell."""
        return str(self.page.evaluate(SOURCE, index))

    def type_in(self, index: int, text: str) -> None:
        """Type at a cell's end, key by key."""
        self.cell(index).locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+End")
        self.page.keyboard.type(text)

    def complete(self) -> list[str]:
        """Press Tab where the cursor is: what is offered."""
        self.page.keyboard.press("Tab")
        offered = self.page.locator(".jp-Completer .jp-Completer-match")
        offered.first.wait_for()
        return offered.all_text_contents()

    def screenshot(self, name: str) -> Path:
        """A picture of the page: ``name-frontend-theme.png``."""
        path = self._pictures / f"{name}-{self.front_end}-{self.theme}.png"
        self.page.screenshot(path=path)
        return path


def _notebook(cells: Iterable[str]) -> dict[str, Any]:
    empty = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": [{**empty, "id": f"cell-{number}", "source": cell} for number, cell in enumerate(cells)],
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
