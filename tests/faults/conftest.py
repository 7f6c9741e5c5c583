"""A server, the fault-injecting proxy in front of it, and a session that knows only the proxy."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scidb_magic.api import ManagedSession
from scidb_magic.session.layers import resolve
from scidb_magic.shim.client import ShimClient

# The test modules of this folder import it by this name: under importlib they are no package.
_spec = importlib.util.spec_from_file_location("fault_proxy", Path(__file__).with_name("proxy.py"))
assert _spec is not None and _spec.loader is not None
fault_proxy = importlib.util.module_from_spec(_spec)
sys.modules["fault_proxy"] = fault_proxy
_spec.loader.exec_module(fault_proxy)


@pytest.fixture
def proxied() -> Iterator[Callable[..., Any]]:
    """``proxied(server, renamed=…)``: a proxy in front of `server`."""
    made: list[Any] = []

    def proxied(server: Any, **options: Any) -> Any:
        made.append(fault_proxy.Proxy(server.port, **options))
        return made[-1]

    yield proxied
    for proxy in made:
        proxy.close()


@pytest.fixture
def make() -> Iterator[Callable[..., ManagedSession]]:
    """``make(url, **settings)``: a session of one's own, closed at the end; its `notices` are kept."""
    made: list[ManagedSession] = []

    def make(url: str, **settings: Any) -> ManagedSession:
        notices: list[str] = []
        session = ManagedSession(*resolve({"url": url, **settings}), notify=notices.append)
        session.notices = notices  # type: ignore[attr-defined]
        made.append(session)
        return session

    yield make
    for session in made:
        session.close()


@pytest.fixture
def taken() -> Callable[[str], list[str]]:
    """``taken(url)``: the beginnings of the session ids that hold a slot of the server now."""

    def taken(url: str) -> list[str]:
        lines = (ShimClient(url).debug() or "").splitlines()
        return [line.split("sid ")[1][:6] for line in lines if line.endswith("avail 0")]

    return taken


@dataclass(frozen=True)
class Server:
    """An embedded server that many tests of a module share; slots left behind are soon reaped."""

    url: str
    port: int


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    options = ["--port", "0", "--max-sessions", "100", "--timeout", "2"]
    with subprocess.Popen(
        [sys.executable, "-m", "scidb_magic.embedded", *options], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        yield Server(url, int(url.rpartition(":")[2]))
        process.terminate()
