"""What a cell puts out: results, footers, and one-line notes, as text and as HTML.

Tables are drawn by their own library (pandas' formatter, with the user's pandas options); what this
module adds stands in lines of its own above and below.
"""

from __future__ import annotations

import html
import logging
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from IPython.display import display

log = logging.getLogger("scidb_magic")

LONGEST_SCHEMA = 300
"""Characters of the schema above a result; ``attrs["scidb_schema"]`` has the whole."""

MOST_COLUMNS = 200
"""Of a table in a notebook."""

# IPython has types for it in some of its versions.
_display: Callable[..., object] = display

_NOTE = '<div style="opacity: 0.8">{}</div>'
_SCHEMA = '<div style="opacity: 0.8; overflow-wrap: anywhere"><code>{}</code></div>'
_WIDE = '<div style="overflow-x: auto; max-width: 100%">{}</div>'
_PRE = '<pre style="white-space: pre-wrap; word-break: normal; margin: 0">{}</pre>'


def note(text: str) -> None:
    """One line for the reader."""
    bundle(text, _NOTE.format(html.escape(text)))


_elsewhere = threading.local()


@contextmanager
def notices_to(tell: Callable[[str], object]) -> Iterator[None]:
    """Meanwhile the notices of this thread go to `tell`."""
    _elsewhere.tell = tell
    try:
        yield
    finally:
        del _elsewhere.tell


def notice(text: str) -> None:
    """A notice of the session: shown in the running cell, or logged where there is none.

    Output of another thread would land in whichever cell happens to run.
    """
    if hasattr(_elsewhere, "tell"):
        _elsewhere.tell(text)
    elif threading.current_thread() is threading.main_thread():
        note(text)
    else:
        log.warning("%s", text)


def text(lines: str) -> None:
    """Text of several lines, its spaces kept."""
    bundle(lines, _PRE.format(html.escape(lines)))


def page(markdown: str) -> None:
    """A page of text; where Markdown is not drawn it is read as it is."""
    _display({"text/plain": markdown, "text/markdown": markdown}, raw=True)


def bundle(plain: str, markup: str, more: Mapping[str, Any] = MappingProxyType({})) -> None:
    """One output in two forms, and in `more`, by MIME type."""
    _display({"text/plain": plain, "text/html": markup, **more}, raw=True)


def picture(plain: str, png: str) -> None:
    """A picture, in base64, and what it shows, for those who do not see it."""
    _display({"text/plain": plain, "image/png": png}, raw=True, metadata={"image/png": {"alt": plain}})


Rows = Iterable[Sequence[object]]


def table(heads: Sequence[str], rows: Rows) -> None:
    """A small table of words; None and missing values are shown as nothing."""
    bundle(*_words(heads, rows))


def tables(title: str, parts: Iterable[tuple[Sequence[str], Rows]]) -> None:
    """Several tables under one line, in one output."""
    drawn = [_words(heads, rows) for heads, rows in parts]
    bundle(
        "\n\n".join((title, *(plain for plain, _ in drawn))),
        _SCHEMA.format(html.escape(title)) + "".join(markup for _, markup in drawn),
    )


def _words(heads: Sequence[str], rows: Rows) -> tuple[str, str]:
    cells = [["" if value is None else str(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    lines = [
        "  ".join(f"{word:<{width}}" for word, width in zip(row, widths, strict=True)).rstrip()
        for row in (heads, *cells)
    ]
    top = "".join(_cell("th", head) for head in heads)
    body = "".join(f"<tr>{''.join(_cell('td', word) for word in row)}</tr>" for row in cells)
    drawn = f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return "\n".join(lines), _WIDE.format(drawn)


def _cell(kind: str, word: str) -> str:
    return f'<{kind} style="text-align: left">{html.escape(word)}</{kind}>'


def result(data: Any, complete: bool = True) -> None:
    """A result with its schema above and, below, how much of it is shown."""
    below, schema = footer(data, complete), getattr(data, "attrs", {}).get("scidb_schema")
    if schema is None:
        _display(data)
        note(below)
        return
    if len(schema) > LONGEST_SCHEMA:
        schema = schema[:LONGEST_SCHEMA] + "…"
    plain, drawn = "", ""
    if rows(data):
        plain, drawn, below = _drawn(data, below)
    bundle(
        "\n".join(filter(None, (schema, plain, below))),
        f"{_SCHEMA.format(html.escape(schema))}{_WIDE.format(drawn)}{_NOTE.format(html.escape(below))}",
    )


def _drawn(data: Any, below: str) -> tuple[str, str, str]:
    """A table as text and HTML, and its footer; without row numbers, which stand for nothing in SciDB."""
    if not hasattr(data, "iloc"):
        return repr(data), data._repr_html_(), below
    import pandas as pd

    wanted = pd.options.display
    most = None
    if wanted.max_rows and len(data) > wanted.max_rows:
        most = min(wanted.min_rows or wanted.max_rows, wanted.max_rows)
        below += f" (pandas draws {most} of them)"
    plain = data.to_string(
        index=False, line_width=wanted.width, max_rows=most, max_cols=wanted.max_columns or None
    )
    # What is wider than the window is scrolled, so more columns may stand there than pandas would draw.
    columns = max(wanted.max_columns or 0, MOST_COLUMNS)
    return plain, data.to_html(index=False, notebook=True, max_rows=most, max_cols=columns), below


def footer(data: Any, complete: bool) -> str:
    """How many rows of the result `data` has."""
    count = rows(data)
    if not count:
        return "The result is empty: it has no cells."
    if complete:
        return f"rows {count:,} of {count:,}"
    return f"rows {count:,} of more than {count:,}; --all or -o NAME brings the whole"


def rows(data: Any) -> int:
    """Rows of a DataFrame, an Arrow table, a NumPy array or an xarray Dataset."""
    number = getattr(data, "num_rows", None)
    if number is not None:
        return int(number)
    sizes = getattr(data, "sizes", None)
    return math.prod(sizes.values()) if sizes is not None else len(data)
