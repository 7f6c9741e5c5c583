"""What an operator takes, written as SciDB's ``help`` prints it, and the matching of a call against it.

A signature is a pattern over positional arguments, with names for the arguments that a rule asks for::

    <input> grid=<constant:int64>+ <aggregate_call>+ chunk=<constant:int64>*

``?``, ``*``, ``+`` repeat an argument or a group ``( … )``. Matching goes from left to right and takes
as much as it can, as SciDB's translator does (Translator.cpp, matchListByRegex): an argument that does
not fit ends a repetition, but in the middle of a group it is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scidb_magic.embedded.engine.ast import Call, Node, Span, whole
from scidb_magic.embedded.engine.errors import wrong_parameter
from scidb_magic.errors import EngineError


@dataclass(frozen=True, slots=True)
class Slot:
    """One argument: ``<kind>`` or ``<kind:type>``; `name` is how the rule asks for it."""

    kind: str
    type: str
    name: str

    def __str__(self) -> str:
        return f"<{self.kind}:{self.type}>" if self.type else f"<{self.kind}>"


@dataclass(frozen=True, slots=True)
class Group:
    """Arguments in a row, repeated between `least` and `most` times (None: without end)."""

    items: tuple[Pattern, ...]
    least: int = 1
    most: int | None = 1

    def __str__(self) -> str:
        inner = " ".join(map(str, self.items))
        sign = _SIGNS[self.least, self.most]
        return f"( {inner} ){sign}" if len(self.items) > 1 else f"{inner}{sign}"


Pattern = Slot | Group
_SIGNS = {(1, 1): "", (0, 1): "?", (0, None): "*", (1, None): "+"}
_REPEATS = {sign: bounds for bounds, sign in _SIGNS.items()}
_ITEM = re.compile(r"\s*(?:(\()|(\))([?*+]?)|(?:(\w+)=)?<(\w+)(?::(\w+))?>([?*+]?))")


@dataclass(frozen=True, slots=True)
class Signature:
    """Positional pattern and keyword arguments of an operator."""

    items: tuple[Pattern, ...]
    keywords: Mapping[str, Slot] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, **keywords: str) -> Signature:
        """Read a pattern; `keywords` maps a keyword to one argument such as ``<constant:int64>``."""
        items, position = _items(text, 0)
        if position != len(text):
            raise ValueError(f"not a signature: {text!r}")
        slots = {key: _slot(value, key) for key, value in keywords.items()}
        return cls(items, slots)

    def __str__(self) -> str:
        return " ".join(map(str, self.items))

    @property
    def help(self) -> str:
        """The text that stands after ``Parameters:`` in SciDB's help."""
        lines = [", ".join(map(str, self.items))]
        lines += [f"            [, {key}: {slot} ]" for key, slot in self.keywords.items()]
        return "\n".join(lines)


def _items(text: str, position: int) -> tuple[tuple[Pattern, ...], int]:
    items: list[Pattern] = []
    while match := _ITEM.match(text, position):
        opening, closing, _, name, kind, type_, sign = match.groups()
        if closing:
            break
        position = match.end()
        if opening:
            inner, position = _items(text, position)
            end = _ITEM.match(text, position)
            if end is None or not end[2]:
                raise ValueError(f"a group without end: {text!r}")
            items.append(Group(inner, *_REPEATS[end[3]]))
            position = end.end()
        else:
            slot = Slot(kind, type_ or "", name or kind)
            items.append(Group((slot,), *_REPEATS[sign]) if sign else slot)
    return tuple(items), position


def _slot(text: str, name: str) -> Slot:
    match = _ITEM.fullmatch(text)
    if match is None or match[5] is None:
        raise ValueError(f"not an argument: {text!r}")
    return Slot(match[5], match[6] or "", name)


class Mismatch(Exception):
    """The argument is not of this kind; another kind may fit. `what` completes "Parameter must be"."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


@dataclass(frozen=True, slots=True)
class Bound:
    """An argument: what was written, and what it stands for."""

    slot: Slot
    node: Node
    value: Any

    @property
    def span(self) -> Span:
        """Where the argument stands in the statement."""
        return whole(self.node)


Resolver = Callable[[Slot, Node, "Arguments"], Any]
"""Gives the value of an argument, raises `Mismatch` or `EngineError`; sees the arguments before it."""


class Arguments:
    """The matched arguments of one call."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.positional: list[Bound] = []
        self.named: dict[str, Bound] = {}

    def all(self, name: str) -> list[Bound]:
        """Every positional argument under this name, in order."""
        return [bound for bound in self.positional if bound.slot.name == name]

    def values(self, name: str) -> list[Any]:
        """The values of all arguments called `name`."""
        return [bound.value for bound in self.all(name)]

    def one(self, name: str) -> Bound:
        """The first argument called `name`."""
        return self.all(name)[0]

    def value(self, name: str, default: Any = None) -> Any:
        """The value of an argument that stands at most once, by position or by keyword."""
        found = self.all(name)
        if found:
            return found[0].value
        bound = self.named.get(name)
        return default if bound is None else bound.value

    def __contains__(self, name: str) -> bool:
        return bool(self.all(name)) or name in self.named


def match(signature: Signature, call: Call, resolve: Resolver) -> Arguments:
    """The arguments of `call`.

    Raises
    ------
    EngineError
        Too few, too many or wrong arguments, or an unknown keyword.
    """
    matcher = _Matcher(signature, call, resolve)
    try:
        matcher.group(signature.items)
    except Mismatch as mismatch:
        raise matcher.wrong(mismatch.what) from None
    matcher.finish()
    for key, node in call.keywords:
        matcher.keyword(key, node)
    return matcher.arguments


class _Matcher:
    def __init__(self, signature: Signature, call: Call, resolve: Resolver) -> None:
        self.signature = signature
        self.call = call
        self.resolve = resolve
        self.arguments = Arguments(call)
        self.refused: tuple[int, str] | None = None

    @property
    def position(self) -> int:
        return len(self.arguments.positional)

    def group(self, items: Sequence[Pattern]) -> None:
        """Match every item once; `Mismatch` is raised only by the first argument."""
        start = self.position
        for item in items:
            try:
                self.item(item)
            except Mismatch as mismatch:
                if self.position == start:
                    raise
                raise self.wrong(mismatch.what) from None

    def item(self, item: Pattern) -> None:
        if isinstance(item, Slot):
            self.slot(item)
            return
        times = 0
        while item.most is None or times < item.most:
            start = self.position
            try:
                self.group(item.items)
            except Mismatch as mismatch:
                if times < item.least:
                    raise
                self.refused = (start, mismatch.what)
                return
            except _Exhausted:
                if times < item.least or self.position > start:
                    raise
                return
            times += 1

    def slot(self, slot: Slot) -> None:
        args = self.call.args
        if self.position >= len(args):
            raise _Exhausted(self)
        node = args[self.position]
        value = self.resolve(slot, node, self.arguments)
        self.arguments.positional.append(Bound(slot, node, value))

    def finish(self) -> None:
        """Complain about arguments that are left over."""
        if self.position == len(self.call.args):
            return
        if self.refused is not None and self.refused[0] == self.position:
            raise self.wrong(self.refused[1])
        inputs = len(self.arguments.all("input"))
        raise EngineError(
            "SYNTAX",
            "WRONG_OPERATOR_ARGUMENTS_COUNT",
            f"Operator '{self.call.name}' expected {self.position - inputs} argument(s)"
            f" but was passed {len(self.call.args) - inputs}.",
            whole(self.call.args[self.position]),
        )

    def keyword(self, key: str, node: Node) -> None:
        slot = self.signature.keywords.get(key)
        if slot is None:
            raise EngineError(
                "SYNTAX",
                "UNRECOGNIZED_KEYWORD_PARAM",
                f"Keyword '{key}' not recognized by this operator.",
                whole(node),
            )
        if key in self.arguments.named:
            raise EngineError(
                "SYNTAX",
                "DUPLICATE_KEYWORD_PARAM",
                f"Keyword '{key}' appears more than once.",
                whole(node),
            )
        try:
            value = self.resolve(slot, node, self.arguments)
        except Mismatch as mismatch:
            raise wrong_parameter(mismatch.what, whole(node)) from None
        self.arguments.named[key] = Bound(slot, node, value)

    def wrong(self, what: str) -> EngineError:
        return wrong_parameter(what, whole(self.call.args[self.position]))


class _Exhausted(EngineError):
    """No argument is left where one must stand."""

    def __init__(self, matcher: _Matcher) -> None:
        call = matcher.call
        super().__init__(
            "SYNTAX",
            "WRONG_OPERATOR_ARGUMENTS_REGEX",
            f"Operator '{call.name}' expected more arguments, pattern \"{matcher.signature}\".",
            call.whole,
        )
