"""Mathematical functions. Where IEEE has a NaN or infinity DuckDB 1.4 raises, so each domain is guarded."""

from __future__ import annotations

from scidb_magic.embedded.engine.functions.table import Overload

_NAN = "CAST('nan' AS DOUBLE)"
_ENDLESS = f"(CASE WHEN isinf({{0}}) THEN {_NAN} ELSE {{name}}({{0}}) END)"
_UNIT = f"(CASE WHEN abs({{0}}) > 1 AND NOT isnan({{0}}) THEN {_NAN} ELSE {{name}}({{0}}) END)"
_LOGARITHM = (
    f"(CASE WHEN {{0}} < 0 THEN {_NAN} WHEN {{0}} = 0 THEN CAST('-inf' AS DOUBLE) ELSE {{name}}({{0}}) END)"
)
_ROOT = f"(CASE WHEN {{0}} < 0 THEN {_NAN} ELSE {{name}}({{0}}) END)"
_PLAIN = "{name}({0})"

_OF_REALS = {
    "sin": ("sin", _ENDLESS),
    "cos": ("cos", _ENDLESS),
    "tan": ("tan", _ENDLESS),
    "asin": ("asin", _UNIT),
    "acos": ("acos", _UNIT),
    "atan": ("atan", _PLAIN),
    "sqrt": ("sqrt", _ROOT),
    "log": ("ln", _LOGARITHM),
    "log10": ("log10", _LOGARITHM),
    "exp": ("exp", _PLAIN),
}
"""SciDB's name -> DuckDB's, and the guard."""


def _of_reals(name: str, guard: str) -> list[Overload]:
    sql = guard.replace("{name}", name)
    as_double = sql.replace("{0}", "CAST({0} AS DOUBLE)")
    return [
        Overload(("double",), "double", sql, keeps_code=True),
        Overload(("float",), "float", f"CAST({as_double} AS FLOAT)", keeps_code=True),
    ]


def _to_integer(name: str) -> str:
    """C++'s cast of what is too large gives the lowest number."""
    return (
        f"(CASE WHEN {{0}} >= (-9223372036854775808e0) AND {{0}} < 9223372036854775808e0"
        f" THEN CAST({name}({{0}}) AS BIGINT)"
        f" WHEN {{0}} IS NOT NULL THEN CAST((-9223372036854775808) AS BIGINT) END)"
    )


FUNCTIONS: dict[str, list[Overload]] = {
    **{name: _of_reals(*formula) for name, formula in _OF_REALS.items()},
    "ceil": [Overload(("double",), "int64", _to_integer("ceil"), keeps_code=True)],
    "floor": [Overload(("double",), "int64", _to_integer("floor"), keeps_code=True)],
    "abs": [
        Overload(("double",), "double", "abs({0})", keeps_code=True),
        Overload(
            ("int32",),
            "int32",
            "(CASE {0} WHEN (-2147483648) THEN {0} ELSE abs({0}) END)",
            keeps_code=True,
        ),
    ],
    "pow": [Overload(("double", "double"), "double", "pow({0}, {1})")],
}
