"""``input`` and ``save``: files of the server in, files of the server out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO, cast

from scidb_magic.embedded.engine.chunks import sized
from scidb_magic.embedded.engine.formats import is_by_rows, names, read, write
from scidb_magic.embedded.engine.operators.kinds import Declared
from scidb_magic.embedded.engine.operators.operator import Change, Effect, operator
from scidb_magic.embedded.engine.operators.signature import Arguments
from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.errors import EngineError

if TYPE_CHECKING:
    import pyarrow as pa

    from scidb_magic.embedded.engine.planner import Context
    from scidb_magic.embedded.engine.run import Execution

_DEFAULT_FORMAT = "text"
"""IoFormats.h."""

_WITH_OVERLAP = ("store", "opaque")
"""Formats that have the cells of overlap regions in them."""


def input_(context: Context, args: Arguments) -> Relation:
    """The cells of a file."""
    declared: Declared = args.value("schema")
    name: str = args.value("file")
    format_: str = args.value("format") or _DEFAULT_FORMAT
    if any(each.overlap for each in declared.schema.dimensions) and format_ not in _WITH_OVERLAP:
        raise EngineError(
            "INFER_SCHEMA",
            "OP_INPUT_NO_OVERLAP",
            f"Data in format '{format_}' cannot be read directly using a schema with dimension overlaps."
            "  Use repart() to add overlap regions to the input() result.",
            args.one("schema").span,
        )
    schema = replace(declared.schema, dimensions=sized(declared.schema.dimensions), emptyable=True)
    files, errors = context.services.files, max(0, args.value("max_errors") or 0)

    def load() -> pa.Table:
        return read(files.readable(name), schema, format_, max_errors=errors)

    return context.source(schema, load)


def save(context: Context, args: Arguments) -> Change:
    """The input's cells into a file."""
    source: Relation = args.value("input")
    format_: str = args.value("format") or _DEFAULT_FORMAT
    if names.layout(format_).name == names.ARROW:
        raise names.unsupported(format_)  # only aio_save knows it
    return saved(source, args.value("file"), format_)


def saved(
    source: Relation, name: str, format_: str, *, atts_only: bool = True, limit: int | None = None
) -> Change:
    """The cells of `source` into a file, of no more than `limit` MB."""
    names.layout(format_)  # refuses an unknown format before the query is run

    most = None if limit is None or limit < 0 else limit * 2**20

    def perform(execution: Execution) -> None:
        cells = execution.batches(source) if is_by_rows(format_) else execution.table(source)
        try:
            with execution.files.writer(name) as out:
                write(cells, source.schema, format_, _bounded(out, most), atts_only=atts_only)
        except OSError as error:
            raise EngineError(
                "ARRAY_WRITER", "FILE_WRITE_ERROR", f"Cannot write file '{name}': {error.strerror}."
            ) from error

    return Change(source, perform)


def _bounded(out: BinaryIO, most: int | None) -> BinaryIO:
    """`out`, which raises as soon as more than `most` bytes are written to it."""
    return out if most is None else cast(BinaryIO, _Bounded(out, most))


class _Bounded:
    closed = False

    def __init__(self, out: BinaryIO, most: int) -> None:
        self._out = out
        self._most = self._left = most

    def write(self, piece: bytes) -> int:
        self._left -= len(piece)
        if self._left < 0:
            raise EngineError(
                "ARRAY_WRITER",
                "ILLEGAL_OPERATION",
                f"Illegal operation: result size exceeds {self._most // 2**20} MB.",
            )
        return self._out.write(piece)

    def flush(self) -> None:
        self._out.flush()


def consume(context: Context, args: Arguments) -> Change:
    """Compute every cell of the input and forget it."""
    source: Relation = args.value("input")
    return Change(source, lambda execution: execution.compute(source))


OPERATORS = (
    operator(
        "input",
        "<schema> file=<constant:string> ( instance=<constant:int64> ( format=<constant:string>"
        " ( max_errors=<constant:int64> shadow=<operand>? )? )? )?",
        input_,
        keywords={
            "instance": "<constant:int64>",
            "format": "<constant:string>",
            "max_errors": "<constant:int64>",
            "strict": "<constant:bool>",
        },
    ),
    operator(
        "save",
        "<input> file=<constant:string> ( instance=<constant:int64> format=<constant:string>? )?",
        save,
        keywords={"instance": "<constant:int64>", "format": "<constant:string>"},
        effect=Effect.SAVE,
    ),
    operator("consume", "<input>", consume, effect=Effect.CONSUME),
)
