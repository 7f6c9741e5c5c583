"""The manual: what ``%scidb?``, ``%scidb help`` and ``%scidb help PAGE`` show.

It is made of the tables by which the magics work, and of the pages in ``scidb_magic/guide``.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from scidb_magic.notebook import options
from scidb_magic.notebook.command import Subcommand
from scidb_magic.session.settings import SETTINGS, Setting

GUIDE: Mapping[str, str] = {
    "session": "the one slot: taken, shared, given back, renewed; what is promised",
    "results": "what you get: types, forms, order, sizes, previews",
    "data": "what you put in: frames, arrays, files, many files",
    "connections": "your cluster: URL, users, passwords, TLS, connections by name",
    "errors": "each error: what it means, whether the statement ran, what to do",
    "administrators": "for who runs shim: slots, time-outs, what is stored where, how to switch it off",
    "security": "who may reach what, and what keeps them from it",
    "server": "the server that comes along: what it can do, what it cannot, its options",
}
"""The pages of ``scidb_magic/guide``."""

PAGES: Mapping[str, str] = {**GUIDE, "settings": "every setting: default, meaning, example, variable"}


def text(subcommands: Mapping[str, Subcommand]) -> str:
    """The manual of ``%scidb`` and ``%%scidb``."""
    return _MANUAL.format(
        options=options.describe(options.QUERY),
        subcommands=_listed({command.head(name): command.help for name, command in subcommands.items()}),
        pages=_listed({f"%scidb help {name}": about for name, about in PAGES.items()}),
    )


def subcommand(name: str, command: Subcommand) -> str:
    """One subcommand with its options."""
    lines = [command.head(name), f"  {command.help}", f"  {command.example}"]
    return "\n".join([*lines, *(["Options:", options.describe(command.options)] if command.options else [])])


def page(topic: str) -> str | None:
    """A page in Markdown; None if there is none of this name."""
    if topic == "settings":
        return _settings()
    if topic not in GUIDE:
        return None
    return (files("scidb_magic") / "guide" / f"{topic}.md").read_text(encoding="utf-8")


def _listed(rows: Mapping[str, str]) -> str:
    width = max(map(len, rows))
    return "\n".join(f"  {head:<{width}}  {about}" for head, about in rows.items())


def _settings() -> str:
    rows = (
        f"| `{name}` | {_shown(setting)} | {setting.help} | {_example(setting)} | `{setting.environment}` |"
        for name, setting in SETTINGS.items()
    )
    return _SETTINGS + "\n".join(rows) + "\n"


def _shown(setting: Setting) -> str:
    return "" if setting.default in (None, "") else f"`{setting.default}`"


def _example(setting: Setting) -> str:
    if setting.secret:
        return "asked for by `%scidb connect`"
    return f"`{setting.example!r}`"


_SETTINGS = """\
# Settings

Each is a trait (`%config SciDBMagics.slot_wait = 300`), an option of `%scidb connect` (`--slot-wait 300`), an
argument of `scidb_magic.connect` (`slot_wait=300`), an environment variable, a line of `ipython_config.py`
(`c.SciDBMagics.slot_wait = 300`), and a line of the settings file or of one of its connections. What is
nearer to you wins: the line or call, the connection's table, IPython's configuration, the environment, the
file. `%scidb config` shows the values in force and where each comes from.

| setting | default | what it is | example | variable |
|---|---|---|---|---|
"""

_MANUAL = """\
SciDB in a notebook: one session a kernel, which looks after itself.

  %scidb AFL              run one statement; its whole result is the value of the line
  x = %scidb AFL
  %%scidb [options]       run the statements of the cell, ';' between them, and show each result
  %scidb                  show the session's status
  %scidb rerun NUMBER     run a statement of %scidb history again

Options of %scidb and %%scidb, before the AFL:
{options}

Subcommands; %scidb help NAME shows the options of one:
{subcommands}

{{{{ expression }}}} in AFL, outside its strings and comments, is a Python expression: its value is put in
as a safely quoted literal. Name('A') gives an identifier, a DataFrame or NumPy array is uploaded and stands
as an input(…). Nothing else in AFL is expanded.

  %scidb filter(weather, temp_max > {{{{ limit }}}})

Pages:
{pages}
"""
