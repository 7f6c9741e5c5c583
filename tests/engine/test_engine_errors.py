"""The text of errors, and DuckDB's errors made SciDB's."""

from __future__ import annotations

import duckdb
import pytest

from scidb_magic.embedded.engine.errors import error_text, from_duckdb, marked, underlined
from scidb_magic.errors import EngineError


def test_an_error_with_a_place_shows_the_query_and_carets() -> None:
    error = EngineError("QPROC", "ARRAY_DOESNT_EXIST", "Array 'public.nope' does not exist.", (5, 9))
    assert error_text(error, "scan(nope)").splitlines() == [
        "UserQueryException in file: embedded function: execute line: 0 instance: s0-i0 (0)",
        "Error id: scidb::SCIDB_SE_QPROC::SCIDB_LE_ARRAY_DOESNT_EXIST",
        "Error description: Query processor error. Array 'public.nope' does not exist.",
        "scan(nope)",
        "     ^^^^",
    ]


def test_an_error_of_a_running_query_names_its_id() -> None:
    error = EngineError("EXECUTION", "DIVISION_BY_ZERO", "Division by zero.")
    error.query_id = "0.17"
    lines = error_text(error, "scan(A)").splitlines()
    assert lines[0].startswith("UserException in file: ")
    assert lines[2:] == [
        "Error description: Error during query execution. Division by zero.",
        "Failed query id: 0.17",
    ]


def test_a_system_exception() -> None:
    error = EngineError("OPERATOR", "X", "Something.", system=True)
    assert error_text(error, "scan(A)").startswith("SystemException in file: ")


def test_the_caret_line_follows_the_line_of_the_error() -> None:
    text = "filter(\n  A,\n  nope > 1)"
    start = text.index("nope")
    assert underlined(text, (start, start + 4)) == "filter(\n  A,\n  nope > 1)\n  ^^^^"
    assert underlined(text, (0, 6)) == "filter(\n^^^^^^\n  A,\n  nope > 1)"


def test_columns_count_bytes() -> None:
    assert underlined("f('é', nope)", (7, 11)) == "f('é', nope)\n        ^^^^"


@pytest.mark.parametrize("span", [(50, 60), (-3, -1), (10, 10)])
def test_a_place_outside_of_the_text_does_no_harm(span: tuple[int, int]) -> None:
    assert underlined("scan(nope)", span).startswith("scan(nope)\n")


def test_sql_can_raise_an_error_of_scidb() -> None:
    message = marked("OPERATOR", "DATA_COLLISION", "Data collision at {0}.")
    with pytest.raises(duckdb.Error) as caught:
        duckdb.connect().execute("SELECT error(?)", [message]).fetchall()
    error = from_duckdb(caught.value)
    assert (error.short, error.long) == ("OPERATOR", "DATA_COLLISION")
    assert error.description == "Data collision at {0}."


def test_running_out_of_memory_says_what_to_do() -> None:
    error = from_duckdb(duckdb.OutOfMemoryException("could not allocate block of size 256 KiB"))
    assert error.short == "NO_MEMORY"
    assert "--memory-limit" in error.description


def test_any_other_error_of_duckdb_is_told_in_one_line() -> None:
    error = from_duckdb(duckdb.BinderException("first line\nsecond line"))
    assert error.description == "DuckDB: first line"
