"""SciDB's error texts, as recorded, under the query that was sent."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from scidb_magic.shim import slots
from scidb_magic.shim.complaint import query_error

TEXT = """\
UserQueryException in file: src/query/parser/Translator.cpp function: f line: 1 instance: s0-i0 (0)
Error id: scidb::SCIDB_SE_QPROC::SCIDB_LE_ARRAY_DOESNT_EXIST
Error description: Query processor error. Array 'public.nope' does not exist.
{echo}"""


@pytest.fixture
def failures(conformance: Path) -> list[dict[str, str]]:
    scripts = [json.loads(line) for line in (conformance / "afl.jsonl").read_text().splitlines()]
    return [step for script in scripts for step in script["steps"] if step["status"] == 406]


def test_recorded_errors(failures: list[dict[str, str]]) -> None:
    placed = 0
    for step in failures:
        error = query_error(step["body"], step["query"], saved=step["save"] is not None)
        short, long = re.findall(r"scidb::(\w+)::(\w+)", step["body"])[0]
        assert (error.short_code, error.code) == (short, long)
        assert "shim_output_buf" not in error.body + error.description
        assert not re.search(r"^ *\^+$", error.description, re.MULTILINE)
        assert "Failed query id" not in error.description
        if re.search(r"^ *\^+$", step["body"], re.MULTILINE):
            placed += 1
            assert error.position is not None
            assert 0 <= error.position <= len(error.statement)
        quoted = re.search(r"[Aa]rray 'public\.(\w+)' does not exist|ttribute '(\w+)' does not", step["body"])
        if quoted and "^" in step["body"]:
            name = quoted[1] or quoted[2]
            assert error.statement[error.position :].startswith(name)
    assert placed > 80


def test_caret_under_a_wrapped_query() -> None:
    echo = "save(scan(nope),'/tmp/x/shim_output_buf_KnLCf0',0,'csv+')\n          ^^^^\n"
    error = query_error(TEXT.format(echo=echo), "scan(nope)", saved=True)
    assert (error.position, error.length, error.statement) == (5, 4, "scan(nope)")
    assert error.description == "Query processor error. Array 'public.nope' does not exist."
    assert "/tmp/x" not in error.body


def test_caret_in_a_later_line() -> None:
    echo = "save(filter(\n  scan(nope),\n       ^^^^\n  true),'/tmp/shim_output_buf_x',0,'csv+')\n"
    error = query_error(TEXT.format(echo=echo), "filter(\n  scan(nope),\n  true)", saved=True)
    assert error.statement[error.position :].startswith("nope")


def test_query_inside_show() -> None:
    error = query_error(TEXT.format(echo="scan(nope)\n     ^^^^\n"), "show('scan(nope)','afl')", saved=True)
    assert (error.statement, error.position) == ("scan(nope)", 5)


def test_query_of_several_lines_inside_show() -> None:
    text = TEXT.format(echo="filter(A,\n  nope > 1)\n  ^^^^\n")
    error = query_error(text, "show('filter(A,\\n  nope > 1)','afl')", saved=True)
    assert error.position is not None
    assert error.statement[error.position :][: error.length] == "nope"
    assert "filter" not in error.description


def test_run_time_error_has_a_query_id() -> None:
    error = query_error(TEXT.format(echo="Failed query id: 0.1795379451930115923"), "scan(A)", saved=False)
    assert (error.position, error.query_id) == (None, "0.1795379451930115923")


def test_text_that_is_none_of_scidbs() -> None:
    error = query_error("out of luck", "scan(A)", saved=False)
    assert (error.code, error.description) == ("UNKNOWN", "out of luck")


def test_slot_listing() -> None:
    listing = "slot 0, sid 8lah1n, avail 0\nslot 1, sid NA, avail 1\nnonsense\n"
    assert slots.parse(listing) == [slots.SlotLine(0, "8lah1n", False), slots.SlotLine(1, None, True)]


@pytest.mark.parametrize("query", ["filter(A, s = 'é→😀' and nope)", "filter(A, s = '\u2028\x0c' and nope)"])
def test_columns_count_bytes(query: str) -> None:
    before = len(f"save({query[: query.index('nope')]}".encode())
    echo = f"save({query},'/tmp/shim_output_buf_x',0,'csv+')\n{' ' * before}^^^^\n"
    error = query_error(TEXT.format(echo=echo), query, saved=True)
    assert error.position is not None
    assert (error.statement, error.statement[error.position :][: error.length]) == (query, "nope")


@pytest.mark.parametrize("cut", [30, -30, -12, -3])
def test_text_that_is_cut_shows_nothing_of_the_wrapper(cut: int) -> None:
    query = "filter(A, s = 'a long one' and nope)"
    echo = f"save({query},'/var/lib/shim/tmp/shim_output_buf_KnLCf0',0,'csv+')"[:cut]
    error = query_error(TEXT.format(echo=echo), query, saved=True)
    assert error.description == "Query processor error. Array 'public.nope' does not exist."
    assert error.position is None
    assert "/var" not in error.body


def test_a_query_id_in_a_sentence_is_none() -> None:
    text = TEXT.format(echo="").replace("Array 'public.nope'", "File 'Failed query id: 1'")
    error = query_error(text, "scan(nope)", saved=False)
    assert error.query_id is None
    assert "Failed query id: 1" in error.description
