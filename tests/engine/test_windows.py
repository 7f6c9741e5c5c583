"""``window``, ``redimension`` and ``aggregate`` against plain Python on random sparse arrays."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict

import pytest

from scidb_magic.errors import EngineError

Cells = dict[tuple[int, ...], int]


def sparse(rng: random.Random, shape: tuple[int, ...], share: float) -> Cells:
    places = list(itertools.product(*(range(-1, size - 1) for size in shape)))
    return {place: rng.randrange(-50, 50) for place in places if rng.random() < share}


def stored(ask, cells: Cells, shape: tuple[int, ...], chunk: int) -> str:
    """Store the cells as array S by way of a csv file and redimension; its dimensions are d0, d1, …."""
    names = [f"d{k}" for k in range(len(shape))]
    lines = [",".join(map(str, (*place, value))) for place, value in cells.items()]
    (ask.scratch / "cells").write_text("".join(f"{line}\n" for line in lines))
    attributes = ",".join(f"{name}:int64" for name in [*names, "v"])
    dimensions = "; ".join(f"{name}=-1:{size - 2}:0:{chunk}" for name, size in zip(names, shape, strict=True))
    ask.run(
        f"store(redimension(input(<{attributes}>[n=0:*], '{ask.scratch}/cells', 0, 'csv'),"
        f" <v:int64>[{dimensions}]), S)"
    )
    return "S"


def answered(rows: list[str], dimensions: int) -> dict[tuple[int, ...], list[str]]:
    split = [row.split(",") for row in rows]
    return {tuple(map(int, parts[:dimensions])): parts[dimensions:] for parts in split}


def around(cells: Cells, place: tuple[int, ...], sides: list[tuple[int, int]]) -> list[int]:
    """The values in the window of a place."""
    return [
        value
        for other, value in cells.items()
        if all(
            here - before <= there <= here + after
            for here, there, (before, after) in zip(place, other, sides, strict=True)
        )
    ]


@pytest.mark.parametrize(("seed", "share"), [(0, 0.4), (1, 0.15), (2, 0.9)])
@pytest.mark.parametrize(
    ("shape", "sides"),
    [
        ((30,), [(2, 1)]),
        ((30,), [(0, 0)]),
        ((9, 7), [(1, 2), (3, 0)]),
        ((9, 7), [(0, 0), (1, 1)]),
        ((5, 4, 6), [(1, 0), (2, 1), (1, 1)]),
        ((9, 7), [(10**18, 2), (2, 2**63 - 1)]),
    ],
)
def test_window_takes_exactly_the_cells_around(ask, shape, sides, seed: int, share: float) -> None:
    cells = sparse(random.Random(seed), shape, share)
    array = stored(ask, cells, shape, 4)
    bounds = ",".join(f"{before},{after}" for before, after in sides)
    rows = ask.rows(f"window({array}, {bounds}, sum(v), count(*), min(v), max(v))")
    expected = {}
    for place in cells:
        near = around(cells, place, sides)
        expected[place] = [str(each) for each in (sum(near), len(near), min(near), max(near))]
    assert answered(rows, len(shape)) == expected
    assert rows == sorted(rows, key=lambda row: in_chunk_order(row, len(shape), 4))


@pytest.mark.parametrize("sides", [(0, 0), (700, 300), (5000, 1), (0, 40_000)])
def test_window_along_a_dimension_of_many_blocks(ask, sides: tuple[int, int]) -> None:
    rng = random.Random(1)
    cells = {(rng.randrange(-30_000, 30_000),): rng.randrange(100) for _ in range(800)}
    lines = "".join(f"{place},{value}\n" for (place,), value in cells.items())
    (ask.scratch / "cells").write_text(lines)
    read = f"input(<p:int64,v:int64>[n=0:*], '{ask.scratch}/cells', 0, 'csv')"
    rows = ask.rows(f"window(redimension({read}, <v:int64>[p=-30000:*]), {sides[0]}, {sides[1]}, sum(v))")
    expected = {place: [str(sum(around(cells, place, [sides])))] for place in cells}
    assert answered(rows, 1) == expected


def in_chunk_order(row: str, dimensions: int, chunk: int) -> tuple[list[int], list[int]]:
    place = [int(part) for part in row.split(",")[:dimensions]]
    return [(each + 1) // chunk for each in place], place


def test_window_counts_sides_and_attributes(ask) -> None:
    array = "build(<v:int64>[i=0:2; j=0:2:1:3], i)"
    assert ask.schema(f"window({array}, 1, 1, 1, 1, sum(v))").endswith("j=0:2:0:3]")
    for wrong in ("1, 1, sum(v)", "1, -1, 1, 1, sum(v)"):
        with pytest.raises(EngineError) as caught:
            ask.run(f"window({array}, {wrong})")
        assert (caught.value.short, caught.value.long) == ("SYNTAX", "WRONG_OPERATOR_ARGUMENT2")
        assert caught.value.system
    with pytest.raises(EngineError) as caught:
        ask.run(f"window({array}, 1, 1, 1, 1, sum(w))")
    assert caught.value.long == "ATTRIBUTE_NOT_EXIST"


@pytest.mark.parametrize("seed", range(3))
def test_redimension_with_aggregates_groups_by_the_new_places(ask, seed: int) -> None:
    cells = sparse(random.Random(seed), (9, 7), 0.6)
    array = stored(ask, cells, (9, 7), 3)
    rows = ask.rows(
        f"redimension(apply({array}, k, (v + 50) % 5, l, d1), <t:int64,n:uint64>[k=0:4; l=-1:9],"
        " sum(v) as t, count(*) as n)"
    )
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for (_, column), value in cells.items():
        groups[(value + 50) % 5, column].append(value)
    expected = {place: [str(sum(values)), str(len(values))] for place, values in groups.items()}
    assert answered(rows, 2) == expected


@pytest.mark.parametrize("seed", range(3))
def test_redimension_keeps_the_first_or_counts_or_refuses_cells_that_meet(ask, seed: int) -> None:
    cells = sparse(random.Random(seed), (9, 7), 0.6)
    array = stored(ask, cells, (9, 7), 3)
    key = f"apply({array}, k, (v + 50) % 5)"
    in_order = sorted(cells, key=lambda place: ([(each + 1) // 3 for each in place], place))
    meeting: dict[int, list[int]] = defaultdict(list)
    for place in in_order:
        meeting[(cells[place] + 50) % 5].append(cells[place])
    first = answered(ask.rows(f"redimension({key}, <v:int64>[k=0:*], false)"), 1)
    assert first == {(k,): [str(values[0])] for k, values in meeting.items()}
    counted = answered(ask.rows(f"redimension({key}, <v:int64>[k=0:*; n=10:*])"), 2)
    assert counted == {
        (k, 10 + n): [str(value)] for k, values in meeting.items() for n, value in enumerate(values)
    }
    with pytest.raises(EngineError) as caught:
        ask.rows(f"redimension({key}, <v:int64>[k=0:*])")
    assert (caught.value.short, caught.value.long) == ("OPERATOR", "DATA_COLLISION")
    with pytest.raises(EngineError) as caught:
        ask.rows(f"redimension({key}, <v:int64>[k=0:*], true)")
    assert caught.value.long == "DATA_COLLISION"


def test_redimension_turns_a_dimension_into_an_attribute_and_back(ask) -> None:
    flipped = "redimension(build(<v:int64>[i=0:2], i+10), <i:int64>[v=0:14:0:3])"
    assert ask.rows(flipped) == ["10,0", "11,1", "12,2"]
    assert ask.schema(flipped) == "build<i:int64> [v=0:14:0:3]"
    assert ask.rows(f"redimension({flipped}, <v:int64>[i=0:*])") == ["0,10", "1,11", "2,12"]


def test_redimension_leaves_out_null_coordinates(ask) -> None:
    query = "redimension(build(<v:int64>[i=0:3], iif(i % 2 = 0, null, i)), <i:int64>[v=1:3])"
    assert ask.rows(query) == ["1,1", "3,3"]


@pytest.mark.parametrize("options", ["", ", false", ", count(*) as i"])
def test_redimension_refuses_a_place_outside_of_the_box(ask, options: str) -> None:
    type_ = "uint64" if "count" in options else "int64"
    query = f"redimension(build(<v:int64>[i=0:2], i+10), <i:{type_}>[v=11:13]{options})"
    with pytest.raises(EngineError) as caught:
        ask.rows(query)
    assert (caught.value.short, caught.value.long) == ("OPERATOR", "INVALID_REDIMENSION_POSITION")
    assert "{10}" in caught.value.description


def test_redimension_refuses_a_place_outside_even_where_no_value_is_asked_for(ask) -> None:
    query = "redimension(build(<v:int64>[i=0:2], i+10), <i:int64>[v=11:13])"
    with pytest.raises(EngineError):
        ask.rows(f"aggregate({query}, count(*))")


@pytest.mark.parametrize("type_", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"])
def test_every_integer_but_uint64_can_be_a_coordinate(ask, type_: str) -> None:
    assert ask.rows(f"redimension(build(<v:{type_}>[i=0:0], 3), <i:int64>[v=0:5])") == ["3,0"]


@pytest.mark.parametrize(
    ("source", "target", "code"),
    [
        ("<v:uint64>", "<i:int64>[v=0:5]", "WRONG_SOURCE_ATTRIBUTE_TYPE"),
        ("<v:int64>", "<i:double>[v=0:5]", "WRONG_ATTRIBUTE_TYPE"),
        ("<v:int64>", "<v:int64 not null>[i=0:5]", "WRONG_ATTRIBUTE_FLAGS"),
        ("<v:int64>", "<x:int64>[v=0:5]", "UNEXPECTED_DESTINATION_ATTRIBUTE"),
        ("<v:int64>", "<i:int64>[x=0:5; y=0:5]", "TOO_MANY_SYNTHETIC_DIMENSIONS"),
    ],
)
def test_redimension_checks_the_target(ask, source: str, target: str, code: str) -> None:
    with pytest.raises(EngineError) as caught:
        ask.run(f"redimension(build({source}[i=0:0], 3), {target})")
    assert (caught.value.short, caught.value.long) == ("INFER_SCHEMA", code)


@pytest.mark.parametrize("seed", range(3))
def test_aggregate_along_every_choice_of_dimensions(ask, seed: int) -> None:
    cells = sparse(random.Random(seed), (6, 5, 4), 0.5)
    array = stored(ask, cells, (6, 5, 4), 2)
    for chosen in ((0,), (2,), (1, 0), (2, 1, 0)):
        rows = ask.rows(f"aggregate({array}, sum(v), max(v), {', '.join(f'd{k}' for k in chosen)})")
        groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for place, value in cells.items():
            groups[tuple(place[k] for k in chosen)].append(value)
        expected = {place: [str(sum(values)), str(max(values))] for place, values in groups.items()}
        assert answered(rows, len(chosen)) == expected
