"""``aio_input`` and ``aio_save`` of Paradigm4's plugin accelerated_io_tools, by their documented behaviour.

A file of text is read by an instance of the server: here there is one, that stands for as many as a
statement names, so several files are read as on a cluster, and their cells told apart by the same
coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from scidb_magic.embedded.engine.formats import ragged
from scidb_magic.embedded.engine.operators.io import saved
from scidb_magic.embedded.engine.operators.operator import Change, Effect, operator
from scidb_magic.embedded.engine.operators.signature import Arguments
from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.errors import EngineError
from scidb_magic.wire.schema import Attribute, Dimension, Schema

if TYPE_CHECKING:
    from scidb_magic.embedded.engine.files import Files
    from scidb_magic.embedded.engine.planner import Context

_CHUNK = 10_000_000
_WIDEST = 100_000
_EVERYWHERE = -1
"""As an instance: each reads a file of that name of its own."""

_LETTERS = {r"\t": "\t", r"\n": "\n", r"\r": "\r", "": " "}


@dataclass(frozen=True, slots=True)
class _Lines:
    """What is read, and how.

    Attributes
    ----------
    sources : list of (str, int)
        Files, and the instances that read them.
    """

    sources: list[tuple[str, int]]
    width: int
    header: int
    line_end: int
    separator: int
    chunk: int
    split: bool

    @property
    def schema(self) -> Schema:
        """Of the cells."""
        last = max(0, *(instance for _, instance in self.sources))
        names = ["a"] if self.split else [*(f"a{k}" for k in range(self.width)), "error"]
        instances = [Dimension(f"{end}_instance_id", 0, last, 0, 1) for end in ("dst", "src")]
        fields = [Dimension("attribute_no", 0, self.width, 0, self.width + 1)] if self.split else []
        return Schema(
            tuple(Attribute(name, "string", nullable=True) for name in names),
            (Dimension("tuple_no", 0, None, 0, self.chunk), *instances, *fields),
            "aio_input",
        )

    def table(self, files: Files) -> pa.Table:
        """The cells of all files."""
        return pa.concat_tables([self._of(files, name, instance) for name, instance in self.sources])

    def _of(self, files: Files, name: str, instance: int) -> pa.Table:
        data = files.readable(name).read_bytes()
        how = {"line_end": self.line_end, "separator": self.separator, "header": self.header}
        columns = [_text(column, name) for column in ragged.read(data, self.width, **how)]
        count = len(columns[0])
        numbers = np.arange(count, dtype=np.int64)
        places: list[Any] = [numbers, *([np.full(count, max(instance, 0), np.int64)] * 2)]
        if self.split:
            # All fields of a line one after the other, its error last.
            places = [np.repeat(place, self.width + 1) for place in places]
            places.append(np.tile(np.arange(self.width + 1, dtype=np.int64), count))
            order = np.arange(count * (self.width + 1)).reshape(self.width + 1, count).T.reshape(-1)
            columns = [pa.concat_arrays(columns).take(pa.array(order))]
        made = {f"d{k}": pa.array(place) for k, place in enumerate(places)}
        return pa.table(made | {f"a{k}": column for k, column in enumerate(columns)})


def aio_input(context: Context, args: Arguments) -> Relation:
    """The lines of files, a cell each, their fields as strings."""
    width = args.value("num_attributes")
    if width is None:
        raise _refused("num_attributes was not provided")
    if width > _WIDEST:
        raise _refused(f"num_attributes must not be over {_WIDEST}")
    lines = _Lines(
        _sources(args),
        _positive("num_attributes", width),
        _positive("header", args.value("header"), 0),
        _byte("line_delimiter", args.value("line_delimiter"), "\n"),
        _byte("attribute_delimiter", args.value("attribute_delimiter"), "\t"),
        _positive("chunk_size", args.value("chunk_size"), _CHUNK),
        bool(args.value("split_on_dimension")),
    )
    buffer = args.value("buffer_size")
    if buffer is not None and not 8 < buffer < 2**30:
        raise _refused("buffer_size must be over 8 and under 1 GB")
    files = context.services.files
    return context.source(lines.schema, lambda: lines.table(files))


def aio_save(context: Context, args: Arguments) -> Change:
    """The input's cells into a file, as the plug-in accelerated_io_tools does."""
    source: Relation = args.value("input")
    paths: list[str] = args.value("paths", [])
    if len(paths) != 1:
        raise EngineError("OPERATOR", "ILLEGAL_OPERATION", "Illegal operation: give one path for aio_save.")
    return saved(
        source,
        paths[0],
        args.value("format") or "tsv",
        atts_only=bool(args.value("atts_only", True)),
        limit=args.value("result_size_limit"),
    )


def _sources(args: Arguments) -> list[tuple[str, int]]:
    path, paths, instances = args.value("file"), args.value("paths"), args.value("instances")
    if path is None:
        path = args.value("path")
    if (path is None) == (paths is None):
        raise _refused("one of path and paths is to be given")
    if path is not None:
        paths, instances = [path], [0]
    instances = [0] if instances is None else instances
    if len(paths) != len(instances):
        raise _refused("there are not as many paths as instances")
    if len(set(instances)) < len(instances):
        raise _refused("an instance is named twice")
    if min(instances) < (_EVERYWHERE if len(paths) == 1 else 0):
        raise _refused("there is no instance of a negative number")
    return list(zip(paths, instances, strict=True))


def _positive(name: str, value: int | None, default: int = 0) -> int:
    if value is None:
        return default
    if value <= 0:
        raise _refused(f"{name} must be positive")
    return value


def _byte(name: str, value: str | None, default: str) -> int:
    letter = default if value is None else _LETTERS.get(value, value)
    if len(letter.encode("utf-8", "surrogateescape")) != 1:
        raise _refused(f"could not parse {name}")
    return ord(letter)


def _text(column: Any, name: str) -> Any:
    try:
        return column.cast(pa.large_string())
    except pa.ArrowInvalid:
        raise EngineError(
            "IMPORT_ERROR", "FILE_IMPORT_FAILED", f"Import from file '{name}' failed: it is not UTF-8."
        ) from None


def _refused(why: str) -> EngineError:
    return EngineError("INTERNAL", "ILLEGAL_OPERATION", f"Illegal operation: {why}")


OPERATORS = (
    operator(
        "aio_input",
        "file=<constant:string>?",
        aio_input,
        keywords={
            "path": "<constant:string>",
            "paths": "<constants:string>",
            "instances": "<constants:int64>",
            "num_attributes": "<constant:int64>",
            "buffer_size": "<constant:int64>",
            "header": "<constant:int64>",
            "line_delimiter": "<constant:string>",
            "attribute_delimiter": "<constant:string>",
            "chunk_size": "<constant:int64>",
            "split_on_dimension": "<constant:bool>",
        },
    ),
    operator(
        "aio_save",
        "<input>",
        aio_save,
        keywords={
            "paths": "<constants:string>",
            "instances": "<constants:int64>",
            "format": "<constant:string>",
            "atts_only": "<constant:bool>",
            "result_size_limit": "<constant:int64>",
        },
        effect=Effect.SAVE,
    ),
)
