"""Everything that can be set, in one table: the fields of `Settings`.

Each field has a type, a default and one sentence of help. From the table come the environment
variables (``SCIDB_URL``, ``SCIDB_MAGIC_SLOT_WAIT`` …), the keys of the TOML file, and the traits of
``%config SciDBMagics``. `layers` tells which of several values counts.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

from scidb_magic.errors import SettingError
from scidb_magic.session import profiles
from scidb_magic.session.sources import PREFIX
from scidb_magic.shim.secret import Secret

CREDENTIALS = (("user", "password"), ("http_user", "http_password"))
"""Users and the secrets that are theirs."""

FORMATS = ("auto", "arrow", "binary")
RETRY = ("safe", "never", "always")


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table.

    `environment` is the variable's name; `choices` is empty where any value of the type will do; a
    session goes on when a `live` setting changes; a number is at least `least`; `example` is a value.
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
    example: Any = None


def _row(
    default: Any,
    help: str,
    *,
    environment: str | None = None,
    secret: bool = False,
    choices: tuple[str, ...] = (),
    live: bool = False,
    least: float | None = None,
    example: Any = None,
) -> Any:
    metadata = {
        "help": help,
        "environment": environment,
        "secret": secret,
        "choices": choices,
        "live": live,
        "least": least,
        "example": example,
    }
    return field(default=default, repr=not secret, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Settings:
    """The values in force. Seconds for times, bytes for sizes."""

    url: str | None = _row(
        None,
        "URL of shim, or 'embedded:' for the server that comes with this package (in memory), or"
        " 'embedded:DIR' to keep its arrays in a folder, or the name of a connection in the settings file.",
        environment="SCIDB_URL",
        example="https://cluster:8083",
    )
    user: str | None = _row(None, "SciDB user; none: SciDB is asked without one.", example="anna")
    password: str | None = _row(None, "Password of the SciDB user.", secret=True)
    http_user: str | None = _row(
        None, "User of the web server in front of shim (Digest or Basic).", example="anna"
    )
    http_password: str | None = _row(None, "Password of the web server's user.", secret=True)
    verify: str = _row(
        "yes",
        "Check the TLS certificate: 'yes', 'no', or the path of a file of trusted certificates.",
        example="/etc/ssl/cluster.pem",
    )
    admin: bool = _row(False, "Take the session with SciDB's priority for administrators.", example=True)
    namespace: str | None = _row(
        None, "Namespace of unqualified array names (Enterprise Edition).", live=True, example="lab"
    )
    retry: str = _row(
        "safe",
        "May a statement be sent again after a fault: 'safe' (only where that changes nothing), 'never',"
        " 'always'.",
        choices=RETRY,
        live=True,
        example="never",
    )
    connect_timeout: float = _row(
        10.0, "Seconds to wait for a connection to the server.", least=0.1, example=30
    )
    release_timeout: float = _row(
        1.5, "Seconds to wait for the answer to the release at the end.", live=True, least=0.1, example=3
    )
    slot_wait: float = _row(
        75.0,
        "Seconds to wait for a slot on a full server; shim reaps after 60.",
        live=True,
        least=0,
        example=300,
    )
    connect_wait: float = _row(
        30.0,
        "Seconds to try again where the server refuses connections, as shim does when it is overloaded.",
        live=True,
        least=0,
        example=120,
    )
    idle_release: float = _row(
        600.0,
        "Seconds without a query after which the slot is given back by itself, to be taken again by the next"
        " query; 0: never.",
        live=True,
        least=0,
        example=0,
    )
    guardian: bool = _row(
        True,
        "Have a small helper process free the slot when this process ends without doing so (not on Windows).",
        example=False,
    )
    read_operators: str = _row(
        "",
        "More operators that change nothing, with commas between them: their statements may be sent again.",
        live=True,
        example="my_scan,my_stats",
    )
    format: str = _row(
        "auto",
        "How whole results travel: 'auto' (Arrow where server and types allow it, else SciDB's binary"
        " format), 'arrow', 'binary'.",
        choices=FORMATS,
        live=True,
        example="binary",
    )
    progress_after: float = _row(
        1.0, "Seconds after which a running statement shows its progress.", live=True, least=0, example=10
    )
    display_limit: int = _row(
        1000, "Rows shown of a result that is only displayed.", live=True, least=1, example=100
    )
    max_result_bytes: int = _row(
        2**31, "Largest result that is downloaded, in bytes.", live=True, least=1, example=8_000_000_000
    )


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
            row.metadata["example"],
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


def _to_verify(value: Any) -> Any:
    """'yes' and 'no' for all that means them; else a path."""
    truth = _TRUTH.get(value.strip().lower()) if isinstance(value, str) else value
    return {True: "yes", False: "no"}[truth] if isinstance(truth, bool) else value


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
    setting = _named(name)
    if value is None and setting.default is None:
        return None
    if name == "verify":
        value = _to_verify(value)
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
    if setting.type == "float" and not value <= threading.TIMEOUT_MAX:
        raise SettingError(f"Setting '{name}' takes a finite number of seconds, not {value!r}.")
    if setting.least is not None and not value >= setting.least:
        raise SettingError(f"Setting '{name}' is at least {setting.least:g}, not {value!r}.")
    if name == "url" and not profiles.is_name(value):
        check_url(value)
    if setting.secret:
        return Secret(value)
    return float(value) if setting.type == "float" else value


def _named(name: str) -> Setting:
    setting = SETTINGS.get(name)
    if setting is None:
        near = difflib.get_close_matches(name, SETTINGS, 1)
        known = f"did you mean '{near[0]}'?" if near else f"the settings are {', '.join(SETTINGS)}."
        raise SettingError(f"There is no setting '{name}'; {known}")
    return setting


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
