"""Data into arrays: what stands between an encoded frame and the array that holds it.

`frames.upload` encodes and words the AFL, a `Connection` runs it; here is which statements it takes.
Before anything is changed, `show` tells what is there: a failure of this look is one of an upload that
did not run. An array that rows make has no upper bound, so that more can be appended.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from scidb_magic.afl.literals import Name
from scidb_magic.errors import ScidbMagicError, UploadError
from scidb_magic.frames import upload as frames
from scidb_magic.frames.exact import codes_of
from scidb_magic.frames.forms import row_major
from scidb_magic.frames.upload import Upload
from scidb_magic.session.connection import Connection
from scidb_magic.session.uploads import Attachment
from scidb_magic.wire import binary
from scidb_magic.wire.columns import Column
from scidb_magic.wire.schema import Schema, distinct_names

_NOT_THERE = "SCIDB_LE_ARRAY_DOESNT_EXIST"


def attached(data: Any) -> Attachment:
    """Data to stand in a statement as an ``input(…)``."""
    encoded = frames.encode(data)
    attachment = Attachment.of(encoded.payload)
    return replace(
        attachment,
        text=frames.array_query(encoded, attachment.token),
        schema=frames.declared(frames.array_schema(encoded)),
    )


class Storing:
    """Stores data through a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def upload(
        self,
        data: Any,
        name: str,
        *,
        dims: Iterable[str] | None = None,
        chunks: Iterable[int] | None = None,
        mode: str = "create",
        round: bool = False,
    ) -> str:
        """As `ManagedSession.upload`."""
        if mode not in self._MODES:
            raise UploadError(f"upload(mode=…) takes one of {', '.join(self._MODES)}, not {mode!r}.")
        target = str(Name(name))
        encoded = frames.encode(
            data,
            dims=tuple(dims) if dims is not None else None,
            chunks=tuple(chunks) if chunks is not None else None,
            round=round,
        )
        self.store(encoded, target, mode)
        return name

    def store(self, encoded: Upload, target: str, mode: str) -> None:
        """Store encoded data as the array `target`."""
        self._MODES[mode](self, encoded, target, self.schema(target))

    def schema(self, name: str) -> Schema | None:
        """The schema of an array, None if it is not there."""
        try:
            return Schema.of_line(self._look(f"show({name})"))
        except ScidbMagicError as error:
            if error.code == _NOT_THERE:
                return None
            raise

    def _create(self, encoded: Upload, target: str, there: Schema | None) -> None:
        _refuse_if(there, target)
        self._run(encoded, lambda file: f"store({_made(encoded, file)}, {target})")

    def _replace(self, encoded: Upload, target: str, there: Schema | None) -> None:
        stored = target if there is None else f"{target}_{secrets.token_hex(4)}"
        self._run(encoded, lambda file: f"store({_made(encoded, file)}, {stored})")
        if there is not None:
            self._take_place(stored, target)

    def _take_place(self, stored: str, target: str) -> None:
        """Put the array `stored` in the place of `target`."""
        removed = False
        try:
            self._connection.execute(f"remove({target})")
            removed = True
            self._connection.execute(f"rename({stored}, {target})")
        except BaseException as error:
            if not removed and getattr(error, "ran", None) is False:
                with contextlib.suppress(ScidbMagicError):
                    self._connection.execute(f"remove({stored})")
            else:
                self._connection.notify(
                    f"The new data are in '{stored}'; if there is no '{target}' any more,"
                    f" rename({stored}, {target}) makes them that."
                )
            raise

    def _temporary(self, encoded: Upload, target: str, there: Schema | None) -> None:
        _refuse_if(there, target)
        schema = frames.declared(frames.array_schema(encoded, open=not encoded.axes))
        self._connection.execute(f"create temp array {target} {schema}")
        try:
            self._run(encoded, lambda file: f"store({_made(encoded, file, target)}, {target})")
        except ScidbMagicError as error:
            if error.ran is False:
                with contextlib.suppress(ScidbMagicError):
                    self._connection.execute(f"remove({target})")
            raise

    def _append(self, encoded: Upload, target: str, there: Schema | None) -> None:
        if there is None:
            self.make(encoded, target)
            return
        check_fit(encoded, target, there)
        if encoded.rows:
            self.insert(encoded, target, there, 0 if encoded.axes else self.behind(target, there))

    def make(self, encoded: Upload, target: str, *, retry: str | None = None) -> None:
        """Store encoded data as an array that is not there, into which more can go."""
        schema = frames.declared(frames.array_schema(encoded, open=True))
        self._run(encoded, lambda file: f"store({_made(encoded, file, schema)}, {target})", retry)

    def insert(
        self, encoded: Upload, target: str, there: Schema, first: int, *, retry: str | None = None
    ) -> None:
        """Put encoded data that fit into an array; rows from the coordinate `first` on.

        The places of rows are written out: the statement run again puts the same rows into the same cells.
        """
        if encoded.axes:
            self._run(encoded, lambda file: f"insert({_made(encoded, file, target)}, {target})", retry)
            return
        row = there.dimensions[0]
        last = first + encoded.rows - 1
        if row.high is not None and last > row.high:
            raise UploadError(
                f"The array '{target}' ends at {row.name}={row.high}, and {encoded.rows:,} more rows would"
                f" reach to {last}."
            )
        self._run(
            encoded,
            lambda file: f"insert({frames.rows_query(encoded, file, target, row.name, first)}, {target})",
            retry,
        )

    def behind(self, target: str, there: Schema) -> int:
        """The first coordinate behind the last cell of a 1-D array."""
        row = there.dimensions[0]
        place = distinct_names([*(a.name for a in there.attributes), row.name, "n"])[-1]
        last = self._look(f"aggregate(apply({target}, {place}, {row.name}), max({place}))").strip()
        return int(last) + 1 if last.lstrip("-").isdigit() else row.low

    def cells(self, target: str, first: int, last: int) -> int:
        """How many cells a 1-D array has from `first` to `last`."""
        return int(self._look(f"aggregate(between({target}, {first}, {last}), count(*))"))

    def holds(self, encoded: Upload, array: str, first: int) -> bool:
        """Whether the encoded rows lie in a 1-D array from `first` on, all of them and as they are."""
        sent = binary.decode(b"".join(encoded.payload), encoded.schema.attributes)
        query = f"between({array}, {first}, {first + encoded.rows - 1})"
        row, *there = row_major(self._connection.fetch(query, format="binary").cells(), 1)
        by_name = {column.name: column for column in there}
        if len(row) != encoded.rows or set(by_name) != {column.name for column in sent}:
            return False
        return _rows(sent) == _rows([by_name[column.name] for column in sent])

    def identity(self, target: str) -> str:
        """SciDB's id of an array, which another one of the same name has not; "" where it tells none."""
        found = self._look(f"project(filter(list('arrays'), name = '{target}'), uaid)")
        return found.strip()

    def versions(self, target: str) -> dict[int, str]:
        """The versions of an array, and when each was made; none if it is not there."""
        try:
            lines = self._look(f"versions({target})").splitlines()
        except ScidbMagicError as error:
            if error.code == _NOT_THERE:
                return {}
            raise
        return {int(number): time for number, _, time in (line.partition("\t") for line in lines)}

    def _look(self, afl: str) -> str:
        try:
            return self._connection.text(afl)
        except ScidbMagicError as error:
            error.ran = False  # of the upload, nothing did
            raise

    def _run(self, encoded: Upload, afl: Callable[[str], str], retry: str | None = None) -> None:
        attachment = Attachment.of(encoded.payload)
        self._connection.execute(afl(attachment.token), attachments=(attachment,), retry=retry)

    _MODES: ClassVar[dict[str, Callable[[Storing, Upload, str, Schema | None], None]]] = {
        "create": _create,
        "replace": _replace,
        "append": _append,
        "temp": _temporary,
    }


def _rows(columns: Sequence[Column]) -> bytes:
    """Rows that are equal for equal values, whether or not a type allows null."""
    none = [np.zeros(len(c), np.bool_) if c.missing is None else c.missing for c in columns]
    return binary.encode([replace(c, codes=codes_of(m)) for c, m in zip(columns, none, strict=True)])


def _made(encoded: Upload, file: str, into: str | None = None) -> str:
    return frames.array_query(frames.open_rows(encoded), file, into)


def _refuse_if(there: Schema | None, target: str) -> None:
    if there is not None:
        raise UploadError(
            f"There is an array '{target}' already: choose another name, or mode='replace' or 'append'."
        )


def check_fit(encoded: Upload, target: str, there: Schema) -> None:
    """Refuse data that do not fit an array that is there.

    Raises
    ------
    UploadError
        It names what does not fit first.
    """
    odd = next(_misfits(encoded, there), None)
    if odd is not None:
        raise UploadError(f"The data do not fit into the array '{target}': {odd}.")


def _misfits(encoded: Upload, there: Schema) -> Iterator[str]:
    """What does not fit; each holds only where those before it did not."""
    present = {a.name: a for a in there.attributes}
    sent = {a.name: a for a in frames.array_schema(encoded).attributes}
    axes = {d.name: d for d in there.dimensions}
    if encoded.axes and {d.name for d in encoded.axes} != set(axes):
        yield f"the dimensions there are {', '.join(axes)}; dims=… names them"
    if not encoded.axes and len(axes) > 1:
        yield f"it has {len(axes)} dimensions; dims={list(axes)} names the columns that go there"
    yield from (f"the data have no {name!r}" for name in present if name not in sent)
    yield from (f"it has no attribute {name!r}" for name in sent if name not in present)
    for name, a in sent.items():
        if a.type != present[name].type:
            yield f"{name!r} is {present[name].type} there and {a.type} in the data"
        if a.nullable and not present[name].nullable:
            yield f"{name!r} takes no missing value there and may be missing in the data"
    for axis in encoded.axes if encoded.rows else ():
        room = axes[axis.name]
        if axis.low < room.low or (room.high is not None and (axis.high or 0) > room.high):
            end = "*" if room.high is None else room.high
            reach = f"{axis.name!r} goes from {axis.low} to {axis.high}"
            yield f"{reach}, and there is room from {room.low} to {end}"
