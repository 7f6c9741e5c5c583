"""Schemas of SciDB arrays: parse, print, compare.

The printed form is that of SciDB's ``show`` (ArrayDesc.cpp, printSchema)::

    A@1<a:int64 NOT NULL,b:string DEFAULT 'x'> [i=0:*:0:1000000; j=-2:2:0:5]

Not printed: ``NULL``, which is the default. Printed first, where every cell exists: ``not empty``.
A dimension that a join made of two prints both names, ``x, y=1:10:0:2``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

from scidb_magic.errors import WireError

MAX_COORDINATE = 2**62 - 1
"""Bound of every coordinate; printed as ``*`` (Coordinate.h)."""

_DIGITS = 20
"""A bound or length with more is none."""

DATAFRAME_DIMENSIONS = ("$inst", "$seq")
"""Dimensions of a SciDB data frame, which is what a schema without ``[…]`` declares."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: `type` is SciDB's type name, `default` and `compression` AFL texts or None."""

    name: str
    type: str
    nullable: bool = True
    default: str | None = None
    compression: str | None = None

    def __str__(self) -> str:
        parts = [f"{self.name}:{self.type}"]
        if not self.nullable:
            parts.append("NOT NULL")
        if self.default is not None:
            parts.append(f"DEFAULT {self.default}")
        if self.compression is not None:
            parts.append(f"COMPRESSION {self.compression}")
        return " ".join(parts)


@dataclass(frozen=True, slots=True)
class Dimension:
    """One dimension.

    Attributes
    ----------
    name : str
    low, high : int
        Inclusive bounds. ``high=None`` is ``*``, no bound.
    overlap : int
    chunk : int, optional
        None is ``*``, to be chosen by SciDB.
    aliases : tuple of str
        The dimension's other names, which a join leaves behind.
    """

    name: str
    low: int = 0
    high: int | None = None
    overlap: int = 0
    chunk: int | None = None
    aliases: tuple[str, ...] = ()

    @property
    def length(self) -> int | None:
        """Number of coordinates, None without an upper bound."""
        return None if self.high is None else self.high - self.low + 1

    def __str__(self) -> str:
        names = ", ".join((self.name, *self.aliases))
        return f"{names}={self.low}:{_star(self.high)}:{self.overlap}:{_star(self.chunk)}"


@dataclass(frozen=True, slots=True)
class Schema:
    """Attributes and dimensions of an array or a result."""

    attributes: tuple[Attribute, ...]
    dimensions: tuple[Dimension, ...]
    name: str = ""
    emptyable: bool = True

    @classmethod
    def parse(cls, text: str) -> Schema:
        """Read a schema as ``show`` prints it, or as AFL spells it.

        Parameters
        ----------
        text : str
            With or without array name and ``not empty``; dimensions in the new form
            ``i=0:9:0:5`` or the old one ``i=0:9,5,0``; ``?`` for a bound counts as not given.

        Raises
        ------
        WireError
            Naming the character where the text stops being a schema.
        """
        return _Reader(text).schema()

    @classmethod
    def of_line(cls, line: str) -> Schema:
        """Read the first field of a line of SciDB's ``tsv``, as ``show`` answers it; raises as `parse`."""
        meanings = {"t": "\t", "n": "\n", "r": "\r"}
        field = line.partition("\t")[0]
        return cls.parse(re.sub(r"\\(.)", lambda found: meanings.get(found[1], found[1]), field))

    @property
    def is_dataframe(self) -> bool:
        """Whether this is a SciDB data frame, whose cells have no coordinates of their own."""
        return tuple(d.name for d in self.dimensions) == DATAFRAME_DIMENSIONS

    def conforms(self, other: Schema) -> bool:
        """Tell whether a result of this schema can be stored into an array of schema `other`.

        As SciDB compares: by position; types equal; nullable only into nullable; lower bounds
        equal and upper bounds within. Names, chunk lengths and overlaps do not matter.
        """
        return (
            len(self.attributes) == len(other.attributes)
            and len(self.dimensions) == len(other.dimensions)
            and all(
                mine.type == theirs.type and mine.nullable <= theirs.nullable
                for mine, theirs in zip(self.attributes, other.attributes, strict=True)
            )
            and all(
                mine.low == theirs.low
                and (MAX_COORDINATE if mine.high is None else mine.high)
                <= (MAX_COORDINATE if theirs.high is None else theirs.high)
                for mine, theirs in zip(self.dimensions, other.dimensions, strict=True)
            )
        )

    def __str__(self) -> str:
        attributes = ",".join(map(str, self.attributes))
        shape = "" if self.is_dataframe else f" [{'; '.join(map(str, self.dimensions))}]"
        return f"{'' if self.emptyable else 'not empty '}{self.name}<{attributes}>{shape}"


def distinct_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names in order, each given only once.

    The first bearer keeps a name; a later one gets ``_1``, ``_2``, … , the first that is nobody's.
    SciDB-Py names the columns of a result so, attributes before dimensions: ``i:bool`` over a
    dimension ``i`` makes the dimension ``i_1``.
    """
    used: set[str] = set()

    def named(name: str) -> str:
        if name in used:
            name = next(free for k in count(1) if (free := f"{name}_{k}") not in {*names, *used})
        used.add(name)
        return name

    return tuple(map(named, names))


def _star(value: int | None) -> str:
    return "*" if value is None else str(value)


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<word>[A-Za-z_$][A-Za-z0-9_$]*)
    | "(?P<quoted>[^"]*)"
    | (?P<string>'(?:\\.|[^'\\])*')
    | (?P<number>[-+]?\d+)
    | (?P<mark>[^\s])
    )""",
    re.VERBOSE | re.DOTALL,
)
_NAMES = ("word", "quoted")
_OPENING, _CLOSING = ("(", "[", "{"), (")", "]", "}")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


class _Reader:
    """Recursive descent over the tokens of one schema."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.attributes_at = text.find("<")
        if self.attributes_at < 0:
            raise WireError(f"This is not a schema, it has no '<': {_shorten(text)!r}.")
        self.tokens = list(_tokens(text, self.attributes_at))
        self.position = 0

    def schema(self) -> Schema:
        emptyable, name = _head(self.text[: self.attributes_at])
        self.expect("<")
        attributes = tuple(self.separated(self.attribute, ","))
        self.expect(">")
        if self.accept("["):
            dimensions = tuple(self.separated(self.dimension, ",;"))
            self.expect("]")
        else:
            dimensions = tuple(Dimension(name) for name in DATAFRAME_DIMENSIONS)
        if self.peek().kind != "end":
            raise self.error("the end")
        return Schema(attributes, dimensions, name, emptyable)

    def attribute(self) -> Attribute:
        name = self.name("the name of an attribute")
        self.expect(":")
        type_ = self.name("a type")
        nullable, default, compression = True, None, None
        while self.peek().kind == "word":
            match self.take().text.lower():
                case "null":
                    nullable = True
                case "not":
                    self.expect("null")
                    nullable = False
                case "default":
                    default = self.expression()
                case "compression":
                    compression = self.take().text
                case "reserve":
                    self.number("a number")
                case _:
                    self.position -= 1
                    raise self.error("',' or '>'")
        return Attribute(name, type_, nullable, default, compression)

    def dimension(self) -> Dimension:
        names = [self.name("the name of a dimension")]
        while self.another_name():
            self.expect(",")
            names.append(self.name("the name of a dimension"))
        if not self.accept("="):
            return Dimension(names[0])
        low = self.lower_bound()
        high = self.number("an upper bound") if self.accept(":") else None
        if high == MAX_COORDINATE:
            high = None
        overlap, chunk = None, None
        if self.accept(":"):
            overlap = self.number("an overlap")
            if self.accept(":"):
                chunk = self.number("a chunk length")
        elif self.accept_comma_before_number():
            chunk = self.number("a chunk length")
            if self.accept_comma_before_number():
                overlap = self.number("an overlap")
        return Dimension(names[0], low, high, overlap or 0, chunk, tuple(names[1:]))

    def another_name(self) -> bool:
        """Whether a comma here leads to another name of the same dimension: ``x, y=…``."""
        at = self.position
        while self.at(at).text == "," and self.at(at + 1).kind in _NAMES:
            at += 2
        return at > self.position and self.at(at).text == "="

    def lower_bound(self) -> int:
        if self.accept("*"):
            return -MAX_COORDINATE
        return self.number("a lower bound") or 0

    def number(self, what: str) -> int | None:
        """An integer; None for ``*`` and ``?``."""
        token = self.take()
        if token.kind == "number" and len(token.text) <= _DIGITS:
            return int(token.text)
        if token.text in ("*", "?"):
            return None
        self.position -= 1
        raise self.error(what)

    def expression(self) -> str:
        """AFL text up to the next attribute or option, as it stands."""
        first = self.peek()
        depth, end = 0, first.start
        while (token := self.peek()).kind != "end":
            if depth == 0 and (token.text in (",", ">") or token.text.lower() in ("compression", "reserve")):
                break
            depth += (token.text in _OPENING) - (token.text in _CLOSING)
            end = token.end
            self.position += 1
        if end == first.start:
            raise self.error("a default value")
        return self.text[first.start : end]

    def name(self, what: str) -> str:
        if self.peek().kind not in _NAMES:
            raise self.error(what)
        return self.take().text

    def separated(self, item: Callable[[], _T], marks: str) -> Iterator[_T]:
        yield item()
        while any(map(self.accept, marks)):
            yield item()

    def accept(self, mark: str) -> bool:
        found = self.peek().kind == "mark" and self.peek().text == mark
        self.position += found
        return found

    def accept_comma_before_number(self) -> bool:
        following = self.at(self.position + 1)
        return (following.kind == "number" or following.text in ("*", "?")) and self.accept(",")

    def expect(self, text: str) -> None:
        if self.peek().text.lower() != text:
            raise self.error(repr(text))
        self.position += 1

    def at(self, position: int) -> _Token:
        return self.tokens[min(position, len(self.tokens) - 1)]

    def peek(self) -> _Token:
        return self.at(self.position)

    def take(self) -> _Token:
        token = self.peek()
        self.position += 1
        return token

    def error(self, expected: str) -> WireError:
        token = self.peek()
        found = repr(token.text) if token.kind != "end" else "the end"
        return WireError(
            f"This is not a schema: expected {expected} at character {token.start + 1}, found {found},"
            f" in {_shorten(self.text)!r}."
        )


def _head(text: str) -> tuple[bool, str]:
    """What stands before the attributes: whether cells may be empty, and the array's name."""
    name = text.strip()
    emptyable = re.match(r"not\s+empty\b", name, re.IGNORECASE) is None
    if not emptyable:
        name = name.split(None, 2)[2] if len(name.split(None, 2)) > 2 else ""
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = name[1:-1]
    return emptyable, name


def _tokens(text: str, start: int) -> Iterator[_Token]:
    end = len(text.rstrip())
    for match in _TOKEN.finditer(text, start, end):
        kind = match.lastgroup or "mark"
        yield _Token(kind, match[kind], match.start(kind), match.end())
    yield _Token("end", "", end, end)


def _shorten(text: str, width: int = 80) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
