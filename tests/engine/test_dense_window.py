"""``window`` on NumPy gives what ``window`` in SQL gives, for every type and aggregate."""

from __future__ import annotations

import pytest

from scidb_magic.embedded.engine.operators import dense_window

AGGREGATES = ("sum", "avg", "count", "min", "max", "var", "stdev")
TYPES = ("int8", "int32", "int64", "uint8", "uint32", "uint64", "float", "double")
HOLES = "filter(build(<v:{type}>[i=-2:11:0:4; j=0:7:0:3], {value}), not (i % 4 = 1 and j < 3))"
MIXED = "iif((i + j) % 5 = 0, null, {type}((i * i * 7 + j * 3) % 23))"


def both(ask, monkeypatch, query: str) -> tuple[list[str], list[str]]:
    """The answers of NumPy and of SQL."""
    by_numpy = ask.rows(query)
    with monkeypatch.context() as patch:
        patch.setattr(dense_window, "fits", lambda *_: False)
        return by_numpy, ask.rows(query)


@pytest.mark.parametrize("sides", ["1,1,1,1", "0,3,2,0", "20,0,0,20"])
@pytest.mark.parametrize("type_", TYPES)
def test_as_in_sql(ask, monkeypatch, type_: str, sides: str) -> None:
    value = MIXED.format(type=type_)
    listed = ", ".join(f"{name}(v)" for name in AGGREGATES)
    query = f"window({HOLES.format(type=type_, value=value)}, {sides}, {listed}, count(*))"
    by_numpy, by_sql = both(ask, monkeypatch, query)
    assert len(by_numpy) == 14 * 8 - 3 * 3
    assert by_numpy == by_sql


def test_nan_and_infinity_stay_in_their_windows(ask, monkeypatch) -> None:
    value = "iif(i = 3 and j = 3, nan, iif(i = 9 and j = 6, inf, double(i)))"
    query = f"window({HOLES.format(type='double', value=value)}, 1,1,1,1, sum(v), min(v), max(v))"
    by_numpy, by_sql = both(ask, monkeypatch, query)
    assert by_numpy == by_sql
    assert sum("nan" in line for line in by_numpy) == 9


def test_sums_wrap_as_in_sql(ask, monkeypatch) -> None:
    query = "window(build(<v:int64>[i=0:3; j=0:3], 9223372036854775807 - i), 1,1,1,1, sum(v))"
    by_numpy, by_sql = both(ask, monkeypatch, query)
    assert by_numpy == by_sql
    assert by_numpy[0] == "0,0,-6"


def test_cells_are_added_in_their_order(ask) -> None:
    """1e16 + 1 - 1e16 is 0, row by row; put together otherwise it would be 1."""
    query = "window(build(<v:double>[i=0:0; j=0:2], iif(j=0, 1e16, iif(j=1, 1.0, -1e16))), 0,0,1,1, sum(v))"
    assert ask.rows(query)[1] == "0,1,0"
