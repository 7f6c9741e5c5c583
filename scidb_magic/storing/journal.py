"""Which files are in which array: a small file for each array, in the user's state folder.

A line is written before a file is inserted and another one after it, so that a later load knows what
it may leave out, and what a process that died was about to put where. The array may have been removed
and made again since, or the whole database: an entry is right only as long as the version that it names
was made when it says.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scidb_magic.session.connection import Connection

log = logging.getLogger("scidb_magic")
_EMBEDDED = "embedded:"


@dataclass(frozen=True, slots=True)
class Mark:
    """What tells a file from another one, and from itself as it was.

    Attributes
    ----------
    path : str
        Without links.
    size : int
        Bytes.
    modified : int
        Nanoseconds since 1970.
    """

    path: str
    size: int
    modified: int

    @classmethod
    def of(cls, path: str) -> Mark:
        """Of a file as it is now. Raises OSError."""
        facts = Path(path).stat()
        return cls(os.path.realpath(path), facts.st_size, facts.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file in one array, or on its way.

    Attributes
    ----------
    mark : Mark
    before : int
        The array's last version before.
    first : int or None
        Coordinate of the first row, where rows are appended; None where the data tell their places.
    rows : int
    version : int or None
        That the file made; None: it was about to be inserted.
    made : str
        When, as SciDB tells it.
    array : str
        SciDB's id of the array; empty where it was not there before.
    """

    mark: Mark
    before: int
    first: int | None
    rows: int
    version: int | None = None
    made: str = ""
    array: str = ""

    def stands(self, array: str, versions: Mapping[int, str]) -> bool:
        """Whether the file is in the array of this id, which has these versions."""
        if self.version is None or not versions or self.array != array:
            return False
        # A version that was removed is older than all that are there.
        return versions.get(self.version) == self.made or self.version < min(versions)

    def doubtful(self, array: str, versions: Mapping[int, str]) -> bool:
        """Whether the file may be in the array of this id, and nobody knows."""
        same = self.array == array or (not self.array and not self.before)
        return self.version is None and same and max(versions, default=0) > self.before


class Journal:
    """The files of one array. Nothing here raises for a folder that cannot be used.

    Parameters
    ----------
    url : str
        Of the server.
    array : str
    """

    def __init__(self, url: str, array: str) -> None:
        self._folder: Path | None = None
        self._name = hashlib.sha256(f"{url}\n{array}".encode()).hexdigest()[:32] + ".jsonl"

    @classmethod
    def of(cls, connection: Connection, array: str) -> Journal:
        """That of an array on the server of a connection.

        A server of our own has another port each time it is started; its folder stays the same.
        """
        url = connection.settings.url or ""
        if url.startswith(_EMBEDDED):
            folder = url.removeprefix(_EMBEDDED)
            return cls(_EMBEDDED + (str(Path(folder).absolute()) if folder else ""), array)
        return cls(connection.status().url or "", array)

    def entries(self) -> dict[str, Entry]:
        """The last entry of each file, by its path."""
        try:
            lines = self._file().read_text().splitlines()
        except (OSError, ValueError, RuntimeError):
            return {}
        found = filter(None, map(_entry, lines))
        return {entry.mark.path: entry for entry in found}

    def write(self, entry: Entry) -> None:
        """Add an entry; it is on the disk when this returns."""
        try:
            file = self._file()
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            descriptor = os.open(file, flags, 0o600)
            try:
                # A line of its own, also behind one that a process left half written.
                os.write(descriptor, b"\n" + json.dumps(asdict(entry)).encode() + b"\n")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except (OSError, ValueError, RuntimeError) as error:
            log.debug("No entry in the journal: %s", type(error).__name__)

    def _file(self) -> Path:
        if self._folder is None:
            import platformdirs

            self._folder = Path(platformdirs.user_state_path("scidb_magic")) / "loads"
        return self._folder / self._name


def _entry(line: str) -> Entry | None:
    """The entry of a line; None for one that was cut off."""
    try:
        values: dict[str, Any] = json.loads(line)
        return Entry(**{**values, "mark": Mark(**values["mark"])})
    except (ValueError, TypeError, KeyError):
        return None
