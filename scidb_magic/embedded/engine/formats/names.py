r"""Names of formats and their options, as ``save`` and ``input`` take them (IoFormats.cpp, TypeSystem.cpp).

``csv+:ld`` is the format ``csv+`` with the options ``l`` and ``d``. SciDB looks for the letters that it
knows and passes over all others; of several letters for one thing the first counts.

======  =================================================================
option  meaning
======  =================================================================
``l``   a line of labels: written first, skipped when read
``s``   strings stand in ``'…'`` (the default when CSV is written)
``d``   strings stand in ``"…"``
``E``   null with reason 0 is written as nothing
``n``   … as ``null`` (the default but for TSV)
``N``   … as ``\N`` (TSV's default)
``?``   … as ``?0``
``p``   the fields that are read are parted by ``|``
``t``   CSV: the fields that are read are parted by a tab
``c``   TSV: the fields that are read are parted by a comma
======  =================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from scidb_magic.errors import EngineError

DELIMITED = ("csv", "csv+", "tsv", "tsv+", "dcsv")
BRACKETED = ("text", "dense", "sparse", "store", "auto")
_SYNONYMS = {"auto": "dense"}
ARROW = "arrow"

_QUOTES = {"s": b"'", "d": b'"'}
_NULLS = {"E": b"", "n": b"null", "N": rb"\N", "?": b"?0"}
_SEPARATORS = {"csv": {"p": b"|", "t": b"\t"}, "tsv": {"p": b"|", "c": b","}}

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Layout:
    """One format with its options.

    Attributes
    ----------
    name : str
        In small letters, without options; ``"binary"`` for a format string in parentheses.
    labels : bool
    separator : bytes
        Between two fields that are written.
    read_separator : bytes
        Between two fields that are read.
    quote : bytes, optional
        What strings stand in; None where nothing was asked for; empty in TSV, which escapes instead.
    null : bytes
        Text of a null with reason 0.
    """

    name: str
    labels: bool = False
    separator: bytes = b","
    read_separator: bytes = b","
    quote: bytes | None = None
    null: bytes = b"null"

    @property
    def tabular(self) -> bool:
        """Whether strings are escaped with backslashes and never quoted."""
        return self.name.startswith("tsv")

    @property
    def coordinates(self) -> bool:
        """Whether a line tells the coordinates of its cell."""
        return self.name.endswith("+") or self.name == "dcsv"


def layout(format: str) -> Layout:
    """Read a format's name and options.

    Raises
    ------
    EngineError
        ``UNSUPPORTED_FORMAT``: no such format.
    """
    if format.startswith("("):
        return Layout("binary")
    name, _, options = format.partition(":")
    name = name.lower()
    if name in BRACKETED:
        return Layout(_SYNONYMS.get(name, name))
    if name == ARROW and not options:
        return Layout(name)
    if name not in DELIMITED:
        raise unsupported(format)
    tabular = name.startswith("tsv")
    separator = b"\t" if tabular else b","
    return Layout(
        name,
        labels=name == "dcsv" or "l" in options,
        separator=separator,
        read_separator=_first(options, _SEPARATORS.get(name, {}), separator),
        quote=b"" if tabular else _first(options, _QUOTES, None),
        null=_first(options, _NULLS, rb"\N" if tabular else b"null"),
    )


def unsupported(format: str) -> EngineError:
    """The error of a format that there is not."""
    return EngineError("INFER_SCHEMA", "UNSUPPORTED_FORMAT", f"Unsupported format '{format}'.")


def _first(options: str, table: Mapping[str, _T], default: _T) -> _T:
    return next((table[option] for option in options if option in table), default)
