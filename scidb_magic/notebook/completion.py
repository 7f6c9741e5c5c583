"""Completion in ``%%scidb`` cells and ``%scidb`` lines.

IPython asks `Completer` with the whole cell; `afl.places` tells what may stand at the cursor, `catalogue`
which names there are. Nothing here asks a server or waits. In a Python cell, and where AFL takes a name
that is yet to be given, nothing is said, and IPython goes on as ever.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher

from scidb_magic.afl.places import Place, place
from scidb_magic.errors import SettingError
from scidb_magic.notebook import options, subcommands
from scidb_magic.notebook.catalogue import Catalogue, Names
from scidb_magic.session.layers import read_file
from scidb_magic.wire.schema import Schema

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_CELL = re.compile(r"\s*%%scidb\b")
_LINE = re.compile(r"[^\S\n]*(?:[\w,. \t]+=[^\S\n]*)?%scidb\b")
_LAST_WORD = re.compile(r"[\w.]*\Z")
_FLAG = re.compile(r"(?<!\S)-[\w-]*\Z")

WIDTH = 44
"""Characters of a type at most."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A completion, and what it is."""

    text: str
    type: str


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands behind the magic's name, up to its end, and the cursor in it."""

    text: str
    cursor: int
    cell: bool


class Completer:
    """Completes the magic in one shell.

    Parameters
    ----------
    shell : InteractiveShell
    catalogue : Catalogue
    """

    def __init__(self, shell: InteractiveShell, catalogue: Catalogue) -> None:
        self._shell = shell
        self._catalogue = catalogue
        self._matcher = self._made()

    def register(self) -> None:
        """Be asked from now on."""
        self._matchers().append(self._matcher)

    def unregister(self) -> None:
        """Be asked no more."""
        matchers = self._matchers()
        if self._matcher in matchers:
            matchers.remove(self._matcher)

    def matches(self, text: str, line: int, column: int) -> tuple[str, list[Candidate]] | None:
        """The completions at a place of a cell, and the fragment that they replace; None: not our concern.

        Parameters
        ----------
        text : str
            The whole cell.
        line, column : int
            Of the cursor, from 0.
        """
        typed = typed_for(text, line, column)
        if typed is None:
            return None
        before = typed.text[: typed.cursor]
        if (opened := _open_expression(before)) is not None:
            return self._python(opened)
        head = options.span(before, options.QUERY)
        first = before[head:].split(None, 1)[0] if before[head:].strip() else ""
        command = "" if typed.cell or not before[head:].lstrip()[len(first) :] else first
        if "\n" not in before and (found := _of_line(before, head, command)) is not None:
            return found
        if command == "connect":
            return _connections(before)
        if command in subcommands.SUBCOMMANDS:
            return self._argument(command, typed.text[head:], typed.cursor - head)
        there = place(without_expressions(typed.text[head:]), typed.cursor - head)
        fitting = sorted_candidates(there, self._catalogue.names)
        if not typed.cell and before[head:].strip() == there.fragment:
            words = [Candidate(name, "subcommand") for name in subcommands.SUBCOMMANDS]
            fitting = [*_fitting(words, there.fragment, there.rest), *fitting]
        return there.fragment, fitting

    def _argument(self, command: str, text: str, cursor: int) -> tuple[str, list[Candidate]]:
        """Of a subcommand: an operator's name, or what may be shown."""
        start = text.index(command) + len(command)
        start = min(start + options.span(text[start:], subcommands.SUBCOMMANDS[command].options), cursor)
        there = place(text[start:], cursor - start)
        kind = _ARGUMENTS.get(command, "nothing")
        if there.kind == "name":
            there = replace(there, kind=kind)
        return there.fragment, sorted_candidates(there, self._catalogue.names)

    def _python(self, expression: str) -> tuple[str, list[Candidate]]:
        """Names of Python, as IPython itself completes them."""
        match = _LAST_WORD.search(expression)
        fragment = match[0] if match else ""
        # IPython's own completer says nothing of its types.
        completer: Any = self._shell.Completer
        names: Iterable[str]
        if "." in fragment:
            names = completer.attr_matches(fragment)
        else:
            names = completer.global_matches(fragment) if fragment else self._shell.user_ns
        public = [name for name in names if fragment or not name.startswith("_")]
        return fragment, [Candidate(name, "python") for name in public]

    def _matchers(self) -> list[Any]:
        completer: Any = self._shell.Completer
        return completer.custom_matchers  # type: ignore[no-any-return]

    def _made(self) -> Any:
        def scidb(context: CompletionContext) -> SimpleMatcherResult:
            found = self.matches(context.full_text, context.cursor_line, context.cursor_position)
            if found is None:
                return {"completions": []}
            fragment, candidates = found
            # What is complete as it stands: IPython drops Python's names only for other ones.
            if not candidates and (word := _LAST_WORD.search(_before(context))) and word[0]:
                fragment, candidates = word[0], [Candidate(word[0], "")]
            return {
                "completions": [SimpleCompletion(each.text, type=_narrow(each.type)) for each in candidates],
                "matched_fragment": fragment,
                "suppress": True,
                "ordered": True,
            }

        return context_matcher(identifier="scidb_magic", priority=100)(scidb)


def sorted_candidates(there: Place, names: Names) -> list[Candidate]:
    """What fits at a place, what is nearest to it first."""
    return list(dict.fromkeys(_fitting(_KINDS[there.kind](there, names), there.fragment, there.rest)))


def _fitting(candidates: Iterable[Candidate], fragment: str, rest: str) -> Iterator[Candidate]:
    """Those that begin with `fragment`; in the middle of a word those that end with `rest`, without it."""
    for each in candidates:
        head = each.text[: len(each.text) - len(rest)]
        if head.lower().startswith(fragment.lower()) and each.text == head + rest:
            yield Candidate(head, each.type)


def _any(there: Place, names: Names) -> Iterator[Candidate]:
    for name in sorted(there.names & names.arrays.keys()):
        yield from _parts(name, names.arrays[name])
    yield from (Candidate(alias, "alias") for alias in sorted(there.aliases))
    yield from (Candidate(name, "array") for name in sorted(names.arrays))
    yield from (Candidate(name, f"operator ({given})") for name, given in sorted(names.operators.items()))
    yield from (Candidate(name, "aggregate") for name in sorted(names.aggregates))
    yield from (Candidate(name, "function") for name in sorted(names.functions - names.aggregates))


def _members(there: Place, names: Names) -> Iterator[Candidate]:
    array = there.aliases.get(there.owner, there.owner)
    if array in names.arrays:
        yield from _parts(array, names.arrays[array])
    elif not array:
        # The alias of an expression: any of what stands in the statement may be in it.
        for name in sorted(there.names & names.arrays.keys()):
            yield from _parts(name, names.arrays[name])


def _parts(array: str, schema: Schema) -> Iterator[Candidate]:
    for attribute in schema.attributes:
        yield Candidate(attribute.name, f"{attribute.type} of {array}")
    for dimension in schema.dimensions:
        yield Candidate(dimension.name, f"dimension of {array}")


_KINDS: dict[str, Callable[[Place, Names], Iterable[Candidate]]] = {
    "name": _any,
    "member": _members,
    "type": lambda _, names: (Candidate(name, "type") for name in sorted(names.types)),
    "word": lambda there, _: (Candidate(word, "word") for word in there.words),
    "operator": lambda _, names: (
        Candidate(name, f"operator ({given})") for name, given in sorted(names.operators.items())
    ),
    "nothing": lambda _there, _names: (),
}
"""Kind of a place -> what stands there."""

_ARGUMENTS = {"help": "operator", "operators": "operator", "show": "name"}
"""Subcommand -> kind of its argument."""


def typed_for(text: str, line: int, column: int) -> Typed | None:
    """What was typed for the magic in whose cell or line the cursor stands."""
    lines = text.split("\n")
    cursor = sum(len(each) + 1 for each in lines[:line]) + column
    magic = _CELL.match(text)
    if magic is not None:
        return Typed(text[magic.end() :], cursor - magic.end(), True) if cursor > magic.end() else None
    magic = _LINE.match(lines[line]) if line < len(lines) else None
    if magic is None or column <= magic.end():
        return None
    return Typed(lines[line][magic.end() :], column - magic.end(), False)


def _of_line(before: str, head: int, command: str) -> tuple[str, list[Candidate]] | None:
    """Options and their values, of the magic or of a subcommand."""
    known = subcommands.SUBCOMMANDS.get(command)
    table: Mapping[str, options.Option] = known.options if known else options.QUERY
    flag = _FLAG.search(before)
    if flag is not None and (known or not before[head : flag.start()].strip()):
        names = (Candidate(name, option.help) for name, option in sorted(table.items()))
        return flag[0], list(_fitting(names, flag[0], ""))
    last = _LAST_WORD.search(before)
    fragment = last[0] if last else ""
    called = before[: len(before) - len(fragment)].split()[-1:]
    option = next((o for name, o in table.items() if called and called[0] in (name, o.short)), None)
    if option is not None and option.value:
        return fragment, list(_fitting((Candidate(w, option.field) for w in option.words), fragment, ""))
    return None


def _connections(before: str) -> tuple[str, list[Candidate]]:
    """Names of connections; of a settings file that cannot be read, none."""
    fragment = re.split(r"\s", before)[-1]
    with contextlib.suppress(SettingError):
        return fragment, list(_fitting((Candidate(n, "connection") for n in read_file()[1]), fragment, ""))
    return fragment, []


def _narrow(type: str) -> str:
    """A type that a front end shows in one line: it would break it at a space, over the next ones."""
    cut = type if len(type) <= WIDTH else type[: WIDTH - 1] + "…"
    return cut.replace(" ", "\N{NO-BREAK SPACE}")


def _before(context: CompletionContext) -> str:
    """The cursor's line up to the cursor."""
    return context.line_with_cursor[: context.cursor_position]


def _open_expression(before: str) -> str | None:
    """The beginning of a Python expression between ``{{`` and the cursor."""
    start = before.rfind("{{")
    return before[start + 2 :] if start > before.rfind("}}") else None


def without_expressions(text: str) -> str:
    """AFL with a name of the same length in place of each ``{{ expression }}``."""
    return re.sub(r"\{\{.*?\}\}", lambda match: "_" * len(match[0]), text, flags=re.DOTALL)
