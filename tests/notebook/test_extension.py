"""The extension comes and goes: loaded twice, again, with another server, taken away, in any Python."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

QUERY = "%scidb build(<v:int64>[i=0:2], i)"

LEFT = """
import json, threading
shell = get_ipython()
print(json.dumps({
    "magics": [name for kind in shell.magics_manager.magics.values() for name in kind if "scidb" in name],
    "matchers": len(shell.Completer.custom_matchers),
    "hooks": sorted(name for name in vars(shell.kernel) if name.startswith("do_")),
    "threads": sorted(each.name for each in threading.enumerate() if "scidb" in each.name),
    "configurables": sum("SciDB" in type(each).__name__ for each in shell.configurables),
}))
"""


def test_nothing_is_left_behind(
    kernels: Callable[..., Any], embedded_factory: Callable[..., Any], wait_until: Callable[..., bool]
) -> None:
    kernel = kernels()
    before = json.loads(kernel.run(LEFT).text)
    assert before["threads"] == []
    for _ in range(2):
        for line in ("%load_ext scidb_magic", "%load_ext scidb_magic", "%reload_ext scidb_magic"):
            assert "error" not in kernel.run(line).text.lower()
        kernel.run(f"%scidb connect {embedded_factory().url}")
        out = kernel.run(f"%%{QUERY[1:].replace(' ', chr(10), 1)}")
        assert len(out.texts) == 1
        kernel.run("from scidb_magic.notebook import status; status.widget()._view_count = 1")
        during = json.loads(kernel.run(LEFT).text)
        assert during["matchers"] == before["matchers"] + 1
        assert during["configurables"] == 1
        assert kernel.run("%unload_ext scidb_magic").text.strip() == ""
        assert wait_until(lambda: json.loads(kernel.run(LEFT).text) == before, 15), kernel.run(LEFT).text


def test_two_servers_one_after_the_other(
    shell: Any, embedded: Any, embedded_factory: Callable[..., Any]
) -> None:
    other = embedded_factory("--max-sessions", "7")
    shell.run(QUERY)
    assert shell.run(f"%scidb connect {other.url}").error is None
    shell.run(QUERY)
    shown = shell.run("%scidb").text
    assert other.url in shown
    assert "1 of 7 slots are taken: this notebook 1" in shown
    shell.run(f"%scidb connect {embedded.url}")
    assert "this notebook" not in shell.run("%scidb").text.split("slots are taken")[1].split(".")[0]


SCRIPT = """
import sys, scidb_magic
with scidb_magic.connect({url!r}) as session:
    print(session.fetch("build(<v:int64>[i=0:2], i)")["v"].tolist())
print(sorted({{"IPython", "ipywidgets"}} & set(sys.modules)))
"""


def test_a_plain_python(embedded: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(url=embedded.url)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines() == ["[0, 1, 2]", "[]"]
    assert done.stderr == ""
