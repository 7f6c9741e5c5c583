"""Connections by name: tables of the settings file.

::

    [connections.prod]
    url = "https://cluster:8083"
    user = "anna"
    verify = "/etc/ssl/cluster.pem"

Where a URL is taken, ``prod`` may stand. A table has a URL and any other settings, but no secret: the
file gets copied, shown and put under version control.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeGuard

from scidb_magic.errors import SettingError

SECTION = "connections"
SOURCE = "connection "
"""How the source begins of what comes from here."""

_SECRET = re.compile(r"pass|pwd|pw$|secret|token|credential|auth", re.IGNORECASE)
_OF_URLS = re.compile(r"[:/@\s]")


def is_name(url: object) -> TypeGuard[str]:
    """Whether what stands in a URL's place is a connection's name: every URL has a colon."""
    return isinstance(url, str) and url != "" and not _OF_URLS.search(url)


def read(
    in_file: Mapping[str, Any], path: Path, check: Callable[[str, Any], Any]
) -> dict[str, dict[str, Any]]:
    """The connections of a settings file by their names.

    Parameters
    ----------
    in_file : mapping
        The whole file.
    path : Path
        Of the file, for messages.
    check : callable
        `settings.check`: takes a setting's name and value, gives the value in its own type.

    Raises
    ------
    SettingError
        A table that is none, or has no URL, a key that is no setting, an unfit value, or a secret.
    """
    tables = in_file.get(SECTION, {})
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise SettingError(f"'{SECTION}' in {path} is made of tables, such as [{SECTION}.prod].")
    return {name: _read(name, table, path, check) for name, table in tables.items()}


def _read(
    name: str, table: Mapping[str, Any], path: Path, check: Callable[[str, Any], Any]
) -> dict[str, Any]:
    where = f"[{SECTION}.{name}] in {path}"
    if not is_name(name):
        raise SettingError(f"{where}: a connection's name has neither spaces nor any of ':', '/' and '@'.")
    for key in table:
        if _SECRET.search(key):
            raise SettingError(
                f"{where} has a '{key}', and secrets are not kept there: the password is asked for by"
                f" %scidb connect {name}, or comes from iquery's auth file or keyring."
            )
    if not table.get("url") or is_name(table["url"]):
        raise SettingError(f"{where} needs a url; it begins with http://, https:// or 'embedded:'.")
    try:
        return {key: check(key, value) for key, value in table.items()}
    except SettingError as error:
        raise SettingError(f"{where}: {error}") from None


def choose(tables: Mapping[str, dict[str, Any]], name: str, path: Path) -> dict[str, Any]:
    """The connection `name` of the file `path`.

    Raises
    ------
    SettingError
        There is none; the sentence lists those that there are.
    """
    if name in tables:
        return tables[name]
    near = difflib.get_close_matches(name, tables, 1)
    meant = f"did you mean '{near[0]}'?" if near else "a URL begins with http://, https:// or 'embedded:'."
    there = f"only {', '.join(tables)}" if tables else f"which has no table [{SECTION}.…]"
    raise SettingError(f"There is no connection '{name}' in {path}, {there}; {meant}")
