"""What the status shows: plain values, without a clock, so that equal ones mean that nothing happened."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scidb_magic.errors import ScidbMagicError
from scidb_magic.notebook.units import size
from scidb_magic.session.status import OWNERS, SessionStatus, Slot

if TYPE_CHECKING:
    from scidb_magic.api import ManagedSession

MEANING = {
    "idle": "holds a slot, no query runs",
    "running": "holds a slot, a query runs",
    "reconnecting": "the slot was lost, a new one is being taken",
    "released": "holds no slot; the next query takes one",
    "unreachable": "the server did not answer",
    "unconnected": "holds no slot yet; the first query takes one",
}

CALLED = {
    "mine": "this notebook",
    "notebook": "my other notebooks",
    "orphan": "my orphans",
    "other": "others",
    "free": "free",
}


@dataclass(frozen=True, slots=True)
class Overview:
    """The session and the slots at a moment.

    Attributes
    ----------
    status : SessionStatus
    running : str or None
        The statement that runs.
    slots : tuple of Slot
        As the server lists them, or those that the ledger knows; empty where nobody was asked yet.
    trouble : str
        Why the slots are not known; empty where they are.
    """

    status: SessionStatus
    running: str | None = None
    slots: tuple[Slot, ...] = ()
    trouble: str = ""

    @property
    def listed(self) -> bool:
        """Whether the server lists its slots."""
        return any(slot.number is not None for slot in self.slots)

    @property
    def own(self) -> list[Slot]:
        """The slots of this user, this notebook's first."""
        found = [slot for slot in self.slots if slot.owner in ("mine", "notebook", "orphan")]
        return sorted(found, key=lambda slot: OWNERS.index(slot.owner))

    @property
    def count(self) -> dict[str, int]:
        """How many slots each of `OWNERS` has."""
        found = Counter(slot.owner for slot in self.slots)
        return {owner: found[owner] for owner in OWNERS}

    def now(self, session: ManagedSession) -> Overview:
        """The same with the session as it is now; asks nobody."""
        return replace(self, status=session.status(), running=session.connection.running)


def look(session: ManagedSession) -> Overview:
    """The session and the slots now. Asks the server for its slots, where one is known; takes none."""
    overview = Overview(session.status(), session.connection.running)
    if overview.status.url is None:
        return overview
    try:
        return replace(overview, slots=tuple(session.slots()))
    except ScidbMagicError as error:
        return replace(overview, trouble=str(error))


def in_words(overview: Overview) -> str:
    """The slots in a sentence."""
    if overview.trouble:
        return f"The slots are not known: {overview.trouble}"
    if not overview.slots:
        return "No slots are known: no server has been asked yet."
    count = overview.count
    if not overview.listed:
        return "The server does not list its slots; these are the sessions of your own notebooks."
    told = ", ".join(f"{CALLED[owner]} {number}" for owner, number in count.items() if number)
    taken = len(overview.slots) - count["free"]
    return f"{taken} of {len(overview.slots)} slots are taken: {told}."


def session_rows(status: SessionStatus) -> list[tuple[str, str]]:
    """What is known of the session beside its state, as (name, value)."""
    server = status.url or "not decided yet"
    if status.server_version:
        server += f" (SciDB {status.server_version})"
    told = [
        ("server", server),
        ("user", status.user or "none given"),
        ("namespace", status.namespace or "public"),
        ("queries", f"{status.queries:,}"),
        ("replays", f"{status.replays:,}"),
        ("data", size(status.bytes)),
    ]
    if status.abandoned:
        told.append(("abandoned", f"{status.abandoned:,} (left to shim, which frees them when it is full)"))
    return told
