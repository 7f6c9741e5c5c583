"""Which value of a setting counts, where several places say one.

What is nearer to the user wins: argument, connection by name (`profiles`), IPython's configuration,
environment, file, default. `sources` reads the files.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scidb_magic.errors import SettingError
from scidb_magic.session import profiles
from scidb_magic.session.settings import CREDENTIALS, SETTINGS, Setting, Settings, check
from scidb_magic.session.sources import auth_file, config_file, read_auth, read_toml


@dataclass(frozen=True, slots=True)
class Said:
    """A value, and where it was said, for people."""

    value: Any
    source: str


_Layer = dict[str, Said]


def read_file(environ: Mapping[str, str] = os.environ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The settings of the settings file, and its connections by name.

    Raises
    ------
    SettingError
        Of anything in the file; the sentence names it.
    """
    path = config_file(environ)
    in_file = read_toml(path)
    connections = profiles.read(in_file, path, check)
    in_file.pop(profiles.SECTION, None)
    for name, value in in_file.items():
        try:
            check(name, value)
        except SettingError as error:
            raise SettingError(f"The settings file {path}: {error}") from None
    return in_file, connections


def resolve(
    given: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
    standing: Mapping[str, Any] | None = None,
) -> tuple[Settings, dict[str, str]]:
    """The settings in force, and where each came from.

    Parameters
    ----------
    given : mapping
        What the caller said by name, as it is or as `Said`; None counts as not said.
    environ : mapping
        Environment variables.
    standing : mapping of str to Said
        What IPython's configuration says, for every session.

    Returns
    -------
    settings : Settings
    sources : dict of str to str
        For each setting ``"argument"`` or what its `Said` says, ``"connection NAME in PATH"``, the
        variable's name, the file's path, or ``"default"``.

    Raises
    ------
    SettingError
    """
    layers = _layers(given or {}, standing or {}, environ)
    values: dict[str, Any] = {}
    sources = dict.fromkeys(SETTINGS, "default")
    for name, setting in SETTINGS.items():
        said = next((layer[name] for layer in layers if name in layer and _is_for(layer, name, values)), None)
        if said is not None:
            values[name], sources[name] = _value(setting, said), said.source
    if "password" not in values:
        from_file = read_auth(auth_file(environ))
        if from_file is not None and values.get("user") in (None, from_file[0]):
            values["user"], values["password"] = from_file
            sources["user"] = sources["password"] = str(auth_file(environ))
    return Settings(**values), sources


def _layers(
    given: Mapping[str, Any], standing: Mapping[str, Any], environ: Mapping[str, str]
) -> list[_Layer]:
    """All that was said, what is nearest to the user first."""
    path = config_file(environ)
    in_file, connections = read_file(environ)
    variables = {row.name: row.environment for row in SETTINGS.values() if environ.get(row.environment)}
    layers = [
        _layer(given, "argument"),
        _layer(standing, "configuration"),
        {name: Said(environ[variable], variable) for name, variable in variables.items()},
        _layer(in_file, str(path)),
    ]
    url = next((layer["url"].value for layer in layers if "url" in layer), None)
    if profiles.is_name(url):
        layers[0].pop("url", None)
        table = profiles.choose(connections, url, path)
        layers.insert(1, _layer(table, f"{profiles.SOURCE}{url} in {path}"))
    return layers


def _layer(values: Mapping[str, Any], source: str) -> _Layer:
    layer = {}
    for name, value in values.items():
        if name not in SETTINGS:
            check(name, None)
        said = value if isinstance(value, Said) else Said(value, source)
        if said.value is not None:
            layer[name] = said
    return layer


_USERS = {secret: user for user, secret in CREDENTIALS}


def _is_for(layer: _Layer, name: str, values: Mapping[str, Any]) -> bool:
    """Whether a value may be used: a secret that stands beside one user is not sent for another."""
    user = _USERS.get(name)
    return user is None or user not in layer or layer[user].value == values.get(user)


def _value(setting: Setting, said: Said) -> Any:
    try:
        return check(setting.name, said.value)
    except SettingError as error:
        if said.source != setting.environment:
            raise
        raise SettingError(f"{said.source}: {error}") from None
