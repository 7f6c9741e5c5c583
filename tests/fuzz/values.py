"""Values of every type as AFL writes them, and texts that are likely to break something."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

INTEGERS = (0, 1, 1, 2, 2, 3, 4, 5, 7, 9, -1, -2, -5, 10, 100)
EXTREMES = (127, 128, -128, 255, 32767, -32768, 65535, 2**31 - 1, -(2**31), 2**32, 2**62 - 1, -(2**62) + 1)
EXTREMES += (2**62, 2**63 - 1, -(2**63) + 1)
REALS = (
    "0.0",
    "-0.0",
    "1.5",
    "0.1",
    "-2.25",
    "1e10",
    "1e308",
    "-1e308",
    "5e-324",
    "1e-320",
    "nan",
    "inf",
    "-inf",
)

SQL = (
    "'; DROP SCHEMA stored CASCADE; --",
    "'') ; DROP TABLE stored.main.arrays; --",
    '"; DELETE FROM stored.main.arrays; --',
    "x') FROM duckdb_settings() --",
    "' UNION ALL SELECT content FROM read_text('{secret}') --",
    "' || getenv('FUZZ_SECRET') || '",
    "'); ATTACH '{outside}/evil.duckdb' AS evil; --",
    "1); COPY (SELECT 1) TO '{outside}/evil.csv'; --",
    "$$; SELECT 1; $$",
    "E'\\\\x27'",
    "/* */ UNION SELECT * FROM temporary.main.versions",
    "{0}",
    "{x!r:>{width}}",
    "%s%s%n",
    "?",
    "$1",
)
"""Templates: `{secret}` is a file not to be read, `{outside}` a folder for nothing."""

PATHS = (
    "{secret}",
    "{outside}/evil",
    "../outside/evil",
    "../../../../../../etc/passwd",
    "{scratch}/../outside/secret",
    "{scratch}/./x/../../outside/secret",
    "link_to_secret",
    "{io}/link_to_secret",
    "{io}/link_to_outside/evil",
    "{io}/link_to_outside/secret",
    "/etc/passwd",
    "/etc/shadow",
    "/proc/self/environ",
    "/proc/self/mem",
    "/proc/self/fd/0",
    "/dev/zero",
    "/dev/stdin",
    "/dev/tcp/127.0.0.1/1",
    "~/evil",
    "$HOME/evil",
    "file://{secret}",
    "http://127.0.0.1:1/x",
    "s3://bucket/x",
    "",
    ".",
    "..",
    "/",
    "a" * 5000,
    "a/b/c/d",
    "{io}",
    "{io}/fifo",
    "{io}/nul\\0byte",
    "*",
    "{io}/*",
    "|id",
    "$(id)",
    "`id`",
    "\n",
    "{scratch}/shim_output_buf_x",
    "\u202egpj.exe",
)
"""Templates of file names that must lead nowhere; some are harmless."""

FILES = ("{io}/cells.csv", "{io}/cells.tsv", "{io}/cells.bin", "{io}/cells.txt", "{io}/empty", "{io}/noise")
"""Files that are there to be read."""

WORDS = ("a", "b", "abc", "Hello", "", " ", "12", "-3.5", "true", "nan", "2020-02-30 25:61:61", "null")
WORDS += (
    "äöü",
    "漢字",
    "𝔘",
    "e\u0301",
    "\u202e",
    "\ufeff",
    "a\\nb",
    "a\\'b",
    "%Y-%m-%d",
    "(a+)+$",
    "[",
    "\\\\",
    "_%",
)
DATES = (
    "2020-01-02 03:04:05",
    "1970-01-01 00:00:00",
    "9999-12-31 23:59:59",
    "0001-01-01 00:00:00",
    "nonsense",
)
FORMATS = (
    "csv",
    "csv+",
    "csv:l",
    "csv+:lp",
    "tsv",
    "tsv+",
    "tsv:l",
    "dcsv",
    "text",
    "dense",
    "sparse",
    "store",
)
FORMATS += (
    "",
    "opaque",
    "lsparse",
    "lcsv+",
    "arrow",
    "(int64)",
    "(int64 null,string)",
    "(",
    "()",
    "(int64,",
    "csv+:zz",
)
FORMATS += ("CSV", "(string null skip)", "(skip)", "({0})", "(int65)", "csv'", "csv\\',1)")

TYPES = ("bool", "char", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
TYPES += ("float", "double", "string", "datetime", "datetimetz")


def quoted(text: str) -> str:
    """A string literal of AFL."""
    return "'" + text.replace("'", "\\'") + "'"


def number(random: Random) -> int:
    return random.choice(EXTREMES) if random.random() < 0.1 else random.choice(INTEGERS)


def word(random: Random) -> str:
    if random.random() < 0.1:
        return random.choice(SQL)
    if random.random() < 0.03:
        return random.choice(WORDS) * random.choice((10, 500, 4000))
    return random.choice(WORDS)


def _integer(type_: str) -> Callable[[Random], str]:
    def make(random: Random) -> str:
        value = number(random)
        return f"{type_}({abs(value) if type_[0] == 'u' and random.random() < 0.9 else value})"

    return make


_MAKERS: dict[str, Callable[[Random], str]] = {
    **{type_: _integer(type_) for type_ in TYPES if "int" in type_},
    "int64": lambda random: str(number(random)),
    "bool": lambda random: random.choice(("true", "false", "true", "false", "bool(1)")),
    "char": lambda random: random.choice(
        ("char('a')", "strchar('b')", "char(0)", "char(200)", "strchar('')")
    ),
    "float": lambda random: f"float({random.choice(REALS)})",
    "double": lambda random: random.choice(REALS),
    "string": lambda random: quoted(word(random)),
    "datetime": lambda random: (
        f"datetime({quoted(random.choice(DATES))})"
        if random.random() < 0.7
        else f"datetime({number(random)})"
    ),
    "datetimetz": lambda random: (
        f"datetimetz({quoted(random.choice(DATES) + ' ' + random.choice(('+05:30', '-01:00', '+99:99')))})"
    ),
}


def literal(random: Random, type_: str) -> str:
    """A constant of a type; now and then a null, or of another type."""
    chance = random.random()
    if chance < 0.03:
        return random.choice(("null", "missing(3)", "missing(200)", "missing(null)", f"{type_}(null)"))
    if chance < 0.05:
        type_ = random.choice(TYPES)
    return _MAKERS.get(type_, _MAKERS["int64"])(random)
