"""The process's shared session: made, configured, found again."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from scidb_magic.errors import SettingError
from scidb_magic.managed import ManagedSession
from scidb_magic.session import lifecycle
from scidb_magic.session.layers import resolve
from scidb_magic.session.settings import CREDENTIALS, Settings, same_session
from scidb_magic.shim.secret import Secret

__all__ = ["ManagedSession", "connect", "current", "forget"]

_SECRETS = frozenset(secret for _, secret in CREDENTIALS)

_lock = threading.Lock()
_shared: ManagedSession | None = None

_given: dict[str, Any] = {}
"""What was said by name for the shared session, as `resolve` takes it."""

_standing: dict[str, Any] = {}
"""What holds for every shared session of this process, unless it is said by name: IPython's configuration."""


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    if _shared is not None:
        _shared.forget_threads()


lifecycle.after_fork(_after_fork)


def connect(
    url: str | None = None,
    *,
    user: str | None = None,
    password: str | None = None,
    http_auth: tuple[str, str] | None = None,
    verify: bool | str | None = None,
    admin: bool | None = None,
    namespace: str | None = None,
    **settings: Any,
) -> ManagedSession:
    """The process's shared session, configured; takes no slot until the first query.

    The same object again, unless settings differ that are not `live`: then the old slot is released first.

    Parameters
    ----------
    url : str, optional
        Of shim, or ``"embedded:"``, ``"embedded:DIR"``, or the name of a connection in the settings file;
        else ``$SCIDB_URL``; else shim on this machine if it answers, else the embedded server.
    user, password : str, optional
        Of SciDB; else from iquery's auth file. A password that was typed for the session's user on this
        server need not be given again.
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
    # Rebound, so that a traceback with the values of locals shows no password.
    password = password if password is None else Secret(password)
    http_auth = http_auth and (http_auth[0], Secret(http_auth[1]))
    settings = {
        name: Secret(value) if name in _SECRETS and isinstance(value, str) else value
        for name, value in settings.items()
    }
    given = {
        "url": url,
        "user": user,
        "password": password,
        "http_user": http_auth[0] if http_auth else None,
        "http_password": http_auth[1] if http_auth else None,
        "verify": verify,
        "admin": admin,
        "namespace": namespace,
    }
    return use({**given, **settings})


def use(given: Mapping[str, Any]) -> ManagedSession:
    """The shared session with just these settings given; see `connect`.

    Parameters
    ----------
    given : mapping
        Values by name, as they are or as `scidb_magic.session.layers.Said`.

    Raises
    ------
    SettingError
    """
    global _shared, _given
    resolved, sources = _with_known_secrets(*planned(given))
    with _lock:
        _given = dict(given)
        if _shared is not None and not _shared.connection.closed and same_session(_shared.settings, resolved):
            _shared.adopt(resolved, sources)
            return _shared
        former, new = _shared, ManagedSession(resolved, sources)
        if former is not None:
            new.follow(former)
        try:
            if former is not None:
                former.close()
        finally:
            _shared = new
        return _shared


def planned(given: Mapping[str, Any]) -> tuple[Settings, dict[str, str]]:
    """The settings, and their sources, that `use` would be asked to put in force.

    Raises
    ------
    SettingError
    """
    try:
        return resolve(given, standing=_standing)
    except SettingError as error:
        # The frames in which it was found know environment and files, and the secrets there.
        problem = error.with_traceback(None)
    raise problem


def changed(changes: Mapping[str, Any]) -> dict[str, Any]:
    """What was given for the shared session, with changes; a password is for one user on one server."""
    kept = dict(_given)
    for user, secret in CREDENTIALS:
        if changes.keys() & {"url", user}:
            kept.pop(secret, None)
    return {**kept, **changes}


def stand(values: Mapping[str, Any]) -> None:
    """Have values of `Said` hold for this and every later session, below what is given by name.

    Raises
    ------
    SettingError
        Then nothing has changed.
    """
    global _standing
    former, _standing = _standing, {**_standing, **values}
    if _shared is None or _shared.connection.closed:
        return
    try:
        use(_given)
    except BaseException:
        _standing = former
        raise


def unstand() -> None:
    """From the next `connect` on, only what is given by name counts."""
    global _standing
    _standing = {}


def _with_known_secrets(resolved: Settings, sources: dict[str, str]) -> tuple[Settings, dict[str, str]]:
    """The settings with the secrets that the shared session has for the same users on the same server."""
    if _shared is None or _shared.settings.url != resolved.url:
        return resolved, sources
    for user, secret in CREDENTIALS:
        name = getattr(resolved, user)
        if name is None or getattr(resolved, secret) is not None or getattr(_shared.settings, user) != name:
            continue
        resolved = replace(resolved, **{secret: getattr(_shared.settings, secret)})
        sources = {**sources, secret: _shared.sources.get(secret, "default")}
    return resolved, sources


def current() -> ManagedSession:
    """The shared session; made with the settings of environment and file if there is none."""
    return connect() if _shared is None or _shared.connection.closed else _shared


def forget() -> None:
    """Close the shared session, if there is one; `current` makes a new one."""
    global _shared, _given
    with _lock:
        former, _shared, _given = _shared, None, {}
    if former is not None:
        former.close()
