"""SciDB's error text (the body of a 406) as a `QueryError` under the query that was sent.

The text has the class and place of the exception, the codes, the description, and, for errors with a
place in the query, the query's lines with carets under the offending one. Shim has wrapped the query
in a ``save(…)``, so the carets are moved back, and the wrapper with the server's path is not shown.
SciDB's lexer counts columns in bytes; the text ends after 4,095 bytes, so the carets may be missing.
"""

from __future__ import annotations

import re

from scidb_magic.errors import QueryError
from scidb_magic.shim.faults import without_paths

_CODES = re.compile(r"Error id: scidb::(?:(\w+)::)?(\w+)")
_DESCRIPTION = "Error description: "
_QUERY_ID = re.compile(r"^Failed query id: (\S+)", re.MULTILINE)
_CARETS = re.compile(r"([ \t]*)(\^+)\s*$")
_WRAPPERS = ("save(", "aio_save(")


def query_error(body: str, query: str, *, saved: bool) -> QueryError:
    """The error of a query.

    Parameters
    ----------
    body : str
        Shim's answer.
    query : str
        As it was given to the client.
    saved : bool
        Whether shim had wrapped it.
    """
    codes = _CODES.search(body)
    query_id = _QUERY_ID.search(body)
    lines = body.split("\n")
    first = next((n for n, line in enumerate(lines) if line.startswith(_DESCRIPTION)), len(lines))
    carets = next((n for n in range(len(lines) - 1, first, -1) if _CARETS.match(lines[n])), None)
    statement, position, length = query, None, 1
    wrappers = _WRAPPERS if saved else ("",)
    if carets is not None:
        echo_start, shift = _echo(lines, first + 1, carets, query, wrappers)
        end = echo_start
        blanks, marks = _CARETS.match(lines[carets]).groups()  # type: ignore[union-attr]
        start, stop = (_characters(lines[carets - 1], n) for n in (len(blanks), len(blanks + marks)))
        place = sum(len(line) + 1 for line in lines[echo_start : carets - 1]) + start
        if shift is None:
            # The echo is not what was sent: it is the query inside a show('…'), told as it stands there.
            statement, shift = "\n".join(lines[echo_start:carets]), 0
        position, length = _trimmed(statement, place - shift, max(1, stop - start))
    elif query_id is not None:
        end = next(n for n, line in enumerate(lines) if line.startswith("Failed query id"))
    else:
        end, shift = _echo(lines, first + 1, len(lines), query, wrappers)
        end = len(lines) if shift is None else end
    description = "\n".join(lines[first:end])[len(_DESCRIPTION) :].strip()
    return QueryError(
        codes[2] if codes else "UNKNOWN",
        without_paths(description or " ".join(body.split()) or "The query failed; SciDB did not say why."),
        position,
        query_id[1] if query_id else None,
        length=length,
        statement=statement,
        short_code=(codes[1] or "") if codes else "",
        body=without_paths(body),
    )


def _echo(
    lines: list[str], start: int, carets: int, query: str, wrappers: tuple[str, ...]
) -> tuple[int, int | None]:
    """Where the echo of the query begins, and how many characters a wrapper put before it."""
    head = query.split("\n", 1)[0]
    for number in range(start, carets):
        for prefix in wrappers:
            cut = number == len(lines) - 1 and len(lines[number]) > len(prefix)
            if lines[number].startswith(prefix + head) or (cut and (prefix + head).startswith(lines[number])):
                return number, len(prefix)
    return start, None


def _characters(line: str, count: int) -> int:
    """How many characters the first `count` bytes of `line` are, and as many more as `count` goes past it."""
    encoded = line.encode("utf-8", "surrogateescape")
    return len(encoded[:count].decode("utf-8", "ignore")) + max(0, count - len(encoded))


def _trimmed(text: str, position: int, length: int) -> tuple[int | None, int]:
    """The place without the space that SciDB counts to a token."""
    if not 0 <= position <= len(text):
        return None, 1
    while length > 1 and text[position : position + 1].isspace():
        position, length = position + 1, length - 1
    return position, length
