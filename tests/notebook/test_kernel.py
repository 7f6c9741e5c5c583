"""Real kernels: loading, outputs, interrupts, prompts, and the slots that they hold and give back."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

LOAD = "%load_ext scidb_magic\n%scidb connect {url}"
ENDLESS = "aggregate(build(<x:int64>[i=0:99999999999], i % 7), sum(x))"


def taken(url: str) -> int:
    return ask(url, "debug").count("avail 0")


def test_loading_is_quick_quiet_and_light(kernels: Callable[..., Any]) -> None:
    kernel = kernels()
    out = kernel.run(
        textwrap.dedent("""
        import sys
        %load_ext scidb_magic
        heavy = {"duckdb", "scidbpy", "pyarrow", "pandas", "numpy", "lark", "requests", "ipywidgets"}
        print(sorted(heavy & set(sys.modules)))
        """)
    )
    assert out.error is None
    assert out.text.strip() == "[]"


BESIDE_PANDAS = """
import json, sys, pandas
there = set(sys.modules)
%load_ext scidb_magic
print(json.dumps(sorted({"duckdb", "scidbpy", "requests", "lark"} & (set(sys.modules) - there))))
"""


def test_loading_beside_pandas_imports_nothing_heavy(kernels: Callable[..., Any]) -> None:
    assert json.loads(kernels().run(BESIDE_PANDAS).text) == []


def test_a_failed_query_is_a_real_error(kernels: Callable[..., Any], embedded: Any) -> None:
    kernel = kernels()
    assert kernel.run(LOAD.format(url=embedded.url)).error is None
    out = kernel.run("%%scidb\nscan(nope)")
    assert out.error is not None
    assert out.error["ename"] == "QueryError"
    assert "nope" in out.error["evalue"]
    assert out.traceback[1:] == ["  scan(nope)", "       ^^^^"]
    assert out.text.strip() == ""
    assert kernel.run("%scidb aggregate(build(<x:int64>[i=0:9], i), sum(x))").error is None


def test_unload_leaves_the_kernel_as_it_was(
    kernels: Callable[..., Any], embedded_factory: Callable[..., Any]
) -> None:
    server = embedded_factory()
    kernel = kernels()
    hooked = "print('do_shutdown' in vars(get_ipython().kernel))"
    kernel.run(LOAD.format(url=server.url))
    kernel.run("%reload_ext scidb_magic")
    kernel.run("%%scidb --no-fetch\nbuild(<x:int64>[i=0:9], i)")
    assert taken(server.url) == 1
    assert kernel.run(hooked).text.strip() == "True"
    assert kernel.run("%unload_ext scidb_magic").text.strip() == ""
    assert taken(server.url) == 0
    assert kernel.run(hooked).text.strip() == "False"


def test_two_notebooks_hold_two_slots_and_leave_none(
    kernels: Callable[..., Any], embedded_factory: Callable[..., Any]
) -> None:
    server = embedded_factory()
    first, second = kernels(), kernels()
    for kernel in (first, second):
        kernel.run(LOAD.format(url=server.url))
    assert taken(server.url) == 0
    for kernel in (first, second):
        assert kernel.run("%%scidb\nbuild(<x:int64>[i=0:9], i)").error is None
        assert kernel.run("%%scidb\nbuild(<x:int64>[i=0:9], i)").error is None
    assert taken(server.url) == 2
    assert "  notebook  " in second.run("%scidb slots").text
    first.shutdown()
    assert taken(server.url) == 1
    second.shutdown()
    assert taken(server.url) == 0


def test_a_kernel_shut_down_while_a_query_runs_leaves_no_slot(
    kernels: Callable[..., Any], embedded_factory: Callable[..., Any]
) -> None:
    server = embedded_factory()
    kernel = kernels()
    kernel.run(LOAD.format(url=server.url))
    kernel.begin(f"print('go', flush=True)\n%scidb {ENDLESS}")
    kernel.finish(until=lambda out: "go" in out.streams)
    until_taken(server.url)
    kernel.shutdown()
    assert taken(server.url) == 0


def ask(url: str, endpoint: str, **arguments: str) -> str:
    """What shim answers."""
    with urllib.request.urlopen(
        f"{url}/{endpoint}?{urllib.parse.urlencode(arguments)}", timeout=10
    ) as answer:
        return str(answer.read().decode())


def until_listed(url: str, text: str) -> None:
    """Wait until a query with `text` runs, as another session sees it."""
    waiting = threading.Event()
    sid = ask(url, "new_session")
    try:
        for _ in range(600):
            ask(url, "execute_query", id=sid, query="project(list('queries'), query_string)", save="tsv")
            if text in ask(url, "read_lines", id=sid, n="0"):
                return
            waiting.wait(0.05)
        pytest.fail("the query did not begin")
    finally:
        ask(url, "release_session", id=sid)


def until_taken(url: str) -> None:
    """Wait until a slot is taken: the query is on its way."""
    waiting = threading.Event()
    for _ in range(600):
        if taken(url):
            return
        waiting.wait(0.05)
    pytest.fail("no slot was taken")


def test_an_interrupt_cancels_on_the_server(
    kernels: Callable[..., Any], embedded_factory: Callable[..., Any]
) -> None:
    server = embedded_factory()
    kernel = kernels()
    kernel.run(LOAD.format(url=server.url))
    kernel.run("%%scidb --no-fetch\nbuild(<x:int64>[i=0:9], i)")
    kernel.begin(f"print('go', flush=True)\n%scidb {ENDLESS}")
    kernel.finish(until=lambda out: "go" in out.streams)
    until_listed(server.url, "99999999999")
    kernel.manager.interrupt_kernel()
    out = kernel.finish()
    assert out.error is not None
    assert out.traceback[0].startswith("Interrupted: the query was cancelled on the server")
    after = kernel.run("%scidb aggregate(build(<x:int64>[i=0:9], i), sum(x))")
    assert after.error is None
    assert "45" in after.text
    assert taken(server.url) == 1


def test_a_renewed_session_is_said_in_the_cell(
    kernels: Callable[..., Any], embedded_factory: Callable[..., Any]
) -> None:
    server = embedded_factory("--max-sessions", "1", "--timeout", "0.2")
    kernel = kernels()
    kernel.run(LOAD.format(url=server.url))
    assert kernel.run("%%scidb\nbuild(<x:int64>[i=0:9], i)").error is None
    other = take_the_slot(server.url)
    ask(server.url, "release_session", id=other)
    out = kernel.run("%%scidb --all\naggregate(build(<x:int64>[i=0:9], i), sum(x))")
    assert out.error is None
    assert any("dropped the session" in text for text in out.texts)
    assert "45" in out.text


def take_the_slot(url: str) -> str:
    """Take the only slot from its idle owner, as soon as the server lets it go."""
    waiting = threading.Event()
    for _ in range(200):
        try:
            return ask(url, "new_session")
        except urllib.error.HTTPError as error:
            assert error.code == 503
        waiting.wait(0.05)
    pytest.fail("the slot was never free")


def test_the_password_is_asked_for_and_shown_nowhere(kernels: Callable[..., Any], embedded: Any) -> None:
    kernel = kernels()
    kernel.run("%load_ext scidb_magic")
    out = kernel.run(f"%scidb connect {embedded.url} --user anna", answer="geheim")
    assert out.error is None
    assert "The session is with" in out.text
    out = kernel.run(
        "import scidb_magic\n%scidb config\n%scidb\n"
        "scidb_magic.current().settings, scidb_magic.current(), scidb_magic.current().settings.password"
    )
    assert "anna" in out.text
    assert "geheim" not in out.text
    assert (
        kernel.run("print(scidb_magic.current().settings.password == 'gehe' + 'im')").text.strip() == "True"
    )


def test_without_a_prompt_the_other_ways_are_named(kernels: Callable[..., Any], embedded: Any) -> None:
    kernel = kernels()
    kernel.run("%load_ext scidb_magic")
    out = kernel.run(f"%scidb connect {embedded.url} --user anna")
    assert "auth file" in out.traceback[0]
    assert "keyring" in out.traceback[0]


def test_the_password_may_come_from_keyring(
    kernels: Callable[..., Any], embedded: Any, tmp_path: Any
) -> None:
    (tmp_path / "own_keyring.py").write_text(
        "from keyring.backend import KeyringBackend\n"
        "class Own(KeyringBackend):\n"
        "    priority = 1\n"
        "    def get_password(self, service, user):\n"
        f"        return 'geheim' if (service, user) == ({embedded.url!r}, 'anna') else None\n"
        "    def set_password(self, service, user, password): ...\n"
        "    def delete_password(self, service, user): ...\n"
    )
    kernel = kernels(PYTHONPATH=str(tmp_path), PYTHON_KEYRING_BACKEND="own_keyring.Own")
    kernel.run("%load_ext scidb_magic")
    assert kernel.run(f"%scidb connect {embedded.url} --user anna").error is None
    out = kernel.run("import scidb_magic; print(scidb_magic.current().settings.password[:2] + '…')")
    assert out.text.strip() == "ge…"


def test_terminal_ipython(embedded: Any) -> None:
    lines = [
        "%load_ext scidb_magic",
        f"%scidb connect {embedded.url}",
        "%scidb scan(nope)",
        "%%scidb",
        "aggregate(build(<x:int64>[i=0:9], i),",
        "  sum(x))",
        "",
        "",
        "x = %scidb build(<x:int64>[i=0:9], i)",
        "print('sum is', x['x'].sum())",
        "%scidb",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--simple-prompt", "--quick", "--no-banner", "--colors=nocolor"],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = done.stdout
    assert done.returncode == 0, done.stderr
    assert "QueryError: " in said
    assert "  scan(nope)\n       ^^^^" in said
    assert "Traceback" not in said
    assert "x_sum" in said
    assert "45" in said
    assert "sum is 45" in said
    assert "SciDB session\n  state" in said
