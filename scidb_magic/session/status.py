"""What can be said of the session at a moment: plain values for people and programs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

STATES = ("idle", "running", "reconnecting", "released", "unreachable", "unconnected")
OWNERS = ("mine", "notebook", "orphan", "other", "free")


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """State and counters of the session.

    Attributes
    ----------
    state : str
        One of `STATES`.
    url : str or None
        None while no URL was given and none was decided on.
    server_version : str or None
        As ``/version`` answers; None before the first query.
    user, namespace : str or None
    since : datetime
        When the session came into this state (UTC).
    queries : int
        Statements that were run.
    replays : int
        Statements that were sent again in a new session.
    bytes : int
        Data sent and received.
    abandoned : int
        Sessions left to shim's reaping, because their id may be somebody else's by now.
    """

    state: str
    url: str | None
    server_version: str | None
    user: str | None
    namespace: str | None
    since: datetime
    queries: int = 0
    replays: int = 0
    bytes: int = 0
    abandoned: int = 0


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot of the server.

    Attributes
    ----------
    number : int or None
        Place in shim's array; None where the server does not list its slots.
    sid : str or None
        First six characters of the session id, as the server lists it; never the whole.
    owner : str
        One of `OWNERS`.
    notebook : str or None
    pid : int or None
        Of the process that holds it, where that is known.
    kernel : str or None
        Id of the Jupyter kernel that holds it, where that is known.
    since, used : datetime or None
        When it was taken, and last used (UTC), where that is known.
    """

    number: int | None
    sid: str | None
    owner: str
    notebook: str | None = None
    pid: int | None = None
    kernel: str | None = None
    since: datetime | None = None
    used: datetime | None = None
