"""The kernel's session as the magics see it, and its settings.

The session itself is that of `scidb_magic.api`: magics, Python calls and the SciDB-Py object share it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scidb_magic.errors import SettingError
from scidb_magic.notebook import display, progress
from scidb_magic.session.connection import unwatched

if TYPE_CHECKING:
    from scidb_magic.api import ManagedSession
    from scidb_magic.session.layers import Said
    from scidb_magic.session.settings import Settings


def session() -> ManagedSession:
    """The shared session; its notices and its progress appear in the notebook."""
    from scidb_magic import api

    found = api.current()
    found.notify = display.notice
    found.connection.watching = progress.watching
    return found


def configure(**changes: Any) -> ManagedSession:
    """The shared session with some settings changed and all others as they were given.

    Raises
    ------
    SettingError
    """
    from scidb_magic import api

    return connect(**api.changed(changes))


def planned(given: Mapping[str, Any], *, anew: bool) -> tuple[Settings, dict[str, str]]:
    """The settings, and their sources, that `connect`, or else `configure`, would put in force.

    Raises
    ------
    SettingError
    """
    from scidb_magic import api

    return api.planned(given if anew else api.changed(given))


def connect(**given: Any) -> ManagedSession:
    """The shared session with just these settings given; None counts as not given.

    Raises
    ------
    SettingError
    """
    from scidb_magic import api

    api.use(given)
    return session()


def stand(values: Mapping[str, Said]) -> None:
    """Have values hold for this and every later session, below what is given by name.

    Raises
    ------
    SettingError
    """
    from scidb_magic import api

    api.stand(values)


def let_go() -> None:
    """Give the slot back; from now on notices are logged, and IPython's configuration says nothing."""
    from scidb_magic import api

    # Settings that do not fit never got as far as a slot.
    with contextlib.suppress(SettingError):
        found = api.current()
        found.release()
        found.notify = display.log.warning
        found.connection.watching = unwatched
    api.unstand()
