"""Results in the forms of SciDB-Py: the arrays and frames that ``DB.iquery`` answers.

===========  ==================================================  =====================================
attribute    array, and frame with ``dataframe_promo=False``     frame (the default)
===========  ==================================================  =====================================
not null     its NumPy type; ``S1`` for char, struct (time, tz)  the same
             for datetimetz, object for string and binary
nullable     struct (null, val): the missing reason, or 255 for  promoted, int64 to float64 and so on;
             a value; and the value                              missing is NaN, NaT or None
===========  ==================================================  =====================================

The forms are SciDB-Py's; the way there is not. Columns are decoded as a whole, and a nullable datetime
beside a string keeps its seconds (SciDB-Py takes them for nanoseconds).

Imports SciDB-Py: import it when that is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import scidbpy

from scidb_magic.errors import WireError
from scidb_magic.frames import download
from scidb_magic.wire import binary
from scidb_magic.wire.columns import VARIABLE_TYPES, Column

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from scidb_magic.wire.schema import Attribute

LOCAL_TIME = np.dtype([("time", "M8[s]"), ("tz", "m8[s]")])
"""SciDB-Py's NumPy type of a datetimetz."""

_NO_TIME = np.datetime64("NaT", "s")


def to_array(body: bytearray, attributes: Sequence[Attribute]) -> NDArray[Any]:
    """Rows in SciDB's binary format as a structured array of shape (n,), one field an attribute."""
    schema = _schema(attributes)
    if schema.is_fixsize():
        if len(body) % schema.atts_dtype.itemsize:
            raise WireError("The result ends within a row.")
        return np.frombuffer(body, schema.atts_dtype)
    columns = binary.decode(body, attributes)
    cells = np.empty(len(columns[0]), schema.atts_dtype)
    for column in columns:
        if column.codes is None:
            cells[column.name] = _values(column)
        else:
            cells[column.name]["null"] = column.codes.view(np.uint8)
            cells[column.name]["val"] = _values(column, missing=b"" if column.type == "binary" else "")
    return cells


def to_frame(body: bytearray, attributes: Sequence[Attribute]) -> pd.DataFrame:
    """Rows in SciDB's binary format as a DataFrame; warns of promoted types, as SciDB-Py does."""
    import pandas as pd

    schema = _schema(attributes)
    promoted = schema.get_promo_atts_dtype()
    fixed = schema.is_fixsize()
    columns = binary.decode(body, attributes)
    return pd.DataFrame({c.name: _promoted(c, promoted[c.name], fixed) for c in columns})


def as_frame(cells: NDArray[Any]) -> pd.DataFrame:
    """A structured array as a DataFrame of the same types."""
    import pandas as pd

    return pd.DataFrame.from_records(cells)


def from_arrow(body: bytearray, attributes: Sequence[Attribute], *, stream: bool) -> Any:
    """An Arrow stream as pandas sees it, dimensions first; or the stream's reader itself."""
    import pyarrow as pa

    reader = pa.ipc.open_stream(pa.py_buffer(body))
    return reader if stream else reader.read_pandas()[[a.name for a in attributes]]


def _schema(attributes: Sequence[Attribute]) -> Any:
    return scidbpy.Schema(None, [scidbpy.Attribute(a.name, a.type, not a.nullable) for a in attributes])


def _values(column: Column, missing: str | bytes | None = None) -> Any:
    """Values in SciDB-Py's NumPy types, shape (n,); `missing` where a text or bytes are missing."""
    if column.type in VARIABLE_TYPES:
        values = download.plain_values(column).copy()
        if column.missing is not None:
            values[column.missing] = missing
        return values
    fixed: Any = np.ascontiguousarray(column.values)
    views = {"char": np.dtype("S1"), "datetimetz": LOCAL_TIME}
    return fixed.view(views[column.type]) if column.type in views else fixed


def _promoted(column: Column, dtype: np.dtype[Any], fixed: bool) -> Any:
    """One column of a frame; `fixed` tells whether all attributes are of fixed size."""
    import pandas as pd

    values = _values(column)
    if column.missing is None:
        return values
    if column.type == "datetimetz" and fixed:
        utc = np.where(column.missing, _NO_TIME, download.utc_of(column))
        return pd.DatetimeIndex(utc).tz_localize("UTC").as_unit("ns")
    if dtype.kind == "M":
        # By way of pandas, which refuses what nanoseconds cannot hold; NumPy wraps around.
        return pd.Series(np.where(column.missing, _NO_TIME, values)).astype(dtype)
    absent = {"f": np.nan, "O": np.nan if fixed else None, "V": (_NO_TIME, np.timedelta64("NaT", "s"))}
    values = values.astype(dtype)
    values[column.missing] = absent[dtype.kind]
    return values
