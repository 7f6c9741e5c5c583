"""Who we are, and whether another process still lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scidb_magic.session import holder

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
LAUNCHER = "/usr/lib/python3/site-packages/ipykernel_launcher.py"


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "60"])


def test_this_process_lives() -> None:
    started = holder.process_start(os.getpid())
    assert started is not None and started == holder.process_start(os.getpid())
    assert holder.alive(holder.host(), os.getpid(), started) is True


@pytest.mark.parametrize("way", [pytest.param("proc", marks=linux), "ps"])
def test_a_process_s_life(way: str, monkeypatch: pytest.MonkeyPatch, wait_until: Any) -> None:
    if way == "ps":
        monkeypatch.setattr(holder, "_BOOT", Path("/nonexistent"))
    process = sleeper()
    try:
        started = holder.process_start(process.pid)
        assert started is not None
        here = holder.host()
        assert holder.alive(here, process.pid, started) is True
        assert holder.alive(here, process.pid, "another start") is False
        assert holder.alive(here, process.pid, None) is None
        assert holder.alive("elsewhere", process.pid, started) is None
        process.send_signal(signal.SIGKILL)
        # A zombie: nobody has waited for it yet.
        assert wait_until(lambda: holder.alive(here, process.pid, started) is False)
        assert holder.process_start(process.pid) is None
    finally:
        process.kill()
        process.wait(20)
    assert holder.alive(here, process.pid, started) is False
    assert holder.alive(here, process.pid, None) is False


@linux
def test_another_container_of_this_host() -> None:
    started = holder.process_start(os.getpid())
    assert started is not None
    boot, space, ticks = started.split()
    assert holder.alive(holder.host(), os.getpid(), f"{boot} {int(space) + 1} {ticks}") is None
    assert holder.alive(holder.host(), 2**22 + 1, f"{boot} {int(space) + 1} {ticks}") is None
    assert holder.alive(holder.host(), os.getpid(), f"rebooted {space} {ticks}") is False
    assert holder.alive(holder.host(), os.getpid(), f"{boot} {space} {int(ticks) + 1}") is False


@linux
def test_a_command_with_parentheses(tmp_path: Path) -> None:
    program = tmp_path / "a) R 1 (b"
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([program, "60"])
    try:
        plain = sleeper()
        try:
            one, other = holder.process_start(process.pid), holder.process_start(plain.pid)
            assert one is not None and other is not None
            assert 0 <= int(other.split()[2]) - int(one.split()[2]) < 100
        finally:
            plain.kill()
            plain.wait(20)
    finally:
        process.kill()
        process.wait(20)


def test_where_nothing_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holder, "_BOOT", Path("/nonexistent"))
    monkeypatch.setenv("PATH", "/nonexistent")
    assert holder.process_start(os.getpid()) is None
    assert holder.alive(holder.host(), os.getpid(), "x") is None


@pytest.mark.parametrize(
    ("arguments", "session", "kernel", "notebook"),
    [
        ([LAUNCHER, "-f", "/run/jupyter/kernel-8a1f-22.json"], "work/a b.ipynb", "8a1f-22", "a b.ipynb"),
        ([LAUNCHER, "--f=/run/kernel-v3abc.json"], "", "v3abc", None),
        ([LAUNCHER, "-f", "/run/other.json"], "/home/u/x.ipynb", None, "x.ipynb"),
        (["/home/u/load.py", "--all"], "", None, "load.py"),
        (["load.py"], "", None, "load.py"),
        (["/usr/bin/ipython"], "", None, "ipython"),
        (["/site-packages/tool/__main__.py"], "", None, "tool"),
        (["__main__.py"], "", None, None),
        (["-c", "1"], "", None, None),
        (["-m"], "", None, None),
        ([""], "", None, None),
        ([], "", None, None),
        (None, "", None, None),
        (["x.py"], "/", None, None),
    ],
)
def test_names(
    arguments: list[str] | None,
    session: str,
    kernel: str | None,
    notebook: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if arguments is None:
        monkeypatch.delattr(sys, "argv")
    else:
        monkeypatch.setattr(sys, "argv", arguments)
    monkeypatch.setenv("JPY_SESSION_NAME", session)
    assert (holder.kernel_id(), holder.notebook_name()) == (kernel, notebook)
