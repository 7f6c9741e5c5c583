"""The loop from length to length, in a form that Numba compiles too."""

from __future__ import annotations

from typing import Any


def walk(lengths: Any, gaps: Any, at: int, ends: Any) -> int:
    """Fill `ends` with the positions four bytes before the end of each variable field; how many.

    `lengths` has the uint32 that starts at each byte; `gaps` one entry for each field of each row, from
    there to its length; so every step is the same.
    """
    limit = len(lengths)
    for entry, gap in enumerate(gaps):
        at += gap
        if at >= limit:
            return entry
        at += lengths[at]
        ends[entry] = at
    return len(gaps)
