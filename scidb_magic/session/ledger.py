"""The slots that this user holds, on this host and on others that share the home: one small file a session.

The files lie in ``sessions`` in the user's state folder (``~/.local/state/scidb_magic`` on Linux). They
are written beside and put in place by one rename, so that nobody reads half a file and no locks are
needed, which homes on NFS often have not. Whatever else lies there is neither read nor removed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import secrets
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scidb_magic.shim.secret import Secret

log = logging.getLogger("scidb_magic")

LARGEST_FILE = 64 * 1024
"""Bytes. What is larger was not written here."""

TEMPORARY_SECONDS = 3600.0
"""A temporary file that is older belongs to a process that died while it wrote."""

KEPT_SECONDS = 60 * 24 * 3600.0
"""An entry that nobody has touched for so long is forgotten: hosts and containers go, their files stay."""

_SUFFIX = ".json"
_TEMPORARY = ".tmp"
_NAME = re.compile(r"[\w.-]{1,64}-\d+-[0-9a-f]{16}\.(json|[\w-]+\.tmp)", re.ASCII)
_TEXT_LIMIT = 64


@dataclass(frozen=True, slots=True)
class Entry:
    """One session.

    Attributes
    ----------
    url : str
    sid : str
        The session id; does not show itself.
    host, pid, started : str, int, str or None
        The process that holds it; see `scidb_magic.session.holder`.
    kernel, notebook : str or None
    taken, used : float
        Epoch seconds.
    lines, etag : bool or None, str or None
        The proof that the session is still this one; see `scidb_magic.session.guard.Charge`.
    file : Path or None
        Where it is written, once it is.
    """

    url: str
    sid: str
    host: str
    pid: int
    started: str | None = None
    kernel: str | None = None
    notebook: str | None = None
    taken: float = 0.0
    used: float = 0.0
    lines: bool | None = None
    etag: str | None = None
    file: Path | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sid", Secret(self.sid))


_TYPES: dict[str, tuple[type, ...]] = {
    "url": (str,),
    "sid": (str,),
    "host": (str,),
    "pid": (int,),
    "started": (str, type(None)),
    "kernel": (str, type(None)),
    "notebook": (str, type(None)),
    "taken": (int, float),
    "used": (int, float),
    "lines": (bool, type(None)),
    "etag": (str, type(None)),
}


class Ledger:
    """The folder of entries. Nothing here raises for a folder that cannot be used.

    Parameters
    ----------
    folder : Path, optional
        Else the one in the user's state folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def write(self, entry: Entry) -> Path | None:
        """Put `entry` into its file, or into a new one where it has none.

        Returns
        -------
        file : Path or None
            None: it cannot be written, and the session goes on without an entry.
        """
        try:
            folder = self._made_folder() if entry.file is None else entry.file.parent
            file = entry.file or folder / _new_name(entry)
            values = {name: getattr(entry, name) for name in _TYPES}
            _replace(file, json.dumps(values).encode())
        except (OSError, ValueError, RuntimeError) as error:
            log.debug("No entry in the ledger: %s", type(error).__name__)
            return None
        if entry.file is None:
            self._sweep(folder)
        return file

    def remove(self, entry: Entry | Path | None) -> None:
        """Forget an entry; one that is not there, or was never written, is no matter."""
        file = entry.file if isinstance(entry, Entry) else entry
        if file is None:
            return
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)

    def entries(self) -> list[Entry]:
        """What is written, of all processes of this user, the longest held first."""
        found = [_read(Path(place.path)) for place in self._listed(_SUFFIX)]
        return sorted((entry for entry in found if entry is not None), key=lambda entry: entry.taken)

    def _made_folder(self) -> Path:
        folder = self._place()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if stat.S_IMODE(folder.stat().st_mode) & 0o077:
            folder.chmod(0o700)
        return folder

    def _place(self) -> Path:
        if self._folder is None:
            import platformdirs

            folder = Path(platformdirs.user_state_path("scidb_magic")) / "sessions"
            if not folder.is_absolute():
                raise ValueError("this user has no home")
            self._folder = folder
        return self._folder

    def _listed(self, suffix: str) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(self._place()) as places:
                yield from [
                    place for place in places if place.name.endswith(suffix) and _NAME.fullmatch(place.name)
                ]
        except (OSError, ValueError, RuntimeError) as error:
            log.debug("The ledger cannot be read: %s", type(error).__name__)

    def _sweep(self, folder: Path) -> None:
        """Remove what dead writers and gone hosts have left."""
        now = time.time()
        for suffix, kept in ((_TEMPORARY, TEMPORARY_SECONDS), (_SUFFIX, KEPT_SECONDS)):
            for place in self._listed(suffix):
                with contextlib.suppress(OSError):
                    facts = place.stat(follow_symlinks=False)
                    if _is_own_file(facts) and now - facts.st_mtime > kept:
                        (folder / place.name).unlink()


def _new_name(entry: Entry) -> str:
    place = re.sub(r"[^\w.-]", "_", entry.host, flags=re.ASCII)[:_TEXT_LIMIT] or "_"
    return f"{place}-{entry.pid}-{secrets.token_hex(8)}{_SUFFIX}"


def _replace(file: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=file.stem + ".", suffix=_TEMPORARY)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as beside:
            beside.write(content)
        Path(name).replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink(missing_ok=True)
        raise


def _read(path: Path) -> Entry | None:
    """The entry in a file; None if it is not one, or not this user's."""
    # Neither follows a link nor waits for a pipe's other end.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags)
        try:
            facts = os.fstat(descriptor)
            if not _is_own_file(facts) or facts.st_size > LARGEST_FILE:
                return None
            values: Any = json.loads(os.read(descriptor, LARGEST_FILE))
        finally:
            os.close(descriptor)
        given = {name: values[name] for name in _TYPES}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    if any(type(given[name]) not in kinds for name, kinds in _TYPES.items()):
        return None
    return Entry(**given, file=path)


def _is_own_file(facts: os.stat_result) -> bool:
    return stat.S_ISREG(facts.st_mode) and (not hasattr(os, "getuid") or facts.st_uid == os.getuid())
