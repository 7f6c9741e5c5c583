"""The embedded server as a child that is nobody's child: how it starts, is shared, and ends."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from scidb_magic.errors import ShimUnreachable
from scidb_magic.session.local import LOCK_FILE, PORT_FILE, Access, LocalServer


@pytest.fixture
def server() -> Iterator[LocalServer]:
    local = LocalServer()
    yield local
    local.stop()


def ask(access: Access, path: str, **parameters: Any) -> str:
    url, auth = access
    handler = urllib.request.HTTPDigestAuthHandler()
    handler.add_password("scidb_magic", url, *auth)
    target = f"{url}{path}?{urlencode(parameters)}" if parameters else url + path
    with urllib.request.build_opener(handler).open(target, timeout=30) as answer:
        return answer.read().decode()


def listens(url: str) -> bool:
    place = urlsplit(url)
    with contextlib.suppress(OSError), socket.create_connection((place.hostname, place.port), timeout=5):
        return True
    return False


class Kernel:
    """Another Python process that starts a local server and then does as it is told, line by line."""

    SCRIPT = textwrap.dedent(
        """
        import os, signal, sys
        from pathlib import Path
        from scidb_magic.session.local import LocalServer
        server = LocalServer()
        for line in sys.stdin:
            try:
                answer = eval(line) if not line.startswith("do ") else exec(line[3:])
            except Exception as error:
                answer = type(error).__name__
            print(repr(answer), flush=True)
        """
    )

    def __init__(self, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
            start_new_session=True,
        )

    def send(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def receive(self) -> Any:
        assert self.process.stdout
        return eval(self.process.stdout.readline())

    def __call__(self, line: str) -> Any:
        self.send(line)
        return self.receive()

    def start(self, directory: Path | None = None) -> Access:
        place = "None" if directory is None else f"Path({str(directory)!r})"
        url, password = self(f"[(url, str.__str__(auth[1])) for url, auth in [server.start({place})]][0]")
        return url, ("scidb_magic", password)

    def end(self, number: int = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        self.process.wait(20)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()


@pytest.fixture
def kernels() -> Iterator[Any]:
    made: list[Kernel] = []

    def make(**environment: str) -> Kernel:
        made.append(Kernel(**environment))
        return made[-1]

    yield make
    for kernel in made:
        if kernel.process.poll() is None:
            kernel.end()


def test_start_use_stop(server: LocalServer) -> None:
    assert not server.alive() and not server.started
    access = server.start()
    assert server.alive() and server.started
    assert ask(access, "/version") == "19.11.5"
    sid = ask(access, "/new_session")
    ask(access, "/execute_query", id=sid, query="build(<a:int64>[i=0:2],i)", save="csv")
    assert ask(access, "/read_lines", id=sid, n=0) == "0\n1\n2\n"
    server.stop()
    assert not server.alive() and not server.started
    assert not listens(access[0])
    server.stop()


def test_it_asks_for_a_credential_that_is_shown_nowhere(server: LocalServer) -> None:
    url, auth = access = server.start()
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{url}/version", timeout=30)
    assert refused.value.code == 401
    password = "".join(auth[1])
    assert len(password) > 30
    assert password not in repr(access) + repr(server) + repr(vars(server))
    if Path("/proc").is_dir():
        for name in ("cmdline", "environ"):
            assert password.encode() not in Path(f"/proc/{server.pid}/{name}").read_bytes()


def test_each_start_has_another_credential(server: LocalServer) -> None:
    _, (_, first) = server.start()
    _, (_, second) = server.start()
    assert str(first) != str(second)
    assert server.alive()


def test_alive_sees_the_servers_death_at_once(
    server: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # a killed server cannot remove its folder
    server.start()
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    begin = time.monotonic()
    while server.alive():
        assert time.monotonic() - begin < 5
    access = server.start()
    assert server.alive()
    assert ask(access, "/version") == "19.11.5"


def test_no_child_and_no_zombie(kernels: Any) -> None:
    kernel = kernels()
    kernel.start()
    assert kernel("os.waitpid(-1, os.WNOHANG)") == "ChildProcessError"
    kernel("server.stop()")
    assert kernel("os.waitpid(-1, os.WNOHANG)") == "ChildProcessError"
    assert kernel("server.start(options=['--nonsense'])") == "ShimUnreachable"
    assert kernel("os.waitpid(-1, os.WNOHANG)") == "ChildProcessError"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_it_ends_with_its_starter_however_that_ends(
    kernels: Any, wait_until: Any, tmp_path: Path, number: int
) -> None:
    kernel = kernels(TMPDIR=str(tmp_path))
    url, _ = kernel.start()
    assert len(list(tmp_path.iterdir())) == 1
    kernel.end(number)
    assert wait_until(lambda: not listens(url), 5)
    assert wait_until(lambda: list(tmp_path.iterdir()) == [], 5), "its temporary folder is gone"


def test_it_ends_with_a_starter_that_exits(kernels: Any, wait_until: Any) -> None:
    kernel = kernels()
    url, _ = kernel.start()
    kernel.process.stdin.close()
    assert kernel.process.wait(20) == 0
    assert wait_until(lambda: not listens(url), 5)


def test_signals_to_the_kernels_group_do_not_reach_it(kernels: Any, wait_until: Any) -> None:
    kernel = kernels()
    kernel("do signal.signal(signal.SIGINT, lambda *_: None)")
    access = kernel.start()
    os.killpg(kernel.process.pid, signal.SIGINT)
    assert kernel("server.alive()") is True
    assert ask(access, "/version") == "19.11.5"
    os.killpg(kernel.process.pid, signal.SIGKILL)
    assert wait_until(lambda: not listens(access[0]), 5)


def test_a_forked_child_neither_ends_nor_keeps_the_server(kernels: Any, wait_until: Any) -> None:
    kernel = kernels()
    access = kernel.start()
    # This child is still there when the server ends; it says first what it sees of the server.
    kernel("do r, w = os.pipe()")
    kernel("do hold_r, hold_w = os.pipe()")
    told = "os.write(w, repr((server.alive(), server.started)).encode())"
    kernel(f"do child = os.fork() or ({told}, server.stop(), os.read(hold_r, 1), os._exit(0))")
    assert kernel("os.read(r, 100)") == b"(True, False)"
    assert kernel("server.alive()") is True
    kernel("do second = os.fork() or sys.exit(0)")
    assert ask(access, "/version") == "19.11.5"
    assert kernel("server.alive()") is True, "a child's end and its stop() are not ours"
    kernel("server.stop()")
    assert wait_until(lambda: not listens(access[0]), 5), "the first child lives, and does not keep it"
    assert kernel("os.waitpid(child, os.WNOHANG)") == (0, 0)
    kernel("os.write(hold_w, b'x')")


def test_forked_child_outliving_a_killed_kernel(kernels: Any, wait_until: Any) -> None:
    kernel = kernels()
    access = kernel.start()
    child = kernel("os.fork() or signal.pause()")
    kernel.process.kill()
    kernel.process.wait()
    try:
        assert wait_until(lambda: not listens(access[0]), 5)
    finally:
        os.kill(child, signal.SIGKILL)


def test_failure_to_start_holds_the_last_words(server: LocalServer, tmp_path: Path) -> None:
    with pytest.raises(ShimUnreachable, match="unrecognized arguments: --nonsense"):
        server.start(options=["--nonsense"])
    assert not server.alive()
    (tmp_path / "file").write_text("")
    with pytest.raises(ShimUnreachable, match="cannot start") as failed:
        server.start(options=["--tls-cert", str(tmp_path / "file")])
    assert failed.value.reason == "refused"
    assert not failed.value.sent
    assert server.start()


def test_a_server_that_is_not_ready_in_time(server: LocalServer) -> None:
    with pytest.raises(ShimUnreachable, match=r"start|time") as failed:
        server.start(timeout=0.0)
    assert failed.value.reason == "timeout"
    assert not server.alive()


def test_a_folder_keeps_its_arrays(server: LocalServer, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "arrays"
    access = server.start(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / PORT_FILE).stat().st_mode & 0o777 == 0o600
    sid = ask(access, "/new_session")
    ask(access, "/execute_query", id=sid, query="store(build(<a:int64>[i=0:2],i*i),kept)")
    server.stop()
    assert not (folder / PORT_FILE).exists()
    access = server.start(folder)
    sid = ask(access, "/new_session")
    ask(access, "/execute_query", id=sid, query="scan(kept)", save="csv")
    assert ask(access, "/read_lines", id=sid, n=0) == "0\n1\n4\n"


def test_a_second_kernel_joins_and_later_takes_over(
    server: LocalServer, kernels: Any, wait_until: Any, tmp_path: Path
) -> None:
    kernel = kernels()
    first = kernel.start(tmp_path)
    joined = server.start(tmp_path)
    assert joined[0] == first[0]
    assert server.alive() and not server.started
    sid = ask(joined, "/new_session")
    ask(joined, "/execute_query", id=sid, query="store(build(<a:int64>[i=0:1],7),shared)")
    kernel.end(signal.SIGKILL)
    assert wait_until(lambda: not server.alive(), 3)
    own = server.start(tmp_path)
    assert server.started
    sid = ask(own, "/new_session")
    ask(own, "/execute_query", id=sid, query="scan(shared)", save="csv")
    assert ask(own, "/read_lines", id=sid, n=0) == "7\n7\n"


def test_who_joined_ends_nothing(server: LocalServer, kernels: Any, tmp_path: Path) -> None:
    kernel = kernels()
    kernel.start(tmp_path)
    access = server.start(tmp_path)
    server.stop()
    assert ask(access, "/version") == "19.11.5"
    assert kernel("server.alive()") is True


def test_starters_that_race_get_one_server(kernels: Any, tmp_path: Path) -> None:
    racers = [kernels() for _ in range(4)]
    for kernel in racers:
        kernel("server.alive()")
    for kernel in racers:
        kernel.send(f"server.start(Path({str(tmp_path)!r}))[0]")
    urls = [kernel.receive() for kernel in racers]
    assert len(set(urls)) == 1 and urls[0].startswith("http://127.0.0.1:")
    assert sorted(kernel("server.started") for kernel in racers) == [False, False, False, True]


def test_take_over_by_several_at_once(kernels: Any, tmp_path: Path) -> None:
    first, *others = (kernels() for _ in range(4))
    old, _ = first.start(tmp_path)
    for kernel in others:
        kernel.start(tmp_path)
    first.end(signal.SIGKILL)
    # One may still meet the old server, ending; then it asks again, as a connection does.
    again = f"lambda: server.start(Path({str(tmp_path)!r}))[0]"
    for kernel in others:
        kernel.send(f"(next(url for url in iter({again}, None) if url != {old!r}), server.started)")
    answers = [kernel.receive() for kernel in others]
    assert sorted(started for _, started in answers) == [False, False, True]
    assert len({url for url, _ in answers}) == 1


@pytest.mark.parametrize(
    "garbage",
    [b"", b"{", b"[]", b'{"url": 5}', b"\xff\xfe", b'{"url": "http://[", "user": "", "password": ""}'],
)
def test_a_stale_port_file_does_no_harm(server: LocalServer, tmp_path: Path, garbage: bytes) -> None:
    (tmp_path / PORT_FILE).write_bytes(garbage)
    access = server.start(tmp_path)
    assert ask(access, "/version") == "19.11.5"
    assert json.loads((tmp_path / PORT_FILE).read_text())["url"] == access[0]


def test_garbage_beside_a_running_server_is_waited_for_and_told(
    server: LocalServer, kernels: Any, tmp_path: Path
) -> None:
    kernels().start(tmp_path)
    (tmp_path / PORT_FILE).write_text("{}")
    with pytest.raises(ShimUnreachable, match="neither answers nor ends"):
        server.start(tmp_path, timeout=0.3)
    assert (tmp_path / LOCK_FILE).exists()


def test_a_folder_that_another_server_uses(
    server: LocalServer, embedded_factory: Any, tmp_path: Path
) -> None:
    embedded_factory("--data", str(tmp_path))
    with pytest.raises(ShimUnreachable, match="cannot start"):
        server.start(tmp_path)


def test_the_package_is_found_from_any_folder(kernels: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """Also when it was found by a path that only the starter knew, past a module of the folder's own."""
    (tmp_path / "duckdb.py").write_text("raise SystemExit('wrong module')")
    kernel = kernels()
    kernel(f"do os.chdir({str(tmp_path)!r})")
    assert ask(kernel.start(), "/version") == "19.11.5"


def test_nothing_remains_open(server: LocalServer) -> None:
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("the system does not list open files")
    server.start()
    server.stop()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        server.start()
        server.stop()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert select.select([], [], [], 0) == ([], [], [])


def test_who_ends_late_takes_nobody_elses_port_file(
    kernels: Any, server: LocalServer, tmp_path: Path, wait_until: Any
) -> None:
    first, third = kernels(), kernels()
    url, _ = first.start(tmp_path)
    os.kill(first("server.pid"), signal.SIGKILL)
    assert wait_until(lambda: not listens(url), 5)
    access = server.start(tmp_path)
    first("server.stop()")
    assert json.loads((tmp_path / PORT_FILE).read_text())["url"] == access[0]
    assert third.start(tmp_path) == access


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_folder_that_cannot_be_made_is_told(server: LocalServer, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ShimUnreachable, match=r"cannot be started on .*file"):
        server.start(tmp_path / place)
