"""The data of a statement on their way: sent before it, and named in its text.

A session of shim has one input file. Of several uploads in a statement all but the last are therefore
stored first, each as a temporary array that stands in the statement in its place; the arrays are removed
after the statement, or with a later one where that fails.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scidb_magic.afl.literals import quote

if TYPE_CHECKING:
    from scidb_magic.shim.transport import Payload

SENT_AT_ONCE = 1 << 18
"""Bytes of a payload that is one piece."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """Data that a statement reads.

    Attributes
    ----------
    token : str
        Stands for the server's file name in the statement's text.
    payload : bytes or Pieces
    text : str
        The AFL around the token that reads the data; needed where a statement has several attachments.
    schema : str
        Of the array that `text` is.
    """

    token: str
    payload: Payload
    text: str = ""
    schema: str = ""

    @classmethod
    def of(cls, payload: Payload) -> Attachment:
        """An attachment with a token that nobody else has."""
        return cls(f"scidb_magic-upload-{secrets.token_hex(8)}", payload)


class Counted:
    """A payload that tells how much of it has been sent, and in all.

    Parameters
    ----------
    payload : bytes or Pieces
    on_piece : callable
        Called before each piece, and after the last, with the bytes before it.
    """

    def __init__(self, payload: Payload, on_piece: Callable[[int, int], None]) -> None:
        self._payload = payload
        self._on_piece = on_piece

    def __len__(self) -> int:
        return len(self._payload)

    def __iter__(self) -> Iterator[bytes]:
        sent, total = 0, len(self._payload)
        for piece in _cut(self._payload) if isinstance(self._payload, bytes) else self._payload:
            self._on_piece(sent, total)
            yield piece
            sent += len(piece)
        self._on_piece(sent, total)


class Named:
    """What stands in a statement's text for the data that were sent: file names, and names of arrays."""

    def __init__(self) -> None:
        self._arrays: dict[str, str] = {}
        self._file: dict[str, str] = {}

    def file(self, attachment: Attachment, name: str) -> None:
        """The session's input file is `attachment` now."""
        self._file = {attachment.token: name}

    def array(self, attachment: Attachment, name: str) -> None:
        """`attachment` is stored as the array `name`."""
        # As it stands in a statement, and in the statement that a show('…') quotes.
        for text in (attachment.text, quote(attachment.text)[1:-1]):
            self._arrays[text] = name
        self._file = {}

    def missing(self, text: str, attachments: Sequence[Attachment]) -> list[Attachment]:
        """Those that `text` reads and that the server does not have, the one to be sent as a file last."""
        read = [a for a in attachments if a.token in self.filled(text, arrays_only=True)]
        return [a for a in read if len(read) > 1 or a.token not in self._file]

    def filled(self, text: str, *, arrays_only: bool = False) -> str:
        """`text` as it is sent."""
        for piece, name in (self._arrays if arrays_only else self._all()).items():
            text = text.replace(piece, name)
        return text

    def before(self, position: int, text: str) -> int:
        """The place in `text` of what stands at `position` in what was sent for it."""
        names = self._all()
        shift = 0
        for start, piece in sorted((text.find(piece), piece) for piece in names):
            if start >= 0 and position - shift > start:
                inside = position - shift < start + len(names[piece])
                shift = position - start if inside else shift + len(names[piece]) - len(piece)
        return position - shift

    def hidden(self, text: str) -> str:
        """A text of the server without the names of our files and arrays."""
        for name in self._all().values():
            text = text.replace(name, "uploaded data")
        return text

    def _all(self) -> dict[str, str]:
        return self._arrays | self._file


def _cut(payload: bytes) -> Iterator[bytes]:
    for start in range(0, len(payload), SENT_AT_ONCE):
        yield payload[start : start + SENT_AT_ONCE]
