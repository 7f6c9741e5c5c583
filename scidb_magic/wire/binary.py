"""SciDB's binary format: what ``save(…, '(int64,string null)')`` writes and ``input`` reads.

Rows one after the other, little endian, no padding (TemplateParser.cpp, ArrayWriter.cpp). In a row,
for each column of the format string:

* where ``null`` is allowed, one byte first: 255 for a value, else the missing reason 0…127, and
  then zero bytes in place of the value (four for a type of variable size);
* fixed types: their bytes; bool and char 1, datetime 8, datetimetz 16;
* ``string``: uint32 length *including* a closing NUL, then the bytes and the NUL;
* ``binary``: uint32 length, then the bytes;
* ``string(N)``, ``binary(N)``: exactly N bytes, a string filled up with NUL;
* ``skip``, ``skip(N)``: bytes of a variable or fixed field that is passed over.

NumPy and pyarrow are imported when rows are first decoded or encoded, not with this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scidb_magic.errors import WireError
from scidb_magic.wire.columns import FIXED_TYPES, VARIABLE_TYPES
from scidb_magic.wire.schema import Attribute

if TYPE_CHECKING:
    from scidb_magic.wire.columns import Column

SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a format string.

    Attributes
    ----------
    name : str
        Name of the column that it becomes; a format string knows none.
    type : str
        SciDB's type name or ``"skip"``.
    nullable : bool
    size : int, optional
        N of ``string(N)``, ``binary(N)`` and ``skip(N)``, bytes.
    """

    name: str
    type: str
    nullable: bool = False
    size: int | None = None


_FIELD = re.compile(r"([A-Za-z_]\w*)\s*(?:\(\s*(\d+)\s*\))?\s*(?:(not\s+)?(null))?", re.IGNORECASE)


def format_string(attributes: Sequence[Attribute]) -> str:
    """The format string of attributes, for example ``(int64,string null)``."""
    return f"({','.join(a.type + ' null' * a.nullable for a in attributes)})"


def parse_format(text: str) -> tuple[Field, ...]:
    """Read a format string; the fields are named ``f0``, ``f1``, … .

    Raises
    ------
    WireError
        For what is not one, or names a type that SciDB does not have.
    """
    inner = text.strip()
    if not (inner.startswith("(") and inner.endswith(")")):
        raise WireError(f"A binary format stands in parentheses, such as (int64,string null): {text!r}.")
    return tuple(_parse_field(part.strip(), k) for k, part in enumerate(inner[1:-1].split(",")))


def _parse_field(text: str, position: int) -> Field:
    match = _FIELD.fullmatch(text)
    if match is None:
        raise WireError(f"{text!r} is no field of a binary format, such as 'int64' or 'string null'.")
    type_, size, negated, null = match.groups()
    type_ = type_.lower()
    if type_ != SKIP and type_ not in FIXED_TYPES and type_ not in VARIABLE_TYPES:
        raise WireError(f"SciDB's binary format has no type {type_!r}.")
    if size is not None and type_ in FIXED_TYPES:
        raise WireError(f"Type {type_!r} has a size of its own, {text!r} cannot change it.")
    if size is not None and int(size) == 0:
        raise WireError(f"A field takes at least one byte: {text!r}.")
    return Field(f"f{position}", type_, bool(null) and not negated, int(size) if size else None)


class Decoder:
    """Rows that come in pieces -> columns.

    Takes little more memory than the columns do: a piece is not kept but for its end, where a row is not
    yet whole.

    Parameters
    ----------
    attributes : sequence of Attribute or Field
        In the order of the format string.
    size : int, optional
        Bytes of all pieces together, if known: columns of fixed size then get their memory at once.
    """

    def __init__(self, attributes: Sequence[Attribute | Field], *, size: int | None = None) -> None:
        from scidb_magic.wire.decoder import Rows

        self._rows = Rows(_fields(attributes), size)

    def feed(self, piece: bytes | bytearray | memoryview) -> None:
        """Take the next bytes, cut off anywhere."""
        self._rows.feed(memoryview(piece).cast("B"))

    def columns(self, *, partial: bool = False) -> list[Column]:
        """All rows so far, as `decode` gives them and with its errors; nothing can be fed after it."""
        return self._rows.columns(partial)


def decode(
    body: bytes | bytearray | memoryview,
    attributes: Sequence[Attribute | Field],
    *,
    partial: bool = False,
) -> list[Column]:
    """Decode rows.

    Parameters
    ----------
    body : bytes-like
        Stays referenced by columns that need no copy.
    attributes : sequence of Attribute or Field
        In the order of the format string.
    partial : bool
        `body` may be cut off anywhere: the last row is dropped if it is not whole.

    Returns
    -------
    list of Column
        One for each attribute that is not ``skip``, each of length n rows.

    Raises
    ------
    WireError
        Where the bytes do not make whole rows of these types.
    """
    from scidb_magic.wire import rows

    return rows.decode(memoryview(body).cast("B"), _fields(attributes), partial)


class Encoder:
    """Columns of equal length as rows, in pieces: iterate over it, as often as the rows are wanted.

    Its ``len`` are the bytes of all pieces together.

    Parameters
    ----------
    columns : sequence of Column
        Must not change while they are encoded.
    fields : sequence of Field, optional
        One for each column, where ``string(N)`` or ``binary(N)`` is wanted; types are the columns'.

    Raises
    ------
    WireError
        Where a value is missing in a field without null; while it is iterated over, where one does not fit
        its fixed size.
    """

    def __init__(self, columns: Sequence[Column], fields: Sequence[Field] | None = None) -> None:
        from scidb_magic.wire.rows import Encoded

        if fields is None:
            fields = [Field(c.name, c.type, c.nullable) for c in columns]
        self._rows = Encoded(columns, fields)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._rows)


def encode(columns: Sequence[Column], fields: Sequence[Field] | None = None) -> bytes:
    """All pieces of an `Encoder` in one."""
    return b"".join(Encoder(columns, fields))


def _fields(attributes: Sequence[Attribute | Field]) -> list[Field]:
    return [a if isinstance(a, Field) else Field(a.name, a.type, a.nullable) for a in attributes]
