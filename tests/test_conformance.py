"""The embedded server against the recorded answers of a real SciDB."""

from __future__ import annotations

import base64
import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest


def load_runner() -> ModuleType:
    """The command beside this file; tests are no package."""
    path = Path(__file__).with_name("conformance_runner.py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


runner = load_runner()

APPROXIMATE = "grand aggregate"
"""The one result with approxdc in it, SciDB's estimate, which is not ours: compared without that column."""


@pytest.fixture(scope="module")
def url(conformance: Path) -> Iterator[str]:
    with runner.embedded_server("--io-path", str(conformance / "data")) as found:
        yield found


@pytest.fixture
def client(url: str) -> Iterator[Any]:
    made = runner.Client(url)
    yield made
    made.close()


@pytest.fixture(scope="module")
def wire(conformance: Path) -> list[dict[str, Any]]:
    lines = (conformance / "wire.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def without_approximation(line: dict[str, Any], text: str) -> str:
    if line["name"] != APPROXIMATE:
        return text
    return (
        text.replace(",v_approxdc", "")
        .replace("\tv_approxdc", "")
        .replace(",10,10", ",10")
        .replace("\t10\t10", "\t10")
    )


def test_results_in_every_text_format(client: Any, wire: list[dict[str, Any]]) -> None:
    different = []
    for line in wire:
        for layout, expected in line["text"].items():
            answer = client.run(line["query"], layout)
            if answer.status != 200 or without_approximation(line, answer.text) != without_approximation(
                line, expected
            ):
                different.append((line["name"], layout, expected, answer.text))
    assert different == []


def test_schemas_of_the_results(client: Any, wire: list[dict[str, Any]]) -> None:
    different = [
        (line["query"], line["schema"], answer.text)
        for line in wire
        if not runner.same_schema(line["schema"], answer := client.schema(line["query"]))
    ]
    assert different == []


def test_results_in_binary(client: Any, wire: list[dict[str, Any]]) -> None:
    different = []
    for line in wire:
        answer = client.run(line["query"], line["binary"]["format"])
        expected = base64.b64decode(line["binary"]["base64"])
        cut = -8 if line["name"] == APPROXIMATE else None
        if answer.status != 200 or answer.body[:cut] != expected[:cut]:
            different.append((line["name"], expected, answer.body))
    assert different == []


@pytest.mark.parametrize(("key", "atts_only"), [("arrow", 0), ("arrow_atts_only", 1)])
def test_results_in_arrow(client: Any, wire: list[dict[str, Any]], key: str, atts_only: int) -> None:
    different = []
    for line in wire:
        recorded = line[key]
        answer = client.run(line["query"], "arrow", atts_only=atts_only)
        if recorded["status"] != 200:
            same = (answer.status, runner.error_code(answer.text)) == (
                recorded["status"],
                runner.error_code(recorded["body"]),
            )
        else:
            same = answer.status == 200 and rows(line, answer.body) == rows(
                line, base64.b64decode(recorded["base64"])
            )
        if not same:
            different.append((line["name"], answer.text))
    assert different == []


def rows(line: dict[str, Any], stream: bytes) -> tuple[Any, list[str]]:
    """Fields and rows of an Arrow stream, in no order: aio_save writes in the order of the instances."""
    table = pa.ipc.open_stream(stream).read_all()
    if line["name"] == APPROXIMATE:
        table = table.drop_columns(["v_approxdc"])
    return [(f.name, f.type, f.nullable) for f in table.schema], sorted(map(repr, table.to_pylist()))


@pytest.fixture(scope="module")
def verdicts(url: str, conformance: Path) -> list[Any]:
    found: list[Any] = runner.run_all(url, runner.scripts(conformance))
    return found


FLOORS = {"rows": 703, "schema": 708, "error": 154, "scripts": 93}
"""What passed when this was written, of all recorded statements; each issue that adds operators raises it."""

FIRST_FLOORS = {"rows": 286, "schema": 287, "error": 82, "scripts": 93}
"""The same for statements that use only the operators of the engine's first part."""


@pytest.mark.timeout(600)
def test_the_four_numbers(verdicts: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        runner.report(verdicts, sys.stdout.write, quiet=True)
    assert_floors(runner.counts(verdicts), FLOORS)


def test_the_first_operators(verdicts: list[Any], conformance: Path) -> None:
    first = runner.first_part(verdicts, runner.all_operators(conformance))
    assert_floors(runner.counts(first), FIRST_FLOORS)


def assert_floors(counts: dict[str, tuple[int, int]], floors: dict[str, int]) -> None:
    below = {kind: counts[kind] for kind, floor in floors.items() if counts[kind][0] < floor}
    assert below == {}
