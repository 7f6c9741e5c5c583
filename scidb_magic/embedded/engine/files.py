"""The files that ``input`` and ``save`` may touch: those in the server's own folder and in `io_paths`.

Paths are resolved before they are checked, so that no ``..`` and no symbolic link leads outside; what
is written is opened without following a link that came meanwhile.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from scidb_magic.errors import EngineError


class Files:
    """The folders in which statements may read and write.

    Parameters
    ----------
    scratch : Path
        The server's folder; relative paths start there.
    io_paths : sequence of Path
        More folders.
    """

    def __init__(self, scratch: Path, io_paths: Sequence[Path] = ()) -> None:
        self._scratch = Path(os.path.realpath(scratch))
        self._folders = (self._scratch, *(Path(os.path.realpath(path)) for path in io_paths))

    def path(self, name: str) -> Path:
        """The real path of a file that a statement names.

        Raises
        ------
        EngineError
            It is outside of the allowed folders.
        """
        if "\0" in name:
            raise _cannot_open(name, "the name has a zero byte in it")
        real = Path(os.path.realpath(self._scratch / name))
        if not any(folder in real.parents for folder in self._folders):
            raise _cannot_open(name, "it is outside of the folders that this server may use (--io-path)")
        return real

    def readable(self, name: str) -> Path:
        """The real path of a regular file that exists."""
        path = self.path(name)
        try:
            regular = stat.S_ISREG(path.stat(follow_symlinks=False).st_mode)
        except OSError as error:
            raise _cannot_open(name, error.strerror) from error
        if not regular:
            raise _cannot_open(name, "it is not a regular file")
        return path

    def writer(self, name: str) -> BinaryIO:
        """The file opened for writing, emptied first."""
        path = self.path(name)
        try:
            # O_NONBLOCK: a named pipe without a reader is refused at once instead of waited for.
            flags = os.O_WRONLY | os.O_CREAT | _NOFOLLOW | _NONBLOCK
            descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            raise _cannot_open(name, error.strerror) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise _cannot_open(name, "it is not a regular file")
        os.ftruncate(descriptor, 0)
        return os.fdopen(descriptor, "wb")


_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)


def _cannot_open(name: str, reason: str | None) -> EngineError:
    return EngineError("EXECUTION", "CANT_OPEN_FILE", f"Cannot open file '{name}': {reason}.")
