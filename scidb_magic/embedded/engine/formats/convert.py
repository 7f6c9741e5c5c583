"""Values of one type as another, where a binary format asks for other types than the attributes'.

All of SciDB's converters, implicit and explicit ones, by the table of `engine.types`.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

from scidb_magic.embedded.engine.errors import from_duckdb
from scidb_magic.embedded.engine.formats.values import Values
from scidb_magic.embedded.engine.relation import Typed
from scidb_magic.embedded.engine.types import convert


def converted(
    values: Values, reasons: Values | None, source: str, target: str
) -> tuple[Values, Values | None]:
    """Values of SciDB's type `source` as type `target`, and their missing reasons.

    Parameters
    ----------
    values : pyarrow.Array
        Physical type as in `relation.PHYSICAL`.
    reasons : pyarrow.Array, optional
        None where all are 0.

    Returns
    -------
    values, reasons
        Some converters lose the reasons.

    Raises
    ------
    EngineError
        ``CANT_FIND_CONVERTER``; what the converter itself refuses, such as ``FAILED_PARSE_STRING``.
    """
    if source == target:
        return values, reasons
    made = convert(Typed("v", source, True, "m"), target)
    return computed(made.sql, values), reasons if made.code else None


def computed(sql: str, values: Values) -> Values:
    """An expression of SQL over one column, which is ``v`` in it.

    Raises
    ------
    EngineError
        What the expression refuses.
    """
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("cells", pa.table({"v": values}))
        try:
            column = connection.sql(f"SELECT {sql} AS v FROM cells").to_arrow_table()["v"]
        except duckdb.Error as error:
            raise from_duckdb(error) from error
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
