"""Errors as SciDB words them: the text of an `EngineError`, and DuckDB's errors made into one.

The text has the form that shim hands on (``reference/shim-protocol.md``)::

    UserQueryException in file: embedded function: execute line: 0 instance: s0-i0 (0)
    Error id: scidb::SCIDB_SE_QPROC::SCIDB_LE_ARRAY_DOESNT_EXIST
    Error description: Query processor error. Array 'public.nope' does not exist.
    scan(nope)
         ^^^^

Errors with a span are ``UserQueryException`` and show the query; errors of a running query name its id.
"""

from __future__ import annotations

import re

import duckdb

from scidb_magic.embedded.engine.ast import Span
from scidb_magic.errors import EngineError

KINDS: dict[str, str] = {
    "PARSER": "Error during query parsing.",
    "SYNTAX": "Query syntax error.",
    "INFER_SCHEMA": "Error during schema inferring.",
    "QPROC": "Query processor error.",
    "TYPE": "Type error.",
    "TYPESYSTEM": "Typesystem error.",
    "OPERATOR": "Operator error.",
    "EXECUTION": "Error during query execution.",
    "OPTIMIZER": "Optimizer error.",
    "IMPORT_ERROR": "Import error.",
    "ARRAY_WRITER": "Error while saving array.",
    "STORAGE": "Storage error.",
    "SYSCAT": "System catalog error.",
    "INTERNAL": "Internal error.",
    "NO_MEMORY": "Not enough memory.",
}
"""Short code -> the sentence that stands before every description of this kind."""

MARK = "SCIDB"
"""First word of a message that SQL raises with ``error(…)``: ``SCIDB|SHORT|LONG|description``."""

_MARKED = re.compile(rf"{MARK}\|(\w+)\|(\w+)\|(.*)", re.DOTALL)


def error_text(error: EngineError, text: str) -> str:
    """SciDB's error text of `error`.

    Parameters
    ----------
    error : EngineError
    text : str
        The statement as the engine got it; shown, with carets, where the error has a span.
    """
    exception = "SystemException" if error.system else "UserException"
    if error.span is not None and not error.system:
        exception = "UserQueryException"
    kind = KINDS.get(error.short)
    lines = [
        f"{exception} in file: embedded function: execute line: 0 instance: s0-i0 (0)",
        f"Error id: scidb::SCIDB_SE_{error.short}::SCIDB_LE_{error.long}",
        f"Error description: {f'{kind} ' if kind else ''}{error.description}",
    ]
    if error.span is not None:
        lines.append(underlined(error.statement or text, error.span))
    elif error.query_id is not None:
        lines.append(f"Failed query id: {error.query_id}")
    return "\n".join(lines)


def underlined(text: str, span: Span) -> str:
    """`text` with a line of carets after the line in which `span` starts; columns count bytes, as SciDB's."""
    start = min(max(span[0], 0), len(text))
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", start)
    line_end = len(text) if line_end < 0 else line_end
    blanks, marks = (
        len(part.encode("utf-8", "surrogateescape"))
        for part in (text[line_start:start], text[start : min(span[1], line_end)])
    )
    carets = " " * blanks + "^" * max(1, marks)
    return f"{text[:line_end]}\n{carets}{text[line_end:]}"


def marked(short: str, long: str, description: str) -> str:
    """The message for SQL's ``error(…)`` that `from_duckdb` turns into this `EngineError`."""
    return f"{MARK}|{short}|{long}|{description}"


def from_duckdb(error: duckdb.Error) -> EngineError:
    """The `EngineError` for an error of DuckDB; never fails, whatever DuckDB says."""
    message = str(error)
    if found := _MARKED.search(message):
        return EngineError(found[1], found[2], found[3].rstrip())
    if isinstance(error, duckdb.InterruptException):
        return EngineError("QPROC", "QUERY_CANCELLED", "The query was cancelled.")
    if isinstance(error, duckdb.OutOfMemoryException):
        return out_of_memory()
    if "Max expression depth" in message:
        return nested_too_deep()
    return EngineError("EXECUTION", "UNKNOWN_ERROR", f"DuckDB: {first_line(message)}")


def nested_too_deep() -> EngineError:
    """Neither Python nor DuckDB gets to the bottom of the statement."""
    return EngineError("PARSER", "QUERY_PARSING_ERROR", "The statement is nested too deep.")


def out_of_memory() -> EngineError:
    """The query does not fit."""
    return EngineError(
        "NO_MEMORY",
        "CANT_ALLOCATE_MEMORY",
        "The query needs more memory or disk space than the embedded server may use"
        " (--memory-limit, --temp-limit).",
    )


def first_line(message: str) -> str:
    """The first line of a message, at most 400 characters."""
    line = message.strip().partition("\n")[0]
    return line if len(line) <= 400 else f"{line[:399]}…"


# Errors that several operators raise.


def array_does_not_exist(name: str, span: Span | None, short: str = "QPROC") -> EngineError:
    """No array of this name."""
    return EngineError(short, "ARRAY_DOESNT_EXIST", f"Array 'public.{name}' does not exist.", span)


def array_already_exists(name: str, span: Span | None = None) -> EngineError:
    """An array of this name is there already."""
    return EngineError("INFER_SCHEMA", "ARRAY_ALREADY_EXISTS", f"Array 'public.{name}' already exists.", span)


def version_does_not_exist(
    what: object, span: Span | None = None, *, short: str = "QPROC", system: bool = False
) -> EngineError:
    """The array is there, but not this version."""
    return EngineError(
        short,
        "ARRAY_VERSION_DOESNT_EXIST",
        f"Specified version of array '{what}' does not exist.",
        span,
        system=system,
    )


def operator_does_not_exist(name: str, span: Span) -> EngineError:
    """No operator of this name."""
    return EngineError("QPROC", "LOGICAL_OP_DOESNT_EXIST", f"Logical operator '{name}' does not exist.", span)


def no_data_frames(name: str) -> EngineError:
    """An operator that takes no data frame."""
    return EngineError(
        "INFER_SCHEMA",
        "DATAFRAMES_NOT_SUPPORTED",
        f"Operator '{name}' does not take data frames.",
        system=True,
    )


def wrong_parameter(
    what: str, span: Span | None, *, short: str = "QPROC", system: bool = False
) -> EngineError:
    """An argument that is not `what` it should be."""
    return EngineError(short, "WRONG_OPERATOR_ARGUMENT2", f"Parameter must be {what}.", span, system=system)


def duplicate_attribute(name: str, span: Span | None = None) -> EngineError:
    """Two attributes of one name, or an attribute and a dimension."""
    return EngineError(
        "INFER_SCHEMA",
        "DUPLICATE_ATTRIBUTE_NAME",
        f"Cannot create attribute '{name}'; name collides with existing object.",
        span,
    )


def duplicate_dimension(name: str, span: Span | None = None) -> EngineError:
    """Two dimensions of one name."""
    return EngineError(
        "INFER_SCHEMA",
        "DUPLICATE_DIMENSION_NAME",
        f"Cannot create dimension '{name}'; name collides with existing object.",
        span,
    )


def illegal_operation(description: str, short: str = "INFER_SCHEMA") -> EngineError:
    """What SciDB refuses in a sentence of its own."""
    return EngineError(short, "ILLEGAL_OPERATION", f"Illegal operation: {description}")


def not_positive(name: str, short: str) -> EngineError:
    """A number that should be above zero."""
    return EngineError(
        short,
        "PARAMETER_NOT_POSITIVE_INTEGER",
        f"The parameter '{name}' is not valid; must be a positive integer.",
    )
