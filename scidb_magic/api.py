"""The process's shared session: made, configured, found again."""

from __future__ import annotations

import threading
from typing import Any

from scidb_magic.managed import ManagedSession
from scidb_magic.session import lifecycle
from scidb_magic.session.settings import resolve, same_session
from scidb_magic.shim.secret import Secret

__all__ = ["ManagedSession", "connect", "current", "forget"]

_VERIFY: dict[bool | str | None, str] = {True: "yes", False: "no"}
_lock = threading.Lock()
_shared: ManagedSession | None = None


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    if _shared is not None:
        _shared._inside = 0


lifecycle.after_fork(_after_fork)


def connect(
    url: str | None = None,
    *,
    user: str | None = None,
    password: str | None = None,
    http_auth: tuple[str, str] | None = None,
    verify: bool | str | None = None,
    admin: bool = False,
    namespace: str | None = None,
    **settings: Any,
) -> ManagedSession:
    """The process's shared session, configured; takes no slot until the first query.

    The same object again, unless settings differ that are not `live`: then the old slot is released first.

    Parameters
    ----------
    url : str, optional
        Of shim, or ``"embedded:"``, ``"embedded:DIR"``; else ``$SCIDB_URL``; else shim on this machine if
        it answers, else the embedded server.
    user, password : str, optional
        Of SciDB; else from iquery's auth file.
    http_auth : (user, password), optional
        Of the web server in front of shim.
    verify : bool or str, optional
        Check the TLS certificate; a str is the path of a file of trusted certificates.
    admin, namespace, **settings
        Rows of `scidb_magic.session.settings.SETTINGS`.

    Raises
    ------
    SettingError
    """
    global _shared
    password = password if password is None else Secret(password)
    http_auth = http_auth and (http_auth[0], Secret(http_auth[1]))
    given = {
        "url": url,
        "user": user,
        "password": password,
        "http_user": http_auth[0] if http_auth else None,
        "http_password": http_auth[1] if http_auth else None,
        "verify": _VERIFY.get(verify, verify),
        "admin": admin or None,
        "namespace": namespace,
        **settings,
    }
    resolved, sources = resolve(given)
    with _lock:
        if _shared is not None and not _shared.connection.closed and same_session(_shared.settings, resolved):
            _shared.adopt(resolved, sources)
            return _shared
        former, new = _shared, ManagedSession(resolved, sources)
        if former is not None:
            new.notify = former.notify
        try:
            if former is not None:
                former.close()
        finally:
            _shared = new
        return _shared


def current() -> ManagedSession:
    """The shared session; made with the settings of environment and file if there is none."""
    return connect() if _shared is None or _shared.connection.closed else _shared


def forget() -> None:
    """Close the shared session, if there is one; `current` makes a new one."""
    global _shared
    with _lock:
        former, _shared = _shared, None
    if former is not None:
        former.close()
