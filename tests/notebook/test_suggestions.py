"""A name that there is not, and the one that was meant."""

from __future__ import annotations

from typing import Any

import pytest

from scidb_magic.errors import QueryError
from scidb_magic.notebook.catalogue import Names
from scidb_magic.notebook.suggestions import suggestion
from scidb_magic.wire.schema import Schema

NAMES = Names(arrays={"Weather": Schema.parse("Weather<temp_max:double,place:string> [day=0:9]")})


@pytest.mark.parametrize(
    ("code", "description", "statement", "meant"),
    [
        ("ARRAY_DOESNT_EXIST", "Array 'public.weather' does not exist.", "scan(weather)", "Weather"),
        ("ARRAY_DOESNT_EXIST", "Array 'public.wether' does not exist.", "scan(wether)", "Weather"),
        ("ARRAY_DOESNT_EXIST", "Array 'public.zzz' does not exist.", "scan(zzz)", None),
        ("LOGICAL_OP_DOESNT_EXIST", "Logical operator 'fitler' does not exist.", "fitler(A, 1)", "filter"),
        ("FUNCTION_NOT_FOUND", "Function 'strlne(string)' not found.", "apply(A, n, strlne(s))", "strlen"),
        ("FUNCTION_NOT_FOUND", "Function 'strlen(double)' not found.", "apply(A, n, strlen(d))", None),
        ("AGGREGATE_NOT_FOUND", "Aggregate name 'cout' is not", "aggregate(A, cout(*))", "count"),
        ("REF_NOT_FOUND", "Reference '.tmp_max' not found.", "filter(Weather, tmp_max > 1)", "temp_max"),
        ("REF_NOT_FOUND", "Reference '.dya' not found.", "filter(Weather, dya > 1)", "day"),
        ("REF_NOT_FOUND", "Reference '.tmp_max' not found.", "filter(Other, tmp_max > 1)", None),
        ("DIVISION_BY_ZERO", "Division by zero.", "scan(Weather)", None),
    ],
)
def test_the_nearest(code: str, description: str, statement: str, meant: str | None) -> None:
    error = QueryError(f"SCIDB_LE_{code}", description, statement=statement)
    assert suggestion(error, lambda: NAMES) == (meant and f"Did you mean '{meant}'?")


def test_the_word_under_the_caret() -> None:
    statement = "discard(Weather, plac)"
    error = QueryError(
        "SCIDB_LE_WRONG_OPERATOR_ARGUMENT2", "Parameter must be attribute name.", 16, statement=statement
    )
    assert suggestion(error, lambda: NAMES) == "Did you mean 'place'?"


def test_nobody_is_asked_where_no_name_is_wrong() -> None:
    error = QueryError("SCIDB_LE_DIVISION_BY_ZERO", "Division by zero.", statement="scan(Weather)")
    assert suggestion(error, lambda: pytest.fail("asked")) is None


def test_in_a_cell(shell: Any) -> None:
    shell.run("%scidb store(build(<temp:double>[day=0:3], day), suggested)")
    out = shell.run("%%scidb\nscan(suggested);\nfilter(suggested, tepm > 1)")
    assert out.traceback[1:] == [
        "  filter(suggested, tepm > 1)",
        "                    ^^^^",
        "Statement 2 of 2 failed; statement 1 had run: scan.",
        "Did you mean 'temp'?",
    ]
    assert shell.run("%scidb scan(sugested)").traceback[-1] == "Did you mean 'suggested'?"
    shell.run("%scidb remove(suggested)")


def test_last_error(shell: Any) -> None:
    shell.run("%scidb scan(not_there_at_all)")
    text = shell.run("%scidb last_error").text
    assert text.startswith("QueryError: ")
    assert "  code: SCIDB_LE_ARRAY_DOESNT_EXIST" in text
    assert "  statement: scan(not_there_at_all)" in text
    assert "  ran: no" in text
    assert "Error id: scidb::SCIDB_SE_" in text
    assert "shim_output_buf" not in text
