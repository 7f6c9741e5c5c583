"""Where the password of a user that has a name comes from: auth file, keyring, prompt."""

from __future__ import annotations

import getpass
import importlib.util
from collections.abc import Mapping
from typing import Any

from scidb_magic.errors import MagicUsageError
from scidb_magic.session.layers import Said
from scidb_magic.session.profiles import SOURCE
from scidb_magic.session.settings import CREDENTIALS, Settings
from scidb_magic.session.sources import auth_file, read_auth
from scidb_magic.shim.secret import Secret


def wanted(given: Mapping[str, Any], settings: Settings, sources: Mapping[str, str]) -> dict[str, Said]:
    """The passwords, by the names of their settings, of the users that `given` or a connection's table names.

    Parameters
    ----------
    given : mapping
        What stands on the line; its users are asked for their passwords whatever is known of them.
    settings : Settings
    sources : mapping
        What the line would come to.

    Raises
    ------
    MagicUsageError
        A password is nowhere, and there is nobody to ask.
    """
    found = {}
    for user, secret in CREDENTIALS:
        name = getattr(settings, user)
        of_table = sources[user].startswith(SOURCE) and getattr(settings, secret) is None
        if name and (user in given or of_table):
            found[secret] = password(name, settings.url, from_auth_file=user == "user")
    return found


def password(user: str, url: str | None, *, from_auth_file: bool = True) -> Said:
    """The password of `user` on the server `url`, and where it was.

    Parameters
    ----------
    user : str
    url : str or None
        Also the name of keyring's service (``keyring set URL USER``); None: the default server.
    from_auth_file : bool
        Whether the user is SciDB's, whom iquery's auth file may know.

    Raises
    ------
    MagicUsageError
        It is nowhere, and there is nobody to ask.
    """
    if from_auth_file:
        known = read_auth(auth_file())
        if known is not None and known[0] == user:
            return Said(known[1], str(auth_file()))
    found = _from_keyring(user, url)
    return Said(found, "keyring") if found is not None else Said(_ask(f"Password of {user}: "), "prompt")


def _from_keyring(user: str, url: str | None) -> Secret | None:
    """None where keyring is not installed, has no backend, or does not know the user."""
    if url is None or importlib.util.find_spec("keyring") is None:
        return None
    keyring = importlib.import_module("keyring")
    try:
        found = keyring.get_password(url, user)
    except keyring.errors.KeyringError:
        return None
    return None if found is None else Secret(found)


def _ask(prompt: str) -> Secret:
    try:
        # Looked up at the call: a kernel puts its own prompt in the module's place.
        return Secret(getpass.getpass(prompt))
    except (EOFError, RuntimeError):  # a kernel that nobody can type into raises the latter
        raise MagicUsageError(
            "There is nobody to type the password here: keep it in iquery's auth file"
            f" ({auth_file()}) or in keyring."
        ) from None
