"""Many files into one array, one after the other, on the one slot of the session.

Each file is one statement, and rows go to coordinates that are written out: sent again it puts the same
rows into the same cells, so after a fault whose outcome nobody knows it is simply sent again. The
`journal` keeps which files are in; `load` with the same files goes on from there, in whatever kernel.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scidb_magic.afl.literals import Name
from scidb_magic.errors import QueryError, ScidbMagicError, UploadError
from scidb_magic.frames import files
from scidb_magic.frames import upload as frames
from scidb_magic.storing.arrays import Storing, check_fit
from scidb_magic.storing.journal import Entry, Journal, Mark
from scidb_magic.storing.remote import ServerFiles
from scidb_magic.storing.report import Loaded, LoadedFile, sentence

if TYPE_CHECKING:
    from scidb_magic.session.connection import Connection

_CANCELLED = "SCIDB_LE_QUERY_CANCELLED"
_PATTERN = frozenset("*?[")


def load(
    connection: Connection,
    paths: Any,
    name: str,
    *,
    dims: Iterable[str] | None = None,
    chunks: Iterable[int] | None = None,
    strict: bool = False,
    again: bool = False,
    server: bool = False,
    on_file: Callable[[int, int, str], object] | None = None,
) -> Loaded:
    """As `ManagedSession.load`."""
    found = _given(paths) if server else expand(paths)
    tell = on_file or (lambda _done, _total, _path: None)
    target = str(Name(name))
    done: list[LoadedFile] = []
    try:
        array: _Array | ServerFiles
        if server:
            if dims is not None or chunks is not None:
                raise UploadError(
                    "server=True takes an array that is there, so dims and chunks do not go with it."
                )
            array = ServerFiles(connection, target)
        else:
            array = _Array(
                connection,
                target,
                dims=tuple(dims) if dims is not None else None,
                chunks=tuple(chunks) if chunks is not None else None,
            )
        for file in array.load(found, again=again, tell=tell):
            done.append(file)
            if strict and file.state == "failed":
                raise UploadError(f"{file.path}: {file.message} {_in(done, len(found))}")
    except BaseException as error:
        # Whatever stopped it: what is in is told with it.
        error.__dict__["loaded"] = Loaded(target, tuple(done), len(found))
        ours = isinstance(error, ScidbMagicError | KeyboardInterrupt) and not isinstance(error, UploadError)
        if ours and done:
            connection.notify(f"{_in(done, len(found))} The same call goes on from there.")
        raise
    return Loaded(target, tuple(done), len(found))


def expand(paths: Any) -> list[str]:
    """The files that paths and patterns name, each once; those of a pattern by name.

    Raises
    ------
    UploadError
        One of them names none.
    """
    given = _given(paths)
    found: dict[str, str] = {}
    for path in given:
        is_pattern = not _PATTERN.isdisjoint(path) and not Path(path).exists()
        # Not Path.glob, which takes no absolute pattern.
        names = sorted(glob.glob(path, recursive=True)) if is_pattern else [path]  # noqa: PTH207
        names = [name for name in names if Path(name).is_file()]
        if not names:
            raise UploadError(f"No file matches {path!r}." if is_pattern else f"There is no file {path!r}.")
        for name in names:
            found.setdefault(os.path.realpath(name), name)
    return list(found.values())


def _given(paths: Any) -> list[str]:
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    if not given:
        raise UploadError("There is no file to load: the list of paths is empty.")
    return [os.fspath(path) for path in given]


class _Array:
    """The array that is loaded into, as it is known to be."""

    def __init__(
        self,
        connection: Connection,
        target: str,
        *,
        dims: tuple[str, ...] | None,
        chunks: tuple[int, ...] | None,
    ) -> None:
        self._storing = Storing(connection)
        self._target = target
        self._dims, self._chunks = dims, chunks
        # Sending it again does no harm, whether or not it ran.
        self._retry = "always" if connection.settings.retry == "safe" else connection.settings.retry
        self._there = self._storing.schema(target)
        self._identity = self._storing.identity(target) if self._there else ""
        self._versions = self._storing.versions(target) if self._there else {}
        self._next: int | None = None
        self._journal = Journal.of(connection, target)
        self._known = self._journal.entries()

    def load(
        self, paths: Sequence[str], *, again: bool, tell: Callable[[int, int, str], object]
    ) -> Iterator[LoadedFile]:
        """What becomes of each file, in order."""
        for number, path in enumerate(paths):
            tell(number, len(paths), path)
            yield self._load(path, again)
        tell(len(paths), len(paths), "")

    def _load(self, path: str, again: bool) -> LoadedFile:
        """Load one file, unless it is in."""
        try:
            mark = Mark.of(path)
            known = None if again else self._known.get(mark.path)
            if known is not None and known.stands(self._identity, self._versions):
                if known.mark == mark:
                    return LoadedFile(path, "skipped", known.rows)
                raise UploadError("it was loaded, and has changed since: again=True loads it once more")
            doubt = None
            if known and known.mark == mark and known.doubtful(self._identity, self._versions):
                doubt = known
            encoded = self._encoded(path)
            if self._there is not None:
                check_fit(encoded, self._target, self._there)
            if not encoded.rows:
                return LoadedFile(path, "loaded")
            if doubt is not None and (version := self._made_by(doubt, encoded)):
                self._note(doubt, version)
                return LoadedFile(path, "skipped", encoded.rows)
            entry = self._put(encoded, mark)
        except (UploadError, OSError, ValueError, QueryError) as error:
            if isinstance(error, QueryError) and error.code == _CANCELLED:
                raise
            return LoadedFile(path, "failed", message=sentence(error))
        self._look_again(entry)
        return LoadedFile(path, "loaded", entry.rows)

    def _put(self, encoded: frames.Upload, mark: Mark) -> Entry:
        """Put a file into the array; what the journal says of it before."""
        first = None if encoded.axes else self._behind()
        entry = Entry(mark, max(self._versions, default=0), first, encoded.rows, array=self._identity)
        self._journal.write(entry)
        self._next = None
        if self._there is None:
            self._storing.make(encoded, self._target, retry=self._retry)
        else:
            self._storing.insert(encoded, self._target, self._there, first or 0, retry=self._retry)
        return entry

    def _look_again(self, entry: Entry) -> None:
        """Learn what became of the array; an error here is none of the file, which is in."""
        try:
            if self._there is None:
                self._there = self._storing.schema(self._target)
                self._identity = self._storing.identity(self._target)
            self._versions = self._storing.versions(self._target)
        except ScidbMagicError as error:
            error.ran = True
            raise
        version = max(self._versions, default=0)
        # Somebody else's version in between may have taken the next places.
        if entry.first is not None and version == entry.before + 1:
            self._next = entry.first + entry.rows
        self._note(entry, version)

    def _note(self, entry: Entry, version: int) -> None:
        """The file of `entry` is in, since `version`."""
        made = self._versions.get(version, "")
        entry = replace(entry, version=version, made=made, array=self._identity)
        self._journal.write(entry)
        self._known[entry.mark.path] = entry

    def _made_by(self, doubt: Entry, encoded: frames.Upload) -> int | None:
        """The version with which a file came in that was about to come; None where it did not."""
        if doubt.first is None or doubt.rows != encoded.rows:
            return None  # cells that tell their places may be put there twice
        version = doubt.before + 1
        array = f"{self._target}@{version}" if version in self._versions else self._target
        return version if self._storing.holds(encoded, array, doubt.first) else None

    def _encoded(self, path: str) -> frames.Upload:
        table = files.read(path, files.types_of(self._there) if self._there else None)
        dims = self._dims
        if dims is None and self._there is not None:
            own = tuple(dimension.name for dimension in self._there.dimensions)
            dims = own if set(own) <= set(table.column_names) else None
        return frames.encode(table, dims=dims, chunks=self._chunks)

    def _behind(self) -> int:
        """Where the rows of a file go: behind all others."""
        if self._there is None:
            return 0
        return self._storing.behind(self._target, self._there) if self._next is None else self._next


def _in(done: Sequence[LoadedFile], total: int) -> str:
    count = sum(file.state != "failed" for file in done)
    return f"{count} of {total} files are in."
