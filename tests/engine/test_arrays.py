"""Arrays of the catalogue: versions, temp arrays, all or nothing, life after a kill."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scidb_magic.errors import EngineError


def refused(ask, statement: str) -> EngineError:
    with pytest.raises(EngineError) as caught:
        ask.run(statement)
    return caught.value


def test_create_keeps_open_chunks_and_store_fills_them(ask) -> None:
    ask.run("create array A <v:int64>[i=0:*; j=0:9:0:5]")
    assert ask.rows("show(A)") == ["0,'A<v:int64> [i=0:*:0:*; j=0:9:0:5]','hashed','none'"]
    ask.run("store(build(<v:int64>[i=0:3:0:2; j=0:9:0:10], i), A)")
    assert ask.rows("show(A)") == ["0,'A<v:int64> [i=0:*:0:2; j=0:9:0:5]','hashed','none'"]


def test_a_name_is_taken_once(ask) -> None:
    ask.run("create_array(A, <v:int64>[i=0:3])")
    error = refused(ask, "create array A <v:int64>[i=0:3]")
    assert (error.short, error.long, error.span) == ("INFER_SCHEMA", "ARRAY_ALREADY_EXISTS", None)
    assert error.description == "Array 'public.A' already exists."
    ask.run("remove(A)")
    assert refused(ask, "remove(A)").long == "ARRAY_DOESNT_EXIST"
    ask.run("create temp array A <v:int64>[i=0:3]")


def test_store_replaces_and_versions_stay(ask) -> None:
    for factor in (1, 2, 3):
        ask.run(f"store(build(<v:int64>[i=0:1], i*{factor}), A)")
    assert ask.rows("scan(A)") == ["0,0", "1,3"]
    assert ask.rows("scan(A@1)") == ["0,0", "1,1"]
    assert ask.rows("project(versions(A), version_id)") == ["1,1", "2,2", "3,3"]
    ask.run("store(A@2, A)")
    assert ask.rows("scan(A@4)") == ["0,0", "1,2"]
    assert refused(ask, "scan(A@9)").long == "ARRAY_VERSION_DOESNT_EXIST"
    assert refused(ask, "scan(A@0)").long == "ARRAY_VERSION_DOESNT_EXIST"
    assert ask.rows("scan(A@*)")[-2:] == ["4,0,0", "4,1,2"]


def test_a_version_is_found_by_its_time(ask) -> None:
    ask.run("store(build(<v:int64>[i=0:0], 7), A)")
    assert ask.rows("scan(A@datetime('2100-01-01 00:00:00'))") == ["0,7"]
    assert refused(ask, "scan(A@datetime('2000-01-01 00:00:00'))").long == "ARRAY_VERSION_DOESNT_EXIST"


def test_store_gives_new_arrays_unique_names(ask) -> None:
    ask.run("store(build(<v:int64>[i=0:1], i), A)")
    ask.run("store(cross_join(A, A), B)")
    assert ask.schema("scan(B)") == "B@1<v:int64,v_2:int64> [i=0:1:0:1000000; i_2=0:1:0:1000000]"


def test_store_wants_a_conforming_result(ask) -> None:
    ask.run("create array A <v:int64>[i=0:3]")
    for wrong in ("<v:double>[i=0:3]", "<v:int64>[i=1:3]", "<v:int64>[i=0:4]"):
        assert refused(ask, f"store(build({wrong}, 1), A)").long == "ARRAYS_NOT_CONFORMANT"
    ask.run("store(build(<w:int64 not null>[k=0:3], k), A)")
    assert ask.schema("scan(A)") == "A@1<v:int64> [i=0:3:0:1000000]"


def test_insert_merges_cells_and_the_new_ones_win(ask) -> None:
    ask.run("store(between(build(<v:int64>[i=0:9], i), 0, 2), A)")
    ask.run("insert(between(build(<v:int64>[i=0:9], i*10), 2, 4), A)")
    assert ask.rows("scan(A)") == ["0,0", "1,1", "2,20", "3,30", "4,40"]
    assert ask.schema("scan(A)").startswith("A@2<")
    assert refused(ask, "insert(A, B)").long == "ARRAY_DOESNT_EXIST"


def test_insert_keeps_reasons_of_both_sides(ask) -> None:
    ask.run("store(build(<v:int64>[i=0:9], '[(?5),(?6),(1)]', true), A)")
    ask.run("insert(build(<v:int64>[i=0:9], '[(),(?9)]', true), A)")
    assert ask.rows("scan(A)") == ["0,?5", "1,?9", "2,1"]


def test_remove_versions_keeps_the_newest(ask) -> None:
    for _ in range(4):
        ask.run("store(build(<v:int64>[i=0:0], i), A)")
    ask.run("remove_versions(A, 2)")
    assert ask.rows("project(versions(A), version_id)") == ["2,2", "3,3", "4,4"]
    ask.run("remove_versions(A, keep: 2)")
    assert ask.rows("project(versions(A), version_id)") == ["3,3", "4,4"]
    ask.run("remove_versions(A)")
    assert ask.rows("project(versions(A), version_id)") == ["4,4"]
    assert refused(ask, "remove_versions(A, 0)").long == "ARRAY_VERSION_DOESNT_EXIST"


def test_rename(ask) -> None:
    ask.run("store(build(<v:int64>[i=0:0], 5), A)")
    ask.run("rename(A, B)")
    assert ask.rows("scan(B)") == ["0,5"]
    assert refused(ask, "scan(A)").long == "ARRAY_DOESNT_EXIST"
    assert refused(ask, "rename(B, B)").long == "ARRAY_ALREADY_EXISTS"


def test_temp_arrays_have_one_state_and_no_version(ask) -> None:
    ask.run("create temp array T <v:int64>[i=0:3]")
    ask.run("store(build(<v:int64>[i=0:3], i), T)")
    ask.run("store(filter(T, v > 1), T)")
    assert ask.rows("scan(T)") == ["2,2", "3,3"]
    assert ask.schema("scan(T)").startswith("T<v:int64>")
    assert ask.rows("versions(T)") == []
    assert ask.rows("project(list(), name, temporary)") == ["0,'T',true"]


def test_dimensions_and_attributes_of_an_array(ask) -> None:
    ask.run("create array A <v:int64 not null, s:string>[i=0:9:0:5; j=-2:*:1:4]")
    nowhere = "4611686018427387903,-4611686018427387903"
    assert ask.rows("dimensions(A)") == [
        f"0,'i',0,10,5,0,{nowhere},'int64'",
        f"1,'j',-2,4611686018427387906,4,1,{nowhere},'int64'",
    ]
    assert ask.rows("attributes(A)") == ["0,'v','int64',false", "1,'s','string',true"]
    ask.run("store(filter(build(<v:int64>[i=0:9], i), i > 2 and i < 7), B)")
    assert ask.rows("project(dimensions(B), low, high)") == ["0,3,6"]


def test_only_the_namespace_public(ask) -> None:
    ask.run("store(build(<v:int64>[i=0:0], 5), public.A)")
    assert ask.rows("scan(public.A)") == ["0,5"]
    assert refused(ask, "scan(other.A)").long == "CANNOT_RESOLVE_NAMESPACE"


def test_a_failed_statement_leaves_nothing(ask) -> None:
    ask.run("store(build(<v:int64>[i=0:9], i), A)")
    collision = "store(redimension(apply(A, k, 0), <v:int64>[k=0:9]), {})"
    for target in ("A", "B"):
        assert refused(ask, collision.format(target)).long == "DATA_COLLISION"
    assert ask.schema("scan(A)").startswith("A@1<")
    assert ask.rows("project(list(), name)") == ["0,'A'"]
    assert ask.rows("op_count(A)") == ["0,10"]


def test_a_running_query_that_fails_has_an_id(ask) -> None:
    error = refused(ask, "consume(redimension(build(<v:int64>[i=0:9], 0), <i:int64>[v=0:9]))")
    assert error.query_id is not None
    assert error.query_id.startswith("0.")
    assert refused(ask, "scan(missing)").query_id is None


def test_names_with_quotes_and_words_of_sql_are_only_names(ask) -> None:
    ask.run('create array "table" <from:int64, "union":string>[group=0:3; order=0:0]')
    text = "x\\'; drop table y; --"
    ask.run(f"store(apply(build(<from:int64>[group=0:3; order=0:0], group), a, '{text}'), table)")
    assert ask.rows("filter(table, from = 2)") == [f"2,0,2,'{text}'"]
    assert ask.schema("scan(table)").startswith("table@1<from:int64,union:string> [group=")


_WRITER = """
import sys
from pathlib import Path
from scidb_magic.embedded.engine import Engine
data, scratch = map(Path, sys.argv[1:])
session = Engine(data, scratch=scratch).session()
session.execute("store(build(<v:int64>[i=0:999], i), A)")
session.execute("store(build(<v:int64>[i=0:999], i*2), A)")
session.execute("create temp array T <v:int64>[i=0:3]")
print("stored", flush=True)
while True:
    session.execute("store(build(<v:int64>[i=0:99999], i), Busy)")
"""


def test_committed_versions_survive_a_kill(make_engine, scratch: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(data), str(scratch)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "stored\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    session = make_engine(data).session()
    out = scratch / "out"
    session.execute(f"save(aggregate(A, sum(v)), '{out}', 0, 'csv')")
    assert out.read_text() == "999000\n"
    session.execute(f"save(aggregate(A@1, sum(v)), '{out}', 0, 'csv')")
    assert out.read_text() == "499500\n"
    with pytest.raises(EngineError) as caught:
        session.execute("scan(T)")
    assert caught.value.long == "ARRAY_DOESNT_EXIST"
    session.execute("store(build(<v:int64>[i=0:0], 1), New)")
    session.close()


def test_a_second_engine_on_the_same_folder_is_refused(make_engine, tmp_path: Path, scratch: Path) -> None:
    make_engine(tmp_path)
    code = (
        "import sys; from pathlib import Path; from scidb_magic.embedded.engine import Engine;"
        "from scidb_magic.errors import EngineError\n"
        "try: Engine(Path(sys.argv[1]), scratch=Path(sys.argv[2]))\n"
        "except EngineError as error: print(error.long)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), str(scratch)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "UNKNOWN_ERROR\n"
