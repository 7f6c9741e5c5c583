"""Completion as IPython asks for it; ``|`` is the cursor."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter

from scidb_magic.afl.operators import OPERATORS

NAMES = "weather", "<temp:double,place:string>[day=0:9; hour=0:23]"


def completions(shell: Any, marked: str) -> dict[str, str]:
    """What is offered, and its type; each text as it stands in the cell afterwards."""
    text, cursor = marked.replace("|", ""), marked.index("|")
    with provisionalcompleter():
        return {
            text[: each.start] + each.text + text[each.end :]: each.type.replace("\N{NO-BREAK SPACE}", " ")
            for each in shell.ip.Completer.completions(text, cursor)
        }


@pytest.fixture
def aware(shell: Any, embedded: Any, wait_until: Any) -> Iterator[Any]:
    """A shell that knows the names of its server."""
    shell.run(f"%scidb create array {NAMES[0]} {NAMES[1]}")
    magics = shell.ip.magics_manager.registry["SciDBMagics"]
    assert wait_until(lambda: "weather" in magics.catalogue.names.arrays)
    yield shell
    shell.run("%scidb remove(weather)")


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("%%scidb\nfil|", "%%scidb\nfilter"),
        ("%%scidb\nfil|ter(A)", "%%scidb\nfilter(A)"),
        ("%%scidb\nfilter(A, x > 1);\naggr|", "%%scidb\nfilter(A, x > 1);\naggregate"),
        ("%%scidb\nFIL|", "%%scidb\nfilter"),
        ("%scidb redim|", "%scidb redimension"),
        ("x = %scidb redim|", "x = %scidb redimension"),
        ("1 + 1\n%scidb cross_j|\n2", "1 + 1\n%scidb cross_join\n2"),
        ("%scidb rel|", "%scidb release"),
        ("%scidb release --or|", "%scidb release --orphans"),
        ("%scidb help regr|", "%scidb help regrid"),
        ("%scidb connect --name|", "%scidb connect --namespace"),
        ("%scidb show --versions --co|", "%scidb show --versions --count"),
        ("%scidb show --versions regr|", "%scidb show --versions regrid"),
        ("%%scidb --ou|", "%%scidb --output"),
        ("%%scidb -o x --as xa|", "%%scidb -o x --as xarray"),
        ("%%scidb --retry al|\nscan(A)", "%%scidb --retry always\nscan(A)"),
        ("%%scidb -o x\ncreate array A <v:int|", "%%scidb -o x\ncreate array A <v:int64"),
        ("%%scidb\nsave(A, 'f', -2, 'tsv|')", "%%scidb\nsave(A, 'f', -2, 'tsv+')"),
        ("%%scidb\naggregate(A, appro|)", "%%scidb\naggregate(A, approxdc)"),
        ("%%scidb\nfilter(A, strle|)", "%%scidb\nfilter(A, strlen)"),
    ],
)
def test_without_a_server(shell: Any, marked: str, expected: str) -> None:
    assert expected in completions(shell, marked)


@pytest.mark.parametrize(
    "marked",
    ["%%scidb\nfilter(A, x = 'fil|')", "%%scidb\n-- fil|", "%%scidb\n/* fil|", "%%scidb -o fil|\nscan(A)"],
)
def test_nothing_of_afl_where_there_is_none(shell: Any, marked: str) -> None:
    assert set(completions(shell, marked)) <= {marked.replace("|", "")}


def test_an_operator_comes_with_its_arguments(shell: Any) -> None:
    assert (
        completions(shell, "%%scidb\nfilt|")["%%scidb\nfilter"]
        == f"operator ({OPERATORS['filter'].signature})"
    )


def test_python_cells_are_left_alone(shell: Any) -> None:
    shell.run("filtered_by_me = 1")
    assert set(completions(shell, "filtered_b|")) == {"filtered_by_me"}
    assert "redimension" not in completions(shell, "redim|")


def test_python_in_double_braces(shell: Any) -> None:
    shell.run("import datetime\nlimit_of_mine = 3")
    assert "%%scidb\nfilter(A, x > {{ limit_of_mine" in completions(
        shell, "%%scidb\nfilter(A, x > {{ limit_o|"
    )
    found = completions(shell, "%%scidb\nfilter(A, x > {{ datetime.dat| }})")
    assert "%%scidb\nfilter(A, x > {{ datetime.datetime }})" in found
    assert "%%scidb\nfilter(A, x > {{ limit_of_mine }} and tem" not in found


def test_arrays_and_their_parts(aware: Any) -> None:
    assert completions(aware, "%%scidb\nscan(wea|)")["%%scidb\nscan(weather)"] == "array"
    found = completions(aware, "%%scidb\nfilter(weather, |)")
    nearest = list(found.items())[:4]
    assert nearest == [
        ("%%scidb\nfilter(weather, temp)", "double of weather"),
        ("%%scidb\nfilter(weather, place)", "string of weather"),
        ("%%scidb\nfilter(weather, day)", "dimension of weather"),
        ("%%scidb\nfilter(weather, hour)", "dimension of weather"),
    ]
    of_alias = completions(aware, "%%scidb\ncross_join(weather as w, weather as v, w.|)")
    assert [text.split("w.")[1] for text in of_alias] == ["temp)", "place)", "day)", "hour)"]
    after_expression = completions(aware, "%%scidb\nfilter(weather, temp > {{ 1 + 1 }} and ho|)")
    assert next(iter(after_expression.values())) == "dimension of weather"


def test_names_are_asked_for_without_taking_a_slot(aware: Any, wait_until: Any) -> None:
    connection = aware.ip.magics_manager.registry["SciDBMagics"].catalogue._connection()
    queries = connection.status().queries
    assert wait_until(lambda: connection.aside("list('types')") is not None)
    connection.release()
    assert connection.aside("list('types')") is None
    assert (connection.status().state, connection.status().queries) == ("released", queries)


def test_it_never_waits(aware: Any) -> None:
    """The bound is the issue's, 20 ms, with room for a busy machine."""
    text = "%%scidb\n" + "filter(weather, temp > 1 and place = 'x');\n" * 100 + "filter(weather, te"
    magics = aware.ip.magics_manager.registry["SciDBMagics"]
    lines = text.split("\n")
    begin = time.perf_counter()
    found = magics.completer.matches(text, len(lines) - 1, len(lines[-1]))
    assert time.perf_counter() - begin < 0.2
    assert found is not None and found[1][0].text == "temp"


def test_nothing_is_left_after_unloading(shell: Any) -> None:
    shell.run("%unload_ext scidb_magic")
    assert not shell.ip.Completer.custom_matchers
    shell.run("%load_ext scidb_magic")
    shell.run("%reload_ext scidb_magic")
    shell.run("%load_ext scidb_magic")
    assert len(shell.ip.Completer.custom_matchers) == 1


def test_in_a_kernel(kernels: Callable[..., Any], embedded: Any) -> None:
    kernel = kernels()
    kernel.run("%load_ext scidb_magic")
    reply = kernel.client.complete("%%scidb\nfilter(scan(A), strl", 28, reply=True, timeout=30)["content"]
    assert reply["matches"] == ["strlen"]
    assert (reply["cursor_start"], reply["cursor_end"]) == (24, 28)
