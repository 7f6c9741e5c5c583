"""Who holds the slots: the server's list, and this user's ledger."""

from __future__ import annotations

import os
import time
from collections import Counter
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from scidb_magic.errors import ScidbMagicError
from scidb_magic.session import ending, holder, proof
from scidb_magic.session.ledger import Entry, Ledger
from scidb_magic.session.proof import TRUSTED, Proof
from scidb_magic.session.recovery import Fate
from scidb_magic.session.status import Slot

if TYPE_CHECKING:
    from scidb_magic.shim.client import ShimClient

ORPHAN_SECONDS = 3.0
"""For the release of one orphan."""


def slots(client: ShimClient, mine: str | None) -> list[Slot]:
    """All slots as the server lists them; where it does not, those that the ledger knows.

    Parameters
    ----------
    client : ShimClient
    mine : str, optional
        The session id that this process holds.
    """
    from scidb_magic.shim.slots import parse

    known = {entry.sid[:6]: entry for entry in entries(client)}
    own = mine[:6] if mine else None
    listing = client.debug()
    if listing is None:
        prefixes = {*known, *([own] if own else [])}
        return [_slot(None, prefix, known.get(prefix), own) for prefix in sorted(prefixes)]
    return [
        Slot(line.number, None, "free")
        if line.free
        else _slot(line.number, line.sid_prefix, known.get(line.sid_prefix or ""), own)
        for line in parse(listing)
    ]


def entries(client: ShimClient) -> list[Entry]:
    """What this user's ledger knows of the server."""
    url = client.access().url
    return [entry for entry in Ledger().entries() if entry.url == url]


def full(client: ShimClient, seconds: float) -> str:
    """The line for a server without a free slot."""
    return f"The server has no free slot: {_told(client)} Waiting for up to {seconds:.0f} s."


def exhausted(client: ShimClient, waited: float) -> str:
    """The sentence for one that had none in time."""
    return f"The server has no free slot, after {waited:.0f} s: {_told(client)}"


def release_orphans(client: ShimClient) -> tuple[int, int]:
    """Free the sessions whose process is gone, where they are proved ours; how many were, and were not."""
    freed = left = 0
    for entry in entries(client):
        if holder.alive(entry.host, entry.pid, entry.started) is not False:
            continue
        if _ended(client, entry) is Fate.FORGET:
            Ledger().remove(entry)
            freed += 1
        else:
            left += 1
    return freed, left


def _slot(number: int | None, prefix: str | None, entry: Entry | None, own: str | None) -> Slot:
    if entry is None:
        mine = own is not None and prefix == own
        return Slot(number, prefix, "mine" if mine else "other", pid=os.getpid() if mine else None)
    return Slot(
        number,
        prefix,
        _owner(entry, own),
        _called(entry),
        entry.pid,
        entry.kernel,
        _moment(entry.taken),
        _moment(entry.used),
    )


def _owner(entry: Entry, own: str | None) -> str:
    if own is not None and entry.sid[:6] == own:
        return "mine"
    gone = holder.alive(entry.host, entry.pid, entry.started) is False
    return "orphan" if gone else "notebook"


def _called(entry: Entry) -> str | None:
    """The notebook's name, or what else tells it from others."""
    if entry.notebook is not None or entry.kernel is None:
        return entry.notebook
    return f"kernel {entry.kernel[:8]}"


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def _told(client: ShimClient) -> str:
    """Who holds what, and what can be done."""
    try:
        listed = slots(client, None)
    except ScidbMagicError:
        listed = []
    taken = [slot for slot in listed if slot.owner != "free"]
    count = Counter(slot.owner for slot in taken)
    ours = [
        f"{slot.notebook or f'process {slot.pid}'} since {_clock(slot.since)}"
        for slot in taken
        if slot.owner == "notebook"
    ]
    lists = any(slot.number is not None for slot in listed)
    gone = count["orphan"]
    verb = _plural(gone, "is", "are")
    parts = [
        f"{len(taken)} of {len(listed)} slots are taken" if lists else "it does not list them",
        *([f"{len(ours)} by your own ({', '.join(ours)})"] if ours else []),
        *([f"{gone} by {_plural(gone, 'a process', 'processes')} of yours that {verb} gone"] if gone else []),
        *([f"{count['other']} by others"] if count["other"] else []),
    ]
    ways = [
        *(["%scidb release --orphans frees what is yours and gone"] if gone else []),
        "%scidb release in a notebook that is done frees its slot",
    ]
    return f"{', '.join(parts)}. {'; '.join(ways)}."


def _plural(count: int, one: str, many: str) -> str:
    return one if count == 1 else many


def _clock(since: datetime | None) -> str:
    return since.astimezone().strftime("%H:%M") if since else "?"


def _ended(client: ShimClient, entry: Entry) -> Fate:
    """FORGET: it is free, or was gone; ABANDON: it cannot be proved to be ours."""
    known = Proof(bool(entry.lines), entry.etag) if entry.etag else None
    fate = Fate.KEEP
    if abs(time.time() - entry.used) > TRUSTED:
        fate = proof.fate(client, entry.sid, known, wait=ORPHAN_SECONDS)
    if fate is Fate.KEEP:
        ended = ending.end(client, entry.sid, known, running=True, seconds=ORPHAN_SECONDS)
        fate = ended or Fate.ABANDON
    return fate
