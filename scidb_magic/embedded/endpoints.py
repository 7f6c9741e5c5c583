"""Shim's endpoints: one function each, from a `Request` to an `Answer`.

Statuses, texts and headers as in shim.c of shim 19.11 and ``reference/shim-protocol.md``; the text
formats are saved as with ``aio=0``, the format ``arrow`` as with ``aio=1``.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from scidb_magic.afl.literals import quote
from scidb_magic.embedded.engine.errors import error_text
from scidb_magic.embedded.http import Answer, HttpError, Request, failure
from scidb_magic.embedded.slots import Engine, EngineSession, Session, SessionGone, Slots
from scidb_magic.errors import EngineError

_log = logging.getLogger("scidb_magic.embedded")

MISSING = failure(400, "HTTP arguments missing")
NO_SESSION = failure(404, "Session not found")
NO_SCIDB = failure(502, "SciDB connection failed")
END_OF_OUTPUT = failure(416, "EOF - range out of bounds")
_DONE = Answer()

_RANGE = re.compile(r"bytes=(\d+)-(\d*)$")

Endpoint = Callable[["Shim", Request], Answer]


class Shim:
    """What the endpoints share: the engine and the slots."""

    def __init__(self, engine: Engine, slots: Slots) -> None:
        self.engine = engine
        self.slots = slots

    def answer(self, request: Request) -> Answer:
        """The answer to any request.

        Raises
        ------
        HttpError
            404 where shim would look for a file in its document root.
        """
        endpoint = ENDPOINTS.get(request.path)
        if endpoint is None:
            raise HttpError(404, "Not Found")
        try:
            return endpoint(self, request)
        except SessionGone:
            return NO_SESSION

    def session(self, request: Request) -> Session:
        """The session that the argument `id` names.

        Raises
        ------
        SessionGone
        """
        return self.slots.find(request.parameters.get("id", ""))

    def drop(self, session: Session) -> None:
        """Shim releases the session after a 500 or 502."""
        try:
            self.slots.release(session)
        except SessionGone:
            _log.debug("The session of a failed call was gone already")


def version(shim: Shim, _: Request) -> Answer:
    """``/version``: as SciDB's."""
    return Answer(body=shim.engine.version.encode())


def new_session(shim: Shim, _: Request) -> Answer:
    """User and password are taken and not checked: the engine has no users, as SciDB in trust mode."""
    session = shim.slots.take()
    if session is None:
        return failure(503, "Out of resources")
    try:
        session.open(shim.engine)
    except Exception:  # noqa: BLE001 (502, as shim's, whatever it is)
        _log.exception("The engine gave no session")
        shim.drop(session)
        return NO_SCIDB
    return Answer(body=session.sid.encode())


def release_session(shim: Shim, request: Request) -> Answer:
    """Answered after the end of a running query, which then gets 502 (observed on shim)."""
    if request.query_string is None:
        return MISSING
    shim.slots.release(shim.session(request))
    return _DONE


def cancel(shim: Shim, request: Request) -> Answer:
    """Takes no lock: it answers while the query runs."""
    if request.query_string is None:
        return MISSING
    session = shim.session(request)
    if not session.asked or session.engine is None:
        return failure(409, "Session has no query")
    session.engine.cancel()
    return _DONE


def execute_query(shim: Shim, request: Request) -> Answer:
    """``/execute_query``: runs it; its query id."""
    if request.query_string is None:
        return MISSING
    session = shim.session(request)
    if "query" not in request.parameters:
        return MISSING
    try:
        with session.in_use() as engine:
            answer = _execute(session, engine, request.parameters)
            if session.ending:
                return NO_SCIDB
            return answer
    except SessionGone:
        raise
    except Exception as error:  # noqa: BLE001 (500, as shim's, whatever it is)
        _log.exception("A query failed inside the engine")
        shim.drop(session)
        return failure(500, f"Internal error of the embedded engine: {type(error).__name__}")


def _execute(session: Session, engine: EngineSession, parameters: Mapping[str, str]) -> Answer:
    save = parameters.get("save", "")
    text = parameters["query"]
    if save:
        session.saved = "binary" if save.startswith(("(", "arrow")) else "text"
        text = wrapped(text, save, session.output, parameters)
    session.asked = True
    query_id = ""
    # The prefix is split at every semicolon, also inside strings (observed on shim).
    for statement in (*(s for s in parameters.get("prefix", "").split(";") if s.strip()), text):
        try:
            query_id = str(engine.execute(statement))
        except EngineError as error:
            return failure(406, error_text(error, statement))
    return Answer(body=query_id.encode())


def wrapped(query: str, save: str, output: Path, parameters: Mapping[str, str]) -> str:
    """The statement that shim makes of `query`, to save its result in `output`."""
    place = quote(str(output))
    if not save.startswith("arrow"):
        return f"save({query},{place},0,'{save}')"
    atts_only = int(_number(parameters.get("atts_only", "1")) != 0)
    limit = _number(parameters.get("result_size_limit", ""))
    more = f",result_size_limit:{limit}" if limit else ""
    return f"aio_save({query},paths:({place}),instances:(0),format:'{save}',atts_only:{atts_only}{more})"


def upload(shim: Shim, request: Request) -> Answer:
    """The body goes into the session's one input file; the answer is the file's name for ``input``."""
    if request.query_string is None:
        return MISSING
    session = shim.session(request)
    try:
        with session.in_use():
            target = session.input_file()
            with target.open("wb") as file:
                for piece in request.body():
                    file.write(piece)
                size = file.tell()
    except OSError:
        _log.exception("An upload could not be written")
        shim.drop(session)
        return failure(500, "Uploaded file cannot be written")
    if size == 0:
        return failure(400, "Uploaded file is empty")
    return Answer(body=os.fsencode(target))


def read_lines(shim: Shim, request: Request) -> Answer:
    """``/read_lines``: text formats."""
    return _read(shim, request, "text", _next_lines)


def read_bytes(shim: Shim, request: Request) -> Answer:
    """``/read_bytes``: binary formats."""
    return _read(shim, request, "binary", _next_bytes)


def _read(shim: Shim, request: Request, kind: str, following: Callable[[BinaryIO, int], Answer]) -> Answer:
    """The whole output with n = 0, else the next part; the session is held until it is sent."""
    if request.query_string is None:
        return MISSING
    session = shim.session(request)
    with ExitStack() as stack:
        stack.enter_context(session.in_use())
        if session.saved is None:
            return failure(410, "Output not saved")
        if session.saved != kind:
            return failure(416, f"Output not saved in {kind} format")
        file: BinaryIO = stack.enter_context(session.output.open("rb"))
        count = _number(request.parameters.get("n", ""))
        if count <= 0:
            return _whole(file, request.headers.get("range", ""), stack)
        file.seek(session.cursor)
        answer = following(file, count)
        session.cursor = file.tell()
        return answer


def _next_lines(file: BinaryIO, count: int) -> Answer:
    body = b"".join(islice(file, count))
    return Answer(body=body) if body else END_OF_OUTPUT


def _next_bytes(file: BinaryIO, count: int) -> Answer:
    # Room is made for what is asked for: no more than is there.
    left = os.fstat(file.fileno()).st_size - file.tell()
    body = file.read(max(0, min(count, left)))
    return Answer(body=body, content_type="application/octet-stream") if body else END_OF_OUTPUT


def _whole(file: BinaryIO, wanted: str, stack: ExitStack) -> Answer:
    """The output as mongoose sends a file: with Etag (``mtime.size``) and ranges."""
    facts = os.fstat(file.fileno())
    status, start, length = 200, 0, facts.st_size
    headers = [
        ("Etag", f'"{int(facts.st_mtime):x}.{facts.st_size}"'),
        ("Accept-Ranges", "bytes"),
        ("Content-Type", "text/plain"),
        ("Connection", "close"),
    ]
    part = _RANGE.match(wanted)
    if part:
        status, start = 206, int(part[1])
        end = min(int(part[2] or facts.st_size), facts.st_size - 1)
        # Past the end the length is negative, as shim's is (observed): a client must never ask there.
        length = end - start + 1
        headers.append(("Content-Range", f"bytes {start}-{end}/{facts.st_size}"))
        file.seek(min(start, facts.st_size))
    return Answer(
        status, file, length=length, headers=tuple(headers), shim=False, finish=stack.pop_all().close,
        reason="Partial Content" if part else "OK",
    )  # fmt: skip


def debug(shim: Shim, _: Request) -> Answer:
    """``/debug``: one line a slot."""
    return Answer(body=shim.slots.listing().encode())


def _number(text: str) -> int:
    """The number that `text` starts with, else 0, as C's ``atoi``."""
    match = re.match(r"\s*[+-]?\d{1,18}", text, re.ASCII)
    return int(match[0]) if match else 0


ENDPOINTS: dict[str, Endpoint] = {
    "/version": version,
    "/new_session": new_session,
    "/release_session": release_session,
    "/execute_query": execute_query,
    "/read_lines": read_lines,
    "/read_bytes": read_bytes,
    "/upload": upload,
    "/cancel": cancel,
    "/debug": debug,
}
