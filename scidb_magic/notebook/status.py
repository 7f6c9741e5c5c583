"""The session's status as text and as HTML."""

from __future__ import annotations

import html
from datetime import datetime

from scidb_magic.notebook import display
from scidb_magic.session.status import SessionStatus

MEANING = {
    "idle": "holds a slot, no query runs",
    "running": "holds a slot, a query runs",
    "reconnecting": "the slot was lost, a new one is being taken",
    "released": "holds no slot; the next query takes one",
    "unreachable": "the server did not answer",
    "unconnected": "holds no slot yet; the first query takes one",
}

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def show(status: SessionStatus) -> None:
    """Display the status."""
    display.bundle(as_text(status), as_html(status))


def rows(status: SessionStatus) -> list[tuple[str, str]]:
    """What is known of the session, as (name, value); nothing that changes by itself."""
    server = status.url or "not decided yet"
    if status.server_version:
        server += f" (SciDB {status.server_version})"
    told = [
        ("state", f"{status.state}: {MEANING[status.state]}"),
        ("server", server),
        ("user", status.user or "none given"),
        ("namespace", status.namespace or "public"),
        ("since", moment(status.since)),
        ("queries", f"{status.queries:,}"),
        ("replays", f"{status.replays:,}"),
        ("data", size(status.bytes)),
    ]
    if status.abandoned:
        told.append(("abandoned", f"{status.abandoned:,} (left to shim, which frees them when it is full)"))
    return told


def as_text(status: SessionStatus) -> str:
    """The status as lines, the names in one column."""
    told = rows(status)
    width = max(len(name) for name, _ in told)
    return "\n".join(["SciDB session", *(f"  {name:<{width}}  {value}" for name, value in told)])


def as_html(status: SessionStatus) -> str:
    """The status as a small table without colours of its own: it fits light and dark themes."""
    lines = "".join(
        f'<tr><th style="text-align: left">{html.escape(name)}</th>'
        f'<td style="text-align: left">{html.escape(value)}</td></tr>'
        for name, value in rows(status)
    )
    return f"<table><caption>SciDB session</caption><tbody>{lines}</tbody></table>"


def moment(time: datetime | None) -> str:
    """A moment in the reader's time zone: ``2026-11-23 14:05:00 CET``."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z").strip() if time is not None else ""


def size(number: int) -> str:
    """A number of bytes for people: ``1.5 MB``."""
    power = min((len(str(number)) - 1) // 3, len(_UNITS) - 1)
    return f"{number / 1000**power:.{1 if power else 0}f} {_UNITS[power]}"
