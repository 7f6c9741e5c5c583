"""What a subcommand and a button do alike: an action on the session, told in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scidb_magic.api import ManagedSession


def release(session: ManagedSession) -> str:
    """Give the slot back."""
    session.release()
    return "No slot is held; the next query takes one."


def release_orphans(session: ManagedSession) -> str:
    """Free the slots of this user's processes that are gone."""
    freed, left = session.release_orphans()
    told = [f"{freed} orphaned {'slot is' if freed == 1 else 'slots are'} free again."]
    if left:
        told.append(
            f"{left} could not be proved to be yours still and {'is' if left == 1 else 'are'} left to the"
            " server, which takes them back when it is full."
        )
    return " ".join(told)


def reconnect(session: ManagedSession) -> str:
    """Give the slot back and take a new one."""
    session.reconnect()
    return "A new session holds a slot."


def cancel(session: ManagedSession) -> str:
    """Cancel the running query on the server."""
    return "The running query was cancelled." if session.cancel() else "No query is running."
