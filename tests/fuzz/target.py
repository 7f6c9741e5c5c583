"""The server under fire: a process of its own, in folders of its own, and what must be true afterwards."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from urllib.parse import quote_from_bytes

from .writer import SETUP

SECRET = "s3cr3t-canary-7f1e"
"""Stands in a file outside of the allowed folders and in the server's environment."""

CANARY = "create_array(canary,<x:int64>[i=0:3])", "store(build(canary,i*11),canary)"
ROOT = Path(__file__).parents[2]

START = """
import faulthandler, runpy, signal
faulthandler.register(signal.SIGUSR1)
runpy.run_module("scidb_magic.embedded", run_name="__main__", alter_sys=True)
"""
"""As ``python -m scidb_magic.embedded``; on SIGUSR1 it writes the stacks of its threads into the log."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. `status` is 0 and `body` everything where it is no HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    raw: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, raw: bytes) -> Reply:
        head, end, body = raw.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        words = line.split(" ", 2)
        if not end or len(words) < 3 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
            return cls(0, {}, raw, raw)
        headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in fields)}
        return cls(int(words[1]), headers, body, raw)

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


class Target:
    """A server process; a context manager that ends it.

    Attributes
    ----------
    places : dict
        What the templates in the queries stand for: `scratch`, `io`, `outside` and `secret`.
    """

    def __init__(self, *options: str) -> None:
        self._options = options

    def __enter__(self) -> Target:
        try:
            return self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def _start(self) -> Target:
        self._folder = tempfile.TemporaryDirectory(prefix="fuzz_")
        root = Path(os.path.realpath(self._folder.name))
        self.outside, io, home, temp = (root / name for name in ("outside", "io", "home", "tmp"))
        for folder in (self.outside, io, home, temp):
            folder.mkdir()
        (self.outside / "secret").write_text(f"{SECRET}\n")
        self._fill(io)
        self._home = home
        self.log = root / "log"
        environment = {**os.environ, "FUZZ_SECRET": SECRET, "HOME": str(home), "TMPDIR": str(temp)}
        environment["PYTHONPATH"] = os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))
        command = [sys.executable, "-c", START, "--port", "0", "--io-path", str(io)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--memory-limit", "1GB", "--temp-limit", "1GB", *self._options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=home,
                env=environment,
            )
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], 60)
        line = self.process.stdout.readline() if ready else ""
        assert line, self.log.read_text()
        self.address = ("127.0.0.1", int(line.rpartition(":")[2]))
        (scratch,) = temp.iterdir()
        self.places = {
            "{scratch}": str(scratch),
            "{io}": str(io),
            "{outside}": str(self.outside),
            "{secret}": str(self.outside / "secret"),
        }
        (scratch / "link_to_secret").symlink_to(self.outside / "secret")
        self.witness = self.get("/new_session").text
        for statement in (*CANARY, *SETUP):
            reply = self.query(self.witness, statement)
            assert reply.status == 200, (statement, reply.text)
        self._outside_before, self._canary_before = self._outside_now(), self._canary_now()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not hasattr(self, "process"):
            return
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        self._folder.cleanup()

    def _fill(self, io: Path) -> None:
        (io / "cells.csv").write_text("1,2.5,abc\n2,null,'d''e'\n3,,\"f\"\n")
        (io / "cells.tsv").write_text("1\t2.5\tabc\n\\N\t?5\td\\te\n")
        (io / "cells.txt").write_text("{0}[(1,2,'a'),(2,null,''),()];{5}[(?3,4,\"x\")]")
        (io / "cells.bin").write_bytes(bytes(range(256)))
        (io / "empty").write_bytes(b"")
        (io / "noise").write_bytes(bytes((7 * k * k + 13 * k) % 256 for k in range(4000)))
        (io / "link_to_outside").symlink_to(self.outside)
        (io / "link_to_secret").symlink_to(self.outside / "secret")
        os.mkfifo(io / "fifo")

    # Asking

    def send(self, request: bytes, *, seconds: float = 60, shut: bool = False) -> bytes:
        """Everything that the server answers to these bytes.

        Raises
        ------
        TimeoutError
            Nothing came for so long.
        """
        with socket.create_connection(self.address, timeout=seconds) as connection:
            # The server may have answered and closed before all is sent.
            with contextlib.suppress(ConnectionError):
                connection.sendall(request)
            if shut:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)
            return received(connection)

    def get(self, path: str, parameters: Mapping[str, str | bytes] | None = None) -> Reply:
        return Reply.of(self.send(request_of(path, parameters)))

    def query(self, sid: str, query: str, save: str = "") -> Reply:
        return self.get("/execute_query", {"id": sid, "query": query} | ({"save": save} if save else {}))

    def execute(self, parameters: Mapping[str, str | bytes], patience: float) -> tuple[Reply, bool]:
        """The answer to ``/execute_query``, cancelled where it takes too long; and whether it was.

        Raises
        ------
        TimeoutError
            It did not end, although it was cancelled a minute ago.
        """
        with socket.create_connection(self.address, timeout=patience) as connection:
            connection.sendall(request_of("/execute_query", parameters))
            first, cancelled = b"", False
            try:
                first = connection.recv(1 << 18)
            except TimeoutError:
                cancelled = True
                self.get("/cancel", {"id": parameters["id"]})
            connection.settimeout(60)
            return Reply.of(first + received(connection)), cancelled

    # What must still be true

    def damage(self) -> list[str]:
        """What is wrong after the shooting; every session but the witness's is released."""
        if self.process.poll() is not None:
            return [f"the server ended with status {self.process.returncode}: {self.log.read_text()[-3000:]}"]
        try:
            listing = self.get("/debug").text
        except TimeoutError:
            return [f"the server does not answer: {self.stacks()}"]
        wrong = []
        taken = [line for line in listing.splitlines() if not line.endswith("avail 1")]
        if len(taken) != 1:
            wrong.append(f"slots are taken: {taken}")
        if (now := self._canary_now()) != self._canary_before:
            wrong.append(f"the canary is {now!r}")
        if (found := self._outside_now()) != self._outside_before:
            wrong.append(f"outside of the folders there is {found}")
        log = self.log.read_text("utf-8", "replace")
        traces = [part for part in log.split("\n20") if "Traceback" in part]
        wrong += [
            f"in the log: {trace}" for trace in {trace.rpartition("  File ")[2]: trace for trace in traces}
        ]
        if SECRET in log:
            wrong.append("the secret is in the log")
        return wrong

    def stacks(self) -> str:
        """Where the server's threads are, for one that does not answer any more."""
        size = self.log.stat().st_size
        self.process.send_signal(signal.SIGUSR1)
        time.sleep(1)
        return self.log.read_bytes()[size:].decode("utf-8", "replace")

    def _canary_now(self) -> str:
        ran = self.query(self.witness, "scan(canary)", "csv+")
        return ran.text if ran.status != 200 else self.get("/read_lines", {"id": self.witness, "n": "0"}).text

    def _outside_now(self) -> dict[str, tuple[int, int]]:
        found = {}
        for folder in (self.outside, self._home):
            for path in folder.rglob("*"):
                facts = path.lstat()
                found[str(path)] = (facts.st_size, facts.st_mtime_ns)
        return found

    def usage(self) -> dict[str, int]:
        """Threads, open files, memory and its peak in bytes, CPU in ms, where the system tells."""
        place = Path(f"/proc/{self.process.pid}")
        if not place.exists():
            return {}
        status = dict(
            line.split(":", 1) for line in (place / "status").read_text().splitlines() if ":" in line
        )
        fields = (place / "stat").read_text().rpartition(")")[2].split()
        return {
            "threads": int(status["Threads"]),
            "files": len(list((place / "fd").iterdir())),
            "memory": int(status["VmRSS"].split()[0]) * 1024,
            "peak": int(status["VmHWM"].split()[0]) * 1024,
            "cpu": (int(fields[11]) + int(fields[12])) * 1000 // os.sysconf("SC_CLK_TCK"),
        }


def request_of(path: str, parameters: Mapping[str, str | bytes] | None = None) -> bytes:
    """A GET as a client sends it; parameters may be bytes that are no text."""
    pairs = []
    for name, value in (parameters or {}).items():
        raw = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
        pairs.append(f"{name}={quote_from_bytes(raw, safe='')}")
    target = path + ("?" + "&".join(pairs) if pairs else "")
    return f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()


def received(connection: socket.socket) -> bytes:
    """What comes until the server closes; a reset ends it too."""
    answer = bytearray()
    try:
        while piece := connection.recv(1 << 18):
            answer += piece
    except ConnectionResetError:
        pass
    return bytes(answer)
