"""Who holds a session: this process, by names that a person knows, and whether another one still lives.

A process is its pid and a mark of its start, for pids come again. On Linux the mark is the boot, the
pid namespace and the start in clock ticks (``/proc/PID/stat``, proc(5)); elsewhere what ``ps`` says.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path, PurePath

PS_SECONDS = 5.0

_CONNECTION_FILE = re.compile(r"kernel-([^/\\]+)\.json$")
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")
_DEAD_STATES = ("Z", "X")


_NO_SCRIPTS = ("", "-c", "-m", "ipykernel_launcher.py")


def host() -> str:
    """Name of the machine."""
    return socket.gethostname()


def kernel_id() -> str | None:
    """Id of the Jupyter kernel that this process is, from its connection file's name."""
    for argument in _arguments()[1:]:
        found = _CONNECTION_FILE.search(argument)
        if found is not None:
            return found[1]
    return None


def notebook_name() -> str | None:
    """Name of the notebook's or the script's file; None where there is neither."""
    session = os.environ.get("JPY_SESSION_NAME")
    if session:
        return PurePath(session).name or None
    script = PurePath(next(iter(_arguments()), ""))
    if kernel_id() is not None or script.name in _NO_SCRIPTS:
        return None
    return (script.parent if script.name == "__main__.py" else script).name or None


def process_start(pid: int) -> str | None:
    """What tells this process from an earlier or later one of the same pid; None if there is none.

    None as well where the system does not tell.
    """
    known = _look(pid)
    return known[1] if known is not None and known[0] not in _DEAD_STATES else None


def alive(on_host: str, pid: int, started: str | None) -> bool | None:
    """Whether the process lives that had this pid and start on that host.

    None: it runs on another host, or there is no way to tell.
    """
    here = process_start(os.getpid())
    if on_host != host() or here is None:
        return None
    known = _look(pid)
    if known is None:
        same_place = started is None or not _elsewhere(started, here)
        return False if same_place else None
    state, mark = known
    if state in _DEAD_STATES:
        return False
    if started is None:
        return None
    if started == mark:
        return True
    return None if _elsewhere(started, here) else False


def _elsewhere(started: str, here: str) -> bool:
    """Whether that start was in another container of this very boot: its processes are unseen."""
    there, ours = started.split(), here.split()
    return len(there) == len(ours) == 3 and there[0] == ours[0] and there[1] != ours[1]


def _look(pid: int) -> tuple[str, str] | None:
    """State letter and start mark of a process."""
    return _look_in_proc(pid) if _BOOT.exists() else _ask_ps(pid)


def _look_in_proc(pid: int) -> tuple[str, str] | None:
    try:
        facts = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        boot = _BOOT.read_text().strip()
        # The second field, the command in parentheses, may hold anything: count from the last one.
        fields = facts.rpartition(")")[2].split()
        return fields[0], f"{boot} {_namespace()} {fields[19]}"
    except (OSError, IndexError):
        return None


def _namespace() -> str:
    try:
        return re.sub(r"\D", "", str(_NAMESPACE.readlink()))
    except OSError:
        return "0"


def _ask_ps(pid: int) -> tuple[str, str] | None:
    try:
        done = subprocess.run(  # noqa: S603 (a number is all that is put in)
            ["ps", "-o", "stat=,lstart=", "-p", str(pid)],  # noqa: S607 (wherever the system has it)
            capture_output=True,
            check=False,
            text=True,
            timeout=PS_SECONDS,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
        )
        state, _, mark = done.stdout.strip().partition(" ")
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return (state[0], " ".join(mark.split())) if state and mark else None


def _arguments() -> list[str]:
    return [str(argument) for argument in getattr(sys, "argv", [])]
