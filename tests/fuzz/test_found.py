"""What the fuzzer has found, in short: each was a 500, an error of DuckDB's or no answer at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from .target import Target
from .traffic import Traffic
from .writer import ARRAYS, Writer

GRID = "build(<v:int64>[x=0:3;y=0:3],x)"


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with Target() as target:
        yield target


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (f"slice({GRID},x,null)", "WRONG_OPERATOR_ARGUMENT2"),
        (f"window({GRID},null,1,0,0,sum(v))", "WRONG_OPERATOR_ARGUMENT2"),
        (f"quantile({GRID},null)", "WRONG_OPERATOR_ARGUMENT2"),
        (f"xgrid({GRID},null,1)", "WRONG_OPERATOR_ARGUMENT2"),
        (f"save({GRID},null)", "WRONG_OPERATOR_ARGUMENT2"),
        (f"xgrid({GRID},4611686018427387904,1)", "OP_XGRID_ERROR2"),
        (f"{'cross_join(fz_grid,' * 60}fz_grid{')' * 60}", "ILLEGAL_OPERATION"),
        ("save(build(<a:int64>[i=0:*:0:20000000],'[(1)]',true),'out',0,'dense')", "CANT_ALLOCATE_MEMORY"),
        (f"aggregate({GRID},sum(v),x,0)", "PARAMETER_NOT_POSITIVE_INTEGER"),
        (f"regrid({GRID},2,2,sum(v),0,0)", "PARAMETER_NOT_POSITIVE_INTEGER"),
        (f"save(repart({GRID},<v:int64>[x=0:1;y=0:3]),'out',0,'dense')", "INVALID_REDIMENSION_POSITION"),
        ("aio_input('x',num_attributes: 2147483647)", "ILLEGAL_OPERATION"),
        ("build(<v:int64>[x=0:3],string(null),true)", "WRONG_OPERATOR_ARGUMENT2"),
        ("limit(fz_mixed,strlen('a'*1000000000))", "CANT_ALLOCATE_MEMORY"),
        ("build(<s:string>[i=0:3],string(i)*4611686018427387904)", "CANT_ALLOCATE_MEMORY"),
        ("filter(fz_mixed,regex(s,'['))", "ILLEGAL_OPERATION"),
        (f"equi_join({GRID},{GRID},'left_ids=0','right_ids=0','out_names=a b:x>')", "ILLEGAL_OPERATION"),
        (f"equi_join({GRID},{GRID},'left_ids=²','right_ids=0')", "ILLEGAL_OPERATION"),
        ("gesvd(build(<v:double>[i=0:2:0:3;j=0:2:0:3],sqrt(-1.0)),'values')", "ILLEGAL_OPERATION"),
        ("build(<v:int64>[i=0:9:0:4000000000000000000*4],i)", "INCORRECT_CHUNK_SIZE"),
        (f"build(<v:int64>[i=0:1],{'0' * 5000}1{'0' * 5000})", "BAD_LITERAL_INTEGER"),
        (f"build(<v:int64>[i=0:1],'[(?{'1' * 5000})]',true)", "FILE_IMPORT_FAILED"),
        (
            f"filter(fz_mixed,{'(' * 30}true{' between false and true)' * 30})",
            "EXPRESSION_HAS_TOO_MANY_OPERANDS",
        ),
        (
            f"let {{x0=1;{';'.join(f'x{k + 1}=x{k}+x{k}' for k in range(40))}}} in filter(fz_mixed,x40>0)",
            "EXPRESSION_HAS_TOO_MANY_OPERANDS",
        ),
        (
            f"filter(fz_mixed,{'func_max(1,' * 30}1{')' * 30}>0)",
            "EXPRESSION_HAS_TOO_MANY_OPERANDS",
        ),
        ("filter(fz_mixed,regex(s,'['+s))", "ILLEGAL_OPERATION"),
        ("filter(fz_mixed,format(b,'%d')='x')", "ILLEGAL_OPERATION"),
        ("filter(fz_mixed,format(b,'%f %f')='x')", "ILLEGAL_OPERATION"),
        (
            "filter(fz_mixed,datetimetz('2020-01-01 00:00:00 +99999999999999999999:00')>tznow())",
            "FAILED_PARSE_STRING",
        ),
    ],
)
def test_a_clear_error(target: Target, query: str, code: str) -> None:
    reply = target.query(target.witness, query)
    assert reply.status == 406
    assert f"::SCIDB_LE_{code}\n" in reply.text


def test_letters_that_strftime_does_not_know_stand_for_themselves(target: Target) -> None:
    # C's own strftime, of glibc: unknown conversions are copied.
    moment = "datetime('2020-01-02 03:04:05')"
    query = f"build(<s:string>[i=0:0],strftime({moment},'%Y %! %%_%'))"
    assert target.query(target.witness, query, "csv").status == 200
    assert target.get("/read_lines", {"id": target.witness, "n": "0"}).text == "'2020 %! %_%'\n"


def test_formats_of_doubles(target: Target) -> None:
    query = "build(<s:string>[i=0:3],format(i*1.5,iif(i=0,'%%',iif(i=1,'%8.3f|',iif(i=2,'%+e','none')))))"
    assert target.query(target.witness, query, "csv").status == 200
    read = target.get("/read_lines", {"id": target.witness, "n": "0"}).text
    assert read.splitlines() == ["'%'", "'   1.500|'", "'+3.000000e+00'", "'none'"]


def test_constants_wrap_as_in_cells(target: Target) -> None:
    # -100 * (2**63 - 1) is 100 modulo 2**64.
    query = "save(limit(build(<v:int64>[x=0:199],x),(-100)*9223372036854775807),'{scratch}/out',0,'tsv')"
    name = target.places["{scratch}"]
    assert target.query(target.witness, query.replace("{scratch}", name)).status == 200
    assert len(Path(name, "out").read_text().splitlines()) == 100


def test_strings_are_repeated(target: Target) -> None:
    query = "build(<s:string>[i=0:2],iif(i=0,(i-5)*'ab',iif(i=1,'ab'*3,'ab'*int64(null))))"
    assert target.query(target.witness, query, "csv").status == 200
    assert target.get("/read_lines", {"id": target.witness, "n": "0"}).text == "''\n'ababab'\nnull\n"


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        # 7 * (2**64 - 1) is 2**64 - 7 in 64 bits, which is true; DuckDB's optimiser fails at it.
        ("aggregate(filter(fz_sparse,bool(u * uint64(-1))),count(*))", "6\n"),
        ("build(<b:bool>[i=0:1],regex('a'*(i+1),'['+'a'+']'))", "true\nfalse\n"),
        ("aggregate(apply(fz_zoned,b,regex(s*j,s)),count(*))", "4\n"),
        ("build(<s:string>[i=0:0],strftime(datetime(5),''))", "''\n"),
    ],
)
def test_what_duckdb_stumbles_over(target: Target, query: str, rows: str) -> None:
    reply = target.query(target.witness, query, "csv")
    assert reply.status == 200, reply.text
    assert target.get("/read_lines", {"id": target.witness, "n": "0"}).text == rows


def test_a_read_of_more_than_there_is(target: Target) -> None:
    assert target.query(target.witness, GRID, "(int64)").status == 200
    read = target.get("/read_bytes", {"id": target.witness, "n": "999999999999999999"})
    assert (read.status, len(read.body)) == (200, 16 * 8)


@pytest.mark.parametrize("origin", ["http://[::1", "null", "", "http://"])
def test_an_origin_that_is_no_url_is_foreign(target: Target, origin: str) -> None:
    for host in ("Host: localhost\r\n", ""):
        answer = target.send(f"GET /version HTTP/1.1\r\n{host}Origin: {origin}\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")


def test_the_same_seed_writes_the_same(target: Target) -> None:
    one, other = (Writer(Random(7), "w_") for _ in range(2))
    assert [one.statement() for _ in range(200)] == [other.statement() for _ in range(200)]
    assert {known.text for known in one.base} == set(ARRAYS)
    assert Traffic(Random(7), target).calls()[0] == Traffic(Random(7), target).calls()[0]


BRACES = "'{0} {1} {} {{0}} {x} %Y'"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (f"strftime(datetime(0),{BRACES})", "{0} {1} {} {{0}} {x} 1970"),
        ("strftime(datetime(0),'%e{0}')", " 1{0}"),
        ("strftime(datetime(0),'{0}'+'%Y')", "{0}1970"),
        ("format(1.5,'{0}%.1f{1}')", "{0}1.5{1}"),
        ("substr('{0}{1}',0,3)", "{0}"),
        ("'{0}'*2+string(1)", "{0}{0}1"),
        ("iif(regex('{0}','[{]0[}]'),'{1}','{0}')", "{1}"),
        ("string(datetime('2020-01-02 03:04:05'))+'{0}'", "2020-01-02 03:04:05{0}"),
    ],
)
def test_braces_are_text(target: Target, expression: str, value: str) -> None:
    """Formulas are templates with ``{0}`` for their operands; text of the user's is no part of those."""
    query = f"apply(build(<a:int64>[i=0:0],1),s,{expression})"
    assert target.query(target.witness, f"project({query},s)", save="tsv").status == 200
    assert target.get("/read_lines", {"id": target.witness, "n": "0"}).text == value + "\n"


def test_nobody_breaks_out_of_a_literal(target: Target) -> None:
    evil = "\\' || 1) AS a1 FROM (SELECT 0 AS d0, 1 AS a0)); DELETE FROM stored.main.versions; --"
    made = f"apply(build(<a:int64>[i=0:0],1),s,strftime(datetime('{evil}'),'{{0}}'))"
    assert target.query(target.witness, f"consume({made})").status == 406
    assert target.query(target.witness, "consume(scan(fz_mixed))").status == 200


def test_a_query_in_no_utf8_does_not_hide_the_others(target: Target) -> None:
    reply = target.query(target.witness, "list('queries') -- \udcff", save="tsv")
    assert reply.status in (200, 406)
    assert target.query(target.witness, "consume(list('queries'))").status == 200
