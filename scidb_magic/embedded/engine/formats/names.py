"""Names of formats and their options, as ``save`` and ``input`` take them (IoFormats.cpp, TypeSystem.cpp).

``csv+:ld`` is the format ``csv+`` with the options ``l`` and ``d``:

======  ==========================================================
option  meaning
======  ==========================================================
``l``   a line of labels: written first, skipped when read
``s``   strings stand in ``'…'`` (CSV's default when written)
``d``   strings stand in ``"…"``
``E``   null with reason 0 is written as nothing
``n``   … as ``null`` (CSV's default)
``N``   … as ``\\N`` (TSV's default)
``?``   … as ``?0``
``t``   CSV: fields are parted by a tab
``p``   CSV: fields are parted by ``|``
======  ==========================================================
"""

from __future__ import annotations

from dataclasses import dataclass

from scidb_magic.errors import EngineError

DELIMITED = ("csv", "csv+", "tsv", "tsv+", "dcsv")
BRACKETED = ("text", "dense", "sparse", "store")
ARROW = "arrow"

_QUOTES = {"s": b"'", "d": b'"'}
_NULLS = {"E": b"", "n": b"null", "N": rb"\N", "?": b"?0"}
_SEPARATORS = {"t": b"\t", "p": b"|"}


@dataclass(frozen=True, slots=True)
class Layout:
    """One format with its options.

    Attributes
    ----------
    name : str
        Without options; ``"binary"`` for a format string in parentheses.
    labels : bool
    separator : bytes
        Between two fields.
    quote : bytes, optional
        What strings stand in; None where nothing was asked for; empty in TSV, which escapes instead.
    null : bytes
        Text of a null with reason 0.
    """

    name: str
    labels: bool = False
    separator: bytes = b","
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
        ``UNSUPPORTED_FORMAT``: no such format, or no such option of it.
    """
    if format.strip().startswith("("):
        return Layout("binary")
    name, _, options = format.partition(":")
    name = name.strip().lower()
    if name in (*BRACKETED, ARROW) and not options:
        return Layout(name)
    if name not in DELIMITED:
        raise unsupported(format)
    tabular = name.startswith("tsv")
    found = Layout(
        name,
        labels=name == "dcsv",
        separator=b"\t" if tabular else b",",
        quote=b"" if tabular else None,
        null=rb"\N" if tabular else b"null",
    )
    for option in options:
        found = _with_option(found, option, format)
    return found


def unsupported(format: str) -> EngineError:
    return EngineError("INFER_SCHEMA", "UNSUPPORTED_FORMAT", f"Unsupported format '{format}'.")


def _with_option(found: Layout, option: str, format: str) -> Layout:
    labels, separator, quote, null = found.labels, found.separator, found.quote, found.null
    if option == "l":
        labels = True
    elif option in _NULLS:
        null = _NULLS[option]
    elif option in _QUOTES and not found.tabular:
        quote = _QUOTES[option]
    elif option in _SEPARATORS and not found.tabular:
        separator = _SEPARATORS[option]
    else:
        raise unsupported(format)
    return Layout(found.name, labels, separator, quote, null)
