"""The master's side of the guardian: starts the helper process and tells it what is held.

The helper (`scidb_magic.session.guardian`) reads from a pipe whose other end only this process has, so
it notices however this process ends. What is told goes through the pipe alone: arguments and
environment of a process can be read by others.

The first process of the helper leaves at once, and is waited for by the first `Guard.tell`: at no
moment of waiting is there a child, not even a dead one, for ipykernel would end the kernel the hard way.
"""

from __future__ import annotations

import json
import logging
import os
import select
import subprocess
import sys
import threading
import weakref
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import IO, Any, cast

log = logging.getLogger("scidb_magic")

LEAVE_SECONDS = 2.0
"""How long the helper's first process is waited for; it leaves after about 20 ms."""

MOST_FAILURES = 3
"""So often in a row a helper may fail to start; then this process goes on without."""

_SCRIPT = str(Path(__file__).absolute().with_name("guardian.py"))
_NOTHING = b"\n"

_guards: weakref.WeakSet[Guard] = weakref.WeakSet()


@dataclass(frozen=True, slots=True)
class Charge:
    """What the helper must free, and how.

    Attributes
    ----------
    url, sid : str
    http_user, http_password : str or None
        Of the web server in front of shim, digest or basic.
    verify : bool
    ca : str or None
        File or folder of trusted certificates; None: those of the system.
    running : bool
        A query runs: it has to be cancelled first.
    used : float
        Epoch seconds of the last request's end, or of its start while it runs.
    lines : bool or None
    etag : str or None
        The proof that the session is ours: HEAD of ``/read_lines`` (else ``/read_bytes``) had this Etag.
    file : str or None
        The ledger's file, to be removed once the slot is free.
    digest : bool
        The web server asks for Digest: a challenge of Basic over plain HTTP is somebody else's.
    """

    url: str
    sid: str = field(repr=False)
    http_user: str | None = None
    http_password: str | None = field(default=None, repr=False)
    verify: bool = True
    ca: str | None = None
    running: bool = False
    used: float = 0.0
    lines: bool | None = None
    etag: str | None = None
    file: str | None = None
    digest: bool = False


class Guard:
    """One helper process at a time, for the one slot of this process.

    Nothing here raises for want of a helper; where none can be had, the session goes on without.
    """

    def __init__(self) -> None:
        self._helper: _Helper | None = None
        self._dismissed = False
        self._failures = 0
        # Reentrant, for a signal handler may dismiss while its own thread tells; nothing is logged under it.
        self._lock = threading.RLock()
        _guards.add(self)

    @property
    def pid(self) -> int | None:
        """The helper's process; None where there is none."""
        with self._lock:
            return self._helper.settled() if self._helper is not None else None

    def start(self) -> None:
        """Have a helper on its way, without waiting for it."""
        trouble = None
        with self._lock:
            self._dismissed = False
            if self._helper is None or not self._helper.there():
                _, trouble = self._replace()
        if trouble is not None:
            log.debug("No guardian: %s", trouble)

    def settle(self) -> None:
        """Wait for the helper's first process, which would else be a dead child of ours."""
        with self._lock:
            if self._helper is not None:
                self._helper.settled()

    def tell(self, charge: Charge) -> None:
        """What is held from now on; a helper that is gone is replaced, one that was dismissed is not."""
        line = _line(charge)
        trouble = None
        with self._lock:
            if self._dismissed:
                return
            helper = self._helper
            if helper is None or not helper.send(line):
                helper, trouble = self._replace()
                if helper is not None:
                    helper.send(line)
            if helper is not None:
                helper.settled()
                if helper.failed:
                    trouble = "it did not start"
                    helper.let_go()
                self._failures = self._failures + 1 if helper.failed else 0
        if trouble is not None:
            log.debug("No guardian: %s", trouble)

    def dismiss(self) -> None:
        """Nothing is held any more: the helper ends by itself."""
        with self._lock:
            self._dismissed = True
            helper, self._helper = self._helper, None
            if helper is not None:
                helper.send(_NOTHING)
                helper.let_go()

    def forget(self) -> None:
        """In a forked child: the helper is the parent's, and our copy of its pipe must not keep it."""
        self._lock = threading.RLock()
        helper, self._helper = self._helper, None
        if helper is not None:
            helper.disown()

    def _replace(self) -> tuple[_Helper | None, str | None]:
        """A helper in place of the one that is gone; else what hinders it."""
        former, self._helper = self._helper, None
        if former is not None:
            former.let_go()
        if not can_guard() or self._failures >= MOST_FAILURES:
            return None, "this system or interpreter cannot have one"
        helper = None
        try:
            helper = self._helper = _Helper()
            helper.launch()
        except Exception as error:  # noqa: BLE001 (whatever the system or an audit hook has against it)
            self._helper = None
            self._failures += 1
            if helper is not None:
                helper.let_go()
            return None, f"{type(error).__name__}: {error}"
        return helper, None


class _Helper:
    """The helper process, seen through its pipe."""

    def __init__(self) -> None:
        self.failed = False
        self._patience = LEAVE_SECONDS
        self._pid: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._mark = _identity(self._write)

    def launch(self) -> None:
        master = _pidfd()
        try:
            arguments = [] if master is None else [str(master)]
            self._process = subprocess.Popen(  # noqa: S603 (our own interpreter, our own script)
                [sys.executable, "-I", "-S", _SCRIPT, *arguments],
                bufsize=0,
                stdin=self._read,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={name: value for name, value in os.environ.items() if not name.startswith("SCIDB_")},
                start_new_session=True,
                pass_fds=[] if master is None else [master],
            )
        finally:
            if master is not None:
                os.close(master)
            os.close(self._read)
            self._read = -1

    def there(self) -> bool:
        """Whether the pipe is still ours, and somebody reads it."""
        descriptor = self._write
        if _identity(descriptor) != self._mark:
            return False
        # Looked at beforehand, for the user may have made a write into a broken pipe deadly (SIGPIPE).
        poll = select.poll()
        poll.register(descriptor, 0)
        return not poll.poll(0)

    def send(self, line: bytes) -> bool:
        """Write without waiting; False if the helper is gone.

        A line that has begun is ended first; one that finds the pipe full is left out, for the next
        one says all that there is to say.
        """
        if not self.there():
            return False
        data = self._rest + line
        try:
            self._rest = data[os.write(self._write, data) :]
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True

    def settled(self) -> int | None:
        """The helper's pid, once its first process has left; waits for that once, within a bound."""
        # Taken away first, here and in `disown`: a signal handler may come in between and do the same.
        process, self._process = self._process, None
        if process is None:
            return self._pid
        patience, self._patience = self._patience, 0.0
        try:
            process.wait(patience)
        except BaseException as error:
            self._process = process
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            return None
        with cast("IO[bytes]", process.stdout) as stdout:
            words = stdout.read(32)
        self._pid = int(words) if words else None
        self.failed = self._pid is None
        return self._pid

    def let_go(self) -> None:
        """Close our end; the helper then frees what it was told to, if anything."""
        self.settled()
        self.disown()

    def disown(self) -> None:
        descriptor, self._write = self._write, -1
        process, self._process = self._process, None
        if _identity(descriptor) == self._mark:
            os.close(descriptor)
        if process is not None:
            cast("IO[bytes]", process.stdout).close()
            process.returncode = 0  # not a child of ours, or too slow to be waited for


def can_guard() -> bool:
    """Whether a helper can be had in this process."""
    if not hasattr(os, "fork") or not hasattr(select, "poll") or not sys.executable:
        return False
    # A frozen program would start itself. With process 1 a container ends, and orphans are its children.
    return not getattr(sys, "frozen", False) and os.getpid() != 1


def _identity(descriptor: int) -> tuple[int, int] | None:
    """What is open there: daemons close all descriptors, and their numbers are soon other files'."""
    try:
        facts = os.fstat(descriptor)
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _pidfd() -> int | None:
    """Our process, as something that can be waited for without being its parent (Linux)."""
    try:
        return os.pidfd_open(os.getpid())
    except (AttributeError, OSError):
        return None


def _line(charge: Charge) -> bytes:
    values: dict[str, Any] = {row.name: getattr(charge, row.name) for row in fields(charge)}
    for name in ("ca", "file"):
        if values[name] is not None:
            values[name] = str(Path(values[name]).absolute())  # the helper lives in the root folder
    return json.dumps(values).encode() + b"\n"


def _after_fork() -> None:
    for guard in list(_guards):
        guard.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
