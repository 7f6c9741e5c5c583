"""The helper process that frees a slot when its master is gone: a script, for ``python -I -S``.

`scidb_magic.session.guard` starts it and tells it what to free::

    master                                helper (own session, nobody's child)
      write end of a pipe  ── charges ──▶  standard input     its end, or the master's: free the slot
                           ◀── pid ──────  standard output    once, by the process that leaves at once

A charge is one line of JSON, the whole of what must be known; the last whole line counts. An empty
line says that nothing is held: then the helper ends. A child that a C library has forked may hold the
pipe's write end, so the master itself is watched too, where the system can do that (the number of its
``pidfd`` is the only argument).

The helper lives as long as a kernel and has to be small: until its master's end it imports nothing but
what a bare interpreter has. What comes then is in `scidb_magic.session.freeing`.
"""

import os
import select
import sys

FREEING = os.path.join(os.path.dirname(__file__), "freeing.py")  # noqa: PTH118, PTH120 - pathlib is large


def main() -> None:
    """Wait for the master's end, then free what it held."""
    leave_family()
    # Read now, for the package may be replaced while a kernel lives; compiled only when it is needed, for
    # that alone takes half a megabyte.
    with open(FREEING, "rb") as file:  # noqa: PTH123
        source = file.read()
    line = watch(*(int(number) for number in sys.argv[1:2]))
    if line:
        room: dict[str, object] = {"__name__": "freeing"}
        exec(compile(source, FREEING, "exec"), room)  # noqa: S102 (our own room)
        room["end"](line)  # type: ignore[operator]


def leave_family() -> None:
    """Be nobody's child: a kernel with a child, even a dead one, is shut down the hard way by ipykernel."""
    # The module signal would make an enum of every signal: a quarter of this process's own memory.
    import _signal as signal  # type: ignore[import-not-found]

    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    child = os.fork()
    if child:
        try:
            os.write(1, b"%d" % child)
        finally:
            os._exit(0)
    os.dup2(2, 1)


def watch(master: int | None = None) -> bytes:
    """The last charge, once the master is gone; empty if it held nothing.

    Parameters
    ----------
    master : int, optional
        ``pidfd`` of the master.
    """
    os.set_blocking(0, False)
    poll = select.poll()
    for descriptor in (0, master):
        if descriptor is not None:
            poll.register(descriptor, select.POLLIN)
    last, rest = b"", b""
    while True:
        # The order counts: what the master wrote before its end is in the pipe by then.
        ended = any(descriptor == master for descriptor, _ in poll.poll())
        try:
            while piece := os.read(0, 4096):
                *lines, rest = (rest + piece).split(b"\n")
                if lines:
                    last = lines[-1]
                    if not last.strip(b"{} \r"):
                        return b""
            ended = True
        except BlockingIOError:
            pass
        if ended:
            return last


if __name__ == "__main__":
    main()
    os._exit(0)
