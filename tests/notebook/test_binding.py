"""``{{ expression }}``: where it is seen, where it ends, what it becomes, and where its errors point."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scidb_magic import Name
from scidb_magic.errors import BindingError
from scidb_magic.notebook.binding import Bound, bind, holes


def texts(cell: str, **namespace: object) -> list[str]:
    return [bound.text for bound in bind(cell, namespace)]


@pytest.mark.parametrize(
    ("cell", "expressions"),
    [
        ("scan(A)", []),
        ("filter(A, x > {{ limit }})", ["limit"]),
        ("f({{a}}, {{ b }})", ["a", "b"]),
        ("""f({{ d["}}"] }})""", ['d["}}"]']),
        ("f({{ {1: {2: 3}}[1][2] }}, {{ {1:{2:3}}}})", ["{1: {2: 3}}[1][2]", "{1:{2:3}}"]),
        ("""f({{ "a" ';' }})""", [""""a" ';\'"""]),
        ("""f({{ "it's" }}, 'x')""", ['"it\'s"']),
        ("f({{ f'{x}{{}}' }})", ["f'{x}{{}}'"]),
        ("f({{ [\n  a,\n  b\n][0] }})", ["[\n  a,\n  b\n][0]"]),
        ("f({{ a +\n b }})", ["a +\n b"]),
        ("apply(A, s, '{{ not_this }}')", []),
        ("apply(A, s, 'it\\'s {{ not_this }}', {{ this }})", ["this"]),
        ("scan(A) -- {{ not_this }}\n/* {{ nor this }} */", []),
        ('apply(A, "{{ not_this }}", 1)', []),
        ("let {f(x) = {x}} in {x} $x :x <x:int64>[i] %x", []),
    ],
)
def test_where_expressions_are(cell: str, expressions: list[str]) -> None:
    found = holes(cell)
    assert [hole.expression for hole in found] == expressions
    assert all(cell[hole.start : hole.end].strip("{} \n") != "" for hole in found)
    assert all(
        cell[hole.start : hole.start + 2] == "{{" and cell[hole.end - 2 : hole.end] == "}}" for hole in found
    )


def test_values_become_literals() -> None:
    assert texts("f({{ n }}, {{ text }}, {{ array }})", n=3, text="a'b", array=Name("A")) == [
        "f(3, 'a\\'b', A)"
    ]


def test_a_value_cannot_break_out() -> None:
    evil = "'); remove(A); --"
    assert texts("filter(A, s = {{ evil }})", evil=evil) == ["filter(A, s = '\\'); remove(A); --')"]


def test_statements_are_split_around_the_expressions() -> None:
    cell = "store(build(<x:int64>[i=0:{{ d[';'] }}], i), {{ t }});\n\nscan({{ t }});"
    assert texts(cell, d={";": 9}, t=Name("T")) == ["store(build(<x:int64>[i=0:9], i), T)", "scan(T)"]


def test_names_of_functions_and_comprehensions_are_seen() -> None:
    assert texts("f({{ sum(x * k for x in range(4)) }})", k=2) == ["f(12)"]


@pytest.mark.parametrize(
    ("cell", "sentence", "marked"),
    [
        ("scan({{ nope }})", "{{ nope }}: NameError: name 'nope' is not defined", "{{ nope }}"),
        ("scan(A); f({{ 1 / 0 }})", "{{ 1 / 0 }}: ZeroDivisionError: division by zero", "{{ 1 / 0 }}"),
        ("f({{ a b }})", "{{ a b }} holds no Python expression.", "{{ a b }}"),
        ("f({{ }})", "{{ }} is empty.", "{{ }}"),
        ("f({{ a )", "'{{' has no '}}' behind it.", "{{"),
    ],
)
def test_an_error_is_one_line_with_its_place(cell: str, sentence: str, marked: str) -> None:
    with pytest.raises(BindingError) as caught:
        bind(cell, {"a": 1})
    assert str(caught.value) == sentence
    assert cell[caught.value.position :][: caught.value.length] == marked


def test_a_value_without_a_literal() -> None:
    with pytest.raises(BindingError, match=r"^\{\{ thing \}\}: "):
        bind("f({{ thing }})", {"thing": object()})


@pytest.mark.parametrize("data", [pd.DataFrame({"name": [1]}), pd.Series([1.0]), np.zeros((2, 2))])
def test_frames_and_arrays_are_attached(data: object) -> None:
    seen: list[object] = []

    def attach(given: object) -> str:
        seen.append(given)
        return "input(…)"

    assert [bound.text for bound in bind("scan({{ data }})", {"data": data}, attach)] == ["scan(input(…))"]
    assert seen[0] is data


def test_numpy_scalars_are_values() -> None:
    assert texts("f({{ x }}, {{ n }})", x=np.float64(2.5), n=np.int8(3)) == ["f(2.5, 3)"]


def marked(cell: str, bound: Bound, token: str) -> str:
    """What the origin of `token`'s first occurrence marks in the cell."""
    start, length = bound.origin(bound.text.index(token), len(token))
    return cell[start : start + length]


def test_places_are_those_of_the_users_text() -> None:
    cell = "scan(A);\n  filter({{ name }}, nope > {{ long_name + 1 }} and {{ s }} = other)"
    statement = bind(cell, {"name": Name("A_long_array_name"), "long_name": 1, "s": "x"})[1]
    assert statement.text == "filter(A_long_array_name, nope > 2 and 'x' = other)"
    assert marked(cell, statement, "filter") == "filter"
    assert marked(cell, statement, "nope") == "nope"
    assert marked(cell, statement, "other") == "other"
    assert marked(cell, statement, "A_long_array_name") == "{{ name }}"
    assert marked(cell, statement, "2") == "{{ long_name + 1 }}"
    assert marked(cell, statement, "> 2 and") == "> {{ long_name + 1 }} and"
