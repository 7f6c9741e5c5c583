"""The query that is sent for a statement."""

from __future__ import annotations

import pytest

from scidb_magic.session.wrap import limited, named, wrap
from scidb_magic.wire.schema import Schema

PLAIN = Schema.parse("A<x:int64 NOT NULL,s:string> [i=0:9:0:5; j=0:*:0:1]")
CLASHING = Schema.parse("<i:int64,i:double> [i=0:9:0:5; j=0:9:0:5]")
FRAME = Schema.parse("<x:int64,s:string>")


def test_dimensions_come_as_attributes_in_front() -> None:
    wrapped = wrap("scan(A)", PLAIN)
    assert wrapped.text == "project(apply(scan(A), i, i, j, j), i, j, x, s)"
    assert wrapped.text[wrapped.offset :].startswith("scan(A)")
    assert [str(c) for c in wrapped.columns] == [
        "i:int64 NOT NULL", "j:int64 NOT NULL", "x:int64 NOT NULL", "s:string",
    ]  # fmt: skip


def test_names_that_occur_twice_are_cast_away() -> None:
    wrapped = wrap("Q", CLASHING)
    cast = "cast(Q, <i:int64,i_1:double> [i_2=0:9:0:5; j=0:9:0:5])"
    assert wrapped.text == f"project(apply({cast}, i_2, i_2, j, j), i_2, j, i, i_1)"
    assert wrapped.text[wrapped.offset] == "Q"
    assert str(wrapped.schema) == "<i:int64,i_1:double> [i_2=0:9:0:5; j=0:9:0:5]"


@pytest.mark.parametrize(
    ("schema", "text", "columns"),
    [
        (PLAIN, "Q", ["x", "s"]),
        (FRAME, "Q", ["x", "s"]),
        (Schema.parse("<i:int64> [i=0:9:0:5]"), "Q", ["i"]),
        (CLASHING, "cast(Q, <i:int64,i_1:double> [i_2=0:9:0:5; j=0:9:0:5])", ["i", "i_1"]),
    ],
)
def test_without_dimensions_only_attributes_matter(schema: Schema, text: str, columns: list[str]) -> None:
    wrapped = wrap("Q", schema, dimensions=False)
    assert (wrapped.text, [c.name for c in wrapped.columns]) == (text, columns)


def test_a_data_frame_has_only_attributes() -> None:
    assert wrap("Q", FRAME).text == "Q"
    doubled = wrap("Q", Schema.parse("<x:int64,x:string>"))
    assert doubled.text == "cast(Q, <x:int64,x_1:string>)"


def test_arrow_needs_no_more_than_names() -> None:
    assert named("Q", PLAIN).text == "Q"
    assert [c.name for c in named("Q", PLAIN).columns] == ["i", "j", "x", "s"]


def test_limit_moves_the_statement() -> None:
    wrapped = limited(wrap("Q", PLAIN), 11)
    assert wrapped.text == "limit(project(apply(Q, i, i, j, j), i, j, x, s), 11)"
    assert wrapped.text[wrapped.offset] == "Q"
