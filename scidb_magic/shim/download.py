"""A saved output on its way: what is known of it, what came, what to ask for next.

Shim answers a ``Range`` past the end with nonsense and does not know ``If-Range``, so a download that
goes on asks for no byte past the known size, and the answer must carry the ``Etag`` of the first one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from scidb_magic.errors import OutOfRange

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)$")
_PARTIAL = 206


@dataclass(slots=True)
class Download:
    """One download of a saved output, whole or its beginning; after a fault it holds what came.

    Attributes
    ----------
    lines : bool
        Of a text format (``read_lines``), else of a binary one or Arrow (``read_bytes``).
    end : int, optional
        Only the bytes before this one.
    size : int, optional
        Length of the whole saved output; known after the first answer's headers.
    etag : str, optional
        Of the saved output, as in the header.
    received : int
        Bytes that came.
    body : bytearray
        They; empty where a `sink` takes them.
    sink : callable, optional
        Takes each piece.
    on_piece : callable, optional
        Called with this object after each piece; what it raises ends the download.
    """

    lines: bool
    end: int | None = None
    size: int | None = None
    etag: str | None = None
    received: int = 0
    body: bytearray = field(default_factory=bytearray, repr=False)
    sink: Callable[[bytes], None] | None = field(default=None, repr=False)
    on_piece: Callable[[Download], None] | None = field(default=None, repr=False)

    @property
    def stop(self) -> int | None:
        """Where the download ends; None while that is not known."""
        if self.size is None or self.end is None:
            return self.size
        return min(self.size, self.end)

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return self.stop is not None and self.received >= self.stop

    @property
    def must_know_size(self) -> bool:
        """Whether the next request has a ``Range``, and nobody knows yet how far that may go."""
        return self.size is None and (self.end is not None or self.received > 0)

    def range(self) -> dict[str, str]:
        """The header that asks for what is missing; empty for a whole output from its beginning."""
        if self.stop is None or (self.received == 0 and self.stop == self.size):
            return {}
        return {"Range": f"bytes={self.received}-{self.stop - 1}"}

    def add(self, piece: bytes) -> None:
        """Take the next bytes of the answer; what lies behind the end is left out."""
        if self.stop is not None:
            piece = piece[: self.stop - self.received]
        self.received += len(piece)
        if self.sink is None:
            self.body += piece
        else:
            self.sink(piece)
        if self.on_piece is not None:
            self.on_piece(self)

    def meet(self, size: int | None, etag: str | None) -> None:
        """Take size and ``Etag`` of the saved output, or compare them with the known ones.

        Raises
        ------
        OutOfRange
            They are another output's, or nothing proves them to be this one's.
        """
        unproven = etag is None and self.received > 0
        if unproven or self.size not in (None, size) or self.etag not in (None, etag):
            raise _another()
        self.size, self.etag = size, etag

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Check the head of the answer to `range`, and learn from it. Raises as `meet`."""
        place = _CONTENT_RANGE.match(headers.get("Content-Range", ""))
        if status == _PARTIAL:
            if place is None or int(place[1]) != self.received or int(place[2]) + 1 != self.stop:
                raise _another()
            self.meet(int(place[3]), headers.get("Etag"))
        elif self.received > 0:
            raise _another()
        else:
            self.meet(length(headers), headers.get("Etag"))


def length(headers: Mapping[str, str]) -> int | None:
    """The ``Content-Length``; None where there is none that can be."""
    text = headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _another() -> OutOfRange:
    return OutOfRange("The saved output on the server is another one by now; the download cannot go on.")
