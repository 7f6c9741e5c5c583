"""Which requests a fetch makes, and in which format its cells come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from scidb_magic.errors import QueryError, SettingError
from scidb_magic.shim.client import ShimClient

CELLS = "build(<v:int64>[i=0:4], i * i)"
ZONED = "apply(build(<v:int64>[i=0:1], i), t, datetimetz('2009-02-13 23:31:30 +05:30'))"
UNSUPPORTED = (
    "UserQueryException in file: src/query/x.cpp function: x line: 1 instance: s0-i0 (0)\n"
    "Error id: scidb::SCIDB_SE_PLUGIN_MGR::SCIDB_LE_UNSUPPORTED_FORMAT\n"
    "Error description: Plugin manager error. Unsupported format 'arrow'."
)


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The formats in which queries were saved, in order."""
    formats: list[str | None] = []
    send: Callable[..., str] = ShimClient.execute_query

    def noted(client: ShimClient, sid: str, query: str, **how: Any) -> str:
        formats.append(how.get("save"))
        return send(client, sid, query, **how)

    monkeypatch.setattr(ShimClient, "execute_query", noted)
    return formats


def test_arrow_is_probed_once(embedded: Any, make: Any, saved: list[str | None]) -> None:
    session = make(embedded.url)
    for _ in range(2):
        assert session.fetch(CELLS)["v"].tolist() == [0, 1, 4, 9, 16]
    assert saved == ["tsv", "arrow", "arrow", "tsv", "arrow"]


def test_what_arrow_cannot_carry_comes_in_binary(embedded: Any, make: Any, saved: list[str | None]) -> None:
    session = make(embedded.url)
    moments = session.fetch(ZONED)["t"]
    assert moments.tolist() == [pd.Timestamp("2009-02-13 18:01:30", tz="UTC")] * 2
    assert saved == ["tsv", "(int64,int64 null,datetimetz)"]
    with pytest.raises(QueryError):
        session.fetch(ZONED, format="arrow")


def test_missing_reasons_come_in_binary(embedded: Any, make: Any, saved: list[str | None]) -> None:
    session = make(embedded.url)
    frame = session.fetch("build(<v:int64>[i=0:1], missing(7 + i))", missing="codes")
    assert frame["v_missing"].tolist() == [7, 8]
    assert saved == ["tsv", "(int64,int64 null)"]


def test_a_server_without_arrow_is_not_asked_again(
    embedded: Any, make: Any, saved: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a shim without ``aio=1``; the embedded server has no such one."""
    send: Callable[..., str] = ShimClient.execute_query

    def refused(client: ShimClient, sid: str, query: str, **how: Any) -> str:
        if how.get("save") == "arrow":
            raise QueryError("SCIDB_LE_UNSUPPORTED_FORMAT", UNSUPPORTED, statement=query)
        return send(client, sid, query, **how)

    monkeypatch.setattr(ShimClient, "execute_query", refused)
    session = make(embedded.url)
    for _ in range(2):
        assert session.fetch(CELLS)["v"].tolist() == [0, 1, 4, 9, 16]
    assert saved == ["tsv", "(int64,int64 null)"] * 2


@pytest.mark.parametrize("format", ["arrow", "binary"])
def test_a_given_schema_saves_asking_for_it(
    embedded: Any, make: Any, saved: list[str | None], format: str
) -> None:
    session = make(embedded.url, format=format)
    frame = session.fetch(CELLS, schema="<v:int64>[i=0:4]")
    assert frame.to_dict("list") == {"i": [0, 1, 2, 3, 4], "v": [0, 1, 4, 9, 16]}
    assert len(saved) == 1


@pytest.mark.parametrize("format", ["arrow", "binary"])
@pytest.mark.parametrize(
    ("afl", "expected"),
    [
        (
            "cross_join(build(<v:int64>[i=0:1], i), build(<v:int64>[i=0:1], 5))",
            {"i": [0, 0, 1, 1], "i_1": [0, 1, 0, 1], "v": [0, 0, 1, 1], "v_1": [5, 5, 5, 5]},
        ),
        ("filter(build(<v:double>[i=0:1], null), i > 5)", {"i": [], "v": []}),
    ],
)
def test_names_that_collide_and_no_cells(
    embedded: Any, make: Any, format: str, afl: str, expected: dict[str, list[int]]
) -> None:
    assert make(embedded.url, format=format).fetch(afl).to_dict("list") == expected


def test_cells_in_row_major_order(embedded: Any, make: Any) -> None:
    session = make(embedded.url)
    afl = "build(<v:int64>[i=0:3:0:2; j=0:3:0:2], i * 4 + j)"
    assert session.fetch(afl, order=True)["v"].tolist() == list(range(16))
    assert sorted(session.fetch(afl)["v"].tolist()) == list(range(16))


def test_an_unknown_format_is_refused(embedded: Any, make: Any) -> None:
    with pytest.raises(SettingError, match="auto, arrow, binary"):
        make(embedded.url).fetch(CELLS, format="parquet")
