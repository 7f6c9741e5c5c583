"""``%scidb WORD …``: one table of subcommands, each a small function that shows what it has to say."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from typing import Any

from scidb_magic.afl.literals import quote
from scidb_magic.afl.operators import OPERATORS
from scidb_magic.errors import MagicUsageError
from scidb_magic.notebook import (
    actions,
    binding,
    credentials,
    display,
    failure,
    history,
    manual,
    options,
    progress,
    schemas,
    shared,
    status,
)
from scidb_magic.notebook.command import Subcommand
from scidb_magic.notebook.units import moment
from scidb_magic.session.layers import Said, read_file
from scidb_magic.session.settings import SETTINGS, Setting
from scidb_magic.session.sources import PREFIX, config_file

MANY = 10_000
"""Words that a line takes where it takes as many as one likes."""


def _of_setting(setting: Setting) -> options.Option:
    """The option of `connect` that sets it: a switch where it is off by default."""
    line = f"%scidb connect prod {_flag(setting)}"
    if setting.default is False:
        return options.Option(setting.name, setting.help, example=line)
    value = {True: "yes", False: "no"}[setting.example] if setting.type == "bool" else setting.example
    return options.Option(setting.name, setting.help, "VALUE", example=f"{line} {value}")


def _flag(setting: Setting) -> str:
    return "--" + setting.name.replace("_", "-")


CONNECT: Mapping[str, options.Option] = {
    _flag(setting): _of_setting(setting)
    for setting in SETTINGS.values()
    if setting.name != "url" and not setting.secret
}
"""Options of ``connect``: every setting but the URL, which stands alone, and the secrets, which are asked."""


MORE: Mapping[str, options.Option] = {
    "--versions": options.Option("versions", "also the versions", example="%scidb show --versions weather"),
    "--count": options.Option(
        "count",
        "also the number of cells, which takes a query",
        example="%scidb show --count filter(weather, temp_max > 30)",
    ),
}
"""Options of what shows arrays."""


def run(name: str, text: str, scope: Mapping[str, Any]) -> None:
    """Run subcommand `name` with the rest of its line; ``{{ }}`` in its AFL is looked up in `scope`.

    Raises
    ------
    MagicUsageError, BindingError
    """
    command = SUBCOMMANDS[name]
    if command.words < 0:
        found, text = options.take(text, command.options)
        # Behind AFL it would be taken for a comment of AFL.
        if (last := text.split()[-1:]) and last[0] in command.options:
            raise MagicUsageError(f"{last[0]} stands before the AFL; it is: {command.head(name)}.")
        words = [bound.text for bound in binding.bind(text, scope)]
    else:
        found, words = options.take_words(text, command.options)
    if len(words) > abs(command.words):
        raise MagicUsageError(f"Too much on the line; it is: {command.head(name)}.")
    command.run(*words, **found)


def _status() -> None:
    status.show()


def _connect(url: str | None = None, **given: Any) -> None:
    line = {"url": url, **given} if url else given
    said = {name: Said(value, "argument of %scidb connect") for name, value in line.items()}
    said |= credentials.wanted(said, *shared.planned(said, anew=bool(url)))
    session = shared.connect(**said) if url else shared.configure(**said)
    where = session.status().url or "the server that is found here"
    display.note(f"The session is with {where}; it takes a slot at its first query.")


def _connections() -> None:
    path = config_file()
    found = read_file()[1]
    if not found:
        display.note(f"No connection has a name; a table [connections.NAME] with a url does that, in {path}.")
        return
    heads = ("name", "url", "user", "namespace")
    display.table(heads, [(name, *map(table.get, heads[1:])) for name, table in found.items()])


def _slots() -> None:
    slots = shared.session().slots()
    taken = [slot for slot in slots if slot.owner != "free"]
    if taken:
        display.table(
            ("slot", "session", "owner", "notebook", "process", "since"),
            [
                (slot.number, slot.sid, slot.owner, slot.notebook, slot.pid, moment(slot.since))
                for slot in taken
            ],
        )
    if any(slot.owner == "orphan" for slot in slots):
        display.note("The process of an orphan is gone; %scidb release --orphans frees its slot.")
    if any(slot.number is None for slot in slots):
        display.note("This server does not list its slots; shown are those of your own notebooks.")
    elif slots:
        display.note(f"{len(taken)} of {len(slots)} slots are taken.")
    else:
        display.note("This kernel holds no slot, and the server lists none.")


def _release(orphans: bool = False) -> None:
    display.note((actions.release_orphans if orphans else actions.release)(shared.session()))


def _reconnect() -> None:
    display.note(actions.reconnect(shared.session()))


def _cancel() -> None:
    display.note(actions.cancel(shared.session()))


def _arrays(pattern: str = "*", **more: Any) -> None:
    schemas.arrays(shared.session(), lambda name: _fits(name, pattern), **more)


def _show(wanted: str = "", **more: Any) -> None:
    if not wanted:
        raise MagicUsageError(f"What is to be shown? It is: {SUBCOMMANDS['show'].head('show')}.")
    schemas.show(shared.session(), wanted, **more)


def _operators(pattern: str = "*") -> None:
    offered = shared.session().fetch("list('operators')")
    rows = []
    for name, library in sorted(zip(offered["name"], offered["library"], strict=True)):
        known = OPERATORS.get(name.lower())
        if _fits(name, pattern):
            rows.append((name, known.signature if known else "", known.effect if known else "", library))
    display.table(("operator", "arguments", "effect", "library"), rows)


def _help(topic: str = "") -> None:
    if not topic:
        display.text(manual.text(SUBCOMMANDS))
        return
    page = manual.page(topic)
    if page is not None:
        display.page(page)
    told = [
        *([manual.subcommand(topic, SUBCOMMANDS[topic])] if topic in SUBCOMMANDS else []),
        *([known.describe()] if (known := OPERATORS.get(topic.lower())) else []),
    ]
    if told:
        display.text("\n\n".join(told))
    elif page is None:
        display.text("\n".join(shared.session().fetch(f"help({quote(topic)})")["help"]))


def _load(*paths: str, into: str | None = None, dims: str | None = None, **switches: Any) -> None:
    if not paths or into is None:
        raise MagicUsageError(
            f"Which files, and into which array? It is: {SUBCOMMANDS['load'].head('load')}."
        )
    session = shared.session()
    with progress.task("loading", session.settings.progress_after, session.cancel) as task:
        loaded = session.load(
            paths,
            into,
            dims=[name.strip() for name in dims.split(",")] if dims else None,
            on_file=task.step,
            **switches,
        )
    display.text(str(loaded))


def _last_error() -> None:
    told = failure.last()
    if told is None:
        display.note("No error yet in this kernel.")
        return
    lines = [told.headline, *(f"  {name}: {value}" for name, value in told.facts)]
    if told.body:
        lines += ["  the server's text:", *(f"    {line}" for line in told.body.splitlines())]
    display.text("\n".join(lines))


def _history(*words: str) -> None:
    found = history.statements.entries(" ".join(words))
    if not found:
        display.note("No statement of this kernel fits." if words else "No statement yet in this kernel.")
        return
    heads = ("number", "began", "seconds", "rows", "outcome", "statement")
    rows = [
        (each.number, moment(each.began), _seconds(each.seconds), each.rows, each.outcome, each.source)
        for each in found
    ]
    display.table(heads, [(*row[:-1], " ".join(str(row[-1]).split())) for row in rows])
    display.note("%scidb rerun NUMBER runs one of them again.")


def _seconds(taken: float | None) -> str:
    return "" if taken is None else f"{taken:.2f}"


def _config(pattern: str = "*") -> None:
    session = shared.session()
    rows = []
    for name, setting in SETTINGS.items():
        value = getattr(session.settings, name)
        shown = "********" if setting.secret and value is not None else value
        source = session.sources.get(name, "default")
        if _fits(name, pattern):
            rows.append((name, shown, source, setting.help))
    if not rows:
        display.note(f"No setting's name fits '{pattern}'; %scidb config lists them.")
        return
    display.table(("setting", "value", "comes from", "what it is"), rows)
    display.note(
        f"Each is also a variable, as {PREFIX}SLOT_WAIT (the URL: SCIDB_URL), and a line in {config_file()}."
    )


def _fits(name: object, pattern: str) -> bool:
    """Whether a name fits a pattern; one without ``*`` or ``?`` is looked for anywhere in it."""
    pattern = pattern if re.search(r"[*?\[]", pattern) else f"*{pattern}*"
    return fnmatch.fnmatch(str(name).lower(), pattern.lower())


SUBCOMMANDS: dict[str, Subcommand] = {
    "connect": Subcommand(
        _connect,
        "set the server and settings of this session",
        "%scidb connect https://cluster:8083 --user anna",
        "[URL | NAME] [--user NAME] …",
        1,
        CONNECT,
    ),
    "connections": Subcommand(
        _connections, "the connections that have a name in the settings file", "%scidb connections"
    ),
    "status": Subcommand(_status, "the session: state, server, counters; also %scidb alone", "%scidb status"),
    "slots": Subcommand(_slots, "the slots of the server, and whose they are", "%scidb slots"),
    "release": Subcommand(
        _release,
        "give the slot back; the next query takes a new one",
        "%scidb release",
        "[--orphans]",
        options={
            "--orphans": options.Option(
                "orphans",
                "free the slots of your processes that are gone",
                example="%scidb release --orphans",
            )
        },
    ),
    "reconnect": Subcommand(_reconnect, "give the slot back and take a new one", "%scidb reconnect"),
    "cancel": Subcommand(_cancel, "cancel the running query on the server", "%scidb cancel"),
    "arrays": Subcommand(
        _arrays,
        "the arrays: dimensions, chunks, attributes",
        "%scidb arrays weather* --versions --count",
        "[PATTERN] [--versions] [--count]",
        1,
        MORE,
    ),
    "load": Subcommand(
        _load,
        "load files into one array; again, it goes on from there",
        "%scidb load 'data/*.csv' --into weather",
        "FILES … --into NAME",
        MANY,
        {
            "--into": options.Option(
                "into",
                "the array; the first file makes it, if it is not there",
                "NAME",
                example="%scidb load day1.csv day2.csv --into days",
            ),
            "--dims": options.Option(
                "dims",
                "columns that are its dimensions",
                "COLUMNS",
                example="%scidb load 'data/*.csv' --into daily --dims day",
            ),
            "--strict": options.Option(
                "strict",
                "stop at the first bad file",
                example="%scidb load 'data/*.csv' --into weather --strict",
            ),
            "--again": options.Option(
                "again", "also what is in already", example="%scidb load 'data/*.csv' --into weather --again"
            ),
            "--server": options.Option(
                "server",
                "files on the server, which reads them by aio_input",
                example="%scidb load '/data/*.csv' --into weather --server",
            ),
        },
    ),
    "show": Subcommand(
        _show,
        "the schema of an array, or of a query, which is not run",
        "%scidb show regrid(photograph, 10, 10, avg(light))",
        "[--versions] [--count] NAME | QUERY",
        -1,
        MORE,
    ),
    "operators": Subcommand(
        _operators, "the operators that the server has", "%scidb operators *join*", "[PATTERN]", 1
    ),
    "help": Subcommand(
        _help,
        "this manual, a page of it, a subcommand's options, or an operator's arguments",
        "%scidb help errors",
        "[PAGE | SUBCOMMAND | OPERATOR]",
        1,
    ),
    "last_error": Subcommand(
        _last_error, "all that is known of the last error: code, the server's text", "%scidb last_error"
    ),
    "history": Subcommand(
        _history,
        "the statements of this kernel: time, duration, rows, outcome",
        "%scidb history store",
        "[TEXT]",
        MANY,
    ),
    "config": Subcommand(
        _config, "the settings: value, where it comes from, meaning", "%scidb config slot*", "[PATTERN]", 1
    ),
}
