"""The files that settings and passwords are read from: our own in TOML, and iquery's auth file.

Ours is ``$SCIDB_MAGIC_CONFIG``, else ``config.toml`` in the user's configuration folder
(``~/.config/scidb_magic`` on Linux). iquery's is ``$SCIDB_CONFIG_USER``, else
``$XDG_CONFIG_HOME/scidb/iquery.auth``, ``~/.config/scidb/iquery.auth``.
"""

from __future__ import annotations

import configparser
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scidb_magic.errors import SettingError
from scidb_magic.shim.secret import Secret

PREFIX = "SCIDB_MAGIC_"


def config_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Path of the TOML file, whether or not it exists."""
    given = environ.get(PREFIX + "CONFIG")
    if given:
        return Path(given).expanduser()
    import platformdirs

    return Path(platformdirs.user_config_path("scidb_magic")) / "config.toml"


def auth_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Path of iquery's auth file, whether or not it exists."""
    given = environ.get("SCIDB_CONFIG_USER")
    if given:
        return Path(given).expanduser()
    return Path(environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "scidb" / "iquery.auth"


def read_toml(path: Path) -> dict[str, Any]:
    """What a TOML file holds; nothing where there is none.

    Raises
    ------
    SettingError
        It cannot be read, or is not TOML.
    """
    if not path.is_file():
        return {}
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingError(f"The settings file {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"The settings file {path} is not TOML: {error}.") from None


def read_auth(path: Path) -> tuple[str, Secret] | None:
    """User and password of iquery's auth file: JSON, or INI with section ``security_password``.

    Raises
    ------
    SettingError
        The file exists but holds neither form.
    """
    if not path.is_file():
        return None
    try:
        text = path.read_text("utf-8")
        if text.lstrip().startswith("{"):
            values: Mapping[str, str] = json.loads(text)
        else:
            ini = configparser.ConfigParser(interpolation=None)
            ini.read_string(text)
            values = ini["security_password"]
        return values["user-name"], Secret(values["user-password"])
    except (OSError, ValueError, KeyError, configparser.Error):
        raise SettingError(
            f"The auth file {path} cannot be read, or has no user-name and user-password, as JSON or in an"
            " INI section [security_password]."
        ) from None
