"""Files of tables -> Arrow tables, by the ends of their names, read by pyarrow.

CSV and TSV have their column names in the first line; an empty field is missing, but in a column of
strings an empty string. They may be compressed (``.gz``, ``.bz2``, ``.zst``). A column of which all
fields are empty is one of strings, unless its type is given.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from scidb_magic.errors import UploadError

if TYPE_CHECKING:
    import pyarrow as pa

    from scidb_magic.wire.schema import Schema

_NUMBERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_OF_TEXT = {**{name: name for name in _NUMBERS}, "double": "float64", "float": "float32", "bool": "bool_"}
_OF_TEXT["string"] = "string"
"""SciDB's type -> pyarrow's maker of the type that text is read as."""

_COMPRESSED = (".gz", ".bz2", ".zst")


def is_file(data: object) -> bool:
    """Whether `data` are a path or an open file."""
    return isinstance(data, (str, os.PathLike)) or hasattr(data, "read")


def read(source: Any, types: Mapping[str, Any] | None = None) -> pa.Table:
    """Read a file.

    Parameters
    ----------
    source : str, os.PathLike or file object
        A file object is known by its ``name``; opened for bytes.
    types : mapping of str to pyarrow.DataType, optional
        Of columns of CSV and TSV; the others are found out.

    Raises
    ------
    UploadError
        In the words of the reader.
    """
    import pyarrow as pa

    name = os.fspath(source) if isinstance(source, (str, os.PathLike)) else getattr(source, "name", None)
    path = PurePath(name if isinstance(name, str) else "<a file without a name>")
    suffixes = [s.lower() for s in path.suffixes if s.lower() not in _COMPRESSED]
    reader = _READERS.get(suffixes[-1] if suffixes else "")
    if reader is None:
        raise UploadError(
            f"{str(path)!r} does not end like a file that can be read, {', '.join(_READERS)}: read it"
            " yourself, and give the table."
        )
    try:
        table: pa.Table = reader(source, types or {})
    except (pa.ArrowException, OSError, ValueError, TypeError) as error:
        raise UploadError(f"{str(path)!r} cannot be read: {str(error).splitlines()[0]}") from error
    return table


def types_of(schema: Schema) -> dict[str, Any]:
    """The types that columns of text have to have to go into an array, where a reader takes one."""
    import pyarrow as pa

    columns = {attribute.name: attribute.type for attribute in schema.attributes}
    columns |= {dimension.name: "int64" for dimension in schema.dimensions}
    return {name: getattr(pa, _OF_TEXT[type_])() for name, type_ in columns.items() if type_ in _OF_TEXT} | {
        name: pa.timestamp("s") for name, type_ in columns.items() if type_ == "datetime"
    }


def _delimited(delimiter: str) -> Callable[[Any, Mapping[str, Any]], Any]:
    def read(source: Any, types: Mapping[str, Any]) -> Any:
        from pyarrow import csv

        return csv.read_csv(
            source,
            parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=csv.ConvertOptions(column_types=dict(types)),
        )

    return read


def _parquet(source: Any, _: Mapping[str, Any]) -> Any:
    from pyarrow import parquet

    return parquet.read_table(source)


_READERS: dict[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    ".csv": _delimited(","),
    ".tsv": _delimited("\t"),
    ".parquet": _parquet,
}
"""End of a file's name -> how it is read."""
