"""The guardian: whatever ends its master, it frees the slot, and never one that may be another's."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from scidb_magic.session import freeing, guardian
from scidb_magic.session import guard as guard_module
from scidb_magic.session.guard import Charge, Guard
from scidb_magic.shim.client import ShimClient
from scidb_magic.shim.secret import Secret

SCRIPT = guardian.__file__
LONG = "aggregate(build(<x:int64>[i=0:99999999999], i % 7), sum(x))"
PROMISED_SECONDS = 3.0
OLD = 60.0
"""Seconds since the last use, of a session that has to be proved ours."""

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


class Web:
    """What a test itself asks of a server."""

    def __init__(self, url: str, auth: tuple[str, str] | None = None, tls: ssl.SSLContext | None = None):
        self.url = url
        handlers: list[Any] = [urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls)]
        if auth is not None:
            passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
            passwords.add_password(None, url, *auth)
            handlers.append(urllib.request.HTTPDigestAuthHandler(passwords))
        self.opener = urllib.request.build_opener(*handlers)

    def __call__(self, path: str, method: str = "GET", **parameters: Any) -> Any:
        target = f"{self.url}/{path}?{urlencode(parameters)}" if parameters else f"{self.url}/{path}"
        return self.opener.open(urllib.request.Request(target, method=method), timeout=60)

    def text(self, path: str, **parameters: Any) -> str:
        with self(path, **parameters) as answer:
            return answer.read().decode()

    def take(self) -> str:
        return self.text("new_session")

    def etag(self, sid: str) -> str:
        with self("read_lines", "HEAD", id=sid, n=0) as answer:
            return answer.headers["Etag"]

    def taken(self) -> list[str]:
        return re.findall(r"sid (\w+), avail 0", self.text("debug"))

    def has(self, sid: str) -> bool:
        return sid[:6] in self.taken()


class Master:
    """A process that has a guard, and does as it is told, line by line."""

    SCRIPT = textwrap.dedent(
        """
        import ctypes, json, os, signal, sys, threading, time, urllib.request
        from scidb_magic.session.guard import Charge, Guard
        guard = Guard()
        libc = ctypes.CDLL(None)
        def tell(text):
            guard.start()
            guard.tell(Charge(**json.loads(text)))
            return guard.pid
        def children():
            try:
                return os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return None
        for line in sys.stdin:
            answer = eval(line) if not line.startswith("do ") else exec(line[3:])
            print(repr(answer), flush=True)
        """
    )

    def __init__(self, before: str = "", **environment: str) -> None:
        self.helpers: list[int] = []
        self.process = subprocess.Popen(
            [sys.executable, "-c", before + self.SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | environment,
            start_new_session=True,
        )

    def send(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def __call__(self, line: str) -> Any:
        self.send(line)
        assert self.process.stdout
        return eval(self.process.stdout.readline())

    def tell(self, **charge: Any) -> int:
        pid = self(f"tell({json.dumps(charge)!r})")
        self.helpers.append(pid)
        return pid

    def die(self, how: str = "os.kill(os.getpid(), signal.SIGKILL)") -> None:
        self.send("do " + how)
        self.process.wait(20)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(20)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


@pytest.fixture
def masters(wait_until: Any) -> Iterator[Callable[..., Master]]:
    """Make masters; after the test nothing may be left of their helpers."""
    made: list[Master] = []

    def make(before: str = "", **environment: str) -> Master:
        made.append(Master(before, **environment))
        return made[-1]

    yield make
    for master in made:
        master.end()
    for pid in [pid for master in made for pid in master.helpers]:
        assert wait_until(lambda pid=pid: not lives(pid), 20)


@pytest.fixture(scope="module")
def server(embedded: Any) -> Web:
    return Web(embedded.url)


class Scripted:
    """A server that answers as `answer(path)` says: a status, one with headers, ``hang`` or ``reset``."""

    def __init__(self, answer: Callable[[str], Any]) -> None:
        self.seen: list[str] = []
        outer = self

        self.headers: Any = {}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.headers = self.headers
                name = self.path.partition("?")[0].strip("/")
                outer.seen.append(name)
                what = answer(name)
                if what == "hang":
                    outer.ended.wait(30)
                    return
                if what == "reset":
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    self.connection.close()
                    return
                status, headers = what if isinstance(what, tuple) else (what, {})
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_HEAD = do_GET

            def log_message(self, *_: Any) -> None: ...

        self.ended = threading.Event()
        self.listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.listener.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.url = f"http://127.0.0.1:{self.listener.server_address[1]}"
        threading.Thread(target=self.listener.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.ended.set()
        self.listener.shutdown()
        self.listener.server_close()


@pytest.fixture
def scripted() -> Iterator[Callable[..., Scripted]]:
    made: list[Scripted] = []

    def make(answer: Callable[[str], Any]) -> Scripted:
        made.append(Scripted(answer))
        return made[-1]

    yield make
    for one in made:
        one.close()


def in_turn(**answers: list[Any]) -> Callable[[str], Any]:
    """The answers of each endpoint one after the other, the last for ever."""
    left = {name: list(row) for name, row in answers.items()}
    return lambda name: left[name].pop(0) if len(left[name]) > 1 else left[name][0]


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError):
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        return False
    return True


def charge(url: str, sid: str, **more: Any) -> dict[str, Any]:
    facts: dict[str, Any] = dict.fromkeys(("http_user", "http_password", "ca", "lines", "etag", "file"))
    own = {"url": url, "sid": sid, "verify": True, "running": False, "used": time.time(), "digest": False}
    return facts | own | more


def run_helper(told: bytes | dict[str, Any]) -> float:
    """A helper whose master is gone at once; returns after its end: seconds."""
    line = told if isinstance(told, bytes) else json.dumps(told).encode() + b"\n"
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-I", "-S", SCRIPT],
        input=line,
        capture_output=True,
        timeout=60,
        start_new_session=True,
    )
    # The helper itself holds the pipes until its end, and would complain there.
    assert done.stderr == b""
    return time.monotonic() - begun


def note(path: Path) -> Path:
    """A ledger's file."""
    path.write_text("{}")
    return path


DEATHS = {
    "SIGKILL": "os.kill(os.getpid(), signal.SIGKILL)",
    "SIGTERM": "os.kill(os.getpid(), signal.SIGTERM)",
    "SIGHUP": "os.kill(os.getpid(), signal.SIGHUP)",
    "_exit": "os._exit(0)",
    "abort": "os.abort()",
    "segfault": "ctypes.string_at(0)",
    "process group": "os.killpg(0, signal.SIGKILL)",
    "exit": "sys.exit()",
    "exec": "os.execv('/bin/sleep', ['sleep', '0.5'])",
    "in a thread": "threading.Thread(target=os._exit, args=(1,)).start()",
}


@pytest.mark.parametrize("how", DEATHS.values(), ids=DEATHS)
def test_the_slot_is_freed_after_every_death(
    how: str, server: Web, masters: Any, tmp_path: Path, wait_until: Any, record_property: Any
) -> None:
    master, sid, file = masters(), server.take(), note(tmp_path / "entry.json")
    helper = master.tell(url=server.url, sid=sid, used=time.time(), file=str(file))
    assert master("children()") is None
    assert server.has(sid) and lives(helper)
    master.send("do " + how)
    begun = time.monotonic()
    assert wait_until(lambda: not server.has(sid), PROMISED_SECONDS)
    record_property("seconds", time.monotonic() - begun)
    assert wait_until(lambda: not lives(helper))
    assert not file.exists()


FORKS = {
    # The child knows nothing of the fork: it holds everything that its parent held.
    "by a C library": "pid = libc.fork(); (pid or libc.sleep(60)); print(pid, flush=True)",
    "by Python": "pid = os.fork(); (pid or time.sleep(60)); print(pid, flush=True)",
}


@pytest.mark.parametrize("how", FORKS.values(), ids=FORKS)
def test_a_forked_child_does_not_keep_the_slot(how: str, server: Web, masters: Any, wait_until: Any) -> None:
    master, sid = masters(), server.take()
    master.tell(url=server.url, sid=sid, used=time.time())
    master.send("do " + how)
    child = int(master.process.stdout.readline())
    try:
        master.process.stdout.readline()
        assert server.has(sid)
        master.die()
        assert wait_until(lambda: not server.has(sid), PROMISED_SECONDS)
        assert lives(child)
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_forked_child_s_end_is_not_the_parent_s(server: Web, masters: Any) -> None:
    master, sid = masters(), server.take()
    helper = master.tell(url=server.url, sid=sid, used=time.time())
    assert master("[os.fork() or os._exit(guard.pid is None), os.wait()[1] >> 8][1]") == 1
    assert server.has(sid) and lives(helper)
    assert master("guard.pid") == helper
    # What the child then does with its own guard does not touch the parent's.
    master("do pid = os.fork(); (pid or [guard.dismiss(), os._exit(0)]); os.wait()")
    assert server.has(sid) and lives(helper)
    master.die()


def test_where_the_system_has_no_pidfd(server: Web, masters: Any, wait_until: Any) -> None:
    master, sid = (
        masters("import os\ndel os.pidfd_open\n" if hasattr(os, "pidfd_open") else ""),
        server.take(),
    )
    master.tell(url=server.url, sid=sid, used=time.time())
    master.send("do pid = os.fork(); (pid or time.sleep(60)); print(pid, flush=True)")
    child = int(master.process.stdout.readline())
    try:
        master.die()
        assert wait_until(lambda: not server.has(sid), PROMISED_SECONDS)
    finally:
        os.kill(child, signal.SIGKILL)


def test_the_last_charge_counts(server: Web, masters: Any, wait_until: Any) -> None:
    master, first, second = masters(), server.take(), server.take()
    helper = master.tell(url=server.url, sid=first, used=time.time())
    assert master.tell(url=server.url, sid=second, used=time.time()) == helper
    master.die()
    assert wait_until(lambda: not server.has(second), PROMISED_SECONDS)
    assert wait_until(lambda: not lives(helper))
    assert server.has(first)
    server.text("release_session", id=first)


def test_signals_do_not_reach_it(server: Web, masters: Any, wait_until: Any) -> None:
    master, sid = masters(), server.take()
    helper = master.tell(url=server.url, sid=sid, used=time.time())
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        os.kill(helper, number)
    master.die("os.killpg(0, signal.SIGTERM)")
    assert wait_until(lambda: not server.has(sid), PROMISED_SECONDS)


@pytest.mark.parametrize("told", [True, False])
def test_a_dismissed_helper_ends_by_itself(told: bool, server: Web, masters: Any, wait_until: Any) -> None:
    master, sid = masters(), server.take()
    if told:
        master.tell(url=server.url, sid=sid, used=time.time())
    else:
        master("guard.start()")
    helper = master("guard.pid")
    master("guard.dismiss()")
    assert wait_until(lambda: not lives(helper))
    assert master("guard.pid") is None and master("children()") is None
    assert server.has(sid)
    # And it may be told again.
    assert master.tell(url=server.url, sid=sid, used=time.time()) != helper
    master.die()
    assert wait_until(lambda: not server.has(sid), PROMISED_SECONDS)


@pytest.mark.parametrize("told", [b"", b"\n", b"{}\n", b'{"url": "http://127.0.0.1:1"', b"{}\n{"])
def test_without_a_charge_it_just_ends(told: bytes) -> None:
    assert run_helper(told) < PROMISED_SECONDS


@linux
def test_it_is_small_and_shows_no_secret(server: Web, masters: Any) -> None:
    sid, password = server.take(), "correct-horse"
    master = masters(SCIDB_MAGIC_PASSWORD=password, SCIDB_CONFIG_USER=password)
    helper = master.tell(url=server.url, sid=sid, http_user="u", http_password=password, used=time.time())
    place = Path(f"/proc/{helper}")
    shown = (place / "cmdline").read_bytes() + (place / "environ").read_bytes()
    assert SCRIPT.encode() in shown
    assert sid.encode() not in shown and password.encode() not in shown

    def kilobytes(file: str, *names: str) -> int:
        rows = [line.split() for line in (place / file).read_text().splitlines()]
        return sum(int(row[1]) for row in rows if row[0].rstrip(":") in names)

    assert kilobytes("smaps_rollup", "Private_Clean", "Private_Dirty") < 4 * 1024
    status = (place / "status").read_text()
    assert kilobytes("status", "VmRSS") < 12 * 1024
    assert f"\nPPid:\t{master.process.pid}\n" not in status and "\nThreads:\t1\n" in status
    assert (place / "cwd").readlink() == Path("/")
    assert len(list((place / "fd").iterdir())) <= 4
    assert os.getsid(helper) not in (os.getsid(master.process.pid), os.getsid(0))
    master.die()


# Access


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    import trustme

    folder = tmp_path_factory.mktemp("tls")
    authority, other = trustme.CA(), trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    other.cert_pem.write_to_path(folder / "other.pem")
    issued.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    return {name: folder / f"{name}.pem" for name in ("ca", "other", "server")}


def test_digest_over_tls(embedded_factory: Any, certificate: dict[str, Path], tmp_path: Path) -> None:
    auth = ("user", "pässword:1")
    process = embedded_factory("--tls-cert", str(certificate["server"]), http_auth=auth)
    client = ShimClient(process.url, http_auth=auth, verify=str(certificate["ca"]))

    def taken() -> int:
        return len(re.findall("avail 0", client.debug() or ""))

    sid, file = client.new_session(), note(tmp_path / "entry.json")
    right = charge(
        process.url, sid, http_user=auth[0], http_password=auth[1], ca=str(certificate["ca"]), file=str(file)
    )
    for wrong in (
        {"ca": str(certificate["other"])},
        {"ca": str(tmp_path / "none.pem")},
        {"http_password": "wrong"},
        {"http_user": None},
    ):
        assert run_helper(right | wrong) < PROMISED_SECONDS
        assert taken() == 1 and file.exists()
    run_helper(right)
    assert taken() == 0 and not file.exists()
    run_helper(right | {"sid": client.new_session(), "verify": False, "ca": None})
    assert taken() == 0


def test_basic(scripted: Any) -> None:
    auth = ("user", "pässword")
    expected = "Basic " + base64.b64encode(":".join(auth).encode()).decode()
    front = scripted(
        lambda name: (
            200
            if front.headers.get("Authorization") == expected
            else (401, {"WWW-Authenticate": 'Basic realm="x"'})
        )
    )
    run_helper(charge(front.url, "s", http_user=auth[0], http_password=auth[1]))
    assert front.seen == ["release_session"] * 2


def test_basic_over_plain_http_is_not_given_where_digest_was_asked_for(scripted: Any) -> None:
    asked = (401, {"WWW-Authenticate": 'Basic realm="x"'})
    given: list[str | None] = []
    front = scripted(lambda name: (given.append(front.headers.get("Authorization")), asked)[1])
    run_helper(charge(front.url, "s", http_user="user", http_password="word", digest=True))
    assert given
    assert set(given) == {None}


def test_neither_redirects_nor_proxies_on_this_machine(
    scripted: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    elsewhere, file = scripted(lambda name: 200), note(tmp_path / "entry.json")
    here = scripted(lambda name: (302, {"Location": f"{elsewhere.url}/release_session?id=s"}))
    monkeypatch.setenv("http_proxy", elsewhere.url)
    run_helper(charge(here.url, "s", file=str(file)))
    assert here.seen == ["release_session"] and elsewhere.seen == []
    assert file.exists()
    run_helper(charge("http://shim.example:8080", "s", file=str(file)))
    assert elsewhere.seen == ["http://shim.example:8080/release_session"] and not file.exists()


# A running query


def test_a_running_query_is_cancelled(
    server: Web, masters: Any, wait_until: Any, record_property: Any
) -> None:
    sid, master = server.take(), masters()
    answers: list[int] = []

    def query() -> None:
        try:
            server("execute_query", id=sid, query=LONG).close()
        except urllib.error.HTTPError as error:
            answers.append(error.code)
            error.close()

    asking = threading.Thread(target=query)
    asking.start()
    # A second request waits on the session's lock while the query runs.
    assert wait_until(lambda: is_busy(server, sid))
    master.tell(url=server.url, sid=sid, running=True, used=time.time() - OLD)
    master.send("do os.kill(os.getpid(), signal.SIGKILL)")
    begun = time.monotonic()
    assert wait_until(lambda: not server.has(sid), PROMISED_SECONDS)
    record_property("seconds", time.monotonic() - begun)
    asking.join(20)
    assert answers in ([406], [502])


def is_busy(web: Web, sid: str) -> bool:
    try:
        web.opener.open(f"{web.url}/read_lines?id={sid}&n=0", timeout=0.3).close()
    except urllib.error.HTTPError as error:
        error.close()
    except TimeoutError:
        return True
    return False


def test_cancelled_again_until_the_release_is_answered(scripted: Any) -> None:
    ended = threading.Event()
    cancels: list[float] = []

    def answer(name: str) -> int:
        if name == "cancel":
            cancels.append(time.monotonic())
            if len(cancels) > 3:
                ended.set()
            return 409 if len(cancels) == 1 else 200
        ended.wait(20)
        return 200

    shim = scripted(answer)
    run_helper(charge(shim.url, "s", running=True))
    assert shim.seen[:2] == ["cancel", "release_session"] and shim.seen.count("release_session") == 1
    assert len(cancels) == 4
    assert all(0.2 < later - sooner < 2 for sooner, later in itertools.pairwise(cancels))


@pytest.mark.parametrize(
    ("answers", "requests", "forgotten"),
    [
        ({"cancel": [404]}, 1, True),
        ({"cancel": [200], "release_session": [404]}, 2, True),
        ({"cancel": [502], "release_session": [200]}, 2, True),
        ({"cancel": [200], "release_session": [500]}, 2, False),
        ({"cancel": ["reset"], "release_session": ["reset"]}, 2, False),
        ({"cancel": [200], "release_session": [503, 200]}, 4, True),
    ],
)
def test_the_end_of_a_running_query(
    answers: dict[str, list[Any]], requests: int, forgotten: bool, scripted: Any, tmp_path: Path
) -> None:
    shim, file = scripted(in_turn(**answers)), note(tmp_path / "entry.json")
    run_helper(charge(shim.url, "s", running=True, file=str(file)))
    assert len(shim.seen) == requests
    assert file.exists() is not forgotten


# Whose session is it?


def test_an_old_id_is_proved_first(server: Web, tmp_path: Path) -> None:
    sid, file = server.take(), note(tmp_path / "entry.json")
    server.text("execute_query", id=sid, query="build(<x:int64>[i=0:9], i)", save="csv")
    etag = server.etag(sid)
    old = charge(server.url, sid, used=time.time() - OLD, lines=True, etag=etag, file=str(file))
    # Nothing known, the wrong format: left alone, and still in the ledger.
    for unproved in (
        {"etag": None},
        {"lines": None},
        {"lines": False},
        {"used": time.time() + OLD, "etag": None},
    ):
        run_helper(old | unproved)
        assert server.has(sid) and file.exists()
    # Somebody else's.
    run_helper(old | {"etag": '"0.1"'})
    assert server.has(sid) and not file.exists()
    run_helper(old | {"sid": "0" * 32, "file": str(note(file))})
    assert server.has(sid) and not file.exists()
    run_helper(old | {"file": str(note(file))})
    assert not server.has(sid) and not file.exists()


def test_a_session_without_output_proves_nothing(server: Web, tmp_path: Path) -> None:
    sid, file = server.take(), note(tmp_path / "entry.json")
    run_helper(charge(server.url, sid, used=time.time() - OLD, lines=True, etag='"0.1"', file=str(file)))
    assert server.has(sid) and file.exists()
    server.text("release_session", id=sid)


def test_a_stranger_with_our_id_after_a_restart(embedded_factory: Any, masters: Any, wait_until: Any) -> None:
    first = embedded_factory("--repeat-ids")
    sid = Web(first.url).take()
    Web(first.url).text("execute_query", id=sid, query="build(<x:int64>[i=0:9], i)", save="csv")
    etag, master = Web(first.url).etag(sid), masters()
    told = {"url": first.url, "sid": sid, "lines": True, "etag": etag}
    helper = master.tell(**told, used=time.time() - OLD)
    first.stop()
    web = Web(embedded_factory("--repeat-ids", "--port", str(first.port)).url)
    assert web.take() == sid
    web.text("execute_query", id=sid, query="build(<x:int64>[i=0:99], i)", save="csv")
    master.die()
    assert wait_until(lambda: not lives(helper))
    assert web.has(sid)
    assert web.text("read_lines", id=sid, n=0).startswith("0\n1\n")


# A server that does not answer


def test_a_refused_connection_ends_it(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        for running in (False, True):
            file = note(tmp_path / "entry.json")
            assert run_helper(charge(url, "s", running=running, file=str(file))) < PROMISED_SECONDS
            assert not file.exists()


@pytest.mark.parametrize(
    ("answers", "asked", "forgotten"),
    [
        ({"release_session": [503, 503, 200]}, ["release_session"] * 3, True),
        ({"release_session": [404]}, ["release_session"], True),
        ({"release_session": [502]}, ["release_session"], False),
        ({"release_session": ["hang", 200]}, ["release_session"] * 2, True),
        # Who broke off may have gone down: from then on the id has to be proved.
        (
            {"release_session": ["reset", 200], "read_bytes": [(200, {"Etag": '"1.2"'})]},
            ["release_session", "read_bytes", "release_session"],
            True,
        ),
        ({"release_session": ["reset"], "read_bytes": [404]}, ["release_session", "read_bytes"], True),
        ({"release_session": ["reset"], "read_bytes": [200]}, ["release_session", "read_bytes"], False),
    ],
)
def test_it_asks_again(
    answers: dict[str, list[Any]], asked: list[str], forgotten: bool, scripted: Any, tmp_path: Path
) -> None:
    shim, file = scripted(in_turn(**answers)), note(tmp_path / "entry.json")
    run_helper(charge(shim.url, "s", lines=False, etag='"1.2"', file=str(file)))
    assert shim.seen == asked
    assert file.exists() is not forgotten


def test_it_gives_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    clock = [0.0]

    def busy(_: Any, endpoint: str, *__: Any) -> tuple[int, None]:
        asked.append(endpoint)
        return 503, None

    monkeypatch.setattr(freeing, "_ask", busy)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    assert freeing.free(charge("http://h", "s")) is False
    assert 5 <= len(asked) <= 10 and 15 < clock[0] <= freeing.PATIENCE


# The master's side


@pytest.fixture
def guard() -> Iterator[Guard]:
    made = Guard()
    yield made
    made.dismiss()


def held(sid: str = "s", **more: Any) -> Charge:
    return Charge("http://127.0.0.1:1", Secret(sid), used=time.time(), **more)


def test_a_charge_shows_no_secret() -> None:
    assert "hidden" not in repr(held("hidden", http_password="hidden"))


def test_start_and_tell_take_no_time(guard: Guard, record_property: Any) -> None:
    begun = time.perf_counter()
    guard.start()
    started = time.perf_counter()
    guard.tell(held())
    told = time.perf_counter()
    guard.tell(held())
    again = time.perf_counter()
    for name, seconds in (("start", started - begun), ("first", told - started), ("next", again - told)):
        record_property(name, seconds)
    assert started - begun < 0.5 and told - started < 2 and again - told < 0.1
    with pytest.raises(ChildProcessError):
        os.waitpid(guard.pid or 0, os.WNOHANG)


def test_a_killed_helper_is_replaced(guard: Guard, wait_until: Any) -> None:
    guard.start()
    guard.tell(held())
    first = guard.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: not lives(first))
    guard.tell(held())
    assert guard.pid not in (None, first) and lives(guard.pid or 0)


def test_a_broken_pipe_is_not_deadly_where_sigpipe_is(server: Web, masters: Any, wait_until: Any) -> None:
    master, sid = masters("import signal\nsignal.signal(signal.SIGPIPE, signal.SIG_DFL)\n"), server.take()
    helper = master.tell(url=server.url, sid=sid, used=time.time())
    os.kill(helper, signal.SIGKILL)
    assert wait_until(lambda: not lives(helper))
    assert master.tell(url=server.url, sid=sid, used=time.time()) != helper
    master.die()
    assert wait_until(lambda: not server.has(sid), PROMISED_SECONDS)


def test_a_descriptor_that_became_another_file_s_is_not_touched(guard: Guard, tmp_path: Path) -> None:
    guard.tell(held())
    first = guard.pid
    pipe = guard._helper._write  # type: ignore[union-attr]
    other = (tmp_path / "other").open("wb")
    os.dup2(other.fileno(), pipe)  # as a daemon that closes everything, and then opens a file
    try:
        guard.tell(held("hidden"))
        assert guard.pid != first
        assert (tmp_path / "other").read_bytes() == b""
        assert os.fstat(pipe).st_ino == os.fstat(other.fileno()).st_ino
    finally:
        os.close(pipe)
        other.close()


def test_a_helper_that_does_not_read_holds_nobody_up(server: Web, masters: Any, wait_until: Any) -> None:
    master, sid = masters(), server.take()
    helper = master.tell(url=server.url, sid="0" * 32, used=time.time())
    os.kill(helper, signal.SIGSTOP)
    # Long lines, so that the pipe ends in the middle of one.
    long = server.url + "/" + "x" * 9000
    assert (
        master(f"[max(tell(json.dumps(dict(url={long!r}, sid='1' * 32))) for _ in range(40))][0]") == helper
    )
    os.kill(helper, signal.SIGCONT)
    assert wait_until(
        lambda: master("[guard.tell(Charge('http://127.0.0.1:1', 's')), guard._helper._rest][1]") == b""
    )
    assert master.tell(url=server.url, sid=sid, used=time.time()) == helper
    master.die()
    assert wait_until(lambda: not server.has(sid), PROMISED_SECONDS)


@pytest.mark.parametrize("hindrance", ["executable", "frozen", "popen", "script", "one"])
def test_without_a_helper_all_goes_on(
    hindrance: str, guard: Guard, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: Any
) -> None:
    def refused(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no more processes")

    hinder: dict[str, Callable[[], None]] = {
        "executable": lambda: monkeypatch.setattr(sys, "executable", ""),
        "frozen": lambda: monkeypatch.setattr(sys, "frozen", True, raising=False),
        "popen": lambda: monkeypatch.setattr(subprocess, "Popen", refused),
        "script": lambda: monkeypatch.setattr(guard_module, "_SCRIPT", str(tmp_path / "none.py")),
        "one": lambda: monkeypatch.setattr(os, "getpid", lambda: 1),
    }
    caplog.set_level("DEBUG", "scidb_magic")
    descriptors = open_descriptors()
    hinder[hindrance]()
    for _ in range(guard_module.MOST_FAILURES + 2):
        guard.start()
        guard.tell(held("hidden"))
        assert guard.pid is None
    guard.dismiss()
    assert "No guardian" in caplog.text and "hidden" not in caplog.text
    assert open_descriptors() == descriptors
    monkeypatch.undo()
    if hindrance in ("popen", "script"):
        guard.tell(held())
        assert guard.pid is None, "who has failed so often is not tried again"


def open_descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_nothing_stays_open(guard: Guard) -> None:
    before = open_descriptors()
    for _ in range(3):
        guard.start()
        guard.tell(held())
        guard.dismiss()
    assert open_descriptors() == before


def test_many_threads_tell(guard: Guard) -> None:
    threads = [
        threading.Thread(target=lambda: [guard.tell(held(str(number))) for number in range(200)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert guard.pid is not None and lives(guard.pid)


def test_a_signal_handler_may_dismiss_in_the_middle_of_everything(masters: Any) -> None:
    master = masters()
    master("do signal.signal(signal.SIGALRM, lambda *_: guard.dismiss())")
    text = json.dumps(charge("http://127.0.0.1:1", "s"))
    master("do signal.setitimer(signal.ITIMER_REAL, 0.003, 0.0041)")
    assert master(f"[guard.tell(Charge(**json.loads({text!r}))) for _ in range(40)].count(None)") == 40
    master("do signal.setitimer(signal.ITIMER_REAL, 0)")
    master("guard.dismiss()")
    assert master("len(os.listdir('/dev/fd'))") <= 4
    assert master("children()") is None


def test_one_that_was_dismissed_is_not_started_again_by_a_late_word() -> None:
    guard = Guard()
    guard.start()
    guard.dismiss()
    guard.tell(Charge(url="http://127.0.0.1:1", sid="x" * 32))
    assert guard.pid is None


WORKER = """
import os, signal, sys, time
import scidb_magic
session = scidb_magic.connect("embedded:")
session.fetch("build(<v:int64>[i=0:1], i)")
if os.fork() == 0:
    session.fetch("build(<v:int64>[i=0:1], i)")
    os.kill(os.getpid(), signal.SIGKILL)
os.wait()
deadline = time.monotonic() + 10
while sum(slot.owner != "free" for slot in session.slots()) != 1 and time.monotonic() < deadline:
    time.sleep(0.05)
print([slot.owner for slot in session.slots() if slot.owner != "free"])
"""


@linux
def test_a_killed_worker_leaves_no_slot_of_its_parents_own_server() -> None:
    done = subprocess.run([sys.executable, "-c", WORKER], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "['mine']", done.stderr
