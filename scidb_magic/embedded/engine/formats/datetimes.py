"""Texts of points in time, in every form that SciDB reads (recorded: other/timestamp).

A date as ``2011-12-15``, ``12/15/2011``, ``15.12.2011``, ``15-DEC-2011`` or ``15DEC2011``; then a time as
``21:26:33`` or ``21.26.33``, perhaps with a fraction, which is dropped, and ``AM`` or ``PM``; then an offset
from UTC as ``+5:30`` or ``-06:-30``.
"""

from __future__ import annotations

import re
from calendar import timegm
from datetime import datetime
from functools import lru_cache

_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()

_DATES = (
    re.compile(r"(?P<year>\d{1,4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"),
    re.compile(r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{1,4})"),
    re.compile(r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})"),
    re.compile(r"(?P<day>\d{1,2})-?(?P<name>[A-Za-z]{3})-?(?P<year>\d{4})"),
)

_TIME = re.compile(
    r"(?:[ T:]\s*(?P<hour>\d{1,2})[:.](?P<minute>\d{1,2})(?:[:.](?P<second>\d{1,2})(?:\.\d*)?)?"
    r"(?:\s*(?P<half>[AaPp][Mm]))?)?"
    r"(?:\s*(?:(?P<sign>[+-])(?P<hours>\d{1,2}):?-?(?P<minutes>\d{2})|(?P<utc>Z|UTC|GMT)))?\s*"
)


@lru_cache(maxsize=4096)
def parse(text: str) -> tuple[int, int | None]:
    """Seconds since 1970 as the text's own clock counts them, and its offset from UTC in seconds or None.

    Raises
    ------
    ValueError
        Where the text has none of the forms, or names a moment that is not in the calendar.
    """
    text = text.strip()
    for form in _DATES:
        date = form.match(text)
        time = _TIME.fullmatch(text, date.end()) if date else None
        if date and time:
            return _seconds(date.groupdict(), time.groupdict()), _offset(time.groupdict())
    raise ValueError(f"Failed to parse string '{text}' as date and time")


def _seconds(date: dict[str, str], time: dict[str, str | None]) -> int:
    month = _MONTHS.index(date["name"].upper()) + 1 if "name" in date else int(date["month"])
    hour = int(time["hour"] or 0)
    if time["half"] is not None:
        hour = hour % 12 + 12 * (time["half"].upper() == "PM")
    moment = datetime(  # noqa: DTZ001 - SciDB keeps the clock's time and the offset apart
        int(date["year"]), month, int(date["day"]), hour, int(time["minute"] or 0), int(time["second"] or 0)
    )
    return timegm(moment.timetuple())


def _offset(time: dict[str, str | None]) -> int | None:
    if time["utc"] is not None:
        return 0
    if time["sign"] is None:
        return None
    size = int(time["hours"] or 0) * 3600 + int(time["minutes"] or 0) * 60
    return -size if time["sign"] == "-" else size
