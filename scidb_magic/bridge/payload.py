"""``upload_data`` of SciDB-Py as bytes for shim, and what stands for it in the query's text.

NumPy arrays are encoded by the schema that SciDB-Py finds for their type, or by ``upload_schema``:
whole columns at a time, exactly, or an `UploadError` that names the value. (SciDB-Py sends the memory
as it is, so a ``datetime64[ns]`` arrives as seconds; 19.3.1 miscounts the bytes of letters like ä.)
Bytes and files go as they are. pandas and Arrow tables may stand here too.

Imports SciDB-Py: import it when that is asked for.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scidbpy

from scidb_magic.errors import UploadError
from scidb_magic.frames import upload
from scidb_magic.frames.exact import Options, codes_of
from scidb_magic.frames.values import column_of
from scidb_magic.wire import binary
from scidb_magic.wire.columns import PRESENT, VARIABLE_TYPES, Column, dtype_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Payload:
    """Data to be sent.

    Attributes
    ----------
    content : bytes
    schema : str or None
        What ``{sch}`` stands for.
    format : str or None
        What ``{fmt}`` stands for.
    """

    content: bytes
    schema: str | None
    format: str | None


def prepare(data: Any, schema: Any = None, *, described: bool = True) -> Payload:
    """Encode `data`.

    Parameters
    ----------
    data : numpy.ndarray, bytes, bytearray, file-like, pandas.DataFrame, pandas.Series
    schema : scidbpy.Schema, optional
    described : bool
        Whether the query takes its format from us (``{fmt}``). Where it has one of its own, plain
        values of a nullable attribute are sent as SciDB-Py sends them: without a byte for null.

    Raises
    ------
    UploadError
        Naming the attribute and the first value that cannot be sent.
    """
    if isinstance(data, np.ndarray):
        if schema is None:
            schema = _found(data.dtype)
        return _described(_encoded(data, schema, described), schema)
    if hasattr(data, "read"):
        data = data.read()
    if isinstance(data, str):
        data = data.encode()
    if isinstance(data, (bytes, bytearray, memoryview)):
        return _described(bytes(data), schema)
    encoded = upload.encode(data)
    if not encoded.rows:
        raise UploadError("The data have no row: there is nothing to send.")
    return Payload(b"".join(encoded.payload), str(encoded.schema), encoded.format)


def _described(content: bytes, schema: Any) -> Payload:
    if schema is None:
        return Payload(content, None, None)
    return Payload(content, str(schema), schema.atts_fmt_scidb)


def _found(dtype: np.dtype[Any]) -> Any:
    try:
        return scidbpy.Schema.fromdtype(dtype)
    except Exception as error:  # SciDB-Py raises nothing narrower
        warnings.warn(
            "Mapping NumPy dtype to SciDB schema failed. Try providing an explicit upload_schema",
            stacklevel=2,
        )
        raise UploadError(f"{error}; give an upload_schema.") from error


def _encoded(data: NDArray[Any], schema: Any, described: bool) -> bytes:
    flat = data.reshape(-1)
    parts = [flat] if data.dtype.names is None else [flat[name] for name in data.dtype.names]
    if len(parts) != len(schema.atts):
        raise UploadError(
            f"The upload_schema has {len(schema.atts)} attributes and the array {len(parts)} fields."
        )
    fixed = schema.is_fixsize()
    columns = []
    for attribute, part in zip(schema.atts, parts, strict=True):
        bare = part.dtype.names != ("null", "val") and (fixed or attribute.type_name in VARIABLE_TYPES)
        nullable = not attribute.not_null and (described or not bare)
        columns.append(_column(attribute.name, attribute.type_name, part, nullable))
    return binary.encode(columns)


def _column(name: str, type_: str, part: NDArray[Any], nullable: bool) -> Column:
    """One field of the array as a column of the attribute's type."""
    reasons = None
    if part.dtype.names == ("null", "val"):
        reasons, part = part["null"].astype(np.uint8).view(np.int8), part["val"]
    found = _typed(name, type_, part)
    codes = np.full(len(part), PRESENT, np.int8) if found.codes is None else found.codes
    if reasons is not None:
        codes = np.where(reasons == PRESENT, codes, reasons)
    if nullable:
        return replace(found, codes=codes)
    if (codes != PRESENT).any():
        row = int((codes != PRESENT).argmax())
        raise UploadError(f"Attribute {name!r}, row {row}: a value is missing, where null is not allowed.")
    return replace(found, codes=None)


def _typed(name: str, type_: str, part: NDArray[Any]) -> Column:
    if type_ == "char":
        return _letters(name, part)
    if type_ == "datetimetz" and part.dtype.names == ("time", "tz"):
        part = part.astype([("time", part.dtype["time"]), ("offset", part.dtype["tz"])])
    found = column_of(name, part, Options())
    if found.type == type_:
        return found
    if found.type in VARIABLE_TYPES and type_ in VARIABLE_TYPES:
        return replace(found, type=type_)
    if found.type in VARIABLE_TYPES or type_ in VARIABLE_TYPES or "datetime" in type_ + found.type:
        raise UploadError(f"Attribute {name!r}: an array of {part.dtype} does not make a {type_}.")
    return replace(found, type=type_, values=_converted(name, type_, np.asarray(found.values)))


def _letters(name: str, part: NDArray[Any]) -> Column:
    """Bytes, and texts of one ASCII letter at most."""
    if part.dtype == np.uint8:
        return replace(column_of(name, part, Options()), type="char")
    letters = []
    for row, value in enumerate(part.tolist()):
        raw = value.encode() if isinstance(value, str) else value
        if raw is not None and not (isinstance(raw, bytes) and len(raw) <= 1):
            raise UploadError(f"Attribute {name!r}, row {row}: {value!r} is no char, which is one byte.")
        letters.append(raw)
    missing = np.array([letter is None for letter in letters], np.bool_)
    values = np.array([letter[0] if letter else 0 for letter in letters], np.uint8)
    return Column(name, "char", values, codes_of(missing) if missing.any() else None)


def _converted(name: str, type_: str, values: NDArray[Any]) -> NDArray[Any]:
    """Numbers in another type of NumPy; only a float may lose digits, to a smaller float."""
    with np.errstate(all="ignore"):
        converted = values.astype(dtype_of(type_))
        changed = converted.astype(values.dtype) != values
        # Where back and forth through a number of another sign, or past the end, gives the same.
        changed |= (converted < 0) != (values < 0)
        if converted.dtype.kind == "f" and values.dtype.kind in "iu":
            changed |= converted >= float(int(np.iinfo(values.dtype).max) + 1)
    if changed.any() and not (converted.dtype.kind == values.dtype.kind == "f"):
        row = int(changed.argmax())
        raise UploadError(f"Attribute {name!r}, row {row}: {values[row]} does not fit {type_}.")
    return converted
