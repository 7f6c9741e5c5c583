"""Schemas: every form that SciDB's `show` prints, and AFL's own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scidb_magic.errors import WireError
from scidb_magic.wire.schema import MAX_COORDINATE, Attribute, Dimension, Schema, distinct_names


def test_every_recorded_schema_prints_as_it_was(conformance: Path) -> None:
    lines = [
        json.loads(line)
        for name in ("afl.jsonl", "wire.jsonl")
        for line in (conformance / name).read_text().splitlines()
    ]
    steps = [step for line in lines for step in line.get("steps", [line])]
    texts = [
        step["schema"].split("\t")[0]
        for step in steps
        if step.get("schema") and step.get("status", 200) == 200
    ]
    assert len(texts) > 700
    assert [text for text in texts if str(Schema.parse(text)) != text] == []


def test_parts_of_a_schema() -> None:
    schema = Schema.parse("A@1<a:int64 NOT NULL,b:string DEFAULT 'x'> [i=0:*:0:1000000; j=-2:2:1:5]")
    assert schema == Schema(
        attributes=(Attribute("a", "int64", nullable=False), Attribute("b", "string", default="'x'")),
        dimensions=(Dimension("i", 0, None, 0, 1000000), Dimension("j", -2, 2, 1, 5)),
        name="A@1",
    )
    assert schema.dimensions[1].length == 5


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("<a:int64>[i=0:3,2,1]", "<a:int64> [i=0:3:1:2]"),
        ("<a:int64>[i=0:3,2,1,j=-5:*,*,0]", "<a:int64> [i=0:3:1:2; j=-5:*:0:*]"),
        ("<a:int64>[i=0:3,?,0]", "<a:int64> [i=0:3:0:*]"),
        ("<a:int64>[i=0:3;j=1:4:2]", "<a:int64> [i=0:3:0:*; j=1:4:2:*]"),
        ("<a:int64>[i,j]", "<a:int64> [i=0:*:0:*; j=0:*:0:*]"),
        ("<a:int64>[i;j]", "<a:int64> [i=0:*:0:*; j=0:*:0:*]"),
        ("<a:int64>[i=?:?:0:?]", "<a:int64> [i=0:*:0:*]"),
        ("<a:int64>[i=*:*]", "<a:int64> [i=-4611686018427387903:*:0:*]"),
        (f"<a:int64>[i=0:{MAX_COORDINATE}]", "<a:int64> [i=0:*:0:*]"),
        ("<a : int64 null , b:string not NULL>\n[ i = 0 : 3 ]", "<a:int64,b:string NOT NULL> [i=0:3:0:*]"),
        (
            "<a:int64 default -3 compression 'zlib' reserve 5>[i]",
            "<a:int64 DEFAULT -3 COMPRESSION 'zlib'> [i=0:*:0:*]",
        ),
        (r"<a:string DEFAULT 'it\'s, <\\> '>[i]", r"<a:string DEFAULT 'it\'s, <\\> '> [i=0:*:0:*]"),
        ("<a:int64 DEFAULT f(1, g('>')),b:bool>[i]", "<a:int64 DEFAULT f(1, g('>')),b:bool> [i=0:*:0:*]"),
        ('<"a":int64>["i"=0:1]', "<a:int64> [i=0:1:0:*]"),
        ('"A"<a:int64>[i]', "A<a:int64> [i=0:*:0:*]"),
        ("ns.A@12<a:int64>[$n=0:*:0:10]", "ns.A@12<a:int64> [$n=0:*:0:10]"),
        ("not empty <a:int64>[i=0:0:0:1]", "not empty <a:int64> [i=0:0:0:1]"),
        ("not empty A<a:int64>[i=0:0:0:1]", "not empty A<a:int64> [i=0:0:0:1]"),
        ("AB<a:int64> [x, y=1:10:0:2; z=0:1:0:2]", "AB<a:int64> [x, y=1:10:0:2; z=0:1:0:2]"),
    ],
)
def test_forms(text: str, printed: str) -> None:
    assert str(Schema.parse(text)) == printed
    assert Schema.parse(printed) == Schema.parse(text)


def test_a_joined_dimension_keeps_its_other_name() -> None:
    dimension = Schema.parse("<a:int64> [x, y=1:10:0:2]").dimensions[0]
    assert (dimension.name, dimension.aliases, dimension.high) == ("x", ("y",), 10)


def test_no_dimensions_is_a_data_frame() -> None:
    schema = Schema.parse("A<a:int64>")
    assert [d.name for d in schema.dimensions] == ["$inst", "$seq"]
    assert schema.is_dataframe
    assert Schema.parse(str(schema)) == schema
    assert not Schema.parse("A<a:int64>[i]").is_dataframe


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "it has no '<'"),
        ("A", "it has no '<'"),
        ("<>[i]", "the name of an attribute at character 2, found '>'"),
        ("<a int64>[i]", "':' at character 4, found 'int64'"),
        ("<a:>[i]", "a type at character 4"),
        ("<a:int64 FOO>[i]", "found 'FOO'"),
        ("<a:int64 NOT>[i]", "'null'"),
        ("<a:int64 DEFAULT >[i]", "a default value"),
        ("<a:int64", "'>' at character 9, found the end"),
        ("<a:int64>[", "the name of a dimension"),
        ("<a:int64>[i=]", "a lower bound"),
        ("<a:int64>[i=0:x]", "an upper bound"),
        ("<a:int64>[i=0:1", "']'"),
        ("<a:int64>[i=0:1] more", "the end at character 18, found 'more'"),
    ],
)
def test_what_is_no_schema(text: str, expected: str) -> None:
    with pytest.raises(WireError, match="This is not a schema") as caught:
        Schema.parse(text)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("source", "target", "conforms"),
    [
        ("<a:int64>[i=0:9]", "<b:int64>[j=0:9:3:2]", True),
        ("<a:int64>[i=0:9]", "<a:int64>[i=0:*]", True),
        ("<a:int64 not null>[i=0:9]", "<a:int64>[i=0:9]", True),
        ("<a:int64>[i=0:9]", "<a:int64 not null>[i=0:9]", False),
        ("<a:int64>[i=0:9]", "<a:int32>[i=0:9]", False),
        ("<a:int64>[i=0:*]", "<a:int64>[i=0:9]", False),
        ("<a:int64>[i=0:10]", "<a:int64>[i=0:9]", False),
        ("<a:int64>[i=1:9]", "<a:int64>[i=0:9]", False),
        ("<a:int64,b:int64>[i=0:9]", "<a:int64>[i=0:9]", False),
        ("<a:int64>[i=0:9;j=0:9]", "<a:int64>[i=0:9]", False),
    ],
)
def test_conforms(source: str, target: str, conforms: bool) -> None:
    assert Schema.parse(source).conforms(Schema.parse(target)) is conforms


@pytest.mark.parametrize(
    ("names", "distinct"),
    [
        # the examples of SciDB-Py's make_unique: attributes, then dimensions
        (("i", "i"), ("i", "i_1")),
        (("i", "i", "i", "i_1", "i"), ("i", "i_2", "i_3", "i_1", "i_4")),
        ((), ()),
    ],
)
def test_distinct_names(names: tuple[str, ...], distinct: tuple[str, ...]) -> None:
    assert distinct_names(names) == distinct


def test_the_room_opens_without_numpy() -> None:
    code = (
        "import sys, scidb_magic.wire.schema, scidb_magic.wire.binary, scidb_magic.wire.arrow\n"
        "print([m for m in ('numpy', 'pandas', 'pyarrow') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
