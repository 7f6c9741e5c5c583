"""Right queries made wrong: tokens lost or doubled, bytes that are no text, numbers without end, SQL."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from .values import PATHS, SQL, quoted

_TOKEN = re.compile(rb"'(?:\\.|[^'\\])*'|\w+|\s+|.", re.DOTALL)
_NUMBER = re.compile(rb"\b\d+\b")
_NAME = re.compile(rb"\b[a-z]\w*\b")
_STRING = re.compile(rb"'[^']*'")

LARGEST = 60_000
"""Bytes of a broken query: three times as many stand in a URL, which may have 262,144."""

_SCRAPS = (
    b"(",
    b")",
    b"<",
    b">",
    b"[",
    b"]",
    b"{",
    b"}",
    b",",
    b";",
    b":",
    b"'",
    b'"',
    b"\\",
    b"--",
    b"/*",
    b"*/",
)
_SCRAPS += (
    b"*",
    b"@",
    b"@1",
    b".",
    b"=",
    b"null",
    b"not",
    b" as ",
    b"as",
    b"asc",
    b" let ",
    b"fn(x){x}",
    b"?",
    b"$",
)
_SCRAPS += (
    b"\0",
    b"\n",
    b"\r",
    b"\t",
    b"\x0b",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xef\xbb\xbf",
)
_SCRAPS += (
    "é".encode(),
    "漢".encode(),
    "𝔘".encode(),
    "\u202e".encode(),
    "\u2028".encode(),
    b"%",
    b"%00",
    b"&",
    b"+",
    b"#",
)
_ENDLESS = (
    b"9" * 19,
    b"9" * 400,
    b"1e999",
    b"1" + b"0" * 5000,
    b"0x7f",
    b"1e-999",
    b"00000000000000000001",
    b"1_000",
)


def _tokens(query: bytes) -> list[bytes]:
    return _TOKEN.findall(query) or [b""]


def _lose(random: Random, query: bytes) -> bytes:
    parts = _tokens(query)
    del parts[random.randrange(len(parts))]
    return b"".join(parts)


def _double(random: Random, query: bytes) -> bytes:
    parts = _tokens(query)
    place = random.randrange(len(parts))
    return b"".join((*parts[:place], parts[place], *parts[place:]))


def _swap(random: Random, query: bytes) -> bytes:
    parts = _tokens(query)
    one, other = random.randrange(len(parts)), random.randrange(len(parts))
    parts[one], parts[other] = parts[other], parts[one]
    return b"".join(parts)


def _insert(random: Random, query: bytes) -> bytes:
    parts = _tokens(query)
    parts.insert(random.randrange(len(parts) + 1), random.choice(_SCRAPS))
    return b"".join(parts)


def _cut(random: Random, query: bytes) -> bytes:
    return query[: random.randrange(len(query) + 1)]


def _flip(random: Random, query: bytes) -> bytes:
    changed = bytearray(query or b" ")
    for _ in range(random.choice((1, 1, 2, 5, 20))):
        changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed)


def _noise(random: Random, query: bytes) -> bytes:
    return random.randbytes(random.randrange(200))


def _replaced(
    pattern: re.Pattern[bytes], make: Callable[[Random], bytes]
) -> Callable[[Random, bytes], bytes]:
    """Put something else in the place of one match."""

    def change(random: Random, query: bytes) -> bytes:
        found = list(pattern.finditer(query))
        if not found:
            return query + make(random)
        match = random.choice(found)
        return query[: match.start()] + make(random) + query[match.end() :]

    return change


def _deep(random: Random, query: bytes) -> bytes:
    """Nested as deep as nobody writes."""
    many = random.choice((20, 100, 390, 401, 1500))
    before, inner, after = random.choice(_NESTS)
    return (before * many + inner + after * many)[:LARGEST]


_NESTS = (
    (b"filter(", b"fz_grid", b",v>0)"),
    (b"(", b"1", b")"),
    (b"build(<a:int64>[i=0:1],", b"i", b")"),
    (b"apply(fz_grid,q,", b"v", b")"),
    (b"not ", b"true", b""),
    (b"- ", b"1", b""),
    (b"filter(fz_grid,", b"v>1", b" and v>1)"),
    (b"filter(fz_grid,v>1 ", b"", b" or v=1"),
    (b"abs(", b"v", b")"),
    (b"iif(true,", b"1", b",2)"),
    (b"show('", b"fz_grid", b"','afl')"),
    (b"let { q = ", b"fz_grid", b" } in q"),
    (b"/*", b"", b"*/"),
    (b"[", b"1", b"]"),
    (b"apply(fz_grid,q,v", b"", b"+v"),
    (b"apply(fz_mixed,q,s", b")", b"+s"),
    (b"cross_join(fz_grid as A,", b"fz_grid as B", b")"),
    (b"merge(fz_grid,", b"fz_grid", b")"),
    (b"fz_grid.", b"a", b""),
    (b"project(fz_grid", b"", b",v"),
    (b"build(<a:int64>[i=0:0", b"", b";i=0:0"),
    (b"apply(fz_grid", b"", b",q,1"),
)

_SLIPS = (
    _lose,
    _double,
    _swap,
    _insert,
    _insert,
    _cut,
    _flip,
    _replaced(
        _NUMBER, lambda random: str(random.choice((0, -1, 5, 2**31, 2**62, 2**63 - 1, 2**63))).encode()
    ),
    _replaced(_NAME, lambda random: random.choice(_COMMON_NAMES)),
    _replaced(_STRING, lambda random: quoted(random.choice(SQL)).encode()),
)
_ATTACKS = (
    _noise,
    _deep,
    _replaced(_NUMBER, lambda random: random.choice(_ENDLESS)),
    _replaced(_NAME, lambda random: b"n" * random.choice((200, 5000))),
    _replaced(_NAME, lambda random: b'"' + random.choice(SQL).encode() + b'"'),
    _replaced(_STRING, lambda random: b"'" + random.choice(SQL).encode() + b"'"),
    _replaced(_STRING, lambda random: quoted(random.choice(PATHS)).encode()),
    _replaced(_STRING, lambda random: b"'" + random.randbytes(20) + b"'"),
    _replaced(_STRING, lambda random: b"'" + b"x" * random.choice((1000, 30_000)) + b"'"),
)
_COMMON_NAMES = (
    b"i",
    b"a",
    b"v",
    b"x",
    b"fz_grid",
    b"fz_mixed",
    b"sum",
    b"filter",
    b"null",
    b"true",
    b"int64",
    b"string",
)


def broken(random: Random, query: bytes) -> bytes:
    """The query with one to three things wrong."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        query = random.choice(_SLIPS if random.random() < 0.75 else _ATTACKS)(random, query)
    return query[:LARGEST]
