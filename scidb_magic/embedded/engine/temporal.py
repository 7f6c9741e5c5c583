"""Dates and times in SQL: datetime is seconds since 1970 UTC, datetimetz local seconds and offset.

The spellings that a string may have are those that SciDB reads (recorded in other/temporal_data_01):
a date as ``01-Feb-2009``, ``20Jun2009``, ``month/day/year``, ``day.month.year`` or ``year-month-day``,
then hours and minutes, maybe seconds, with colons or dots; ``AM`` and ``PM`` only behind dots.
A year under 100 is in the 2000s. SciDB takes ``12.24.57 AM`` for noon, and so it is here.
"""

from __future__ import annotations

from scidb_magic.embedded.engine import sql as text

_DATES = ("%Y-%m-%d", "%m/%d/%Y", "%d.%m.%Y")
_SPELLINGS = (
    *(f"{date} %H:%M:%S" for date in _DATES),
    "%Y-%m-%d %H.%M.%S",
    *(f"{date} %H:%M" for date in _DATES),
    *_DATES,
    "%d-%b-%Y %I.%M.%S %p",
    "%d-%b-%Y %H.%M.%S",
    "%d-%b-%Y",
    "%d%b%Y:%H:%M:%S",
)
_FRACTION = text.quote(r"(\d[.:]\d+[.:]\d+)\.\d+$")
_NOON = text.quote(r" 12\.\d+\.\d+ [Aa]")
_ZONE = text.quote(r"^(.*\S) ([-+]?)(\d{1,4}):-?(\d{1,4})$")

_ERA = 12622780800
"""Seconds of 400 years."""

_LOCAL, _OFFSET = '{0}."time"', '{0}."offset"'

# A string -> its TIMESTAMP, null where no spelling fits.
_TIMESTAMP = (
    f"(try_strptime(regexp_replace({{0}}, {_FRACTION}, '\\1'), [{', '.join(map(text.quote, _SPELLINGS))}])"
    f" + CASE WHEN regexp_matches({{0}}, {_NOON}) THEN INTERVAL 12 HOUR ELSE INTERVAL 0 HOUR END)"
)
_SECONDS = (
    "CAST(epoch({0} + CASE WHEN year({0}) < 100 THEN INTERVAL 2000 YEAR ELSE INTERVAL 0 YEAR END) AS BIGINT)"
)


def _seconds_of(string: str) -> str:
    return text.fill(_SECONDS, _TIMESTAMP.replace("{0}", string))


def _or_failure(type_: str, string: str, value: str) -> str:
    description = f"Failed to parse string '{{}}' to {type_}."
    failure = text.fail("TYPE_CONVERSION", "FAILED_PARSE_STRING", description, string)
    return f"(CASE WHEN {string} IS NOT NULL THEN coalesce({value}, {failure}) END)"


def datetime_or_null(string: str) -> str:
    """Seconds of a string; null where it is no date."""
    return f"(CASE WHEN {string} = 'now' THEN CAST(epoch(now()) AS BIGINT) ELSE {_seconds_of(string)} END)"


def datetimetz_or_null(string: str) -> str:
    """Local seconds and offset of a string that ends in ``+hh:mm``; null where it is no such string."""
    part = {k: f"regexp_extract({string}, {_ZONE}, {k})" for k in (1, 2, 3, 4)}
    minutes = f"(CAST({part[3]} AS BIGINT) * 60 + CAST({part[4]} AS BIGINT))"
    offset = f"({minutes} * CASE {part[2]} WHEN '-' THEN -60 ELSE 60 END)"
    seconds = _seconds_of(part[1])
    return f"(CASE WHEN {seconds} IS NOT NULL THEN {pack(seconds, offset)} END)"


def datetime_from_string(string: str) -> str:
    """Seconds of a string; an error where it is no date, null where it is null."""
    if len(string) >= text.LONG:
        return f"(list_transform([{string}], lambda t: {datetime_from_string('t')})[1])"
    return _or_failure("datetime", string, datetime_or_null(string))


def datetimetz_from_string(string: str) -> str:
    """Local seconds and offset of a string; an error where it is no date, null where it is null."""
    if len(string) >= text.LONG:
        return f"(list_transform([{string}], lambda t: {datetimetz_from_string('t')})[1])"
    return _or_failure("datetimetz", string, datetimetz_or_null(string))


def datetime_to_string(seconds: str) -> str:
    """As SciDB prints it; a year under 1000 has less than four digits."""
    rest = f"strftime({moment('{0}')}, '-%m-%d %H:%M:%S')"
    return text.fill(f"(CAST({year('{0}')} AS VARCHAR) || {rest})", seconds)


def datetimetz_to_string(value: str) -> str:
    """Local time and offset; an offset of zero is printed as ``-00:00``, as SciDB does."""
    template = (
        f"({datetime_to_string(_LOCAL)} || CASE WHEN {_OFFSET} > 0 THEN ' +' ELSE ' -' END"
        f" || {_two_digits(f'abs({_OFFSET} // 3600)')}"
        f" || ':' || {_two_digits(f'abs({_OFFSET} % 3600) // 60')})"
    )
    return text.fill(template, value)


def _two_digits(number: str) -> str:
    return f"format('{{{{:02d}}}}', {number})"


def moment(seconds: str) -> str:
    """A TIMESTAMP between 1970 and 2370 that is a datetime but for the `eras` between the two.

    DuckDB's own end in the year 294247; a datetime has 64 bits. The calendar repeats in 400 years.
    """
    return f"make_timestamp(({seconds} % {_ERA} + {_ERA}) % {_ERA} * 1000000)"


def eras(seconds: str) -> str:
    """How many times 400 years a datetime is after its `moment`."""
    return f"({seconds} // {_ERA} - CASE WHEN {seconds} % {_ERA} < 0 THEN 1 ELSE 0 END)"


def year(seconds: str) -> str:
    """The year of a datetime."""
    return f"(year({moment(seconds)}) + 400 * {eras(seconds)})"


def pack(time: str, offset: str) -> str:
    """A datetimetz of local seconds and offset."""
    return f'struct_pack("time" := {time}, "offset" := {offset})'


def utc(value: str) -> str:
    """Seconds since 1970 UTC of a datetimetz; they wrap."""
    low = f"((CAST({_LOCAL} AS HUGEINT) - CAST({_OFFSET} AS HUGEINT)) & CAST({2**64 - 1} AS HUGEINT))"
    half = f"CAST({2**63} AS HUGEINT)"
    return text.fill(f"CAST((xor({low}, {half}) - {half}) AS BIGINT)", value)
