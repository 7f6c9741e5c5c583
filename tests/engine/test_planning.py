"""Planning beyond single operators: depth, functions that ask the catalogue, nothing but EngineError."""

from __future__ import annotations

import random

import pytest

from scidb_magic.embedded.engine.operators import MACROS, OPERATORS
from scidb_magic.errors import EngineError

LINE = "build(<v:int64>[i=0:9], i)"


def nested(times: int) -> str:
    query = LINE
    for _ in range(times):
        query = f"filter({query}, v >= 0)"
    return query


def test_statements_nest_hundreds_deep(ask) -> None:
    assert ask.rows(f"aggregate({nested(300)}, sum(v))") == ["0,45"]


def test_too_deep_is_an_error_and_not_a_crash(ask) -> None:
    with pytest.raises(EngineError):
        ask.run(nested(3000))
    assert ask.rows(f"op_count({LINE})") == ["0,10"]


def test_functions_that_ask_for_an_arrays_bounds(ask) -> None:
    ask.run("store(filter(build(<v:int64>[i=2:9; j=-1:5], i), i > 3 and j = 0), A)")
    asked = "first_index('A', 'i'), last_index('A', 'j'), length('A', 'j'), low('A', 'i'), high('A', 'i')"
    named = ", ".join(f"x{k}, {call}" for k, call in enumerate(asked.replace("), ", ")|").split("|")))
    assert ask.rows(f"apply(build(<v:int64>[n=0:0], first_index('A')), {named})") == ["0,2,2,5,7,4,9"]
    assert len(ask.rows("between(A, first_index('A', 'i') + 3, 0, last_index('A', 'i'), 0)")) == 5
    with pytest.raises(EngineError) as caught:
        ask.run("build(<v:int64>[n=0:0], length('A', 'k'))")
    assert caught.value.long == "DIMENSION_NOT_EXIST"


def test_arithmetic_that_overflows_wraps_around(ask) -> None:
    query = "apply(build(<v:int64>[i=0:1], 9223372036854775807), w, v + i)"
    assert ask.rows(query)[1] == "1,9223372036854775807,-9223372036854775808"


def test_a_null_where_none_may_be_is_an_error(ask) -> None:
    for query in (
        "build(<v:int64 not null>[i=0:2], iif(i=1, null, i))",
        f"cast(apply({LINE}, w, iif(i=1, null, i)), <v:int64, w:int64 not null>[i=0:9])",
    ):
        with pytest.raises(EngineError) as caught:
            ask.rows(query)
        assert caught.value.long == "ASSIGNING_NULL_TO_NON_NULLABLE"


def test_qualified_names(ask) -> None:
    ask.run(f"store({LINE}, A)")
    assert ask.rows("filter(cross_join(A as x, A as y, x.i, y.i), x.v = y.v and x.i = 3)") == ["3,3,3"]
    assert ask.rows("filter(apply(A, w, A.v + 1), A.w = 4)") == ["3,3,4"]
    with pytest.raises(EngineError) as caught:
        ask.run("filter(A as x, A.v = 1)")
    assert caught.value.long == "REF_NOT_FOUND"


def test_every_operator_tells_its_parameters_and_refuses_nonsense(ask) -> None:
    for name in OPERATORS:
        assert ask.text(f"help('{name}')").startswith(f"0,'Operator: {name}\n")
        with pytest.raises(EngineError):
            ask.run(f"{name}(1, 2, 3, 4, 5, 6, 7, 8, 9)")


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_asked_the_answer_is_a_result_or_an_error_of_scidb(ask, seed: int) -> None:
    rng = random.Random(seed)
    ask.run(f"store({LINE}, A)")
    leaves = ["A", "v", "i", "1", "-2", "0.5", "'x'", "null", "true", "<v:int64>[i=0:9]", "<w:int64>[v=0:*]"]
    leaves += ["A.v", "A@1", "nope", "*", "(v, 1)", "(i, k)", "v as w", "count(*)", "sum(v)", "avg(i) as z"]
    names = [*OPERATORS, *MACROS]

    def term(depth: int) -> str:
        if depth == 0 or rng.random() < 0.4:
            return rng.choice(leaves)
        inner = ", ".join(term(depth - 1) for _ in range(rng.randrange(5)))
        return f"{rng.choice(names)}({inner})"

    answered = 0
    for _ in range(150):
        arguments = ", ".join(term(2) for _ in range(rng.randrange(5)))
        try:
            ask.run(f"{rng.choice(names)}({arguments})")
            answered += 1
        except EngineError as error:
            assert error.description
        if not ask.rows("list('arrays')"):
            ask.run(f"store({LINE}, A)")
    assert answered < 150
