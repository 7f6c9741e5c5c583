"""What became of the files of a load."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """What became of one file.

    Attributes
    ----------
    path : str
        As it was given, or found.
    state : str
        ``"loaded"``; ``"skipped"``: it was in already; ``"failed"``: nothing of it is in.
    rows : int
        Of it in the array.
    message : str
        Why it failed.
    """

    path: str
    state: str
    rows: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of the files of one load.

    Attributes
    ----------
    name : str
        The array.
    files : tuple of LoadedFile
        Those that were come to, in order.
    total : int
        How many there were to load.
    """

    name: str
    files: tuple[LoadedFile, ...] = field(repr=False)
    total: int

    @property
    def rows(self) -> int:
        """Rows that this load put into the array."""
        return sum(file.rows for file in self.files if file.state == "loaded")

    def __str__(self) -> str:
        count = Counter(file.state for file in self.files)
        parts = [
            f"{count['loaded']} of {self.total} files loaded into '{self.name}'",
            f"{self.rows:,} row{'' if self.rows == 1 else 's'}",
            *([f"{count['skipped']} were in already"] if count["skipped"] else []),
            *([f"{count['failed']} failed"] if count["failed"] else []),
        ]
        failed = [f"  {file.path}: {file.message}" for file in self.files if file.state == "failed"]
        return "\n".join([f"{', '.join(parts)}.", *failed])


def sentence(error: Exception) -> str:
    """An error's message as one sentence."""
    message = " ".join(str(error).split())
    return message if message.endswith(".") else f"{message}."
