"""The settings as traits of IPython's configuration: ``%config SciDBMagics``, ``c.SciDBMagics.… = …``.

A trait shows the value in force, whoever set it. What ``%config`` sets counts as said by name for the
session that there is; a setting that is `live` stays, below what is said by name, for later ones. What
``ipython_config.py`` says holds for every session of the process, below what is said by name. One bad value
there and the extension is not loaded: with a server or a user left out, statements would go elsewhere.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from traitlets import TraitType
from traitlets.config.loader import Config, DeferredConfig, LazyConfigValue

from scidb_magic.errors import ScidbMagicError, SettingError
from scidb_magic.notebook import failure, shared
from scidb_magic.session.layers import Said
from scidb_magic.session.settings import SETTINGS, Setting, check

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

SECTION = "SciDBMagics"
SET = "%config"
LOADED = "IPython's configuration"


@contextlib.contextmanager
def _short() -> Iterator[None]:
    """Errors on the way are shown by IPython as one line."""
    try:
        yield
    except ScidbMagicError as error:
        failure.shorten(error)
        raise


class SettingTrait(TraitType[Any, Any]):
    """One setting as a trait: it shows the value in force, and setting it configures the session."""

    def __init__(self, setting: Setting) -> None:
        least = "" if setting.least is None else f" At least {setting.least:g}."
        text = f"{setting.help}{least} Variable {setting.environment}."
        super().__init__(default_value=setting.default, allow_none=True, help=text, config=True)
        self._setting = setting

    def info(self) -> str:
        """The choices, which traitlets shows of a trait whose class is called an Enum."""
        return ", ".join(self._setting.choices) or self._setting.type

    def get(self, obj: Any, cls: Any = None) -> Any:  # noqa: ARG002 - traitlets' signature
        """The value in force."""
        with _short():
            return getattr(shared.session().settings, self._setting.name)

    def set(self, obj: Any, value: Any) -> None:  # noqa: ARG002 - traitlets' signature
        """Configure the session."""
        said = {self._setting.name: Said(value, SET)}
        with _short():
            shared.configure(**said)
            if self._setting.live:
                shared.stand(said)


# IPython's help shows the name of the class as the type.
_KINDS = {name: type(name, (SettingTrait,), {}) for name in ("Str", "Bool", "Int", "Float", "Enum")}


def traits() -> dict[str, SettingTrait]:
    """A trait for each setting; a secret has none, for a configuration is shown and kept in a file."""
    return {
        name: _KINDS["Enum" if setting.choices else setting.type.capitalize()](setting)
        for name, setting in SETTINGS.items()
        if not setting.secret
    }


def load(config: Config) -> None:
    """Have the section of `config` hold for every session.

    Raises
    ------
    SettingError
        One of its values does not fit; then nothing has changed.
    """
    # A section inside is not ours; a lazy value is what was only looked at.
    said = {
        name: value
        for name, value in config.get(SECTION, {}).items()
        if not isinstance(value, (Config, LazyConfigValue))
    }
    with _short():
        shared.stand({name: Said(_checked(name, value), LOADED) for name, value in said.items()})


def update(shell: InteractiveShell, apply: Callable[[Config], None], config: Config) -> None:
    """Set what ``%config`` said by `apply`; an error is shown here, for IPython would only log it."""
    try:
        apply(config)
    except ScidbMagicError as error:
        failure.remember(error)
        untyped: Any = shell  # in IPython 8
        untyped.showtraceback((type(error), error, error.__traceback__))


def _checked(name: str, value: Any) -> Any:
    where = f"{LOADED}, c.{SECTION}.{name}"
    setting = SETTINGS.get(name)
    if setting is not None and setting.secret:
        raise SettingError(
            f"{where}: a secret is not kept there; it is asked for by %scidb connect --user, or comes from"
            " iquery's auth file or keyring."
        )
    if isinstance(value, DeferredConfig):  # of a command line, where all is text
        value = str(value)
    try:
        return check(name, value)
    except SettingError as error:
        raise SettingError(f"{where}: {error}") from None
