"""``input`` and ``save``: files of the server in, files of the server out."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from scidb_magic.embedded.engine.ast import Literal
from scidb_magic.embedded.engine.chunks import sized
from scidb_magic.embedded.engine.errors import wrong_parameter
from scidb_magic.embedded.engine.formats import READABLE, is_by_rows, names, read, write
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

_WITH_OVERLAP = ("text", "store")
"""Formats that may have the cells of overlap regions in them (IoFormats.cpp, RDOVLP)."""


_COORDINATOR, _EVERYWHERE = -2, -1
"""As instances; the embedded engine has but instance 0."""

_NOTHING = "/dev/null"
"""May be read and written by everyone."""


def input_(context: Context, args: Arguments) -> Relation:
    """The cells of a file."""
    declared: Declared = args.value("schema")
    name: str = args.value("file")
    format_: str = args.value("format") or _DEFAULT_FORMAT
    instance = _instance(args)
    errors, strict = args.value("max_errors") or 0, _strict(args)
    if errors < 0:
        raise EngineError("INFER_SCHEMA", "OP_INPUT_ERROR17", "The number of allowed errors is negative.")
    if names.layout(format_).name not in READABLE:
        raise names.unsupported(format_)
    dimensions = declared.schema.dimensions
    span = args.one("schema").span
    unbounded = dimensions[-1 if declared.schema.is_dataframe else 0].high is None
    if instance == _EVERYWHERE and not unbounded:
        raise EngineError(
            "INFER_SCHEMA",
            "OP_INPUT_PLOAD_BOUNDED",
            "To load on all instances the first dimension must be unbounded.",
            span,
        )
    if any(each.overlap for each in dimensions) and names.layout(format_).name not in _WITH_OVERLAP:
        raise EngineError(
            "INFER_SCHEMA",
            "OP_INPUT_NO_OVERLAP",
            f"Data in format '{format_}' cannot be read directly using a schema with dimension overlaps."
            "  Use repart() to add overlap regions to the input() result.",
            span,
        )
    schema = replace(declared.schema, dimensions=sized(dimensions), emptyable=True)
    files = context.services.files

    def load() -> pa.Table:
        path = None if name == _NOTHING else files.readable(name)
        return read(path, schema, format_, max_errors=errors, strict=strict)

    return context.source(schema, load)


def _instance(args: Arguments) -> int:
    instance = args.value("instance")
    if instance is None or instance in (_COORDINATOR, _EVERYWHERE, 0):
        return _COORDINATOR if instance is None else int(instance)
    if instance < 0:
        raise EngineError("INFER_SCHEMA", "INVALID_INSTANCE_ID", f"Invalid instance id {instance}.")
    raise EngineError("EXECUTION", "INSTANCE_OFFLINE", f"Instance {instance} is offline: there is only 0.")


def _strict(args: Arguments) -> bool:
    """Whether chunks must be in order; a shadow array, which older versions took here, is refused."""
    if "strict" in args.named:
        return bool(args.value("strict", True))
    last = args.all("strict")
    if not last:
        return True
    if isinstance(last[0].node, Literal) and isinstance(last[0].node.value, bool):
        return last[0].node.value
    raise wrong_parameter("constant with type bool; shadow arrays are not supported", last[0].span)


def save(context: Context, args: Arguments) -> Change:
    """The input's cells into a file."""
    source: Relation = args.value("input")
    format_: str = args.value("format") or _DEFAULT_FORMAT
    _instance(args)
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
        by_rows = is_by_rows(format_)
        cells = execution.batches(source) if by_rows else execution.table(source)
        try:
            with Path(os.devnull).open("wb") if name == _NOTHING else execution.files.writer(name) as out:
                work = partial(write, cells, source.schema, format_, _bounded(out, most), atts_only=atts_only)
                work() if by_rows else execution.apart(work)
        except OSError as error:
            raise EngineError(
                "ARRAY_WRITER", "FILE_WRITE_ERROR", f"Cannot write file '{name}': {error.strerror}."
            ) from error

    return Change(source, perform)


def _bounded(out: BinaryIO, most: int | None) -> BinaryIO:
    """`out`, which raises as soon as more than `most` bytes are written to it."""
    return out if most is None else cast("BinaryIO", _Bounded(out, most))


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
        " ( max_errors=<constant:int64> strict=<operand>? )? )? )?",
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
