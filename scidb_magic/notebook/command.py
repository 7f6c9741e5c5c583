"""A row of the table of subcommands, see `subcommands`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from scidb_magic.notebook.options import Option


@dataclass(frozen=True, slots=True)
class Subcommand:
    """One row of the table.

    Attributes
    ----------
    run : callable
        Takes the words of the line, and its options by name.
    example : str
        A line that has it.
    usage : str
        What may stand behind its name.
    words : int
        How many words it takes at most; -1: the rest of the line is AFL.
    """

    run: Callable[..., None]
    help: str
    example: str
    usage: str = ""
    words: int = 0
    options: Mapping[str, Option] = field(default_factory=dict)

    def head(self, name: str) -> str:
        """How it is written."""
        return f"%scidb {name} {self.usage}".rstrip()
