"""Operators that order values, look them up, run along them, and changes by them; worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scidb_magic.errors import EngineError

MIXED = 'build(<a:double,s:string>[i=0:4:0:2], \'[(2,"b"),(null,"a"),(nan,"c"),(-1,"b"),(2,"A")]\', true)'


def refused(ask, query: str) -> str:
    with pytest.raises(EngineError) as caught:
        ask.run(query)
    return caught.value.long


def firsts(ask, query: str) -> list[str]:
    return [line.split(",", 1)[1] for line in ask.rows(query)]


def test_sort_puts_missing_ones_first_then_nan(ask) -> None:
    assert firsts(ask, f"sort({MIXED})") == ["null,'a'", "nan,'c'", "-1,'b'", "2,'b'", "2,'A'"]
    assert firsts(ask, f"sort({MIXED}, a desc)") == ["2,'b'", "2,'A'", "-1,'b'", "nan,'c'", "null,'a'"]
    assert firsts(ask, f"sort({MIXED}, s, a desc)") == ["2,'A'", "null,'a'", "2,'b'", "-1,'b'", "nan,'c'"]
    assert ask.schema(f"sort({MIXED}, s)") == "build<a:double,s:string> [$n=0:*:0:5]"
    assert ask.schema(f"sort({MIXED}, s, 3)").endswith("[$n=0:*:0:3]")
    assert refused(ask, f"sort({MIXED}, nosuch)") == "WRONG_OPERATOR_ARGUMENT2"


def test_sort_orders_missing_ones_by_their_reasons(ask) -> None:
    found = ask.rows("sort(build(<a:int64>[i=0:3], '[(?3),(7),(null),(?1)]', true))")
    assert found == ["0,null", "1,?1", "2,?3", "3,7"]


def test_uniq_takes_each_value_once(ask) -> None:
    values = "build(<v:int64>[i=0:5], '[(3),(null),(1),(3),(1),(2)]', true)"
    assert ask.rows(f"uniq(sort({values}))") == ["0,1", "1,2", "2,3"]
    assert ask.schema(f"uniq(sort({values}))") == "build<v:int64 NOT NULL> [i=0:*:0:1000000]"
    assert refused(ask, f"uniq({MIXED})") == "ILLEGAL_OPERATION"
    assert ask.rows(f"op_distinct_count({values}, v)") == ["0,3"]


def test_ranks(ask) -> None:
    values = "build(<v:int64>[i=0:1; j=0:2], '[[(5),(2),(5)],[(null),(9),(1)]]', true)"
    assert firsts(ask, f"rank({values})") == ["0,5,3", "1,2,2", "2,5,3", "0,null,null", "1,9,5", "2,1,1"]
    assert firsts(ask, f"avg_rank({values}, v)")[0] == "0,5,3.5"
    assert firsts(ask, f"rank({values}, v, i)") == [
        "0,5,2",
        "1,2,1",
        "2,5,2",
        "0,null,null",
        "1,9,2",
        "2,1,1",
    ]
    assert ask.schema(f"rank({values}, v)").startswith("build<v:int64,v_rank:double> [i=0:1:0:")


def test_merge_takes_the_second_where_the_first_has_none(ask) -> None:
    first = "filter(build(<v:int64>[i=0:3], i), i < 2)"
    second = "build(<w:int64>[i=0:3], '[(7),(?4),(9),(?4)]', true)"
    assert ask.rows(f"merge({first}, {second})") == ["0,0", "1,1", "2,9", "3,?4"]
    assert refused(ask, f"merge({first}, build(<s:string>[i=0:3], 'x'))") == "ARRAYS_NOT_CONFORMANT"


def test_index_lookup_finds_coordinates(ask) -> None:
    index = 'build(<name:string>[n=0:2:0:3], \'[("a"),("b"),("d")]\', true)'
    source = 'build(<s:string>[i=0:3], \'[("d"),("c"),(null),("a")]\', true)'
    query = f"index_lookup({source} as A, {index} as B, A.s)"
    assert ask.rows(query) == ["0,'d',2", "1,'c',null", "2,null,null", "3,'a',0"]
    assert ask.schema(query).startswith("A<s:string,s_index:int64>")
    assert ask.schema(f"index_lookup({source} as A, {index} as B, A.s, place)").startswith(
        "A<s:string,place:int64>"
    )
    assert refused(ask, f"index_lookup({source} as A, {index} as B, B.name)") == "NOT_AN_ATTRIBUTE_IN_INPUT"


GRID = "build(<v:int64>[i=0:1; j=0:3], i*10+j)"


def test_cumulate_and_variable_window_go_over_cells_that_are_there(ask) -> None:
    holes = f"filter({GRID}, v <> 1)"
    assert firsts(ask, f"cumulate({holes}, sum(v), j)") == [
        "0,0",
        "2,2",
        "3,5",
        "0,10",
        "1,21",
        "2,33",
        "3,46",
    ]
    assert firsts(ask, f"cumulate({holes}, count(*))") == ["0,1", "2,1", "3,1", "0,2", "1,1", "2,2", "3,2"]
    found = firsts(ask, f"variable_window({holes}, j, 1, 0, sum(v))")
    assert found == ["0,0", "2,2", "3,5", "0,10", "1,21", "2,23", "3,25"]
    assert ask.schema(f"cumulate({GRID}, sum(v), j)") == "build<v_sum:int64> [i=0:1:0:1000; j=0:3:0:1000]"


def test_quantiles(ask) -> None:
    values = "build(<v:int64>[i=0:4], '[(30),(10),(null),(20),(40)]', true)"
    assert ask.rows(f"quantile({values}, 4)") == ["0,0,10", "1,0.25,10", "2,0.5,20", "3,0.75,30", "4,1,40"]
    query = f"quantile({GRID}, 2, v, i)"
    assert ask.rows(query) == ["0,0,0,0", "0,1,0.5,1", "0,2,1,3", "1,0,0,10", "1,1,0.5,11", "1,2,1,13"]
    assert ask.rows(f"quantile(filter({values}, v > 99), 1)") == ["0,0,null", "1,1,null"]
    assert refused(ask, f"quantile({values}, 0)") == "DLA_ERROR17"


@given(st.lists(st.one_of(st.none(), st.integers(-3, 3)), min_size=1, max_size=20))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_order_is_that_of_python(ask, values: list[int | None]) -> None:
    listed = ",".join("(null)" if value is None else f"({value})" for value in values)
    array = f"build(<v:int64>[i=0:{len(values) - 1}], '[{listed}]', true)"
    expected = sorted(values, key=lambda value: -math.inf if value is None else value)
    assert firsts(ask, f"sort({array})") == ["null" if value is None else str(value) for value in expected]
    known = sorted({value for value in values if value is not None})
    assert firsts(ask, f"uniq(sort({array}))") == [str(value) for value in known]


class TestChanges:
    def test_delete_makes_a_version(self, ask) -> None:
        ask.run(f"store({GRID}, A)")
        ask.run("delete(A, v > 1 and j <> 3)")
        assert ask.rows("scan(A)") == ["0,0,0", "0,1,1", "0,3,3", "1,3,13"]
        assert len(ask.rows("scan(A@1)")) == 8
        with pytest.raises(EngineError):
            ask.run("delete(nosuch, v > 1)")

    def test_delete_keeps_what_is_not_known_to_fit(self, ask) -> None:
        ask.run("store(build(<v:int64>[i=0:2], '[(1),(null),(3)]', true), B)")
        ask.run("delete(B, v < 9)")
        assert ask.rows("scan(B)") == ["1,null"]

    def test_append_goes_on_behind_the_last_cell(self, ask) -> None:
        ask.run("create array C <v:int64>[i=0:*:0:10]")
        for _ in range(2):
            ask.run("append(build(<w:int64>[n=5:6:0:10], n), C)")
        assert ask.rows("scan(C)") == ["0,5", "1,6", "2,5", "3,6"]
        ask.run("append(C, C, i)")
        assert ask.rows("aggregate(apply(C, at, i), count(*), max(at))") == ["0,8,7"]

    def test_append_stays_within_the_array(self, ask) -> None:
        ask.run("store(build(<v:int64>[i=0:2], i), D)")
        with pytest.raises(EngineError):
            ask.run("append(build(<v:int64>[i=0:2], i), D)")
        assert ask.rows("aggregate(D, count(*))") == ["0,3"]
