"""Array literals: ``build(<v:int64>[i=0:3], '[(1),(?7),null,()]', true)``, written as SciDB's text format."""

from __future__ import annotations

import pyarrow as pa

from scidb_magic.embedded.engine.formats import read_text
from scidb_magic.wire.schema import Schema


def array_literal(text: str, schema: Schema) -> pa.Table:
    """Cells of an array literal.

    Parameters
    ----------
    text : str
        Without AFL's quotes and escapes.
    schema : Schema
        Of the array that is built; an open chunk length spans the dimension.

    Returns
    -------
    pyarrow.Table
        Columns d*, a*, m*.

    Raises
    ------
    EngineError
        ``FILE_IMPORT_FAILED``
    """
    return read_text.read(text, schema, strict=False, source="string")
