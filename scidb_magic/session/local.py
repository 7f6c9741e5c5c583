"""Starts, finds and ends the embedded server: a process of its own, of which this room imports nothing.

How the two processes hold together::

    this process                            server (own session, nobody's child)
      write end of a pipe  ── credential ──▶  standard input     its end ends the server
      read end of a pipe   ◀── URL ─────────  standard output    its end tells that the server is gone

The pipe's end comes however this process ends, SIGKILL included. The server is not our child, for
ipykernel ends a kernel with a live or dead child the hard way; it has a session of its own, so that
an interrupt of the kernel's process group does not reach it.

With a folder, the server holds a lock on ``server.lock`` there for as long as it lives, and whoever
started it writes ``server.json`` (mode 0600): URL, user and password. Others join that server.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import urlsplit

from scidb_magic.errors import ShimUnreachable
from scidb_magic.shim.secret import Secret

PORT_FILE = "server.json"
LOCK_FILE = "server.lock"

START_SECONDS = 60.0
"""A server that is not ready by then is given up; a normal start takes under a second."""

STOP_SECONDS = 3.0
"""How long `LocalServer.stop` waits for the server's end; it ends by itself a little later at most."""

Access = tuple[str, tuple[str, str]]
"""URL, and user and password of its digest authentication."""

_USER = "scidb_magic"
_STDERR_LINES = 5
_PACKAGES = str(Path(__file__).resolve().parents[2])
# Appended, not put first: it must find this very package, and shadow nothing.
_RUN = (
    "import sys; sys.path[:] = [*filter(None, sys.path), {packages!r}];"
    " from scidb_magic.embedded.__main__ import run; run()"
)
_CAN_DETACH = hasattr(os, "fork")

_servers: weakref.WeakSet[LocalServer] = weakref.WeakSet()


class LocalServer:
    """An embedded server that this process has started or joined. The caller locks.

    After a fork the child may go on using the server, but neither ends it nor keeps it alive.
    """

    def __init__(self) -> None:
        self._access: Access | None = None
        self._life: _Life | None = None
        self._port_file: Path | None = None
        _servers.add(self)

    def start(
        self, directory: Path | None = None, *, options: Sequence[str] = (), timeout: float = START_SECONDS
    ) -> Access:
        """Start a server, or join the one that runs on `directory`.

        Parameters
        ----------
        directory : Path, optional
            Where the arrays are kept; made if it is not there. None: in memory, for this process alone.
        options : sequence of str
            More options of ``python -m scidb_magic.embedded``.
        timeout : float
            Seconds.

        Returns
        -------
        url : str
        http_auth : tuple of str
            User and password.

        Raises
        ------
        ShimUnreachable
            The server did not start; the message ends with its last words.
        """
        self.stop()
        deadline = time.monotonic() + timeout
        try:
            if directory is None:
                self._access = self._launch(["--port", "0", *options], deadline)
            else:
                self._access = self._start_in(directory.resolve(), options, deadline)
        except OSError as error:
            where = f" on {directory}" if directory is not None else ""
            raise ShimUnreachable(
                f"The embedded server cannot be started{where}: {error.strerror or error}.", reason="refused"
            ) from None
        return self._access

    @property
    def started(self) -> bool:
        """Whether the server was started by this process, and so ends with it."""
        return self._life is not None

    @property
    def pid(self) -> int | None:
        """The server's process, if this process started it."""
        return self._life.pid if self._life is not None else None

    def alive(self) -> bool:
        """Whether the server that `start` returned is still there; no request, at most a connection."""
        if self._access is None:
            return False
        if self._life is not None:
            return self._life.goes_on()
        return _answers(self._access[0])

    def stop(self, timeout: float = STOP_SECONDS) -> None:
        """End the server if this process started it, and wait for that at most `timeout` seconds."""
        life, access = self._life, self._access
        self._life = self._access = None
        port_file, self._port_file = self._port_file, None
        if life is None:
            return
        # Where ours was gone, another kernel may have started one of its own there.
        if port_file is not None and _read_port_file(port_file) == access:
            port_file.unlink(missing_ok=True)
        life.end(timeout)

    def forget(self) -> None:
        """In a forked child: the server is the parent's, and our copies of its pipes must not keep it."""
        life, self._life, self._port_file = self._life, None, None
        if life is not None:
            life.let_go()

    def _start_in(self, directory: Path, options: Sequence[str], deadline: float) -> Access:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            lock = _locked(directory / LOCK_FILE)
            if lock is not None:
                # The server keeps a copy of the locked file open for as long as it lives.
                with lock:
                    return self._launch_in(directory, lock, options, deadline)
            access = _read_port_file(directory / PORT_FILE)
            if access is not None and _answers(access[0]):
                return access
            if time.monotonic() > deadline:
                raise ShimUnreachable(
                    f"The embedded server on {directory} neither answers nor ends.", reason="timeout"
                )
            time.sleep(0.02)

    def _launch_in(self, directory: Path, lock: IO[bytes], options: Sequence[str], deadline: float) -> Access:
        port_file = directory / PORT_FILE
        port_file.unlink(missing_ok=True)
        access = self._launch(["--port", "0", "--data", str(directory), *options], deadline, lock.fileno())
        _write_port_file(port_file, access)
        self._port_file = port_file
        return access

    def _launch(self, arguments: Sequence[str], deadline: float, *keep: int) -> Access:
        password = Secret(secrets.token_urlsafe(32))
        life = self._life = _Life(arguments, keep)
        try:
            url = life.begin(Secret(f"{_USER}:{password}"), deadline)
        except BaseException:
            self._life = None
            life.let_go()
            raise
        return url, (_USER, password)


class _Life:
    """The server's process, seen through its pipes."""

    def __init__(self, arguments: Sequence[str], keep: Sequence[int]) -> None:
        self.pid: int | None = None
        self._starter = os.getpid()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the server)
        command = [sys.executable, "-c", _RUN.format(packages=_PACKAGES), *arguments]
        command += ["--digest", "-", "--end-with-stdin", *(["--detach"] if _CAN_DETACH else [])]
        more: dict[str, Any] = {"start_new_session": True, "pass_fds": keep} if _CAN_DETACH else {}
        self._process = subprocess.Popen(  # noqa: S603 (our own interpreter, our own module)
            command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, **more
        )
        self._stdin = cast("IO[bytes]", self._process.stdin)
        self._stdout = cast("IO[bytes]", self._process.stdout)

    def begin(self, credential: str, deadline: float) -> str:
        """Hand over the credential, wait for the ready line, return the URL in it."""
        try:
            self._stdin.write(credential.encode() + b"\n")
            if _CAN_DETACH:
                # The first process leaves as soon as the server has left it; nothing of it must remain.
                self._process.wait(max(0.0, deadline - time.monotonic()))
        except BrokenPipeError:
            return self._died()
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise ShimUnreachable("The embedded server does not start.", reason="timeout") from None
        found: list[bytes] = []
        reader = threading.Thread(target=lambda: found.append(_line(self._stdout)), daemon=True)
        reader.start()
        reader.join(max(0.0, deadline - time.monotonic()))
        if not found:
            raise ShimUnreachable("The embedded server is not ready in time.", reason="timeout")
        if not found[0].endswith(b"\n"):
            return self._died()
        *_, pid, url = found[0].decode().split()
        self.pid = int(pid.rstrip(":"))
        return url

    def goes_on(self) -> bool:
        """Its standard output, on which nothing more comes, has not ended."""
        if not _CAN_DETACH:
            return self._process.poll() is None
        return not self._ended_within(0)

    def end(self, timeout: float) -> None:
        self._stdin.close()
        if _CAN_DETACH:
            self._ended_within(timeout)
        else:
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self.let_go()

    def let_go(self) -> None:
        """Close our ends. Once nobody else holds the pipe, the server ends."""
        for file in (self._stdin, self._stdout, self._log):
            file.close()
        if self._process.returncode is None and os.getpid() != self._starter:
            self._process.returncode = 0  # not a child of ours, so nothing to wait for

    def _ended_within(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self._stdout, select.POLLIN | select.POLLHUP)
        return bool(poll.poll(int(seconds * 1000)))

    def _died(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        words = "\n".join(lines[-_STDERR_LINES:]) or "It said nothing."
        raise ShimUnreachable(f"The embedded server did not start. {words}", reason="refused")


def _line(stream: IO[bytes]) -> bytes:
    """One line, or what there is of it when the stream ends or is closed under us."""
    line = b""
    try:
        while not line.endswith(b"\n") and (piece := stream.read(1)):
            line += piece
    except (OSError, ValueError):
        return b""
    return line


def _locked(path: Path) -> IO[bytes] | None:
    """The file, locked; None while somebody else has locked it."""
    file = os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")
    try:
        import fcntl
    except ImportError:
        # No such locks here; the database file's own lock keeps a second server away.
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    except OSError:
        return file
    return file


def _write_port_file(path: Path, access: Access) -> None:
    url, (user, password) = access
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mode 0600
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({"url": url, "user": user, "password": password}, file)
    Path(name).replace(path)


def _read_port_file(path: Path) -> Access | None:
    """What the starter wrote; None while it is not there, or when it is not this user's."""
    try:
        with path.open(encoding="utf-8") as file:
            if hasattr(os, "getuid") and os.fstat(file.fileno()).st_uid != os.getuid():
                return None
            facts = json.load(file)
        return str(facts["url"]), (str(facts["user"]), Secret(facts["password"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _answers(url: str) -> bool:
    """Whether somebody listens there."""
    try:
        place = urlsplit(url)
        with socket.create_connection((place.hostname or "", place.port or 80), timeout=2.0):
            return True
    except (OSError, ValueError):
        return False


def _after_fork() -> None:
    for server in list(_servers):
        server.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
