"""Files that lie on the server's disks -> one array, by ``aio_input``, as many at once as it has instances.

The server reads them itself: nothing goes through this process. They are lines of fields without quotes,
with the names of the columns in the first line, as TSV is. A batch is first stored as an array of strings,
and looked through; what is whole there is inserted in one statement. Where the server says that a batch
cannot be read, its files are read one by one, so that the bad one is known.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from scidb_magic.afl.literals import quote
from scidb_magic.errors import QueryError, ScidbMagicError, UploadError
from scidb_magic.storing.arrays import Storing
from scidb_magic.storing.journal import Entry, Journal, Mark
from scidb_magic.storing.report import LoadedFile, sentence

if TYPE_CHECKING:
    from scidb_magic.session.connection import Connection
    from scidb_magic.wire.schema import Schema

_READ = frozenset("bool double float int8 int16 int32 int64 uint8 uint16 uint32 uint64".split())
"""Types that ``dcast`` makes of text; it never fails."""

_SEPARATORS = {".csv": ",", ".tsv": "\\t", ".txt": "\\t"}
_OWN = ("error", "tuple_no", "dst_instance_id", "src_instance_id")
_CANCELLED = "SCIDB_LE_QUERY_CANCELLED"


@dataclass(frozen=True, slots=True)
class _Group:
    """The lines of one file that lie on one instance.

    Attributes
    ----------
    source, place : int
        Instances: that read them, that holds them.
    bad, lines : int
    last : int
        Their highest ``tuple_no``.
    """

    source: int
    place: int
    bad: int
    lines: int
    last: int


@dataclass(frozen=True, slots=True)
class _Shape:
    """What files have in common that one statement can read: what parts their fields, and the first line."""

    separator: str
    header: tuple[str, ...]


class ServerFiles:
    """Loads the server's own files into an array that is there.

    Parameters
    ----------
    connection : Connection
    target : str
    """

    def __init__(self, connection: Connection, target: str) -> None:
        self._connection = connection
        self._storing = Storing(connection)
        self._target = target
        there = self._storing.schema(target)
        if there is None:
            raise UploadError(
                f"There is no array '{target}': for files on the server create it first, as its types are"
                " not known here."
            )
        self._schema = there
        self._identity = self._storing.identity(target)
        self._versions = self._storing.versions(target)
        self._journal = Journal.of(connection, target)
        self._known = self._journal.entries()
        self._instances = len(connection.text("project(list('instances'), instance_id)").splitlines())

    def load(
        self, paths: Sequence[str], *, again: bool, tell: Callable[[int, int, str], object]
    ) -> Iterator[LoadedFile]:
        """What becomes of each file, in order."""
        waiting: list[str] = []
        shape = _Shape("", ())
        for number, path in enumerate(paths):
            tell(number, len(paths), path)
            known = None if again else self._known.get(_mark(path).path)
            own, told = shape, None
            try:
                if known is not None and self._has(known):
                    told = LoadedFile(path, "skipped", known.rows)
                else:
                    own = _Shape(_separator(path), tuple(self._header(path)))
            except (QueryError, UploadError) as error:
                told = _failed(path, error)
            if told or own != shape or len(waiting) >= max(self._instances, 1):
                yield from self._batch(waiting, shape)
                waiting = []
            if told:
                yield told
            else:
                waiting, shape = [*waiting, path], own
        yield from self._batch(waiting, shape)
        tell(len(paths), len(paths), "")

    def _has(self, known: Entry) -> bool:
        """Whether a file is in, also where the load of it broke off.

        Raises
        ------
        UploadError
            It may be in, and nobody can tell.
        """
        if known.stands(self._identity, self._versions):
            return True
        if known.first is None or not known.doubtful(self._identity, self._versions):
            return False
        last = known.first + known.rows - 1
        if max(self._versions) == known.before + 1:
            return self._storing.cells(self._target, known.first, last) == known.rows
        raise UploadError(
            "a load of it broke off, and others have written since: look whether it is in, and load it with"
            " again=True if it is not"
        )

    def _batch(self, paths: Sequence[str], shape: _Shape) -> list[LoadedFile]:
        if not paths:
            return []
        before = self._versions
        try:
            return self._put(paths, shape)
        except (QueryError, UploadError) as error:
            if self._versions is not before:
                raise
            if len(paths) == 1:
                return [_failed(paths[0], error)]
            return [one for path in paths for one in self._batch([path], shape)]

    def _put(self, paths: Sequence[str], shape: _Shape) -> list[LoadedFile]:
        columns = _columns(shape.header, self._schema, self._target)
        with self._lines(paths, len(columns)) as lines:
            groups = self._groups(lines, columns)
            bad = {group.source for group in groups if group.bad}
            good = [group for group in groups if group.source not in bad]
            if good:
                self._insert(lines, columns, good, paths)
        found = []
        for instance, path in enumerate(paths):
            own = [group for group in groups if group.source == instance]
            rows, wrong = sum(group.lines for group in own), sum(group.bad for group in own)
            message = f"{wrong:,} of its {rows:,} lines do not fit: {', '.join(n for n in columns if n)}."
            found.append(
                LoadedFile(path, "failed", message=message) if wrong else LoadedFile(path, "loaded", rows)
            )
        return found

    def _header(self, path: str) -> list[str]:
        """The names in the first line of a file."""
        separator = _separator(path)
        first = f"filter(aio_input({quote(path)}, num_attributes:1, attribute_delimiter:'{separator}'),"
        line = self._connection.text(f"project({first} tuple_no = 0 and dst_instance_id = 0), a0, error)")
        name, _, rest = line.rstrip("\n").partition("\t")
        # SciDB escapes the tabs of a field in its tsv.
        rest = rest.replace("\\t", "\t")
        if rest == "\\N":
            return [name]
        return [name, *rest[len("long") + 1 :].split("\t" if separator == "\\t" else separator)]

    @contextmanager
    def _lines(self, paths: Sequence[str], width: int) -> Iterator[str]:
        """The lines of the files as an array of strings, removed at the end."""
        name = f"scidb_magic_lines_{secrets.token_hex(8)}"
        files = ", ".join(map(quote, paths))
        instances = ", ".join(map(str, range(len(paths))))
        how = f"num_attributes:{width}, header:1, attribute_delimiter:'{_separator(paths[0])}'"
        query = f"aio_input(paths:({files}), instances:({instances}), {how})"
        try:
            self._connection.execute(f"store({query}, {name})")
            yield name
        finally:
            with suppress(ScidbMagicError):
                self._connection.execute(f"remove({name})")

    def _groups(self, lines: str, columns: Sequence[str | None]) -> list[_Group]:
        wrong = " or ".join(["error is not null", *self._misread(columns)])
        counted = f"apply({lines}, scidb_bad, iif({wrong}, 1, 0), scidb_last, tuple_no)"
        what = "sum(scidb_bad) as bad, count(*) as n, max(scidb_last) as last"
        groups = f"aggregate({counted}, {what}, dst_instance_id, src_instance_id)"
        text = self._connection.text(
            f"project(apply({groups}, s, src_instance_id, d, dst_instance_id), s, d, bad, n, last)"
        )
        return [_Group(*map(int, line.split("\t"))) for line in text.splitlines()]

    def _misread(self, columns: Sequence[str | None]) -> Iterator[str]:
        types = _types(self._schema)
        dimensions = {dimension.name for dimension in self._schema.dimensions}
        for k, name in enumerate(columns):
            if name is not None and types[name] in _READ:
                filled = "" if name in dimensions else f"a{k} <> '' and "
                yield f"({filled}a{k} is not null and dcast(a{k}, {types[name]}(null)) is null)"

    def _insert(
        self, lines: str, columns: Sequence[str | None], groups: Sequence[_Group], paths: Sequence[str]
    ) -> None:
        before = max(self._versions, default=0)
        row = self._schema.dimensions[0].name
        appended = row not in columns
        first = self._storing.behind(self._target, self._schema) if appended else 0
        places = _places(groups, first)
        entries = []
        for source in sorted({group.source for group in groups}):
            own = [(g.lines, place) for g, place in zip(groups, places, strict=True) if g.source == source]
            rows = sum(lines for lines, _ in own)
            place = own[0][1] if appended else None
            entries.append(Entry(_mark(paths[source]), before, place, rows, array=self._identity))
            self._journal.write(entries[-1])
        chosen = " or ".join(
            f"(src_instance_id = {group.source} and dst_instance_id = {group.place})" for group in groups
        )
        made = [f"{name}, {_cast(k, _types(self._schema)[name])}" for k, name in enumerate(columns) if name]
        if appended:
            made.append(f"{row}, {_place(groups, places)}")
        cells = f"apply(filter({lines}, {chosen}), {', '.join(made)})"
        self._connection.execute(f"insert(redimension({cells}, {self._target}), {self._target})")
        self._versions = {}  # unknown, until they are asked for
        self._versions = self._storing.versions(self._target)
        version = max(self._versions, default=0)
        made_at = self._versions.get(version, "")
        told: dict[str, Any] = {"version": version, "made": made_at, "array": self._identity}
        for entry in entries:
            self._journal.write(replace(entry, **told))


def _failed(path: str, error: QueryError | UploadError) -> LoadedFile:
    if error.code == _CANCELLED:
        raise error
    return LoadedFile(path, "failed", message=sentence(error))


def _mark(path: str) -> Mark:
    return Mark(f"server:{path}", 0, 0)


def _separator(path: str) -> str:
    found = next((mark for end, mark in _SEPARATORS.items() if path.lower().endswith(end)), None)
    if found is None:
        raise UploadError(
            f"{path!r} does not end like a file that the server reads, {', '.join(_SEPARATORS)}."
        )
    return found


def _types(schema: Schema) -> dict[str, str]:
    types = {attribute.name: attribute.type for attribute in schema.attributes}
    return types | {dimension.name: "int64" for dimension in schema.dimensions}


def _columns(header: Sequence[str], schema: Schema, target: str) -> list[str | None]:
    """For each field of a line the attribute or dimension that it is; None: it is left out."""
    types = _types(schema)
    lacking = [attribute.name for attribute in schema.attributes if attribute.name not in header]
    if lacking:
        raise UploadError(f"the files have no column {lacking[0]!r}, only {', '.join(header)}")
    dimensions = [dimension.name for dimension in schema.dimensions]
    if not set(dimensions) <= set(header):
        if len(dimensions) > 1:
            raise UploadError(
                f"the files lack a column for a dimension of '{target}': {', '.join(dimensions)}"
            )
        types.pop(dimensions[0])
    for name in types:
        if name in _OWN or name in {f"a{k}" for k in range(len(header))}:
            raise UploadError(f"an array with an attribute {name!r} cannot be loaded by aio_input")
    for attribute in schema.attributes:
        if attribute.type not in _READ | {"string", "datetime"}:
            raise UploadError(
                f"{attribute.name!r} is {attribute.type}, which the server does not read as text"
            )
        if not attribute.nullable:
            raise UploadError(
                f"{attribute.name!r} takes no missing value, and what the server reads may miss"
            )
    return [name if name in types else None for name in header]


def _cast(k: int, type_: str) -> str:
    if type_ == "string":
        return f"a{k}"
    return f"dcast(a{k}, {type_}(null))" if type_ in _READ else f"{type_}(a{k})"


def _places(groups: Sequence[_Group], first: int) -> list[int]:
    """The coordinate of each group's first line, one group behind the other."""
    places = []
    for group in groups:
        places.append(first)
        first += group.last + 1
    return places


def _place(groups: Sequence[_Group], places: Iterable[int]) -> str:
    """AFL of the coordinate of a line."""
    text = "int64(null)"
    for group, place in zip(groups, places, strict=True):
        mine = f"src_instance_id = {group.source} and dst_instance_id = {group.place}"
        text = f"iif({mine}, {place} + tuple_no, {text})"
    return text
