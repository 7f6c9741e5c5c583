"""Limits of memory, disk and size end a query with a clear error, and the session goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from scidb_magic.embedded.engine import EngineSession
from scidb_magic.errors import EngineError


def goes_on(session: EngineSession, scratch: Path) -> None:
    session.execute(f"save(build(<v:int64>[i=0:0], 1), '{scratch}/small', 0, 'csv')")
    assert (scratch / "small").read_text() == "1\n"
    session.close()


def test_a_result_beyond_memory_is_written_out_in_pieces(make_engine, scratch: Path) -> None:
    session = make_engine(memory_limit="120MB", temp_limit="2GB").session()
    session.execute(
        f"save(build(<s:string>[i=0:2999999], '{'x' * 50}' + string(i)), '{scratch}/out', 0, 'tsv')"
    )
    assert (scratch / "out").stat().st_size == sum(51 + len(str(i)) for i in range(3_000_000))
    goes_on(session, scratch)


@pytest.mark.parametrize(
    "query", ["consume(sort({many}, s))", "store({many}, A)", "save({many}, 'out', 0, 'csv')"]
)
def test_a_query_over_the_limits_is_refused(make_engine, scratch: Path, query: str) -> None:
    session = make_engine(memory_limit="60MB", temp_limit="1MB").session()
    many = f"build(<s:string>[i=0:3999999], '{'x' * 60}' + string(i))"
    with pytest.raises(EngineError) as caught:
        session.execute(query.format(many=many))
    assert caught.value.short == "NO_MEMORY"
    assert "--memory-limit, --temp-limit" in caught.value.description
    assert not (scratch / "out").exists()
    goes_on(session, scratch)


def test_a_result_over_its_size_limit_is_not_written_on(make_engine, scratch: Path) -> None:
    session = make_engine().session()
    many = "build(<v:int64>[i=0:9999999], i)"
    for name in ("tsv", "arrow"):
        with pytest.raises(EngineError) as caught:
            session.execute(
                f"aio_save({many}, paths: '{scratch}/out', format: '{name}', result_size_limit: 2)"
            )
        assert "exceeds 2 MB" in caught.value.description
        assert (scratch / "out").stat().st_size <= 2 * 2**20
    session.execute(f"aio_save(limit({many}, 9), paths: '{scratch}/out', result_size_limit: 2)")
    goes_on(session, scratch)
