"""Moments and sizes for people."""

from __future__ import annotations

from datetime import datetime

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def moment(time: datetime | None) -> str:
    """A moment in the reader's time zone: ``2026-11-23 14:05:00 CET``."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z").strip() if time is not None else ""


def size(number: int) -> str:
    """A number of bytes: ``1.5 MB``."""
    power = min((len(str(number)) - 1) // 3, len(_UNITS) - 1)
    return f"{number / 1000**power:.{1 if power else 0}f} {_UNITS[power]}"


def sizes(done: int, total: int | None) -> str:
    """Bytes of bytes, where it is known of how many: ``1.5 MB of 20.0 MB``."""
    return size(done) if total is None else f"{size(done)} of {size(total)}"
