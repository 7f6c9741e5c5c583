"""What a statement without a result has done, in words."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from scidb_magic.afl.operators import OPERATORS
from scidb_magic.notebook import shared
from scidb_magic.notebook.deeds import _DEEDS, sentence, version, versioned


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
        ("create array ns.A <v:int64, w:int8>[i=0:9]", "created array ns.A"),
        ("create_array(A, <v:int64, w:int8>[i=0:9], false)", "created array A"),
        ("add_attributes(A, <v:int64, w:int8>)", "added attributes to A"),
        ("move_array_to_namespace(A, 'ns')", "moved A to namespace ns"),
        ("lock_arrays(true)", "set the lock of all arrays to true"),
        ("set_role_permissions('r', 'namespace', 'ns', 'rl')", "set permissions of role r"),
        ("cancel('0.1\n2')", "cancelled query 0.1 2"),
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
    silent = {name for name, row in OPERATORS.items() if not row.result}
    assert silent <= _DEEDS.keys()
    assert _DEEDS.keys() <= silent | {"create array"}


def test_no_secret_is_told() -> None:
    assert "hash" not in sentence("create_user('anna', 'hash')", "create_user")
    assert sentence("change_user('password', 'anna', 'hash')", "change_user") == "changed user anna"


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


@pytest.mark.parametrize(
    ("statements", "told"),
    [
        ("remove_versions({0}, 1)", "removed versions of {0}"),
        ("insert({0}, public.{0})", "inserted into public.{0}, version 2"),
        ('store({0}, "{0}")', 'stored array "{0}", version 2'),
    ],
)
def test_versions_in_a_cell(shell: Any, statements: str, told: str) -> None:
    name = f"deed_{secrets.token_hex(4)}"
    shell.run(f"%scidb store(build(<v:int64>[i=0:2], i), {name})")
    out = shell.run(f"%scidb {statements.format(name)}")
    assert (out.error, out.texts) == (None, [told.format(name)])
    shell.run(f"%scidb remove({name})")


def test_a_version_that_nobody_tells_fails_no_cell(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    session = shared.session()
    assert version(session.connection, "no_such_array") is None
    monkeypatch.setattr(session.connection, "aside", lambda afl: None)
    out = shell.run("%scidb store(build(<v:int64>[i=0:2], i), deed_untold)")
    assert out.texts == ["stored array deed_untold"]
    shell.run("%scidb remove(deed_untold)")
