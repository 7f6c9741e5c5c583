"""The slots as ``/debug`` lists them, in a shim built with DEBUG and in the embedded server."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINE = re.compile(r"slot (\d+), sid (\S*), avail (\d)")


@dataclass(frozen=True, slots=True)
class SlotLine:
    """One slot: its place, the first six characters of the session id in it, and whether it is free."""

    number: int
    sid_prefix: str | None
    free: bool


def parse(listing: str) -> list[SlotLine]:
    """The slots in the order of the listing; lines of another form are passed over."""
    return [
        SlotLine(int(number), None if sid in ("", "NA") else sid, avail == "1")
        for number, sid, avail in _LINE.findall(listing)
    ]
