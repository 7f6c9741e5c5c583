"""Options on the line of a magic: one table, one small reader, short errors.

A line is read from the left: options first, and the first word that is none begins the AFL, which is
handed on untouched. So nothing in AFL needs quoting, and ``{x}``, ``$x``, ``%`` stay as they are.
"""

from __future__ import annotations

import difflib
import keyword
import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scidb_magic.errors import MagicUsageError
from scidb_magic.session.settings import RETRY

FORMS = ("dataframe", "arrow", "numpy", "xarray")
"""As `scidb_magic.frames.forms.FORMS`, which would bring NumPy along."""

_FLAG = re.compile(r"\s*(--[A-Za-z][\w-]*|-[A-Za-z](?!\w))(=)?")
_WORD = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|(\S+))""")
_SECRET_FLAG = re.compile(r"--?[\w-]*pass[\w-]*$|--pw$|-p$", re.IGNORECASE)
_SECRET_WORD = re.compile(r"^\w*pass(?:word|wd)?\w*=|^\w[\w+.-]*://\S*@", re.IGNORECASE)

NO_SECRETS = (
    "A password is not taken on a line, where it would stay in the notebook: give --user NAME and type it at"
    " the prompt, or keep it in iquery's auth file (~/.config/scidb/iquery.auth) or in keyring."
)


@dataclass(frozen=True, slots=True)
class Option:
    """One row of a table of options.

    Attributes
    ----------
    field : str
        Name of the value.
    value : str
        How the value is called in the help; empty for a switch.
    read : callable
        From the word to the value; a ValueError's sentence says what would fit.
    words : tuple of str
        The values that there are, where they are few.
    example : str
        A line or a cell that has it.
    """

    field: str
    help: str
    value: str = ""
    read: Callable[[str], Any] = str
    short: str = ""
    words: tuple[str, ...] = ()
    example: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one ``%scidb`` line or ``%%scidb`` cell."""

    output: str | None = None
    form: str = "dataframe"
    limit: int | None = None
    all: bool = False
    order: bool = False
    plot: bool = False
    no_fetch: bool = False
    retry: str | None = None
    namespace: str | None = None
    progress_after: float | None = None
    quiet: bool = False
    help: bool = False


def _identifier(word: str) -> str:
    if not word.isidentifier() or keyword.iskeyword(word):
        raise ValueError("a name for a Python variable")
    return word


def _count(word: str) -> int:
    number = int(word.replace("_", "")) if word.replace("_", "").isdecimal() else 0
    if number < 1:
        raise ValueError("a number of rows from 1 on")
    return number


def _seconds(word: str) -> float:
    try:
        number = float(word)
    except ValueError:
        number = -1.0
    if not number >= 0:
        raise ValueError("a number of seconds")
    return number


def choice(*words: str) -> Callable[[str], str]:
    """A reader that takes one of `words`."""

    def read(word: str) -> str:
        if word not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return word

    return read


QUERY: Mapping[str, Option] = {
    "--output": Option(
        "output",
        "put the last result, whole, into this variable; no table",
        "NAME",
        _identifier,
        "-o",
        example="%%scidb -o hot\nfilter(weather, temp_max > 30)",
    ),
    "--as": Option(
        "form",
        f"form of results: {', '.join(FORMS)}",
        "FORM",
        choice(*FORMS),
        words=FORMS,
        example="table = %scidb --as arrow scan(weather)",
    ),
    "--limit": Option(
        "limit",
        "rows to show at most (setting display_limit)",
        "N",
        _count,
        example="%%scidb --limit 20\nscan(weather)",
    ),
    "--all": Option("all", "show whole results", example="%%scidb --all\nscan(weather)"),
    "--order": Option(
        "order",
        "whole results in row-major order of their dimensions",
        example="frame = %scidb --order scan(weather)",
    ),
    "--plot": Option(
        "plot",
        "draw the last result: one dimension as a line, two as a heat map",
        example="%%scidb --plot\nproject(weather, temp_max)",
    ),
    "--no-fetch": Option(
        "no_fetch",
        "run the statements and leave their results on the server",
        example="%%scidb --no-fetch\nsort(weather, temp_max)",
    ),
    "--retry": Option(
        "retry",
        f"send again after a fault: {', '.join(RETRY)} (setting retry)",
        "WHEN",
        choice(*RETRY),
        words=RETRY,
        example="%%scidb --retry never\nsort(weather, temp_max)",
    ),
    "--namespace": Option(
        "namespace",
        "namespace of unqualified array names (Enterprise Edition)",
        "NS",
        example="%%scidb --namespace public\nscan(weather)",
    ),
    "--progress-after": Option(
        "progress_after",
        "show the progress of what takes longer, in seconds (setting progress_after)",
        "SECONDS",
        _seconds,
        example="%%scidb --progress-after 10\nsort(weather, temp_max)",
    ),
    "--quiet": Option(
        "quiet", "print no 'done' lines", example="%%scidb --quiet\nstore(weather, weather_copy)"
    ),
    "--help": Option("help", "show the manual", short="-h", example="%scidb --help"),
}
"""Options of ``%scidb AFL`` and ``%%scidb``, by their long names."""

_CONFLICTS = (
    ("limit", "all", "--limit and --all exclude each other"),
    ("output", "limit", "-o takes the whole result, so --limit does not go with it; limit(…, N) in AFL does"),
    ("plot", "limit", "--plot draws the whole result, so --limit does not go with it"),
    ("plot", "no_fetch", "--plot draws a result and --no-fetch leaves it on the server"),
    ("output", "no_fetch", "-o takes a result and --no-fetch leaves it on the server"),
)


def read_query(line: str) -> tuple[Options, str]:
    """The options at the beginning of `line`, and the rest of it.

    Raises
    ------
    MagicUsageError
    """
    values, rest = take(line, QUERY)
    for one, other, why in _CONFLICTS:
        if values.get(one) and values.get(other):
            raise MagicUsageError(f"{why}.")
    if values.get("plot") and values.get("form", "dataframe") != "dataframe":
        raise MagicUsageError("--plot draws a DataFrame, so --as does not go with it.")
    return Options(**values), rest


def take(text: str, table: Mapping[str, Option]) -> tuple[dict[str, Any], str]:
    """The options of `table` that `text` begins with, by field, and the rest of `text`.

    Raises
    ------
    MagicUsageError
        An option that is not in the table, a missing or unfit value, or a password.
    """
    names = {option.short: name for name, option in table.items() if option.short}
    values: dict[str, Any] = {}
    position = 0
    while match := _FLAG.match(text, position):
        flag, position = match[1], match.end()
        name = names.get(flag, flag)
        if _SECRET_FLAG.match(flag):
            raise MagicUsageError(NO_SECRETS)
        option = table.get(name)
        if option is None:
            raise MagicUsageError(_unknown(flag, table))
        if not option.value:
            if match[2]:
                raise MagicUsageError(f"{flag} takes no value.")
            values[option.field] = True
            continue
        word = _WORD.match(text, position)
        if word is None:
            raise MagicUsageError(f"{flag} needs a value: {flag} {option.value}.")
        position = word.end()
        try:
            values[option.field] = option.read(_text(word))
        except ValueError as error:
            raise MagicUsageError(f"{flag} takes {error}, not '{_text(word)}'.") from None
    return values, text[position:].strip()


def span(text: str, table: Mapping[str, Option]) -> int:
    """Where the options end that `text`, still being written, begins with."""
    names = {option.short: name for name, option in table.items() if option.short}
    position = 0
    while match := _FLAG.match(text, position):
        option = table.get(names.get(match[1], match[1]))
        if option is None:
            break
        word = _WORD.match(text, match.end()) if option.value else match
        position = word.end() if word else len(text)
    return position


def take_words(text: str, table: Mapping[str, Option]) -> tuple[dict[str, Any], list[str]]:
    """Options and words of a subcommand's line, in any order.

    Raises
    ------
    MagicUsageError
    """
    values: dict[str, Any] = {}
    words: list[str] = []
    while text:
        found, text = take(text, table)
        values |= found
        word = _WORD.match(text)
        if word is not None:
            refuse_secret(text)
            words.append(_text(word))
            text = text[word.end() :].strip()
    return values, words


def refuse_secret(text: str) -> None:
    """Refuse a text that begins with a password or with a URL that holds one.

    Raises
    ------
    MagicUsageError
    """
    word = _WORD.match(text)
    if word is not None and _SECRET_WORD.search(_text(word)):
        raise MagicUsageError(NO_SECRETS)


def describe(table: Mapping[str, Option]) -> str:
    """The table as lines of help, each option with its example."""
    heads = {
        name: ", ".join(filter(None, (option.short, name))) + (f" {option.value}" if option.value else "")
        for name, option in table.items()
    }
    width = max(map(len, heads.values()), default=0)
    indent = " " * (width + 6)
    return "\n".join(
        f"  {heads[name]:<{width}}  {option.help}\n{textwrap.indent(option.example, indent)}"
        for name, option in table.items()
    )


def _text(word: re.Match[str]) -> str:
    return next(part for part in word.groups() if part is not None)


def _unknown(flag: str, table: Mapping[str, Option]) -> str:
    near = difflib.get_close_matches(flag, table, 1)
    if near:
        return f"There is no option {flag}; did you mean {near[0]}?"
    if not table:
        return f"There is no option {flag} here."
    return f"There is no option {flag}; there are {', '.join(table)}."
