r"""Text to values, whole columns at a time; the way back of `values`.

A column comes as an Arrow array of ``large_binary``: the text of each field, quotes and escapes already
taken off, null where the record has no such field. Null, and the reasons why a value is missing, are
written ``null``, ``\N`` and ``?n``; which of these a format knows, its `Dialect` tells. Values are read as
TypeSystem.cpp's StringToValue does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scidb_magic.embedded.engine.formats import scalars
from scidb_magic.embedded.engine.formats.convert import computed
from scidb_magic.embedded.engine.formats.values import BINARY, Texts, Values
from scidb_magic.embedded.engine.temporal import datetime_or_null, datetimetz_or_null
from scidb_magic.wire.schema import Attribute
from scidb_magic.wire.texts import bytes_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

MAX_REASON = 127
_LONGEST_REASON = 20


@dataclass(frozen=True, slots=True)
class Dialect:
    """What stands for null in a format, where an attribute allows null; else it is text like any other.

    Attributes
    ----------
    nulls : tuple of bytes
        Words.
    empty_is_null : bool
        Whether an empty field does too, and for numbers one of blanks.
    lone_mark : bool
        Whether ``?`` without a number does.
    defaults : bool
        Whether a field that is not there is the attribute's default; else null, or a zero.
    """

    nulls: tuple[bytes, ...]
    empty_is_null: bool = False
    lone_mark: bool = False
    defaults: bool = False


@dataclass(frozen=True, slots=True)
class Parsed:
    """One column.

    Attributes
    ----------
    values : pyarrow.Array
        Physical type as in `relation.PHYSICAL`, null at the missing.
    reasons : numpy.ndarray of uint8, shape (rows,), optional
        None where all missing values have reason 0.
    failed : dict of int to str
        Row -> what is wrong there. The value there is null, or a zero where null is not allowed.
    """

    values: Values
    reasons: NDArray[np.uint8] | None
    failed: dict[int, str]


def column(texts: Texts, quoted: Mask | None, attribute: Attribute, dialect: Dialect) -> Parsed:
    """Read one column.

    Parameters
    ----------
    texts : pyarrow.Array of large_binary, shape (rows,)
    quoted : numpy.ndarray of bool, shape (rows,), optional
        Fields that stood in quotes, which are never null.
    attribute : Attribute
    dialect : Dialect
    """
    failed: dict[int, str] = {}
    if dialect.defaults:
        texts = _with_default(texts, attribute)
    missing, reasons = _missing(texts, quoted, attribute, dialect, failed)
    if missing.any():
        texts = pc.if_else(pa.array(~missing), texts, pa.scalar(None, BINARY))
    values = _values(texts, attribute.type, failed)
    if not attribute.nullable and values.null_count:
        for row in np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False)):
            failed.setdefault(int(row), f"Assigning null to non-nullable attribute '{attribute.name}'")
        values = pc.coalesce(values, zero(attribute.type))
    return Parsed(values, reasons if reasons.any() else None, failed)


def zero(type: str) -> pa.Scalar[Any]:
    """SciDB's value of a type where none is given: 0, false, the empty string."""
    if type == "datetimetz":
        return pa.scalar({"time": 0, "offset": 0}, _ARROW[type])
    return pa.scalar({"bool": False, "string": "", "binary": b""}.get(type, 0), _ARROW[type])


def _with_default(texts: Texts, attribute: Attribute) -> Texts:
    """Absent fields get the attribute's default; null stays where that is null."""
    if not texts.null_count:
        return texts
    default = attribute.default
    if default is None:
        if attribute.nullable:
            return texts
        default = {"string": "", "char": "", "datetime": "1970-01-01", "datetimetz": "1970-01-01 +00:00"}.get(
            attribute.type, "0"
        )
    elif default.lower() == "null":
        return texts
    if len(default) > 1 and default[0] == default[-1] == "'":
        default = re.sub(r"\\(.)", r"\1", default[1:-1])
    elif default.startswith("missing("):
        default = "?" + default[len("missing(") : -1]
    return texts.fill_null(default.encode())


def _missing(
    texts: Texts, quoted: Mask | None, attribute: Attribute, dialect: Dialect, failed: dict[int, str]
) -> tuple[Mask, NDArray[np.uint8]]:
    """Which values are missing, and why."""
    missing = texts.is_null().to_numpy(zero_copy_only=False)
    reasons = np.zeros(len(texts), np.uint8)
    if not attribute.nullable:
        return missing, reasons
    bare = np.ones(len(texts), np.bool_) if quoted is None else ~quoted
    missing = missing | (_mask(pc.is_in(texts, pa.array(dialect.nulls, BINARY))) & bare)
    if dialect.empty_is_null:
        missing = missing | _mask(pc.is_in(texts, pa.array([b""], BINARY)))
        if attribute.type in scalars.NUMBERS:
            missing |= _mask(pc.match_substring_regex(texts, r"^\s*$"))
    for row in np.flatnonzero(_mask(pc.starts_with(texts, "?")) & bare).tolist():
        text = texts[row].as_py()
        if not text[1:].isdigit():
            missing[row] |= dialect.lone_mark and text == b"?"
            continue
        missing[row] = True
        if len(text) > _LONGEST_REASON or int(text[1:]) > MAX_REASON:
            failed[row] = f"The integer '{text.decode()}' is not a valid missing reason code"
        else:
            reasons[row] = int(text[1:])
    return missing, reasons


def _mask(booleans: Values) -> Mask:
    mask: Mask = booleans.fill_null(False).to_numpy(zero_copy_only=False)
    return mask


def _values(texts: Texts, type: str, failed: dict[int, str]) -> Values:
    """All at once where Arrow understands every text, else one by one; moments by the engine."""
    quick = _QUICK.get(type, _cast)
    try:
        return quick(texts, type)
    except pa.ArrowInvalid:
        pass
    if type in _MOMENTS:
        return _moments(texts, type, failed)
    read = scalars.READERS[type]
    values: list[Any] = []
    for row, text in enumerate(texts.to_pylist()):
        value = None
        if text is not None:
            try:
                value = read(text, type)
            except ValueError as error:
                failed[row] = str(error)
        values.append(value)
    return pa.array(values, _ARROW[type])


def _moments(texts: Texts, type: str, failed: dict[int, str]) -> Values:
    """Dates and times in all of SciDB's spellings."""
    whole = [text if text is None else text.decode("utf-8", "replace") for text in texts.to_pylist()]
    values = computed(_MOMENTS[type]("v"), pa.array(whole, pa.string())).cast(_ARROW[type])
    for row in np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False)).tolist():
        if whole[row] is not None:
            failed[row] = str(scalars.cannot(whole[row] or "", type, "no date and time"))
    return values


def _cast(texts: Texts, type: str) -> Values:
    return texts.cast(pa.large_string()).cast(_ARROW[type])


def _quick_integers(texts: Texts, type: str) -> Values:
    strings = texts.cast(pa.large_string())
    try:
        return strings.cast(_ARROW[type])
    except pa.ArrowInvalid:
        return pc.ascii_trim_whitespace(strings).cast(_ARROW[type])


_EXTREME = r"[1-9].*[eE]|\d{40}|\.0{30}"
"""Numbers that may be too large or too small."""


def _quick_floats(texts: Texts, type: str) -> Values:
    values = _quick_integers(texts, type)
    # Too large or too small a number is an error in C, not infinite or zero.
    numbers = values.fill_null(1).to_numpy(zero_copy_only=False)
    strange = (np.abs(numbers) < scalars.TINY[type]) | np.isinf(numbers)
    if strange.any() and (strange & _mask(pc.match_substring_regex(texts, _EXTREME))).any():
        raise pa.ArrowInvalid("some may be out of range")
    return values


def _quick_bool(texts: Texts, _type: str) -> Values:
    present = texts.drop_null()
    if not _mask(pc.is_in(present, pa.array([b"true", b"false"], BINARY))).all():
        raise pa.ArrowInvalid("some are neither true nor false")
    return texts.cast(pa.large_string()).cast(pa.bool_())


def _quick_datetime(texts: Texts, _type: str) -> Values:
    moments = pc.strptime(texts.cast(pa.large_string()), "%Y-%m-%d %H:%M:%S", "s")
    return moments.cast(pa.int64())


_ISO_WITH_OFFSET = r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2} [+-]\d{2}:\d{2}$"


def _quick_datetimetz(texts: Texts, type: str) -> Values:
    strings = texts.cast(pa.large_string())
    if pc.all(pc.match_substring_regex(strings, _ISO_WITH_OFFSET)).as_py() is False:
        raise pa.ArrowInvalid("not all in the form that SciDB writes")
    time = _quick_datetime(pc.utf8_slice_codeunits(strings, 0, 19), type)
    zones = pc.utf8_slice_codeunits(strings, 19).dictionary_encode()
    offset = pa.array(map(_offset, zones.dictionary.to_pylist()), pa.int64()).take(zones.indices)
    return pa.StructArray.from_arrays([time, offset], ["time", "offset"], mask=strings.is_null())


def _offset(zone: str) -> int:
    """Seconds of `` +hh:mm``."""
    seconds = int(zone[2:4]) * 3600 + int(zone[5:7]) * 60
    return -seconds if zone[1] == "-" else seconds


def _quick_char(texts: Texts, _type: str) -> Values:
    lengths, data = bytes_of(texts)
    if (lengths > 1).any():
        raise pa.ArrowInvalid("not all of one byte")
    values = np.zeros(len(texts), np.uint8)
    values[lengths == 1] = data
    return pa.array(values, mask=texts.is_null().to_numpy(zero_copy_only=False))


def _no_quick_way(_texts: Texts, _type: str) -> Values:
    raise pa.ArrowInvalid("no text is bytes")


_ARROW: dict[str, pa.DataType] = {
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "uint8": pa.uint8(),
    "uint16": pa.uint16(),
    "uint32": pa.uint32(),
    "uint64": pa.uint64(),
    "bool": pa.bool_(),
    "char": pa.uint8(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.large_string(),
    "binary": pa.large_binary(),
    "datetime": pa.int64(),
    "datetimetz": pa.struct([("time", pa.int64()), ("offset", pa.int64())]),
}

_QUICK: dict[str, Callable[[Texts, str], Values]] = {
    **dict.fromkeys(scalars.INTEGERS, _quick_integers),
    **dict.fromkeys(("float", "double"), _quick_floats),
    "bool": _quick_bool,
    "datetime": _quick_datetime,
    "datetimetz": _quick_datetimetz,
    "char": _quick_char,
    "binary": _no_quick_way,
}

_MOMENTS: dict[str, Callable[[str], str]] = {
    "datetime": datetime_or_null,
    "datetimetz": datetimetz_or_null,
}
