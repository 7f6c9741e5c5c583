"""``python -m scidb_magic.embedded`` as a process: ready line, options, ends."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

RUN = [sys.executable, "-m", "scidb_magic.embedded"]
SLOW = "aggregate(apply(build(<a:int64>[i=0:99999999999],i%7),b,sin(a)*cos(i)),sum(b))"


def start(*options: str, **more: Any) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen([*RUN, "--port", "0", *options], stdout=subprocess.PIPE, text=True, **more)
    assert process.stdout
    return process, process.stdout.readline()


def refused(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RUN, *options], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ready_line_and_clean_end(number: int, wire_to: Any, tmp_path: Path) -> None:
    import os

    environment = os.environ | {"TMPDIR": str(tmp_path)}
    process, line = start(env=environment, stderr=subprocess.PIPE)
    url = re.search(r"http://127\.0\.0\.1:\d+$", line.strip())
    assert url, line
    wire = wire_to(url[0])
    sid = wire.session()
    folders = list(tmp_path.iterdir())
    assert len(folders) == 1
    assert folders[0].stat().st_mode & 0o777 == 0o700
    assert wire(f"/upload?id={sid}", method="POST", body=b"x").text.startswith(str(folders[0]))
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_a_running_query_does_not_delay_the_end(wire_to: Any) -> None:
    import threading

    process, line = start()
    wire = wire_to(line.split()[-1])
    sid = wire.session()
    replies: list[Any] = []

    def ask() -> None:
        try:
            replies.append(wire.query(sid, SLOW).status)
        except (ConnectionError, OSError):
            replies.append("closed")

    thread = threading.Thread(target=ask)
    thread.start()
    wire.wait_until_busy(sid)
    process.terminate()
    assert process.wait(8) == 0
    process.stdout.close()
    thread.join()
    assert replies in ([406], ["closed"])


def test_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        answer = refused("--port", str(other.getsockname()[1]))
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert "cannot start" in answer.stderr and "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--max-sessions", "0"),
        ("--timeout", "soon"),
        ("--port", "x"),
        ("--digest", "nocolon"),
        ("--tls-cert", "/nonexistent.pem"),
        ("--host", "host.invalid"),
        ("--nonsense",),
    ],
)
def test_wrong_options(options: tuple[str, ...]) -> None:
    answer = refused("--port", "0", *options)
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr and "Traceback" not in answer.stderr


def test_help_names_every_option_of_the_design() -> None:
    text = refused("--help").stdout
    names = "host port max-sessions timeout data io-path tls-cert tls-key digest repeat-ids memory-limit"
    assert [name for name in names.split() if f"--{name}" not in text] == []


def test_open_to_the_network_is_said(wire_to: Any) -> None:
    process, line = start("--host", "0.0.0.0", stderr=subprocess.PIPE)
    port = int(line.rpartition(":")[2])
    assert wire_to(f"http://127.0.0.1:{port}")("/version").status == 200
    process.terminate()
    _, err = process.communicate(timeout=20)
    assert "other machines" in err and len(err.splitlines()) == 1


def test_ipv6(wire_to: Any) -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    process, line = start("--host", "::1")
    url = line.split()[-1]
    assert url.startswith("http://[::1]:")
    assert wire_to(url)("/version").text == "19.11.5"
    process.terminate()
    assert process.wait(20) == 0
    process.stdout.close()


def test_end_with_stdin(wire_to: Any) -> None:
    process, line = start("--end-with-stdin", stdin=subprocess.PIPE)
    assert wire_to(line.split()[-1])("/version").status == 200
    assert process.stdin
    process.stdin.close()
    assert process.wait(20) == 0
    process.stdout.close()


def test_arrays_outlive_the_server_with_data(embedded_factory: Any, wire_to: Any, tmp_path: Path) -> None:
    options = ("--data", str(tmp_path / "new" / "data"))
    first = embedded_factory(*options)
    wire = wire_to(first.url)
    assert wire.query(wire.session(), "store(build(<a:int64>[i=0:2],i*i),kept)").status == 200
    assert first.stop() == 0
    wire = wire_to(embedded_factory(*options).url)
    sid = wire.session()
    assert wire.query(sid, "scan(kept)", save="csv+").status == 200
    assert wire("/read_lines", id=sid, n=0).text == "0,0\n1,1\n2,4\n"


def test_io_path(embedded_factory: Any, wire_to: Any, tmp_path: Path) -> None:
    (tmp_path / "allowed").mkdir()
    wire = wire_to(embedded_factory("--io-path", str(tmp_path / "allowed")).url)
    sid = wire.session()
    target = tmp_path / "allowed" / "out.csv"
    assert wire.query(sid, f"save(build(<a:int64>[i=0:2],i),'{target}',0,'csv')").status == 200
    assert target.read_text() == "0\n1\n2\n"
    assert wire.query(sid, f"save(build(<a:int64>[i=0:2],i),'{tmp_path}/out.csv',0,'csv')").status == 406
