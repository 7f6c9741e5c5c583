"""Shift-Tab: help about AFL in our cells, IPython's own elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scidb_magic.notebook.catalogue import Names
from scidb_magic.notebook.inspection import told
from scidb_magic.wire.schema import Schema

NAMES = Names(arrays={"weather": Schema.parse("weather<temp:double>[day=0:*]")})


def asked(marked: str) -> str | None:
    return told(marked.replace("|", ""), marked.index("|"), NAMES)


@pytest.mark.parametrize(
    ("marked", "beginning"),
    [
        ("%%scidb\nfil|ter(weather, temp > 3)", "filter(array, condition)"),
        ("%%scidb\nfilter(|", "filter("),
        ("%%scidb\nfilter(scan(weather), temp > |3)", "filter("),
        ("%%scidb\nfilter(sc|an(weather), temp > 3)", "scan("),
        ("%%scidb\nfilter(wea|ther, temp > 3)", "weather<temp:double> [day=0:*"),
        ("%%scidb\naggregate(weather, av|g(temp))", "avg\n  aggregate"),
        ("%%scidb\napply(weather, x, ab|s(temp))", "abs\n  function"),
        ("%%scidb\n-- a remark\nscan(A);\nredim|ension(A, <x:int64>[i])", "redimension("),
        ("x = %scidb SCAN|(weather)", "scan("),
        ("%%scidb\nfilter(A, x > {{ len('|') }})", "filter("),
    ],
)
def test_what_is_told(marked: str, beginning: str) -> None:
    text = asked(marked)
    assert text is not None
    assert text.startswith(beginning)


@pytest.mark.parametrize(
    "marked", ["%%scidb\n-- fil|ter", "%%scidb\nscan(A); not_k|nown", "%%scidb\n'sc|an'"]
)
def test_where_nothing_is_known(marked: str) -> None:
    assert asked(marked) == ""


@pytest.mark.parametrize("marked", ["fil|ter(weather)", "x = 3\nsc|an", "%%time\nscan|(A)"])
def test_python_is_not_ours(marked: str) -> None:
    assert asked(marked) is None


def inspected(kernel: Any, marked: str) -> dict[str, Any]:
    message = kernel.client.inspect(marked.replace("|", ""), marked.index("|"))
    while (reply := kernel.client.get_shell_msg(timeout=30))["parent_header"].get("msg_id") != message:
        pass
    return dict(reply["content"])


def test_in_a_kernel(kernels: Callable[..., Any]) -> None:
    kernel = kernels()
    cell = "%%scidb\nredimen|sion(A, <x:int64>[i])"
    assert not inspected(kernel, cell)["found"]
    kernel.run("%load_ext scidb_magic")
    answer = inspected(kernel, cell)
    assert answer["found"]
    assert answer["data"]["text/plain"].startswith("redimension(")
    assert "unconnected" in kernel.run("import scidb_magic; print(scidb_magic.current().status().state)").text
    assert "Docstring" in inspected(kernel, "pri|nt(1)")["data"]["text/plain"]
    kernel.run("%unload_ext scidb_magic")
    assert not inspected(kernel, cell)["found"]
