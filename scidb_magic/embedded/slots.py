"""Shim's fixed array of slots, and the sessions that occupy them.

Facts (shim.c, get_session, cleanup_session; ``reference/shim-protocol.md``):

* ``/new_session`` takes the first free slot; with none free, the first whose clock is more than
  `timeout` seconds old, which it cleans and hands out; with none old enough there is no slot (503).
  Nothing is reaped at any other time.
* The clock is set when a call finishes; while one runs it stands a week in the future.
* A session has one lock: a second request on it waits for the first.
"""

from __future__ import annotations

import logging
import os
import random
import secrets
import string
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

Clock = Callable[[], float]

ID_LENGTH = 32
_log = logging.getLogger("scidb_magic.embedded")
_LETTERS = string.digits + string.ascii_lowercase
_WEEK = 7 * 24 * 3600.0


class EngineSession(Protocol):
    """What a session asks of the engine (`scidb_magic.embedded.engine.EngineSession`)."""

    def execute(self, text: str) -> str:
        """Run one statement; its query id."""

    def cancel(self) -> bool:
        """Cancel what runs; False if nothing does."""

    def close(self) -> None:
        """Cancel what runs and forget the result."""


class Engine(Protocol):
    """What the server asks of the engine (`scidb_magic.embedded.engine.Engine`)."""

    @property
    def version(self) -> str:
        """SciDB's version."""

    def session(self) -> EngineSession:
        """A new session."""

    def close(self) -> None:
        """Close all of them, and the storage."""


class SessionGone(Exception):
    """There is no such session (any more): 404."""


class Session:
    """What occupies a slot: an id, an input file, an output file and a session of the engine.

    Attributes
    ----------
    saved : str, optional
        ``"text"`` or ``"binary"``: how the last query with `save` saved; None before the first.
    cursor : int
        Where the next read with n > 0 goes on; it stays over later queries, as shim's does.
    asked : bool
        Whether the session ever had a query, so that there is something to cancel.
    ending : bool
        A release waits for the running query's end.
    """

    def __init__(self, sid: str, folder: Path, clock: Clock) -> None:
        self.sid = sid
        self.saved: str | None = None
        self.cursor = 0
        self.asked = False
        self.ending = False
        self.output = _new_file(folder, "shim_output_buf_")
        self.input: Path | None = None
        self.engine: EngineSession | None = None
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._gone = False
        self._stamp = clock() + _WEEK

    def open(self, engine: Engine) -> None:
        """Take a session of the engine; from now on the slot's clock runs."""
        self.engine = engine.session()
        self._stamp = self._clock()

    @contextmanager
    def in_use(self) -> Iterator[EngineSession]:
        """Hold the session for one call: others wait, and nobody reaps it.

        Raises
        ------
        SessionGone
            It was released or reaped while this call waited.
        """
        with self._lock:
            if self._gone or self.engine is None:
                raise SessionGone
            self._stamp = self._clock() + _WEEK
            try:
                yield self.engine
            finally:
                self._stamp = self._clock()

    def input_file(self) -> Path:
        """The session's one input file; each upload overwrites it."""
        if self.input is None:
            self.input = _new_file(self._folder, "shim_input_buf_")
        return self.input

    def is_older(self, seconds: float) -> bool:
        """Whether it was not used for longer than `seconds`."""
        return self._clock() - self._stamp > seconds

    def end(self, *, wait: bool = True) -> bool:
        """Clean up after the running call, if there is one. False if there is and `wait` is False.

        Raises
        ------
        SessionGone
            Another call was faster.
        """
        if not self._lock.acquire(blocking=wait):
            return False
        try:
            if self._gone:
                raise SessionGone
            self._gone = True
        finally:
            self._lock.release()
        self._clean()
        return True

    def _clean(self) -> None:
        try:
            for file in (self.output, self.input):
                if file is not None:
                    file.unlink(missing_ok=True)
            if self.engine is not None:
                self.engine.close()
        except Exception:  # noqa: BLE001 (the slot has to come free whatever the engine or the disk say)
            _log.exception("A session could not be cleaned up")


class Slots:
    """The array: `count` places, each None or a `Session`.

    Parameters
    ----------
    count : int
    timeout : float
        Seconds without a call after which a session may be reaped.
    folder : Path
        Where sessions keep their files.
    clock : callable
        Seconds; only differences count.
    repeat_ids : bool
        The same ids in the same order after every start, as shim's unseeded ``rand()`` gives them.
    """

    def __init__(self, count: int, timeout: float, folder: Path, clock: Clock, *, repeat_ids: bool) -> None:
        self._places: list[Session | None] = [None] * count
        self._timeout = timeout
        self._folder = folder
        self._clock = clock
        self._mutex = threading.Lock()
        repeating = random.Random(1)  # noqa: S311 (foreseeable is what is asked for)
        self._choice: Callable[[str], str] = repeating.choice if repeat_ids else secrets.choice

    def take(self) -> Session | None:
        """A session in a free slot, or in one whose session is reaped for it; None if there is none."""
        with self._mutex:
            number = self._free_place()
            if number is None:
                return None
            self._places[number] = None  # whatever becomes of the new one, the reaped one is gone
            session = self._places[number] = Session(self._new_id(), self._folder, self._clock)
            return session

    def find(self, sid: str) -> Session:
        """The session of that id.

        Raises
        ------
        SessionGone
        """
        for session in list(self._places):
            if session is not None and session.sid == sid:
                return session
        raise SessionGone

    def release(self, session: Session) -> None:
        """End `session` after its running call, then free its slot.

        Raises
        ------
        SessionGone
            Somebody else has released or reaped it meanwhile.
        """
        session.ending = True
        session.end()
        with self._mutex:
            self._places = [None if place is session else place for place in self._places]

    def sessions(self) -> list[Session]:
        """The occupied ones."""
        return [session for session in list(self._places) if session is not None]

    def close(self) -> None:
        """End every session that is not in a call."""
        for session in self.sessions():
            self._ended(session)

    def listing(self) -> str:
        """The answer to ``/debug``: avail 1 is free."""
        return "".join(
            f"slot {number}, sid {session.sid[:6] if session else 'NA'}, avail {int(session is None)}\n"
            for number, session in enumerate(list(self._places))
        )

    def _free_place(self) -> int | None:
        for number, session in enumerate(self._places):
            if session is None:
                return number
        for number, session in enumerate(self._places):
            if session is not None and session.is_older(self._timeout) and self._ended(session):
                return number
        return None

    @staticmethod
    def _ended(session: Session) -> bool:
        try:
            return session.end(wait=False)
        except SessionGone:
            return False

    def _new_id(self) -> str:
        return "".join(self._choice(_LETTERS) for _ in range(ID_LENGTH))


def _new_file(folder: Path, prefix: str) -> Path:
    handle, name = tempfile.mkstemp(prefix=prefix, dir=folder)
    os.close(handle)
    return Path(name)
