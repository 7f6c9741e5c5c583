"""``python -m scidb_magic.embedded``: run the embedded server until SIGTERM or SIGINT.

One line with the URL goes to standard output when the server is ready; what goes wrong goes to
standard error.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scidb_magic.embedded.server import Server

END_SECONDS = 5.0
"""A clean end takes at most this long; then the process ends as it is."""

_READ_STDIN = "-"


class _WithoutPandas(MetaPathFinder):
    """Lets nothing in this process find pandas.

    The server has no use for it, but pyarrow loads it where it can, which doubles the time to start.
    """

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("the embedded server works without pandas", name=fullname)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server; the exit status is 0 after a clean end, 2 when it cannot start."""
    options = _parser().parse_args(arguments)
    sys.meta_path.insert(0, _WithoutPandas())
    if options.detach:
        _detach()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    os.umask(0o077)  # arrays and results are for this user alone, whatever the folder lets through
    ended, end = os.pipe()
    if hasattr(os, "set_blocking"):
        os.set_blocking(end, False)
    # A signal that comes in the moment before a wait is heard by nothing that waits, but for a descriptor.
    signal.set_wakeup_fd(end)
    # Before there is a folder, so that no signal leaves it behind.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    folder = Path(tempfile.mkdtemp(prefix="scidb_magic_"))
    try:
        return _run(options, folder, ended, end)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(options: argparse.Namespace, folder: Path, ended: int, end: int) -> int:
    """Serve until something comes out of the pipe `ended`, whose other end is `end`."""
    try:
        server = _server(options, folder)
    except Exception as error:  # noqa: BLE001 (whatever it is, one line tells it)
        sys.stderr.write(f"The embedded server cannot start: {error}\n")
        return 2
    server.start()
    if options.end_with_stdin:
        threading.Thread(target=_wait_for_end_of_stdin, args=(end,), daemon=True).start()
    sys.stdout.write(f"scidb_magic embedded server, pid {os.getpid()}: {server.url}\n")
    sys.stdout.flush()
    os.read(ended, 1)
    _limit_the_end(folder)
    server.close()
    return 0


def _server(options: argparse.Namespace, folder: Path) -> Server:
    # Put off until here: `--help` is quick, and `_detach` must not fork a process that has threads.
    from scidb_magic.embedded.engine import Engine
    from scidb_magic.embedded.security import Digest, is_loopback, tls_context
    from scidb_magic.embedded.server import Server

    digest = None
    if options.digest is not None:
        credential = sys.stdin.readline().rstrip("\n") if options.digest == _READ_STDIN else options.digest
        digest = Digest.parse(credential)
    elif not is_loopback(options.host):
        sys.stderr.write(
            f"Warning: {options.host} can be reached from other machines, and without --digest"
            " everybody there may use this server.\n"
        )
    if options.data is not None:
        options.data.mkdir(parents=True, exist_ok=True)
    engine = Engine(
        options.data,
        scratch=folder,
        io_paths=options.io_path,
        memory_limit=options.memory_limit,
        temp_limit=options.temp_limit,
    )
    try:
        return Server(
            engine,
            folder,
            host=options.host,
            port=options.port,
            max_sessions=options.max_sessions,
            timeout=options.timeout,
            digest=digest,
            tls=tls_context(options.tls_cert, options.tls_key) if options.tls_cert else None,
            repeat_ids=options.repeat_ids,
        )
    except BaseException:
        engine.close()
        raise


def _detach() -> None:
    """Leave the family of the process that started us: it sees neither a child nor a zombie.

    A kernel with a live child is shut down the hard way: ipykernel ends children step by step,
    and ``atexit`` never runs (``reference/jupyter.md``).
    """
    if hasattr(os, "fork") and os.fork():
        os._exit(0)


def _wait_for_end_of_stdin(end: int) -> None:
    # Not through sys.stdin: its lock, held by this thread, would break the interpreter's end.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.write(end, b"\0")


def _limit_the_end(folder: Path) -> None:
    """A query that does not let itself be cancelled must not keep the process alive."""

    def give_up() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)

    watchdog = threading.Timer(END_SECONDS, give_up)
    watchdog.daemon = True
    watchdog.start()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scidb_magic.embedded",
        description="A local server that speaks shim's protocol in front of an AFL engine on DuckDB.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=int, default=8080, help="0 picks a free one (default: %(default)s)")
    add("--max-sessions", type=_positive, default=50, metavar="N", help="slots (default: %(default)s)")
    add(
        "--timeout",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="idle time after which a session may be reaped when no slot is free (default: %(default)s)",
    )
    add("--data", type=Path, metavar="DIR", help="keep the arrays in DIR (default: in memory)")
    add(
        "--io-path",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="folder that input and save may touch; may be given more than once",
    )
    add("--tls-cert", type=Path, metavar="FILE", help="serve https with this certificate (PEM)")
    add("--tls-key", type=Path, metavar="FILE", help="its key, if it is not in the same file")
    add(
        "--digest",
        metavar="USER:PASSWORD",
        help="ask for HTTP digest authentication; - reads USER:PASSWORD from the first line of standard"
        " input, for an argument can be seen by everybody on this machine",
    )
    add("--repeat-ids", action="store_true", help="the same session ids after every start, as shim's")
    add("--memory-limit", metavar="SIZE", help="memory of the engine, such as 4GB")
    add("--temp-limit", metavar="SIZE", help="disk space of the engine's intermediate results, such as 20GB")
    add("--end-with-stdin", action="store_true", help="end when standard input does")
    add("--detach", action="store_true", help="run on as nobody's child, where the system can do that")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def run() -> None:
    """Run the server and end the process: at once, for threads that wait for silent clients hold it up."""
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    run()
