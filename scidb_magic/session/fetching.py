"""How the cells of one statement are brought: its schema, the format, how much of them.

=============  ==================================================  ==================================
format         the server saves                                    what it does not carry
=============  ==================================================  ==================================
``"binary"``   SciDB's own rows, dimensions applied as attributes  nothing is lost
``"arrow"``    an Arrow stream (``aio_save``)                      datetimetz; the reasons of missing
                                                                   values, which all become 0
``"auto"``     Arrow where server and types allow it, else binary
=============  ==================================================  ==================================

A server is asked once whether it can save Arrow (shim needs ``aio=1`` for it). Requests of a fetch:
``show`` and its answer, the query, the size of its result, the result; without the first two where the
schema is given.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from scidb_magic.errors import QueryError
from scidb_magic.session.exchange import Exchange, Query
from scidb_magic.session.result import Result
from scidb_magic.session.wrap import Wrapped, limited, named, show, wrap
from scidb_magic.wire.binary import Decoder, format_string
from scidb_magic.wire.schema import Schema

PREVIEW_BYTES = 8 * 2**20
"""How much is read of a result that is only shown and cannot be limited on the server."""

_PROBE = "build(<v:int64>[i=0:0], 0)"
_NO_ARROW = "SCIDB_LE_UNSUPPORTED_FORMAT"
_NOT_IN_ARROW = {"datetimetz"}
_MISSING_OPERATOR = "SCIDB_LE_LOGICAL_OP_DOESNT_EXIST"


@dataclass(slots=True)
class Abilities:
    """What a server can, as far as it was asked.

    Attributes
    ----------
    limit : bool
        The operator ``limit``.
    arrow : bool or None
        The format Arrow; None: nobody asked yet.
    """

    limit: bool = True
    arrow: bool | None = None


@dataclass(frozen=True, slots=True)
class Fetching:
    """The work on one statement; called with the exchange, and again with another after a fault.

    Attributes
    ----------
    text : str
        The statement as the user wrote it.
    query : Query
    abilities : Abilities
    limit : int
        Largest result, in bytes.
    rows : int or None
        Only a look is wanted: at most so many cells, any of them, and one more if there are more.
    schema : Schema or None
        Of the statement, where it is known for sure.
    dimensions : bool
        Else only the attributes come.
    format : str
        See above.
    decoded : bool
        Rows are decoded while they come; else they stay the bytes that they are.
    """

    text: str
    query: Query
    abilities: Abilities
    limit: int
    rows: int | None = None
    schema: Schema | None = None
    dimensions: bool = True
    format: str = "binary"
    decoded: bool = True

    def __call__(self, exchange: Exchange) -> Result:
        """Run the statement in `exchange` and take its result in the chosen format."""
        schema = self.schema or self._schema(exchange)
        if self.rows is not None:
            return self._look(exchange, schema, self.rows)
        if self.format == "arrow" or (self.format == "auto" and self._can_be_arrow(exchange, schema)):
            return self._arrow(exchange, schema)
        wrapped = wrap(self.query.text, schema, dimensions=self.dimensions)
        return self._binary(exchange, wrapped, None)

    def _schema(self, exchange: Exchange) -> Schema:
        asked = replace(self.query, text=show(self.query.text), offset=0, changes=False, auxiliary=True)
        exchange.execute(asked, save="tsv")
        return Schema.of_line(exchange.read_text())

    def _can_be_arrow(self, exchange: Exchange, schema: Schema) -> bool:
        if not _NOT_IN_ARROW.isdisjoint(attribute.type for attribute in schema.attributes):
            return False
        if self.abilities.arrow is None:
            asked = replace(self.query, text=_PROBE, offset=0, changes=False, auxiliary=True)
            try:
                exchange.execute(asked, save="arrow", atts_only=True)
                self.abilities.arrow = True
            except QueryError as error:
                if error.code != _NO_ARROW:
                    raise
                self.abilities.arrow = False
        return self.abilities.arrow

    def _look(self, exchange: Exchange, schema: Schema, rows: int) -> Result:
        wrapped = wrap(self.query.text, schema, dimensions=self.dimensions)
        if schema.emptyable and self.abilities.limit:
            try:
                return self._binary(exchange, limited(wrapped, rows + 1), None)
            except QueryError as error:
                if error.code != _MISSING_OPERATOR or "limit" not in error.description:
                    raise
                self.abilities.limit = False
        return self._binary(exchange, wrapped, PREVIEW_BYTES)

    def _binary(self, exchange: Exchange, wrapped: Wrapped, part: int | None) -> Result:
        query_id = exchange.execute(self._sent(wrapped), save=format_string(wrapped.columns))
        body: bytearray | Decoder
        complete = True
        if part is not None:
            body, complete = exchange.read_part(part)
        elif self.decoded:
            body = exchange.read_into(lambda size: Decoder(wrapped.columns, size=size), self.limit)
        else:
            body = exchange.read_bytes(self.limit)
        return Result(self.text, wrapped.schema, wrapped.columns, body, query_id, complete=complete)

    def _arrow(self, exchange: Exchange, schema: Schema) -> Result:
        dimensions = self.dimensions and not schema.is_dataframe
        wrapped = named(self.query.text, schema, dimensions=dimensions)
        query_id = exchange.execute(self._sent(wrapped), save="arrow", atts_only=not dimensions)
        body = exchange.read_bytes(self.limit)
        return Result(self.text, wrapped.schema, wrapped.columns, body, query_id, format="arrow")

    def _sent(self, wrapped: Wrapped) -> Query:
        return replace(self.query, text=wrapped.text, offset=wrapped.offset)
