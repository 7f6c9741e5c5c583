"""Casts, mathematical functions and aggregates against NumPy, over whole columns at once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

few = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
INTEGERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
ANY_REAL = st.floats(width=64)


def integers(type_: str) -> st.SearchStrategy[int]:
    limits = np.iinfo(type_)
    ends = [limits.min, limits.min + 1, 0, 1, limits.max - 1, limits.max]
    return st.sampled_from(ends) | st.integers(int(limits.min), int(limits.max))


@pytest.mark.parametrize("source", INTEGERS)
@few
@given(data=st.data())
def test_casts_of_integers_keep_the_lowest_bits(calculator: Any, source: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(integers(source), min_size=1, max_size=20))
    for target in INTEGERS:
        found = calculator.run(f"{target}(v)", v=(source, values)).values
        assert found == np.array(values, source).astype(target).tolist()
    reals = calculator.run("double(v)", v=(source, values)).values
    assert reals == np.array(values, source).astype(np.float64).tolist()


@pytest.mark.parametrize("target", INTEGERS)
@few
@given(data=st.data())
def test_casts_of_reals_drop_what_is_behind_the_point(
    calculator: Any, target: str, data: st.DataObject
) -> None:
    limits = np.iinfo(target)
    # Beyond the type C++ promises nothing; the doubles nearest to the ends of 64 bits lie beyond.
    room = 2.0**11 if target.endswith("64") else 0.0
    within = st.floats(float(limits.min), float(limits.max) - room, exclude_max=bool(room))
    values = data.draw(st.lists(within, min_size=1, max_size=20))
    found = calculator.run(f"{target}(v)", v=("double", values)).values
    assert found == [math.trunc(value) for value in values]


@few
@given(st.lists(ANY_REAL, min_size=1, max_size=20))
def test_functions_of_reals(calculator: Any, values: list[float]) -> None:
    numbers = np.array(values)
    with np.errstate(all="ignore"):
        for name in ("sqrt", "exp", "log", "log10", "sin", "cos", "tan", "asin", "acos", "atan", "abs"):
            expected = {"asin": np.arcsin, "acos": np.arccos, "atan": np.arctan}.get(name) or getattr(
                np, name
            )
            found = calculator.run(f"{name}(v)", v=("double", values)).values
            np.testing.assert_allclose(found, expected(numbers), rtol=1e-14, err_msg=name)
        narrow = calculator.run("float(v)", v=("double", values)).values
        np.testing.assert_array_equal(narrow, numbers.astype(np.float32))


@few
@given(st.lists(st.floats(-(2.0**62), 2.0**62), min_size=1, max_size=20))
def test_ceil_and_floor_are_whole(calculator: Any, values: list[float]) -> None:
    assert calculator.run("ceil(v)", v=("double", values)).values == [math.ceil(v) for v in values]
    assert calculator.run("floor(v)", v=("double", values)).values == [math.floor(v) for v in values]


@pytest.mark.parametrize("type_", [*INTEGERS, "float", "double"])
@few
@given(data=st.data())
def test_aggregates(calculator: Any, type_: str, data: st.DataObject) -> None:
    real = type_ in ("float", "double")
    # Numbers of few digits, so that every sum of squares is exact in either order.
    few_digits = st.integers(0 if type_[0] == "u" else -100, 100).map(lambda n: n / 4 if real else n)
    given_values = data.draw(st.lists(st.none() | few_digits, min_size=1, max_size=20))
    columns = {"v": (type_, given_values)}
    values = np.array([value for value in given_values if value is not None], float)
    n = len(values)
    expected = {
        "count": n,
        "sum": values.sum() if n else None,
        "avg": values.mean() if n else None,
        "min": values.min() if n else None,
        "max": values.max() if n else None,
        "var": values.var(ddof=1) if n > 1 else None,
        "stdev": values.std(ddof=1) if n > 1 else None,
        "approxdc": len(set(values)),
    }
    for name, wanted in expected.items():
        found = calculator.aggregate(f"{name}(v)", **columns).value
        assert (found is None) == (wanted is None), name
        if wanted is not None:
            # SciDB's own formula of the variance loses digits where the mean is large.
            assert found == pytest.approx(wanted, rel=1e-12, abs=1e-5), name
