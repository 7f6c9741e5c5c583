"""What is wrong in a file that is read, and SciDB's error for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from scidb_magic.errors import EngineError


@dataclass(frozen=True, slots=True, order=True)
class Failure:
    """One field that cannot be read.

    Attributes
    ----------
    line, column, offset : int
        Where: as SciDB counts, records of CSV, TSV and binary files from 1 and lines of text from 0,
        columns from 0 (fields, but in text characters), offset in bytes; a line of labels does not
        count.
    value : str
        Its text.
    message : str
        What is wrong with it.
    """

    line: int
    column: int
    offset: int
    value: str
    message: str


def check(failures: Iterable[Failure], max_errors: int, path: Path | str, array: str) -> None:
    """Raise SciDB's error of the first failure that is one too many.

    Raises
    ------
    EngineError
        ``FILE_IMPORT_FAILED`` where there are more than `max_errors`.
    """
    ordered = sorted(failures)
    if len(ordered) > max_errors:
        failure = ordered[max_errors]
        if max_errors:
            more = f"{failure.message}; that is more than {max_errors} failures"
            failure = replace(failure, message=more)
        raise import_failed(failure, path, array)


def import_failed(failure: Failure, path: Path | str, array: str) -> EngineError:
    """The error of a file that could not be read as asked."""
    return EngineError(
        "IMPORT_ERROR",
        "FILE_IMPORT_FAILED",
        f"Import from file '{path}' (instance 0) to array '{array}' failed at line {failure.line}, "
        f"column {failure.column}, offset {failure.offset}, value='{failure.value}': {failure.message}.",
    )
