"""What a statement without a result has done, in words."""

from __future__ import annotations

from typing import Any

import pytest

from scidb_magic.afl.operators import OPERATORS
from scidb_magic.notebook.deeds import _DEEDS, sentence, versioned


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("store(build(<v:int64>[i=0:9], iif(i > 3, 1, 2)), A)", "stored array A"),
        ("STORE(A, B)", "stored array B"),
        ("insert(between(A, 0, 3), ns.B)", "inserted into ns.B"),
        ("remove(A)", "removed A"),
        ('remove("odd, name")', 'removed "odd, name"'),
        ("rename(A, B)", "renamed A to B"),
        ("delete(A, v > 3 and w < 2)", "deleted cells of A"),
        ("create array A <v:int64>[i=0:9]", "created array A"),
        ("create temp array A <v:int64>[i=0:9]", "created array A"),
        ("load_library('accelerated_io_tools')", "loaded library accelerated_io_tools"),
        ("save(A, '/tmp/a.csv', -2, 'csv')", "saved A to /tmp/a.csv"),
        ("cancel('0.1.2')", "cancelled query 0.1.2"),
        ("remove_versions(A, 3)", "removed versions of A"),
        ("consume(A)", "read A and kept nothing of it"),
        ("remove()", "done: label"),
        ("unheard_of(A)", "done: label"),
    ],
)
def test_sentences(statement: str, told: str) -> None:
    assert sentence(statement, "label") == told


def test_a_query_is_not_repeated_in_full() -> None:
    assert sentence(f"consume(filter(A, {'v > 1 and ' * 30} v > 1))", "consume") == "done: consume"


def test_the_array_that_has_a_new_version() -> None:
    assert versioned("store(filter(A, v > 1), ns.B)") == "ns.B"
    assert versioned("delete(A, v > 1)") == "A"
    assert versioned("remove(A)") is None
    assert versioned("store(A)") is None


def test_operators_without_a_result_have_a_sentence() -> None:
    silent = {name for name, row in OPERATORS.items() if not row.result and not name.startswith("test_")}
    rest = {"lock_arrays", "mquery", "change_user", "set_role_permissions"}
    assert silent - rest <= _DEEDS.keys()


def test_in_a_cell(shell: Any) -> None:
    out = shell.run(
        "%%scidb\nstore(build(<v:int64>[i=0:2], i), deed);\nstore(deed, deed);\n"
        "insert(deed, deed);\nrename(deed, deed_2);\nremove(deed_2)"
    )
    assert out.error is None
    assert out.texts == [
        "stored array deed, version 1",
        "stored array deed, version 2",
        "inserted into deed, version 3",
        "renamed deed to deed_2",
        "removed deed_2",
    ]


def test_a_temporary_array_has_no_version(shell: Any) -> None:
    out = shell.run(
        "%%scidb\ncreate temp array deed_t <v:int64>[i=0:2];\n"
        "store(build(<v:int64>[i=0:2], i), deed_t);\nremove(deed_t)"
    )
    assert out.error is None
    assert out.texts[0] == "created array deed_t"
    assert out.texts[1].startswith("stored array deed_t")
    assert out.texts[2] == "removed deed_t"
