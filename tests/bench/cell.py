"""A small ``%%scidb`` cell in a real shell, beside the same requests made bare."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from unittest import mock

import requests
from IPython.core.interactiveshell import InteractiveShell

from scidb_magic.shim.transport import Call, Transport
from tests.bench.fetching import SMALL, Raw
from tests.bench.timing import alternating, table


def _calls(shell: InteractiveShell) -> list[Call]:
    """The requests of one warm cell."""
    made: list[Call] = []
    send = Transport.send

    def noted(self: Transport, call: Call) -> object:
        made.append(call)
        return send(self, call)

    with mock.patch.object(Transport, "send", noted):
        shell.run_cell_magic("scidb", "", SMALL)
    return made


def measure(url: str, rounds: int) -> None:
    shell, raw = InteractiveShell.instance(), Raw(url)
    silent = io.StringIO()
    with redirect_stdout(silent), redirect_stderr(silent):
        shell.run_line_magic("load_ext", "scidb_magic")
        shell.run_line_magic("scidb", f"connect {url}")
        shell.run_cell_magic("scidb", "", SMALL)
        calls = _calls(shell)

        def bare() -> None:
            for call in calls:
                values = {name: value for name, value in call.parameters.items() if value is not None}
                address = f"{url}/{call.endpoint}"
                answer = requests.request(call.method, address, params=values | {"id": raw.id}, timeout=60)
                answer.raise_for_status()

        floor, ours = alternating([bare, lambda: shell.run_cell_magic("scidb", "", SMALL)], rounds)
        shell.run_line_magic("scidb", "release")
    raw.close()
    row = ["ten cells", str(len(calls)), *(f"{1e3 * t:.1f}" for t in (floor, ours, ours - floor))]
    table("A warm %%scidb cell", ["cell", "requests", "bare ms", "ms", "ms over"], [row])
