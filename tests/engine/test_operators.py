"""What the operators answer: rows and schemas, worked out by hand."""

from __future__ import annotations

import pytest

from scidb_magic.errors import EngineError

GRID = "build(<v:int64>[i=0:2; j=0:2], i*10+j)"


def test_build_takes_every_coordinate_in_chunk_order(ask) -> None:
    query = "build(<v:int64>[i=0:3:0:2; j=0:1:0:1], i*10+j)"
    assert ask.rows(query) == ["0,0,0", "1,0,10", "0,1,1", "1,1,11", "2,0,20", "3,0,30", "2,1,21", "3,1,31"]
    assert ask.schema(query) == "build<v:int64> [i=0:3:0:2; j=0:1:0:1]"


@pytest.mark.parametrize(
    ("dimensions", "chunks"), [("i=0:9", 1_000_000), ("i=0:9; j=0:9", 1000), ("i=0:9; j=0:9; k=0:9", 99)]
)
def test_build_estimates_open_chunk_lengths(ask, dimensions: str, chunks: int) -> None:
    assert ask.schema(f"build(<v:int64>[{dimensions}], 1)").endswith(f":{chunks}]")


def test_build_of_a_literal_keeps_reasons_and_gaps(ask) -> None:
    query = 'build(<a:int64,b:string>[i=0:3], \'[(1,"x"),(?7,null),(),(4,"y")]\', true)'
    assert ask.rows(query) == ["0,1,'x'", "1,?7,null", "3,4,'y'"]
    assert ask.rows("build(<a:int64>[i=0:1], from: '[1,2]')") == ["0,1", "1,2"]


def test_build_needs_one_attribute(ask) -> None:
    with pytest.raises(EngineError) as caught:
        ask.run("build(<a:int64,b:int64>[i=0:1], 1)")
    assert (caught.value.short, caught.value.long) == ("INFER_SCHEMA", "OP_BUILD_ERROR2")
    assert caught.value.span == (6, 30)


def test_apply_adds_attributes_that_see_the_input_only(ask) -> None:
    query = f"apply({GRID}, w, v+i, k, j)"
    assert ask.rows(query)[4] == "1,1,11,12,1"
    assert ask.schema(query).startswith("build<v:int64,w:int64,k:int64 NOT NULL>")
    assert ask.rows(f"apply({GRID}, (w, v), (x, j))")[-1] == "2,2,22,22,2"
    with pytest.raises(EngineError) as caught:
        ask.run(f"apply({GRID}, w, v, x, w)")
    assert caught.value.long == "REF_NOT_FOUND"
    with pytest.raises(EngineError) as caught:
        ask.run(f"apply({GRID}, v, 1)")
    assert caught.value.long == "DUPLICATE_ATTRIBUTE_NAME"


def test_apply_may_name_an_attribute_like_a_dimension(ask) -> None:
    assert ask.rows("project(apply(build(<v:int64>[i=0:1], 7), i, i), i, v)") == ["0,0,7", "1,1,7"]


def test_filter_keeps_only_what_is_true(ask) -> None:
    assert ask.rows(f"filter({GRID}, v > 20)") == ["2,1,21", "2,2,22"]
    with_null = "build(<v:int64>[i=0:2], iif(i=1, null, i))"
    assert ask.rows(f"filter({with_null}, v < 5)") == ["0,0", "2,2"]
    assert ask.schema("filter(aggregate(build(<v:int64>[i=0:2], i), count(*)), true)").startswith("build<")


def test_project_chooses_orders_and_inverts(ask) -> None:
    three = "apply(build(<a:int64>[i=0:0], 1), b, 2, c, 3)"
    assert ask.rows(f"project({three}, c, a)") == ["0,3,1"]
    assert ask.rows(f"project({three}, b, inverse: true)") == ["0,1,3"]
    ask.run(f"discard({three}, b)")
    assert ask.schema(f"discard({three}, b)").startswith("build<a:int64,c:int64 NOT NULL>")
    with pytest.raises(EngineError) as caught:
        ask.rows(f"discard({three}, b)")
    assert caught.value.long == "NAME_ARITY_MISMATCH"
    with pytest.raises(EngineError) as caught:
        ask.run(f"project({three}, a, b, c, inverse: true)")
    assert caught.value.description == "Illegal operation: Cannot project() away all attributes."


def test_between_cuts_a_box_and_keeps_the_bounds(ask) -> None:
    assert ask.rows(f"between({GRID}, 1, 1, 2, 5)") == ["1,1,11", "1,2,12", "2,1,21", "2,2,22"]
    assert ask.rows(f"between({GRID}, 2, null, null, 0)") == ["2,0,20"]
    assert ask.schema(f"between({GRID}, 1, 1, 2, 2)") == "build<v:int64> [i=0:2:0:1000; j=0:2:0:1000]"
    with pytest.raises(EngineError):
        ask.run(f"between({GRID}, 1, 1)")


def test_limit_counts_cells_after_an_offset(ask) -> None:
    line = "build(<v:int64>[i=1:100], i)"
    assert ask.rows(f"limit({line}, 2)") == ["1,1", "2,2"]
    assert ask.rows(f"limit({line}, count: 2, offset: 5)") == ["6,6", "7,7"]
    assert len(ask.rows(f"limit({line}, -1)")) == 100
    assert ask.rows(f"limit({line}, 5, -1)") == []
    assert ask.rows(f"limit(aggregate({line}, count(*)), 5)") == []


def test_aggregate_groups_by_dimensions_in_the_asked_order(ask) -> None:
    assert ask.rows(f"aggregate({GRID}, sum(v), count(*) as n, j)") == ["0,30,3", "1,33,3", "2,36,3"]
    query = f"aggregate({GRID}, max(v), j, i)"
    assert ask.rows(query)[1] == "0,1,10"
    assert ask.schema(query) == "build<v_max:int64> [j=0:2:0:1000; i=0:2:0:1000]"


def test_a_grand_aggregate_has_one_cell_even_of_nothing(ask) -> None:
    query = f"aggregate(filter({GRID}, false), count(*), sum(v))"
    assert ask.rows(query) == ["0,0,null"]
    assert ask.schema(query) == "not empty build<count:uint64,v_sum:int64> [i=0:0:0:1]"
    assert ask.rows(f"op_count({GRID})") == ["0,9"]
    assert ask.rows(f"op_sum({GRID}, v)") == ["0,99"]


def test_cross_join_pairs_everything_or_what_agrees(ask) -> None:
    left, right = "build(<a:int64>[i=0:1], i)", "build(<b:int64>[k=0:2], k*k)"
    assert len(ask.rows(f"cross_join({left}, {right})")) == 6
    query = f"cross_join({left} as L, {right} as R, L.i, R.k)"
    assert ask.rows(query) == ["0,0,0", "1,1,1"]
    assert ask.schema(query) == "LR<a:int64,b:int64> [i=0:1:0:1000000]"


def test_join_meets_at_equal_coordinates(ask) -> None:
    query = "join(build(<a:int64>[i=0:4], i), build(<b:int64>[k=0:2], k*10))"
    assert ask.rows(query) == ["0,0,0", "1,1,10", "2,2,20"]
    assert ask.schema(query) == "buildbuild<a:int64,b:int64> [i, k=0:2:0:1000000]"


def test_cast_by_schema_and_by_names(ask) -> None:
    query = "cast(build(<a:int64 not null>[i=0:1], i), <b:int64>[k])"
    assert ask.rows(query) == ["0,0", "1,1"]
    assert ask.schema(query) == "build<b:int64> [k=0:*:0:1000000]"
    swapped = "cast(apply(build(<a:int64>[i=0:1], i), b, 5), (a, t), (b, a), (t, b))"
    assert ask.schema(swapped) == "build<b:int64,a:int64 NOT NULL> [i=0:1:0:1000000]"
    with pytest.raises(EngineError) as caught:
        ask.run("cast(build(<a:int64>[i=0:1], i), (a, i))")
    assert caught.value.long == "DUPLICATE_ATTRIBUTE_NAME"
    with pytest.raises(EngineError) as caught:
        ask.run("cast(build(<a:int64>[i=0:1], i), (x, y))")
    assert caught.value.long == "UNKNOWN_ATTRIBUTE_OR_DIMENSION"


def test_an_unknown_operator_is_named_with_its_place(ask) -> None:
    with pytest.raises(EngineError) as caught:
        ask.run("scan(nope(A))")
    assert caught.value.long == "LOGICAL_OP_DOESNT_EXIST"
    assert caught.value.description == "Logical operator 'nope' does not exist."
    assert caught.value.span == (5, 12)


def test_let_puts_in_what_it_binds(ask) -> None:
    assert ask.rows("aggregate(build(<v:int64>[i=0:3], i), sum(v))") == ["0,6"]
    ask.run("let { a = build(<v:int64>[i=0:3], i); more(x) = apply(x, w, v+1) } in store(more(a), L)")
    assert ask.rows("scan(L)")[-1] == "3,3,4"


def test_show_tells_the_place_of_an_error_in_its_own_text(ask) -> None:
    with pytest.raises(EngineError) as caught:
        ask.run("show('scan(missing)', 'afl')")
    assert caught.value.statement == "scan(missing)"
    assert caught.value.span == (5, 12)


def test_list_help_and_load_library(ask) -> None:
    operators = ask.rows("list('operators')")
    assert any(row.endswith(",'redimension','scidb'") for row in operators)
    assert len(operators) == int(ask.schema("list('operators')").rpartition(":")[2].rstrip("]"))
    assert "Operator: window" in ask.text("help('window')")
    assert ask.rows("list('namespaces')") == ["0,'public'"]
    assert ask.rows("list()") == []
    ask.run("load_library('accelerated_io_tools')")
    with pytest.raises(EngineError):
        ask.run("list('nonsense')")


def test_save_writes_every_format_and_nothing_outside(ask, scratch) -> None:
    ask.run(f"save(build(<v:int64>[i=0:1], i), '{scratch}/x', 0, 'tsv+:l')")
    assert (scratch / "x").read_text() == "i\tv\n0\t0\n1\t1\n"
    ask.run(f"aio_save(build(<v:int64>[i=0:1], i), paths: ('{scratch}/y'), instances: (0), format: 'arrow')")
    assert (scratch / "y").stat().st_size > 0
    with pytest.raises(EngineError) as caught:
        ask.run("save(build(<v:int64>[i=0:1], i), '/etc/shadow', 0, 'csv')")
    assert caught.value.long == "CANT_OPEN_FILE"


def test_save_inside_save_gives_nothing(ask, scratch) -> None:
    assert ask.text(f"save(build(<v:int64>[i=0:1], i), '{scratch}/inner', 0, 'csv')") == ""
    assert (scratch / "inner").read_text() == "0\n1\n"


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("store(build(<v:int64>[i=0:1], i), B)", "NESTING_PROHIBITED"),
        ("insert(build(<v:int64>[i=0:1], i), A)", "NESTING_PROHIBITED"),
        ("remove(A)", "DDL_CANT_BE_NESTED"),
        ("load_library('x')", "DDL_CANT_BE_NESTED"),
        ("consume(A)", "NO_OPERATOR_RESULT"),
    ],
)
def test_changes_cannot_be_saved(ask, statement: str, code: str) -> None:
    ask.run("create array A <v:int64>[i=0:1]")
    with pytest.raises(EngineError) as caught:
        ask.text(statement)
    assert caught.value.long == code
    ask.run(statement)


def test_input_reads_what_save_wrote(ask, scratch) -> None:
    array = 'build(<a:int64,s:string>[i=0:3], \'[(1,"x"),(?7,"y"),(),(4,null)]\', true)'
    schema = "<a:int64,s:string>[i=0:*]"
    for form in ("csv", "tsv", "(int64 null,string null)"):
        ask.run(f"save({array}, '{scratch}/f', 0, '{form}')")
        read = ask.rows(f"input({schema}, '{scratch}/f', 0, '{form}')")
        assert read == ["0,1,'x'", "1,?7,'y'", "2,4,null"]


def test_load_stores_what_input_reads(ask, scratch) -> None:
    (scratch / "f").write_text("1\n2\n")
    ask.run("create array L <v:int64>[i=0:*:0:5]")
    ask.run(f"load(L, '{scratch}/f', 0, 'csv')")
    assert ask.rows("scan(L)") == ["0,1", "1,2"]
    assert ask.schema("scan(L)") == "L@1<v:int64> [i=0:*:0:5]"


def test_a_missing_file_is_noticed_when_it_is_read_not_when_it_is_shown(ask) -> None:
    query = "input(<v:int64>[i=0:*], 'missing', 0, 'csv')"
    assert ask.schema(query).endswith("<v:int64> [i=0:*:0:1000000]")
    with pytest.raises(EngineError) as caught:
        ask.rows(query)
    assert caught.value.long == "CANT_OPEN_FILE"
