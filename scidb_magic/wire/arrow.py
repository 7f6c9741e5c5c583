"""Arrow <-> columns: single arrays, and the stream that ``save=arrow`` gives.

==================  ==================================================================
SciDB type          Arrow type made here
==================  ==================================================================
bool                ``bool``
char                ``large_string`` of one letter; ``large_binary`` of one byte where
                    some byte is not ASCII
int8 … double       the same
datetime            ``timestamp[s]``
datetimetz          ``struct<time: timestamp[s], offset: duration[s]>``, local time and
                    its offset; UTC is ``time - offset``
string              ``large_string``; ``large_binary`` where some value is not UTF-8
binary              ``large_binary``
==================  ==================================================================

A stream of SciDB's aio_save holds the attributes, then (``atts_only=0``) the dimensions; every
field may be null, missing reasons are not in it, char and string are ``string``, and datetimetz
cannot be in it (recorded: SCIDB_LE_ILLEGAL_OPERATION).

NumPy and pyarrow are imported when a function is first called, not with this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scidb_magic.errors import WireError
from scidb_magic.wire.columns import PRESENT, VARIABLE_TYPES, Column, dtype_of
from scidb_magic.wire.schema import Attribute, Schema

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


def decode(stream: bytes | memoryview, schema: Schema) -> list[Column]:
    """Decode an Arrow stream of a result.

    Parameters
    ----------
    stream : bytes-like
    schema : Schema
        Of the query; its names need not be unique.

    Returns
    -------
    list of Column
        Dimensions, where the stream has them, then attributes. A missing value has reason 0.

    Raises
    ------
    WireError
        Where the stream is broken or is not one of this schema.
    """
    import pyarrow as pa

    try:
        table = _read(pa.ipc.open_stream(pa.py_buffer(stream)), len(stream))
        # Else an offset in it that is wrong leads into memory that is not its own.
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, IndexError):
        # Not Arrow's own sentence, in which pieces of memory may stand.
        raise WireError("The result is not a whole Arrow stream.") from None
    dimensions = [Attribute(d.name, "int64", nullable=False) for d in schema.dimensions]
    expected = [*schema.attributes, *dimensions]
    if table.num_columns == len(schema.attributes):
        expected = expected[: table.num_columns]
    if table.num_columns != len(expected):
        raise WireError(
            f"The Arrow stream has {table.num_columns} columns, its schema {len(schema.attributes)}"
            f" attributes and {len(dimensions)} dimensions."
        )
    columns = [
        from_array(_one_chunk(chunks), attribute)
        for chunks, attribute in zip(table.columns, expected, strict=True)
    ]
    attributes = len(schema.attributes)
    return columns[attributes:] + columns[:attributes]


def _read(reader: Any, size: int) -> Any:
    """The table of a stream of so many bytes; it holds no more, or somebody has packed it."""
    import pyarrow as pa

    batches, held = [], 0
    for batch in reader:
        held += batch.nbytes
        if held > size:
            raise ValueError("compressed")
        batches.append(batch)
    return pa.Table.from_batches(batches, reader.schema)


def to_array(column: Column) -> Any:
    """A column as one ``pyarrow.Array``, typed as in the table above; missing is null."""
    import numpy as np
    import pyarrow as pa

    values: Any = column.values
    if column.type in VARIABLE_TYPES:
        return values
    missing = column.missing
    if column.type == "char":
        return _letters(values, missing)
    if column.type == "datetimetz":
        parts = [
            pa.array(np.ascontiguousarray(values["time"]).view("M8[s]")),
            pa.array(np.ascontiguousarray(values["offset"]).view("m8[s]")),
        ]
        mask = None if missing is None else pa.array(missing)
        return pa.StructArray.from_arrays(parts, names=["time", "offset"], mask=mask)
    return pa.array(values, mask=missing)


def from_array(array: pa.Array[Any], attribute: Attribute) -> Column:
    """One Arrow array as a column of an attribute's type; null becomes reason 0.

    Raises
    ------
    WireError
        Where the type does not fit, or there is a null in an attribute that is not nullable.
    """
    import numpy as np
    import pyarrow as pa

    if array.null_count and not attribute.nullable:
        raise WireError(f"Column {attribute.name!r} misses a value and is not nullable.")
    missing = np.asarray(array.is_null())
    try:
        values = _values(array, attribute.type, missing)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise WireError(f"Column {attribute.name!r} is {array.type}, not {attribute.type}.") from error
    codes = np.where(missing, np.int8(0), np.int8(PRESENT)) if attribute.nullable else None
    return Column(attribute.name, attribute.type, values, codes)


def _values(array: Any, type_: str, missing: NDArray[np.bool_]) -> Any:
    import numpy as np
    import pyarrow as pa

    from scidb_magic.wire.texts import as_text, bytes_of

    if type_ in VARIABLE_TYPES:
        if pa.types.is_string(array.type):
            array = array.cast(pa.large_string())
        array = array.cast(pa.large_binary())
        return as_text(array) if type_ == "string" else array
    if type_ == "char":
        lengths, data = bytes_of(array)
        values = np.zeros(len(array), np.uint8)
        values[lengths > 0] = data[(np.cumsum(lengths) - lengths)[lengths > 0]]
        return values
    if type_ == "datetimetz":
        if not pa.types.is_struct(array.type):
            raise pa.ArrowTypeError("no struct")
        out = np.zeros(len(array), dtype_of(type_))
        for name, arrow_type in (("time", pa.timestamp("s")), ("offset", pa.duration("s"))):
            part = array.field(name).cast(arrow_type).cast(pa.int64())
            out[name] = np.where(missing, 0, part.fill_null(0).to_numpy(zero_copy_only=False))
        return out
    if type_ == "datetime":
        seconds = array.cast(pa.timestamp("s")).cast(pa.int64())
        return (seconds.fill_null(0) if array.null_count else seconds).to_numpy().view("M8[s]")
    if array.type != pa.from_numpy_dtype(dtype_of(type_)):
        raise pa.ArrowTypeError("another type")
    filled = array.fill_null(False if type_ == "bool" else 0) if array.null_count else array
    return filled.to_numpy(zero_copy_only=False)


def _letters(values: NDArray[np.uint8], missing: NDArray[np.bool_] | None) -> Any:
    import numpy as np
    import pyarrow as pa

    from scidb_magic.wire.texts import as_text

    lengths: NDArray[Any] = np.ones(len(values), np.int64)
    if missing is not None:
        values, lengths = values[~missing], lengths - missing
    offsets: Any = np.concatenate([[0], np.cumsum(lengths)])
    data: Any = np.ascontiguousarray(values)
    validity = None if missing is None else pa.py_buffer(np.packbits(~missing, bitorder="little").tobytes())
    buffers = [validity, pa.py_buffer(offsets), pa.py_buffer(data)]
    return as_text(pa.Array.from_buffers(pa.large_binary(), len(lengths), buffers))


def _one_chunk(chunks: pa.ChunkedArray[Any]) -> Any:
    combined: Any = chunks.combine_chunks()
    return combined.chunk(0) if hasattr(combined, "num_chunks") else combined
