"""What a query brought, still as it came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scidb_magic.wire.binary import Decoder
    from scidb_magic.wire.columns import Column
    from scidb_magic.wire.schema import Attribute, Schema


@dataclass(frozen=True, slots=True)
class Result:
    """A fetched result, still as it came.

    Attributes
    ----------
    statement : str
        As the user wrote it.
    schema : Schema
        Of the statement; names that occurred twice made unique.
    columns : tuple of Attribute
        What `body` holds, in order: dimensions (int64, not null), then attributes.
    body : bytearray or Decoder
        In SciDB's binary format, where that was wanted decoded on its way, or an Arrow stream.
    query_id : str
        SciDB's id of the query.
    format : str
        ``"binary"`` or ``"arrow"``: what `body` is.
    complete : bool
        False where only the first part of the saved output was read.
    """

    statement: str
    schema: Schema
    columns: tuple[Attribute, ...]
    body: bytearray | Decoder
    query_id: str
    format: str = "binary"
    complete: bool = True

    def cells(self) -> list[Column]:
        """The columns of `body`, decoded."""
        from scidb_magic.wire import arrow, binary

        if isinstance(self.body, binary.Decoder):
            return self.body.columns()
        if self.format == "arrow":
            return arrow.decode(memoryview(self.body), self.schema)
        return binary.decode(self.body, self.columns, partial=not self.complete)

    @property
    def origin(self) -> dict[str, str]:
        """Where it comes from, for ``DataFrame.attrs``."""
        return {
            "scidb_query": self.statement,
            "scidb_schema": str(self.schema),
            "scidb_query_id": self.query_id,
        }
