"""An overview as text and as HTML. Colours are never the only sign, and fit light and dark themes."""

from __future__ import annotations

import html
from collections.abc import Sequence

from scidb_magic.notebook.status.overview import CALLED, MEANING, Overview, in_words, session_rows
from scidb_magic.notebook.units import moment
from scidb_magic.session.status import Slot

SIGN = {
    "idle": "●",
    "running": "▶",
    "reconnecting": "↻",
    "released": "○",
    "unreachable": "✖",
    "unconnected": "○",
}
_TONE = {
    "idle": "var(--jp-success-color1, #2e7d32)",
    "running": "var(--jp-info-color1, #0277bd)",
    "reconnecting": "var(--jp-warn-color1, #e65100)",
    "unreachable": "var(--jp-error-color1, #c62828)",
}

OWNER_SIGN = {"mine": "●", "notebook": "◆", "orphan": "!", "other": "×", "free": "·"}
# Okabe and Ito's palette, told apart with any kind of colour vision; the text on it has a contrast over 4.5.
_PAINT = {
    "mine": "background: #0072b2; color: #fff",
    "notebook": "background: #56b4e9; color: #000",
    "orphan": "background: #e69f00; color: #000",
    "other": "background: #999; color: #000",
    "free": "background: none; color: inherit",
}
_CELL = (
    "display: inline-block; width: 1.4em; height: 1.4em; line-height: 1.4em; margin: 1px; text-align: center;"
    " font-family: monospace; border-radius: 3px; box-shadow: inset 0 0 0 1px rgba(128, 128, 128, 0.6)"
)
_LEFT = 'style="text-align: left; vertical-align: top; overflow-wrap: anywhere"'

PER_LINE = 25
"""Slots in a line of text."""

_HEADS = ("notebook", "process", "kernel", "state", "since", "last query")
_HELD = {"mine": "this notebook", "notebook": "runs", "orphan": "orphan: its process is gone"}


def as_text(overview: Overview) -> str:
    """The overview as lines."""
    status = overview.status
    told = [("state", f"{SIGN[status.state]} {status.state}: {MEANING[status.state]}")]
    told += [("since", moment(status.since)), *session_rows(status)]
    if overview.running:
        told.append(("runs", " ".join(overview.running.split())))
    width = max(len(name) for name, _ in told)
    lines = ["SciDB session", *(f"  {name:<{width}}  {value}" for name, value in told), in_words(overview)]
    if overview.listed:
        signs = [OWNER_SIGN[slot.owner] for slot in overview.slots]
        lines += ["  " + " ".join(signs[n : n + PER_LINE]) for n in range(0, len(signs), PER_LINE)]
        lines.append("  " + "   ".join(f"{sign} {CALLED[owner]}" for owner, sign in OWNER_SIGN.items()))
    return "\n".join(lines)


def as_html(overview: Overview) -> str:
    """The overview as HTML that needs no style sheet, script or picture."""
    return "".join(
        (
            state(overview),
            facts(overview),
            running(overview, "Interrupting the kernel cancels it."),
            slots(overview),
            sessions(overview),
        )
    )


def state(overview: Overview) -> str:
    """The state in words and colour."""
    status = overview.status
    tone = _TONE.get(status.state, "inherit")
    return (
        f'<div role="status"><b>SciDB session</b> <b style="color: {tone}">{SIGN[status.state]}'
        f" {status.state}</b>: {MEANING[status.state]}, since {html.escape(moment(status.since))}</div>"
    )


def facts(overview: Overview) -> str:
    """Server, user, counters."""
    told = "".join(
        f'<div style="overflow-wrap: anywhere"><b>{html.escape(name)}</b> {html.escape(value)}</div>'
        for name, value in session_rows(overview.status)
    )
    return f'<div style="display: flex; flex-wrap: wrap; gap: 0 1.5em">{told}</div>'


def running(overview: Overview, how_to_end: str) -> str:
    """The running statement, and how it is ended; empty where none runs."""
    if not overview.running:
        return ""
    shown = html.escape(" ".join(overview.running.split())[:300])
    return f'<div>Runs: <code style="overflow-wrap: anywhere">{shown}</code> {html.escape(how_to_end)}</div>'


def slots(overview: Overview) -> str:
    """The slots as a grid, with its legend and its content in words."""
    words = html.escape(in_words(overview))
    if not overview.listed:
        return f"<div>{words}</div>"
    cells = "".join(_slot(slot) for slot in overview.slots)
    legend = " ".join(
        f'<span style="white-space: nowrap; margin-right: 1em">'
        f'<span style="{_CELL}; {_PAINT[owner]}" aria-hidden="true">{sign}</span> {CALLED[owner]}</span>'
        for owner, sign in OWNER_SIGN.items()
    )
    return (
        f'<div>{words}</div><div role="img" aria-label="{words}" style="max-width: 42em">{cells}</div>'
        f'<div style="font-size: 90%">{legend}</div>'
    )


def sessions(overview: Overview) -> str:
    """The user's sessions as a table."""
    if not overview.own:
        return ""
    head = "".join(f'<th scope="col" {_LEFT}>{name}</th>' for name in _HEADS)
    body = "".join(
        f"<tr>{''.join(f'<td {_LEFT}>{html.escape(word)}</td>' for word in _session(slot))}</tr>"
        for slot in overview.own
    )
    return (
        '<div style="overflow-x: auto"><table>'
        f"<caption {_LEFT}>Sessions of this user</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _slot(slot: Slot) -> str:
    called = f"slot {slot.number}: {CALLED[slot.owner]}" + (f", {slot.notebook}" if slot.notebook else "")
    style = f"{_CELL}; {_PAINT[slot.owner]}"
    return f'<span style="{style}" title="{html.escape(called)}">{OWNER_SIGN[slot.owner]}</span>'


def _session(slot: Slot) -> Sequence[str]:
    return (
        slot.notebook or "",
        str(slot.pid or ""),
        (slot.kernel or "")[:8],
        f"{OWNER_SIGN[slot.owner]} {_HELD[slot.owner]}",
        moment(slot.since),
        moment(slot.used),
    )
