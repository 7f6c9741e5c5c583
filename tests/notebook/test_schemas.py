"""``%scidb arrays`` and ``%scidb show``: readable tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from scidb_magic.errors import QueryError
from scidb_magic.notebook import shared

MADE = "<v:int64 not null default 5, s:string>[i=0:99:2:10; j=-3:*:0:7]"


@pytest.fixture
def made(shell: Any) -> Iterator[Any]:
    """A shell whose server has an array without cells, and one of two versions of 30 cells."""
    shell.run(f"%%scidb\ncreate array sch_empty {MADE};\nstore(build(<v:int64>[i=0:29], i), sch_full)")
    shell.run("%scidb store(sch_full, sch_full)")
    yield shell
    shell.run("%%scidb\nremove(sch_empty);\nremove(sch_full)")


def lines(out: Any) -> list[list[str]]:
    assert out.error is None, out.error
    return [line.split() for line in out.texts[0].splitlines()]


def test_arrays(made: Any) -> None:
    head, empty, full = lines(made.run("%scidb arrays sch_*"))
    assert " ".join(head) == "name dimensions chunk lengths attributes kind"
    assert empty == "sch_empty i=0:99, j=-3:* 10, 7 v: int64 not null, s: string stored".split()
    assert full[0] == "sch_full"
    assert "giraffe" not in made.run("%scidb arrays giraffe").text


def test_versions_and_cells_on_request(made: Any) -> None:
    _, empty, full = lines(made.run("%scidb arrays sch_* --versions --count"))
    assert full[-1] == "30"
    assert full[full.index("stored") + 1] == "2"
    assert empty[-1] == "0"
    assert full[full.index("stored") + 2] == "2"
    assert empty[empty.index("stored") + 1 :] == ["0", "0"], "neither a version yet, nor a cell"


def test_the_number_of_versions_is_not_that_of_the_newest(made: Any) -> None:
    made.run("%%scidb\nstore(sch_full, sch_full);\nremove_versions(sch_full, 3)")
    (head, full) = lines(made.run("%scidb arrays sch_full --versions"))
    assert head[-3:] == ["versions", "newest", "made"]
    assert full[full.index("stored") + 1 :][:2] == ["1", "3"]
    assert made.run("%scidb show --versions sch_full@3").texts[0].splitlines()[-1].split()[0] == "3"


def test_many_attributes_are_cut(made: Any) -> None:
    many = ", ".join(f"a{number}:int8" for number in range(20))
    made.run(f"%scidb create array sch_many <{many}>[i=0:*]")
    assert "a7: int8 … and 12 more" in made.run("%scidb arrays sch_many").text
    assert "a19" in made.run("%scidb show sch_many").text
    made.run("%scidb remove(sch_many)")


def test_show_an_array(made: Any) -> None:
    out = made.run("%scidb show sch_empty")
    schema, dimensions, attributes = out.texts[0].split("\n\n")
    assert schema.startswith("sch_empty<v:int64 NOT NULL DEFAULT 5")
    assert [line.split() for line in dimensions.splitlines()] == [
        ["dimension", "from", "to", "chunk", "length", "overlap"],
        ["i", "0", "99", "10", "2"],
        ["j", "-3", "*", "7", "0"],
    ]
    assert [line.split()[:4] for line in attributes.splitlines()[1:]] == [
        ["v", "int64", "no", "5"],
        ["s", "string", "yes"],
    ]
    assert out.htmls[0].count("<table>") == 2


def test_show_with_versions_and_cells(made: Any) -> None:
    *_, versions, cells = made.run("%scidb show --versions --count sch_full").texts[0].split("\n\n")
    assert [line.split()[0] for line in versions.splitlines()] == ["version", "1", "2"]
    assert cells.splitlines() == ["cells", "30"]


def test_show_a_query_which_is_not_run(made: Any) -> None:
    made.run("from scidb_magic import Name; target = Name('sch_full')")
    text = made.run("%scidb show apply({{ target }}, w, string(v))").text
    assert ["w", "string", "yes"] in [line.split()[:3] for line in text.splitlines()]
    assert made.run("%scidb show --count filter(sch_full, v < 7)").texts[0].endswith("cells\n7")
    assert "What is to be shown" in made.run("%scidb show").traceback[0]


def test_columns_without_anything_are_left_out(made: Any) -> None:
    *_, attributes = made.run("%scidb show sch_full").texts[0].split("\n\n")
    assert attributes.splitlines()[0].split() == ["attribute", "type", "null"]


def test_reserved_words_are_names_in_quotes(made: Any) -> None:
    made.run('%scidb create array "select" <v:int64>[i=0:3]')
    assert lines(made.run("%scidb arrays select --count --versions"))[1][-2:] == ["0", "0"]
    assert made.run('%scidb show --count "select"').texts[0].endswith("cells\n0")
    made.run('%scidb remove("select")')


def test_data_frames(made: Any) -> None:
    made.run("%scidb create array sch_frame <v:int64, w:string>")
    assert lines(made.run("%scidb arrays sch_frame"))[1][:3] == ["sch_frame", "data", "frame"]
    out = made.run("%scidb show sch_frame")
    assert out.texts[0].splitlines()[0] == "sch_frame<v:int64,w:string>"
    assert "dimension" not in out.text
    made.run("%scidb remove(sch_frame)")


def test_an_array_that_cannot_be_read_does_not_hide_the_others(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = shared.session()
    fetch = session.fetch

    def refusing(afl: str, **how: Any) -> Any:
        if "sch_empty" in afl:
            raise QueryError("SCIDB_LE_BAD_TEMP_ARRAY", "This array is gone.")
        return fetch(afl, **how)

    monkeypatch.setattr(session, "fetch", refusing)
    out = made.run("%scidb arrays sch_* --count")
    _, empty, full = lines(out)
    assert (empty[-1], full[-1]) == ("?", "30")
    assert out.texts[1] == "sch_empty cannot be looked into: This array is gone."


def test_a_schema_that_cannot_be_read_is_shown_as_it_is(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    session = shared.session()
    strange = pd.DataFrame({"name": ["sch_odd"], "schema": ["sch_odd<v:int64 strangely> [i]"]})
    monkeypatch.setattr(session, "fetch", lambda afl: strange)
    assert "sch_odd<v:int64 strangely> [i]" in made.run("%scidb arrays").text


def test_nothing_fits(made: Any) -> None:
    assert made.run("%scidb arrays giraffe").texts == ["No array's name fits; %scidb arrays lists them."]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("show sch_full --versions", "--versions stands before the AFL"),
        ("show filter(sch_full, v < 7) --count", "--count stands before the AFL"),
        ("show --versions filter(sch_full, v < 7)", "A query has no versions"),
    ],
)
def test_options_that_do_not_fit(made: Any, line: str, message: str) -> None:
    (told,) = made.run(f"%scidb {line}").traceback
    assert told.startswith(f"MagicUsageError: {message}")
