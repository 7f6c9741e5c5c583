"""Everything that can be set, in one table: the fields of `Settings`.

Each field has a type, a default and one sentence of help. From the table come the environment
variables (``SCIDB_URL``, ``SCIDB_MAGIC_SLOT_WAIT`` …), the keys of the TOML file, and the traits of
``%config SciDBMagics``. What is nearer to the user wins: argument, environment, file, default.

The file is ``$SCIDB_MAGIC_CONFIG``, else ``config.toml`` in the user's configuration folder
(``~/.config/scidb_magic`` on Linux). User and password may also stand in iquery's own file:
``$SCIDB_CONFIG_USER``, else ``$XDG_CONFIG_HOME/scidb/iquery.auth``, ``~/.config/scidb/iquery.auth``.
"""

from __future__ import annotations

import configparser
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scidb_magic.errors import SettingError
from scidb_magic.shim.secret import Secret

PREFIX = "SCIDB_MAGIC_"

FORMATS = ("auto", "arrow", "binary")
RETRY = ("safe", "never", "always")


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table.

    `environment` is the variable's name; `choices` is empty where any value of the type will do; a
    session goes on when a `live` setting changes; a number is at least `least`.
    """

    name: str
    type: str
    default: Any
    help: str
    environment: str
    secret: bool = False
    choices: tuple[str, ...] = ()
    live: bool = False
    least: float | None = None


def _row(
    default: Any,
    help: str,
    *,
    environment: str | None = None,
    secret: bool = False,
    choices: tuple[str, ...] = (),
    live: bool = False,
    least: float | None = None,
) -> Any:
    metadata = {
        "help": help,
        "environment": environment,
        "secret": secret,
        "choices": choices,
        "live": live,
        "least": least,
    }
    return field(default=default, repr=not secret, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Settings:
    """The values in force. Seconds for times, bytes for sizes."""

    url: str | None = _row(
        None,
        "URL of shim, or 'embedded:' for the server that comes with this package (in memory), or"
        " 'embedded:DIR' to keep its arrays in a folder.",
        environment="SCIDB_URL",
    )
    user: str | None = _row(None, "SciDB user; none: SciDB is asked without one.")
    password: str | None = _row(None, "Password of the SciDB user.", secret=True)
    http_user: str | None = _row(None, "User of the web server in front of shim (Digest or Basic).")
    http_password: str | None = _row(None, "Password of the web server's user.", secret=True)
    verify: str = _row(
        "yes", "Check the TLS certificate: 'yes', 'no', or the path of a file of trusted certificates."
    )
    admin: bool = _row(False, "Take the session with SciDB's priority for administrators.")
    namespace: str | None = _row(
        None, "Namespace of unqualified array names (Enterprise Edition).", live=True
    )
    retry: str = _row(
        "safe",
        "May a statement be sent again after a fault: 'safe' (only where that changes nothing), 'never',"
        " 'always'.",
        choices=RETRY,
        live=True,
    )
    connect_timeout: float = _row(10.0, "Seconds to wait for a connection to the server.", least=0.1)
    release_timeout: float = _row(
        1.5, "Seconds to wait for the answer to the release at the end.", live=True, least=0.1
    )
    slot_wait: float = _row(
        75.0, "Seconds to wait for a slot on a full server; shim reaps after 60.", live=True, least=0
    )
    connect_wait: float = _row(
        30.0,
        "Seconds to try again where the server refuses connections, as shim does when it is overloaded.",
        live=True,
        least=0,
    )
    idle_release: float = _row(
        600.0,
        "Seconds without a query after which the slot is given back by itself, to be taken again by the next"
        " query; 0: never.",
        live=True,
        least=0,
    )
    guardian: bool = _row(
        True,
        "Have a small helper process free the slot when this process ends without doing so (not on Windows).",
    )
    read_operators: str = _row(
        "",
        "More operators that change nothing, with commas between them: their statements may be sent again.",
        live=True,
    )
    format: str = _row(
        "auto",
        "How whole results travel: 'auto' (Arrow where server and types allow it, else SciDB's binary"
        " format), 'arrow', 'binary'.",
        choices=FORMATS,
        live=True,
    )
    progress_after: float = _row(
        1.0, "Seconds after which a running statement shows its progress.", live=True, least=0
    )
    display_limit: int = _row(1000, "Rows shown of a result that is only displayed.", live=True, least=1)
    max_result_bytes: int = _row(2**31, "Largest result that is downloaded, in bytes.", live=True, least=1)


def _table() -> dict[str, Setting]:
    rows = {}
    for row in fields(Settings):
        rows[row.name] = Setting(
            row.name,
            str(row.type).partition(" | ")[0],
            row.default,
            row.metadata["help"],
            row.metadata["environment"] or PREFIX + row.name.upper(),
            row.metadata["secret"],
            row.metadata["choices"],
            row.metadata["live"],
            row.metadata["least"],
        )
    return rows


SETTINGS: dict[str, Setting] = _table()


def same_session(one: Settings, other: Settings) -> bool:
    """Whether a session with settings `one` may go on with `other`."""
    return all(
        getattr(one, row.name) == getattr(other, row.name) for row in SETTINGS.values() if not row.live
    )


_TRUTH = {"1": True, "yes": True, "true": True, "on": True}
_TRUTH |= {"0": False, "no": False, "false": False, "off": False}


def _to_bool(text: str) -> bool:
    return _TRUTH[text.strip().lower()]


_PARSE: dict[str, Callable[[str], Any]] = {"str": str, "bool": _to_bool, "int": int, "float": float}
_ACCEPT: dict[str, tuple[type, ...]] = {
    "str": (str, Secret),
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
}


def check(name: str, value: Any) -> Any:
    """The value of setting `name` in its own type.

    Raises
    ------
    SettingError
        No such setting, or a value that does not fit; the sentence names what would.
    """
    setting = SETTINGS.get(name)
    if setting is None:
        raise SettingError(f"There is no setting '{name}'; the settings are {', '.join(SETTINGS)}.")
    if value is None and setting.default is None:
        return None
    try:
        if isinstance(value, str) and setting.type != "str":
            value = _PARSE[setting.type](value)
        if type(value) not in _ACCEPT[setting.type]:
            raise ValueError
    except (ValueError, KeyError):
        shown = "" if setting.secret else f", not {value!r}"
        raise SettingError(f"Setting '{name}' takes a value of type {setting.type}{shown}.") from None
    if setting.choices and value not in setting.choices:
        raise SettingError(f"Setting '{name}' takes one of {', '.join(setting.choices)}, not {value!r}.")
    if setting.least is not None and not value >= setting.least:
        raise SettingError(f"Setting '{name}' is at least {setting.least:g}, not {value!r}.")
    if name == "url":
        check_url(value)
    if setting.secret:
        return Secret(value)
    return float(value) if setting.type == "float" else value


_NO_URL = "A URL of shim begins with http:// or https:// and names a host, or it is 'embedded:'."


def check_url(url: str) -> None:
    """Refuse a URL that shim cannot have, or that carries a password.

    Raises
    ------
    SettingError
    """
    if url.startswith("embedded:"):
        return
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        raise SettingError(_NO_URL) from None
    if "@" in url:
        raise SettingError(
            "A URL with a user or password is not taken: give the user by name, and the password at the"
            " prompt, in iquery's auth file, or from keyring."
        )
    if parts.scheme not in ("http", "https") or not host:
        raise SettingError(_NO_URL)


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


def _read_toml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(path.read_text("utf-8"))
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


def resolve(
    given: Mapping[str, Any] | None = None, environ: Mapping[str, str] = os.environ
) -> tuple[Settings, dict[str, str]]:
    """The settings in force, and where each came from.

    Parameters
    ----------
    given : mapping
        What the caller said by name; None counts as not said.
    environ : mapping
        Environment variables.

    Returns
    -------
    settings : Settings
    sources : dict of str to str
        For each setting ``"argument"``, the variable's name, the file's path, or ``"default"``.

    Raises
    ------
    SettingError
    """
    path = config_file(environ)
    in_file = _read_toml(path)
    for name in in_file:
        check(name, in_file[name])
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name in given or {}:
        if name not in SETTINGS:
            check(name, None)
    for name, setting in SETTINGS.items():
        candidates = (
            ("argument", (given or {}).get(name)),
            (setting.environment, environ.get(setting.environment) or None),
            (str(path), in_file.get(name)),
        )
        for source, value in candidates:
            if value is not None:
                values[name], sources[name] = check(name, value), source
                break
        else:
            sources[name] = "default"
    if "password" not in values:
        from_file = read_auth(auth_file(environ))
        if from_file is not None and values.get("user") in (None, from_file[0]):
            values["user"], values["password"] = from_file
            sources["user"] = sources["password"] = str(auth_file(environ))
    return Settings(**values), sources
