from __future__ import annotations

import json
from pathlib import Path

import pytest

from scidb_magic.afl import operators, script


@pytest.fixture
def catalog(conformance: Path) -> dict[str, list[list[str]]]:
    rows = [json.loads(line) for line in (conformance / "catalog.jsonl").read_text().splitlines()]
    return {row["query"]: [line.split("\t") for line in (row["body"] or "").splitlines()] for row in rows}


def test_every_operator_of_scidb_is_in_the_table(catalog: dict[str, list[list[str]]]) -> None:
    known = {row[1] for row in catalog["list('operators')"]} | {
        row[1].lower() for row in catalog["list('macros')"]
    }
    assert known - operators.OPERATORS.keys() == set()


def test_every_aggregate_and_type_is_known(catalog: dict[str, list[list[str]]]) -> None:
    assert {row[1] for row in catalog["list('aggregates')"]} <= operators.AGGREGATES
    assert {row[1] for row in catalog["list('types')"]} <= operators.TYPES


def test_every_function_of_library_scidb_is_known(catalog: dict[str, list[list[str]]]) -> None:
    rows = [row for row in catalog["list('functions')"] if row[4] == "scidb" and row[1][0].isalpha()]
    assert {row[1] for row in rows} - operators.FUNCTIONS - {"and", "or", "not"} == set()


def test_what_scidb_saved_has_a_result(conformance: Path) -> None:
    """The recordings fetched with save what has a result, and executed the rest."""
    wrong = set()
    for line in (conformance / "afl.jsonl").read_text().splitlines():
        for step in json.loads(line)["steps"]:
            bare = script.split(step["query"])[0].bare if script.split(step["query"]) else ""
            outer = script.outer_operator(bare)
            if step["status"] == 200 and step["save"] and not script.has_result(bare):
                wrong.add(outer)
    assert wrong <= {"save"}  # answered with an empty body
