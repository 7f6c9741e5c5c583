"""Values of one type as another, where a binary format asks for types other than the attributes'.

As SciDB's converters do, implicit and explicit ones: numbers as C casts them (integers wrap, doubles are
cut off), a number is true where it is not 0, text is written and read as in `values` and `parse`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scidb_magic.embedded.engine.formats import parse
from scidb_magic.embedded.engine.formats.names import Layout
from scidb_magic.embedded.engine.formats.values import BINARY, Values, value_texts
from scidb_magic.errors import EngineError
from scidb_magic.wire.columns import dtype_of
from scidb_magic.wire.schema import Attribute

NUMBERS = (
    *("bool", "int8", "int16", "int32", "int64"),
    *("uint8", "uint16", "uint32", "uint64", "float", "double"),
)

_BARE = Layout("bare", quote=b"")
_NO_NULLS = parse.Dialect(())


def converted(values: Values, source: str, target: str) -> Values:
    """`values` of SciDB's type `source` as type `target`; null stays null.

    Raises
    ------
    EngineError
        ``CANT_FIND_CONVERTER`` where there is none, ``TYPE_CONVERSION_ERROR`` for text that is none of
        `target`.
    """
    if source == target:
        return values
    missing = values.is_null()
    if source in NUMBERS and target in NUMBERS:
        numbers = values.fill_null(False if source == "bool" else 0).to_numpy(zero_copy_only=False)
        with np.errstate(invalid="ignore"):
            made: Any = pa.array(numbers.astype(dtype_of(target)))
        return pc.if_else(missing, pa.scalar(None, made.type), made)
    if source == "string":
        return _from_text(values.cast(BINARY), target)
    if target == "string" and source != "binary":
        return _to_text(values, source)
    if (source, target) == ("datetime", "datetimetz"):
        zero = pa.array(np.zeros(len(values), np.int64))
        return pa.StructArray.from_arrays([values.fill_null(0), zero], ["time", "offset"], mask=missing)
    if (source, target) == ("datetimetz", "datetime"):
        return pc.struct_field(values, "time")
    raise EngineError(
        "TYPE", "CANT_FIND_CONVERTER", f"Cannot find converter from type '{source}' to '{target}'."
    )


def _to_text(values: Values, source: str) -> Values:
    missing = values.is_null()
    if source == "char":
        letters = [b"", *(bytes([byte]) for byte in range(1, 256))]
        return pa.array(letters, BINARY).take(values).cast(pa.large_string())
    texts = value_texts(values, None, source, _BARE).cast(pa.large_string())
    return pc.if_else(missing, pa.scalar(None, pa.large_string()), texts)


def _from_text(texts: Values, target: str) -> Values:
    if target == "char":
        texts = pc.binary_slice(texts, 0, 1)
    column = parse.column(texts, None, Attribute("", target, default="null"), _NO_NULLS)
    if column.failed:
        raise EngineError("TYPE", "TYPE_CONVERSION_ERROR", f"{min(column.failed.items())[1]}.")
    return column.values
