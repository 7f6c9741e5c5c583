"""``%scidb`` and ``%%scidb``: registered, configured, taken away again.

::

    %load_ext scidb_magic
    %scidb connect https://cluster:8083 --user anna

    %%scidb -o hot
    filter(weather, temp_max > {{ limit }})

The line's way: `options` reads it, `subcommands` or `runner` does it, `failure` shortens what goes wrong.
The session belongs to the process (`scidb_magic.api`); the magics only speak to it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, needs_local_scope, no_var_expand
from traitlets.config.loader import Config

from scidb_magic.errors import MagicUsageError, QueryError, QueryInterrupted, ScidbMagicError
from scidb_magic.notebook import (
    failure,
    history,
    inspection,
    kernel,
    manual,
    options,
    runner,
    shared,
    status,
    subcommands,
    traits,
)
from scidb_magic.notebook.catalogue import Catalogue
from scidb_magic.notebook.completion import Completer
from scidb_magic.notebook.suggestions import suggestion

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_COMMAND = re.compile(r"([A-Za-z_]\w*)\s*(\(?)")
_BARE_WORD = re.compile(r"[A-Za-z_]\w*;?$")
_RERUN = re.compile(r"rerun\s+(\S+)$")
_URL = re.compile(r"(https?://|embedded:)")


@magics_class
class SciDBMagics(Magics):
    """SciDB's magics; the traits are the settings of the kernel's session."""

    vars().update(traits.traits())

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self.catalogue = Catalogue(lambda: shared.session().connection)
        self.completer = Completer(shell, self.catalogue)
        # What IPython's configuration says was applied by `load`, before there is anything to take back.
        super().__init__(shell, config=Config())

    def update_config(self, config: Config) -> None:
        """Apply just what `config` says: a later ``connect`` is not undone by an earlier ``%config``."""
        traits.update(self._shell, super()._load_config, config)

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    def scidb(self, line: str, cell: str | None = None, local_ns: Mapping[str, Any] | None = None) -> Any:
        """Run AFL, or a subcommand."""
        try:
            return self._run(line, cell, local_ns or {})
        except (ScidbMagicError, QueryInterrupted) as error:
            if not failure.is_short(error):
                failure.shorten(error)
            failure.remember(error)
            if isinstance(error, QueryError) and (meant := suggestion(error, self.catalogue.updated)):
                failure.lengthen(error, meant)
            raise
        finally:
            self.catalogue.refresh()

    scidb.__doc__ = manual.text(subcommands.SUBCOMMANDS)

    def _run(self, line: str, cell: str | None, local_ns: Mapping[str, Any]) -> Any:
        chosen, text = options.read_query(line)
        if chosen.help:
            return subcommands.run("help", "", {})
        options.refuse_secret(text)
        if _URL.match(text):
            raise MagicUsageError("A server is chosen with %scidb connect URL.")
        match = _COMMAND.match(text)
        command = match[1] if match and not match[2] and match[1] in subcommands.SUBCOMMANDS else None
        variables = self._shell.user_ns
        scope = {**variables, **local_ns}
        if cell is not None:
            if command:
                raise MagicUsageError(f"%%scidb takes AFL; %scidb {command} stands on a line of its own.")
            return runner.run_cell(f"{text}\n{cell}" if text else cell, chosen, scope, variables)
        if not text or command:
            if chosen != options.Options():
                raise MagicUsageError(
                    "These options are for AFL; a subcommand takes its own behind its name."
                )
            return subcommands.run(command or "status", text[len(command or "") :], scope)
        if again := _RERUN.match(text):
            return runner.run_line(history.statements.source(again[1]), chosen, scope, variables)
        if _BARE_WORD.match(text):
            raise MagicUsageError(_no_subcommand(text.rstrip(";")))
        return runner.run_line(text, chosen, scope, variables)


def load(shell: InteractiveShell) -> None:
    """Register the magics with `shell`; nothing is printed, no slot is taken, and again does no harm."""
    if SciDBMagics.__name__ not in shell.magics_manager.registry:
        traits.load(shell.config)
        magics = SciDBMagics(shell)
        shell.register_magics(magics)
        magics.completer.register()
        kernel.watch(shell, lambda code, place: inspection.told(code, place, magics.catalogue.names))


def unload(shell: InteractiveShell) -> None:
    """Take the magics, their traits and the kernel's hook away, and give the slot back."""
    magics = shell.magics_manager.registry.pop(SciDBMagics.__name__, None)
    if magics is None:
        return
    for kind, own in magics.magics.items():
        for name in own:
            shell.magics_manager.magics[kind].pop(name, None)
    shell.configurables.remove(magics)
    magics.completer.unregister()
    magics.catalogue.stop()
    kernel.unwatch(shell)
    status.close()
    shared.let_go()


def _no_subcommand(word: str) -> str:
    near = difflib.get_close_matches(word, subcommands.SUBCOMMANDS, 1)
    meant = f"did you mean %scidb {near[0]}" if near else f"an array is read with %scidb scan({word})"
    return f"There is no subcommand '{word}'; {meant}; %scidb help lists them."
