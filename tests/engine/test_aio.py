"""``aio_input`` and ``dcast``, by the behaviour that Paradigm4's plugin has in its documentation."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scidb_magic.embedded.engine.formats import ragged
from scidb_magic.errors import EngineError

LINES = 'name\tsize\tweight\nann\t1\t3.5\n"b"ob\t2\t4.8\njo\t4\nkim\t\t3.1\tmore\tstill\nnull\tx\t9\n'


@pytest.fixture
def file(scratch: Path) -> str:
    (scratch / "lines.tsv").write_text(LINES)
    return str(scratch / "lines.tsv")


def test_fields_as_they_stand(ask: Any, file: str) -> None:
    assert ask.rows(f"aio_input('{file}', num_attributes:3)") == [
        "0,0,0,'name','size','weight',null",
        "1,0,0,'ann','1','3.5',null",
        "2,0,0,'\"b\"ob','2','4.8',null",
        "3,0,0,'jo','4',null,'short'",
        "4,0,0,'kim','','3.1','long\tmore\tstill'",
        "5,0,0,'null','x','9',null",
    ]
    assert ask.rows(f"project(aio_input('{file}', num_attributes:3, header:4), a0, error)") == [
        "0,0,0,'kim','long\tmore\tstill'",
        "1,0,0,'null',null",
    ]


def test_its_schema_needs_no_file(ask: Any) -> None:
    assert ask.schema("aio_input('/nowhere', num_attributes:2, chunk_size:100)") == (
        "aio_input<a0:string,a1:string,error:string>"
        " [tuple_no=0:*:0:100; dst_instance_id=0:0:0:1; src_instance_id=0:0:0:1]"
    )
    assert ask.schema("aio_input('/nowhere', num_attributes:2, split_on_dimension:true)") == (
        "aio_input<a:string> [tuple_no=0:*:0:10000000; dst_instance_id=0:0:0:1; src_instance_id=0:0:0:1;"
        " attribute_no=0:2:0:3]"
    )


def test_several_files(ask: Any, scratch: Path) -> None:
    for number in range(3):
        (scratch / f"{number}.csv").write_text(f"k,x\n{number},{number}.5")
    paths = ", ".join(f"'{scratch}/{number}.csv'" for number in range(3))
    how = "num_attributes:2, header:1, attribute_delimiter:','"
    query = f"aio_input(paths:({paths}), instances:(0, 1, 5), {how})"
    assert ask.rows(query) == [
        "0,0,0,'0','0.5',null",
        "0,1,1,'1','1.5',null",
        "0,5,5,'2','2.5',null",
    ]
    assert "src_instance_id=0:5:0:1" in ask.schema(query)


def test_fields_along_a_dimension(ask: Any, scratch: Path) -> None:
    (scratch / "f").write_text("a|b\nc\n")
    query = f"aio_input('{scratch}/f', num_attributes:2, attribute_delimiter:'|', split_on_dimension:true)"
    assert ask.rows(query) == [
        "0,0,0,0,'a'",
        "0,0,0,1,'b'",
        "0,0,0,2,null",
        "1,0,0,0,'c'",
        "1,0,0,1,null",
        "1,0,0,2,'short'",
    ]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", []),
        ("\n", ["0,0,0,'',null"]),
        ("x", ["0,0,0,'x',null"]),
        ("x\n\n", ["0,0,0,'x',null", "1,0,0,'',null"]),
    ],
)
def test_ends_of_files(ask: Any, scratch: Path, text: str, rows: list[str]) -> None:
    (scratch / "f").write_text(text)
    assert ask.rows(f"aio_input('{scratch}/f', num_attributes:1)") == rows


@pytest.mark.parametrize(
    "arguments",
    [
        "'f'",
        "'f', num_attributes:0",
        "num_attributes:1",
        "'f', paths:('g'), instances:(0), num_attributes:1",
        "paths:('f', 'g'), instances:(0), num_attributes:1",
        "paths:('f', 'g'), instances:(0, 0), num_attributes:1",
        "paths:('f', 'g'), instances:(0, -1), num_attributes:1",
        "'f', num_attributes:1, header:-1",
        "'f', num_attributes:1, attribute_delimiter:'ab'",
        "'f', num_attributes:1, buffer_size:8",
    ],
)
def test_what_is_refused(ask: Any, arguments: str) -> None:
    with pytest.raises(EngineError) as caught:
        ask.rows(f"aio_input({arguments})")
    assert caught.value.long == "ILLEGAL_OPERATION"


def test_nothing_outside_of_the_folders(ask: Any) -> None:
    with pytest.raises(EngineError) as caught:
        ask.rows("aio_input('/etc/passwd', num_attributes:1)")
    assert caught.value.long == "CANT_OPEN_FILE"


@pytest.mark.parametrize(
    ("text", "default", "expected"),
    [
        ("127", "int8(null)", "127"),
        ("128", "int8(null)", "null"),
        ("-128", "int8(null)", "-128"),
        ("-129", "int8(5)", "5"),
        (" 12 ", "int64(null)", "12"),
        ("1.5", "int64(null)", "null"),
        ("255", "uint8(null)", "255"),
        ("-1", "uint8(null)", "null"),
        ("9223372036854775808", "int64(null)", "null"),
        ("18446744073709551615", "uint64(null)", "18446744073709551615"),
        ("  1.25 ", "double(null)", "1.25"),
        ("1e3", "double(null)", "1000"),
        ("nan", "double(null)", "nan"),
        ("x", "double(missing(7))", "?7"),
        ("", "double(null)", "null"),
        (" true", "bool(null)", "true"),
        ("FalSe ", "bool(null)", "false"),
        ("yes", "bool(null)", "null"),
    ],
)
def test_dcast(ask: Any, text: str, default: str, expected: str) -> None:
    query = f"apply(build(<s:string>[i=0:0], '{text}'), v, dcast(s, {default}))"
    assert ask.rows(query)[0] == f"0,'{text}',{expected}"


def test_dcast_of_nothing(ask: Any) -> None:
    query = "project(apply(build(<s:string>[i=0:0], null), v, dcast(s, int64(3))), v)"
    assert ask.rows(query)[0] == "0,3"


def test_they_are_listed(ask: Any) -> None:
    listed = ask.text("filter(list('operators'), library = 'accelerated_io_tools')", "tsv")
    assert [line.split("\t")[0] for line in listed.splitlines()] == ["aio_input", "aio_save"]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(alphabet="ab|\n'\\", max_size=40), st.integers(1, 4), st.integers(0, 2))
def test_any_lines(text: str, width: int, header: int) -> None:
    """Beside the same in plain Python."""
    columns = ragged.read(text.encode(), width, line_end=10, separator=ord("|"), header=header)
    lines = io.StringIO(text, newline="\n").read().split("\n")
    lines = (lines[:-1] if lines[-1] == "" else lines)[header:]
    expected = []
    for line in lines:
        fields: list[str | None] = list(line.split("|"))
        error = None
        if len(fields) < width:
            error = "short"
        elif len(fields) > width:
            error = "long\t" + "|".join(field or "" for field in fields[width:])
        expected.append(((fields + [None] * width)[:width], error))
    found = [[None if v is None else v.decode() for v in column.to_pylist()] for column in columns]
    assert [(list(row[:-1]), row[-1]) for row in zip(*found, strict=True)] == expected
