"""Paradigm4's plug-ins, ``summarize`` and the operators that stand alone; by their documentation."""

from __future__ import annotations

import pytest

from scidb_magic.errors import EngineError

LEFT = (
    'apply(build(<a:string>[i=0:4:0:2], \'[("abc"),("def"),("ghi"),("jkl"),("mno")]\', true),'
    " b, double(i) * 1.5)"
)
RIGHT = 'apply(build(<c:string>[j=1:4:0:3], \'[("def"),("mno"),("pqr"),("def")]\', true), d, j)'


def refused(ask, query: str) -> str:
    with pytest.raises(EngineError) as caught:
        ask.run(query)
    return caught.value.description


def values(ask, query: str) -> list[str]:
    """The cells without their two coordinates."""
    return [line.split(",", 2)[2] for line in ask.rows(query)]


@pytest.mark.parametrize(
    "keys", ["'left_ids=0', 'right_ids=0'", "left_names:a, right_names:c", "left_names:(a), right_ids:0"]
)
def test_equi_join_by_an_attribute(ask, keys: str) -> None:
    query = f"equi_join({LEFT}, {RIGHT}, {keys})"
    assert values(ask, query) == ["'def',1.5,1", "'def',1.5,4", "'mno',6,2"]
    assert ask.schema(query) == (
        "buildbuild<a:string,b:double NOT NULL,d:int64 NOT NULL>"
        " [instance_id=0:0:0:1; value_no=0:*:0:1000000]"
    )


def test_equi_join_by_a_dimension_and_an_attribute(ask) -> None:
    query = f"equi_join({LEFT}, {RIGHT}, 'left_ids=~0,0', 'right_ids=1,0')"
    assert values(ask, query) == ["1,'def',1.5"]


def test_equi_join_keeps_cells_without_a_partner(ask) -> None:
    query = f"equi_join({LEFT}, {RIGHT}, left_names:a, right_names:c, left_outer:1, right_outer:true)"
    assert values(ask, query) == [
        "'abc',0,null", "'def',1.5,1", "'def',1.5,4", "'ghi',3,null", "'jkl',4.5,null", "'mno',6,2",
        "'pqr',null,3",
    ]  # fmt: skip
    assert "b:double,d:int64>" in ask.schema(query)


def test_equi_join_filters_and_renames(ask) -> None:
    query = f"equi_join({LEFT}, {RIGHT}, left_names:a, right_names:c, keep_dimensions:true"
    assert values(ask, f"{query}, filter:'b > 2 and j < 9')") == ["'mno',6,4,2,2"]
    assert "<p:string,q:double NOT NULL,r:int64 NOT NULL" in ask.schema(f"{query}, out_names:(p,q,r,s,t))")
    assert "5 attributes" in refused(ask, f"{query}, out_names:(p,q))")


def test_equi_join_says_what_is_wrong_with_its_keys(ask) -> None:
    assert "as many keys" in refused(ask, f"equi_join({LEFT}, {RIGHT})")
    assert "types 'string' and 'int64'" in refused(
        ask, f"equi_join({LEFT}, {RIGHT}, left_names:a, right_names:d)"
    )
    assert "no attribute or dimension 'x'" in refused(
        ask, f"equi_join({LEFT}, {RIGHT}, left_names:x, right_names:d)"
    )
    assert "left_names" in refused(ask, f"equi_join({LEFT}, {RIGHT}, 'nosuch=1')")


def test_grouped_aggregate(ask) -> None:
    query = f"grouped_aggregate({RIGHT}, sum(d) as total, c, count(*))"
    assert values(ask, query) == ["'def',5,2", "'mno',2,1", "'pqr',3,1"]
    assert ask.schema(query) == (
        "build<c:string,total:int64,count:uint64> [instance_id=0:0:0:1; value_no=0:*:0:100000]"
    )
    assert values(ask, f"grouped_aggregate({RIGHT}, c, j, max(d), 'output_chunk_size=7')")[0] == "'def',1,1"
    assert "to group by" in refused(ask, f"grouped_aggregate({RIGHT}, sum(d))")


def test_grouped_aggregate_has_no_group_of_missing_values(ask) -> None:
    some = "build(<g:int64>[i=0:3], '[(1),(null),(1),(?2)]', true)"
    assert values(ask, f"grouped_aggregate({some}, count(*), g)") == ["1,2"]


def test_faster_redimension_refuses_two_cells_at_one_place(ask) -> None:
    source = "build(<a:int64>[x=0:9:0:10], x % 5)"
    found = ask.rows(f"faster_redimension({source}, <x:int64>[a=0:*:0:5; b=0:1:0:2])")
    assert found == [f"{a},{b},{a + 5 * b}" for a in range(5) for b in range(2)]
    assert "collision" in refused(ask, f"faster_redimension({source}, <x:int64>[a=0:*:0:5])")


def test_substitute_goes_by_the_missing_reason(ask) -> None:
    some = "build(<v:int64>[i=0:3], '[(7),(null),(?2),(?1)]', true)"
    given = "build(<s:int64 not null>[k=0:2], 10 * k)"
    assert ask.rows(f"substitute({some}, {given})") == ["0,7", "1,0", "2,20", "3,10"]
    assert ask.schema(f"substitute({some}, {given})").startswith("build<v:int64 NOT NULL> [i=0:3:0:")
    assert "reason code 2" in refused(ask, f"substitute({some}, between({given}, 0, 1))")


def test_substitute_takes_only_what_is_named(ask) -> None:
    two = "apply(build(<v:int64>[i=0:0], null), w, v)"
    given = "build(<s:int64 not null>[k=0:0], 5)"
    assert ask.rows(f"substitute({two}, {given}, w)") == ["0,null,5"]
    assert "NOT NULL" in refused(ask, f"substitute({two}, build(<s:int64>[k=0:0], 5))")
    assert "the same type" in refused(ask, f"substitute({two}, build(<s:double not null>[k=0:0], 5))")


def test_bernoulli_takes_about_the_share_and_the_same_for_a_seed(ask) -> None:
    some = "build(<v:int64>[i=0:9999], i)"
    first, again = (ask.rows(f"bernoulli({some}, 0.25, 11)") for _ in range(2))
    assert first == again
    assert 2300 < len(first) < 2700
    assert ask.rows(f"bernoulli({some}, 0.25, 12)") != first
    assert len(ask.rows(f"bernoulli({some}, 1)")) == 10000
    assert "greater than 0" in refused(ask, f"bernoulli({some}, 0)")


def test_summarize_counts_cells_and_chunks(ask) -> None:
    whole = ask.rows(f"project(summarize({LEFT}), att, count, chunks, min_count, max_count)")
    assert whole == ["0,0,'all',5,9,1,2"]
    apart = ask.rows(f"project(summarize({LEFT}, by_attribute:true), att, count, chunks)")
    assert apart == ["0,0,'a',5,3", "0,1,'b',5,3", "0,2,'EmptyTag',5,3"]


def test_attributes_are_added_with_their_defaults(ask) -> None:
    ask.run("store(build(<v:int64>[i=0:1], i), A)")
    ask.run("add_attributes(A, <w:int32 not null default 5, s:string>)")
    assert ask.rows("scan(A)") == ["0,0,5,null", "1,1,5,null"]
    assert ask.schema("scan(A)") == "A@2<v:int64,w:int32 NOT NULL DEFAULT 5,s:string> [i=0:1:0:1000000]"
    assert ask.rows("scan(A@1)") == ["0,0,5,null", "1,1,5,null"]
    ask.run("insert(filter(apply(project(A, v), w, int32(6), s, iif(v > 0, 'x', null)), i = 1), A)")
    assert ask.rows("scan(A)") == ["0,0,5,null", "1,1,6,'x'"]
    assert "collides" in refused(ask, "add_attributes(A, <v:string>)")


def test_a_cells_value_is_set(ask) -> None:
    ask.run("store(build(<v:int64>[i=0:2], i), A)")
    ask.run("op_set_cell_attr_1D(A, i, 1, v, 70)")
    assert ask.rows("scan(A)") == ["0,0", "1,70", "2,2"]
    ask.run("store(filter(build(<v:double>[i=0:2; j=0:2], i), i = j), B)")
    ask.run("op_set_cell_attr_2D(B, i, 0, j, 2, v, 0.5)")
    assert ask.rows("scan(B)") == ["0,0,0", "0,2,0.5", "1,1,1", "2,2,2"]
    names = ask.rows("project(list('macros'), name)")
    assert "'op_set_cell_attr_2D'" in [line.split(",")[1] for line in names]


def test_macros(ask) -> None:
    some = "build(<v:int64>[i=0:3], i * i)"
    assert ask.rows(f"op_range({some}, v)") == ["0,9"]
    assert ask.rows(f"apply({some}, hi, func_max(v, i + 1), lo, func_min(v, i + 1))") == [
        "0,0,1,0", "1,1,2,1", "2,4,4,3", "3,9,9,4",
    ]  # fmt: skip
    assert ask.rows("op_scidbversion()") == ["0,0,19,11,5,0"]
    assert ask.rows("apply(op_now(), past, now() >= now)")[0].endswith("true")
    assert ask.rows("echo('hello')") == ["0,'hello'"]
    assert "one by one" in refused(ask, f"mquery(store({some}, A), remove(A))")
