"""Operators that say anew where cells are: rows and schemas, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scidb_magic.errors import EngineError

GRID = "build(<v:int64>[i=1:3:0:2; j=0:3:0:2], i*10+j)"
HOLES = f"filter({GRID}, v <> 11 and v <> 32)"


def refused(ask, query: str) -> str:
    with pytest.raises(EngineError) as caught:
        ask.run(query)
    return caught.value.long


def test_subarray_moves_a_box_to_the_origin(ask) -> None:
    query = f"subarray({HOLES}, 2, 1, 3, 2)"
    assert ask.rows(query) == ["0,0,21", "0,1,22", "1,0,31"]
    assert ask.schema(query) == "build<v:int64> [i=0:1:0:2; j=0:1:0:2]"
    # What lies outside of the array is cut off; a null is no bound.
    assert ask.schema(f"subarray({GRID}, null, -5, 99, 0)") == "build<v:int64> [i=0:2:0:2; j=0:0:0:2]"
    assert ask.schema("subarray(filter(build(<v:int64>[i=0:9], i), true), 2, null)").endswith(
        "[i=0:7:0:1000000]"
    )


def test_slice_drops_a_dimension(ask) -> None:
    assert ask.rows(f"slice({HOLES}, i, 1)") == ["0,10", "2,12", "3,13"]
    assert ask.schema(f"slice({GRID}, j, 2)") == "build<v:int64> [i=1:3:0:2]"
    assert ask.schema(f"slice({GRID}, j, 99)") == "build<v:int64> [i=1:3:0:2]"
    assert refused(ask, f"slice({GRID}, j, 99)") == "OP_SLICE_ERROR2"
    assert refused(ask, f"slice({GRID}, i, 1, j, 1)") == "OP_SLICE_ERROR1"
    cube = "build(<v:int64>[i=0:1; j=0:1; k=0:1], i)"
    assert refused(ask, f"slice({cube}, i, 1, i, 0)") == "DUPLICATE_DIMENSION_NAME"


def test_transpose(ask) -> None:
    assert ask.rows(f"filter(transpose({HOLES}), i = 3)") == ["0,3,30", "1,3,31", "3,3,33"]
    assert ask.schema(f"transpose({GRID})") == "build<v:int64> [j=0:3:0:2; i=1:3:0:2]"


def test_unpack_lists_the_cells_in_the_order_of_chunks(ask) -> None:
    query = f"unpack({HOLES}, row)"
    assert ask.rows(query) == [
        *("0,1,0,10", "1,2,0,20", "2,2,1,21", "3,1,2,12", "4,1,3,13"),
        *("5,2,2,22", "6,2,3,23", "7,3,0,30", "8,3,1,31", "9,3,3,33"),
    ]
    assert ask.schema(query) == "build<i:int64 NOT NULL,j:int64 NOT NULL,v:int64> [row=0:*:0:12]"
    assert ask.schema(f"unpack({GRID}, row, 5)").endswith("[row=0:*:0:5]")
    assert refused(ask, f"unpack({GRID}, row, 5, chunk_size: 6)") == "KEYWORD_CONFLICTS_WITH_OPTIONAL"
    assert refused(ask, f"unpack({GRID}, row, 0)") == "PARAMETER_NOT_POSITIVE_INTEGER"
    assert refused(ask, f"unpack({GRID}, v)") == "DUPLICATE_DIMENSION_NAME"


def test_flatten_makes_a_data_frame(ask) -> None:
    assert ask.schema(f"flatten({GRID})") == "build<i:int64 NOT NULL,j:int64 NOT NULL,v:int64>"
    assert ask.rows(f"aggregate(flatten({HOLES}), sum(v), sum(i), count(*))") == ["0,215,20,10"]
    assert ask.schema(f"flatten(flatten({GRID}))") == ask.schema(f"flatten({GRID})")


def test_unfold_puts_attributes_along_a_dimension(ask) -> None:
    query = "unfold(apply(build(<v:int64>[i=0:1], iif(i=0, null, i)), w, i + 5))"
    assert ask.rows(query) == ["0,0,null", "0,1,5", "1,0,1", "1,1,6"]
    assert ask.schema(query) == "build<v:int64> [i=0:1:0:1000000; unfold_1=0:1:0:2]"
    assert refused(ask, "unfold(apply(build(<v:int64>[i=0:1], i), w, 'x'))") == "ILLEGAL_OPERATION"


def test_repart_changes_chunks_and_names(ask) -> None:
    query = f"repart({HOLES}, <v:int64>[a=1:3:0:3; b=0:3:0:1])"
    assert ask.schema(query) == "build<v:int64> [a=1:3:0:3; b=0:3:0:1]"
    assert ask.rows(query)[:3] == ["1,0,10", "2,0,20", "3,0,30"]
    assert refused(ask, f"repart({GRID}, <v:int64>[a=0:3:0:3; b=0:3:0:1])") == "START_INDEX_MISMATCH"
    assert refused(ask, f"repart({GRID}, <v:int64>[a=1:3])") == "DIMENSION_COUNT_MISMATCH"


def test_reshape_counts_row_by_row(ask) -> None:
    query = f"reshape({HOLES}, <v:int64>[a=5:10:0:6; b=0:1:0:2])"
    assert ask.rows(query) == [
        *("5,0,10", "6,0,12", "6,1,13", "7,0,20", "7,1,21"),
        *("8,0,22", "8,1,23", "9,0,30", "9,1,31", "10,1,33"),
    ]
    assert ask.schema(query) == "build_reshape<v:int64> [a=5:10:0:6; b=0:1:0:2]"
    assert refused(ask, f"reshape({GRID}, <v:int64>[a=0:9])") == "OP_RESHAPE_ERROR3"
    assert refused(ask, f"reshape({GRID}, <v:int64>[a=0:*])") == "OP_RESHAPE_ERROR1"
    assert refused(ask, f"reshape({GRID}, <v:int64>[a=0:11:1:6])") == "OP_RESHAPE_ERROR2"


def test_regrid_aggregates_blocks(ask) -> None:
    query = f"regrid({HOLES}, 2, 3, sum(v), count(*))"
    assert ask.rows(query) == ["1,0,85,5", "1,1,36,2", "2,0,61,2", "2,1,33,1"]
    assert ask.schema(query) == "build<v_sum:int64,count:uint64> [i=1:2:0:2; j=0:1:0:2]"
    assert refused(ask, f"regrid({GRID}, 0, 1, sum(v))") == "OP_REGRID_ERROR1"


def test_xgrid_repeats_cells(ask) -> None:
    query = "xgrid(build(<v:int64>[i=1:2], i), 3)"
    assert ask.rows(query) == ["1,1", "2,1", "3,1", "4,2", "5,2", "6,2"]
    assert ask.schema(query) == "build<v:int64> [i=1:6:0:3000000]"
    assert refused(ask, f"xgrid({GRID}, 2)") == "WRONG_OPERATOR_ARGUMENTS_COUNT2"


def test_cross_between_keeps_what_is_in_a_box(ask) -> None:
    boxes = "apply(build(<a:int64>[n=0:1], iif(n=0, 1, 3)), b, n + 1, c, a, d, 3 - n)"
    assert ask.rows(f"cross_between({HOLES}, {boxes})") == ["1,2,12", "1,3,13"]
    assert refused(ask, f"cross_between({GRID}, {GRID})") == "CROSSBETWEEN_NUM_ATTRIBUTES_MISMATCH"


@given(shape=st.lists(st.integers(1, 5), min_size=2, max_size=3), data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_boxes_are_those_of_numpy(ask, shape: list[int], data: st.DataObject) -> None:
    names = "ijk"[: len(shape)]
    dimensions = "; ".join(f"{name}=0:{length - 1}" for name, length in zip(names, shape, strict=True))
    cells = (
        "build(<v:int64>["
        + dimensions
        + "], "
        + " + ".join(f"{10**k}*{name}" for k, name in enumerate(names))
        + ")"
    )
    array = sum(10**k * index for k, index in enumerate(np.indices(shape)))
    low = [data.draw(st.integers(0, length - 1)) for length in shape]
    high = [data.draw(st.integers(start, length - 1)) for start, length in zip(low, shape, strict=True)]
    box = array[tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))]
    corners = ", ".join(map(str, [*low, *high]))
    expected = [",".join(map(str, [*at, value])) for at, value in np.ndenumerate(box)]
    assert sorted(ask.rows(f"subarray({cells}, {corners})")) == sorted(expected)
    turned = [",".join(map(str, [*at, value])) for at, value in np.ndenumerate(array.T)]
    assert sorted(ask.rows(f"transpose({cells})")) == sorted(turned)


@pytest.mark.parametrize(
    "query", ["between({f}, 0, 0, 1, 1)", "slice({f}, $inst, 0)", "transpose({f})", "join({f}, {f})"]
)
def test_places_of_a_data_frame_mean_nothing(ask, query: str) -> None:
    assert refused(ask, query.format(f=f"flatten({GRID})")) == "DATAFRAMES_NOT_SUPPORTED"
    assert ask.rows(f"aggregate(flatten({GRID}), count(*))") == ["0,12"]
