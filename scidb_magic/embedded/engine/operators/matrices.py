"""Linear algebra: ``gemm`` and ``gesvd`` on NumPy, ``spgemm`` as a join.

A matrix is an array of one attribute and two bounded dimensions; a cell that is not there counts as 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scidb_magic.embedded.engine.columns import Axis, Cell, axes, relation, unique
from scidb_magic.embedded.engine.errors import illegal_operation
from scidb_magic.embedded.engine.operators.operator import operator
from scidb_magic.embedded.engine.operators.signature import Arguments
from scidb_magic.embedded.engine.relation import Relation
from scidb_magic.wire.schema import Attribute, Dimension

if TYPE_CHECKING:
    import pyarrow as pa

    from scidb_magic.embedded.engine.planner import Context
    from scidb_magic.embedded.engine.run import Execution

_MOST_PLACES = 100_000_000
"""Places of a matrix that is worked on as a whole: 800 MB of doubles."""

_CHUNK = 1_000

Matrix = NDArray[np.float64]


def gemm(context: Context, args: Arguments) -> Relation:
    """``alpha * A B + beta * C``, A and B perhaps transposed."""
    matrices = args.values("input")
    for matrix in matrices:
        _check_matrix(matrix, "gemm")
    turned = bool(args.value("transa", False)), bool(args.value("transb", False)), False
    shapes = [_sides(matrix, turn) for matrix, turn in zip(matrices, turned, strict=True)]
    (rows, joint), (other, columns), last = shapes
    if joint.length != other.length or [each.length for each in last] != [rows.length, columns.length]:
        raise illegal_operation(
            "gemm takes an n × k, a k × m and an n × m matrix, but was passed"
            f" {', '.join(f'{one.length} × {two.length}' for one, two in shapes)}."
        )
    alpha, beta = args.value("alpha", 1.0), args.value("beta", 1.0)

    def compute(execution: Execution) -> pa.Table:
        a, b, c = (_dense(execution, matrix, turn) for matrix, turn in zip(matrices, turned, strict=True))
        return _listed(execution.apart(lambda: alpha * (a @ b) + beta * c), (rows, columns))

    return context.derived(_result("gemm", (rows, columns)), compute)


def gesvd(context: Context, args: Arguments) -> Relation:
    """One factor of the singular value decomposition: ``left``, ``right`` or ``values``."""
    matrix: Relation = args.value("input")
    _check_matrix(matrix, "gesvd")
    rows, columns = matrix.schema.dimensions
    rank = min(rows.length or 0, columns.length or 0)
    along = Dimension("i", 0, rank - 1, 0, max(1, min(rank, _CHUNK)))
    factors = {"left": ("u", (rows, along)), "right": ("v", (along, columns)), "values": ("sigma", (along,))}
    aliases = {"u": "left", "vt": "right", "s": "values", "sigma": "values"}
    wanted = args.value("factor").lower()
    wanted = aliases.get(wanted, wanted)
    if wanted not in factors:
        raise illegal_operation(f"gesvd gives 'left', 'right' or 'values', not '{args.value('factor')}'.")
    name, dimensions = factors[wanted]

    def compute(execution: Execution) -> pa.Table:
        dense = _dense(execution, matrix, turned=False)
        try:
            left, values, right = execution.apart(lambda: np.linalg.svd(dense, full_matrices=False))
        except np.linalg.LinAlgError:
            raise illegal_operation("gesvd: this matrix has no decomposition that can be computed.") from None
        return _listed({"left": left, "right": right, "values": values}[wanted], dimensions)

    return context.derived(_result(name, dimensions), compute)


_SEMIRINGS = {"+.*": "sum(l.a0 * r.a0)", "min.+": "min(l.a0 + r.a0)", "max.+": "max(l.a0 + r.a0)"}


def spgemm(context: Context, args: Arguments) -> Relation:
    """The product of two sparse matrices: a cell where a row and a column have one in the same place."""
    left, right = args.values("input")
    for matrix in (left, right):
        if len(matrix.schema.dimensions) != 2 or len(matrix.schema.attributes) != 1:
            raise illegal_operation("spgemm takes matrices: two dimensions and one attribute.")
    type_ = left.schema.attributes[0].type
    if type_ != right.schema.attributes[0].type or type_ not in ("float", "double"):
        raise illegal_operation("spgemm takes matrices of the same type, float or double.")
    mine, theirs = left.schema.dimensions[1], right.schema.dimensions[0]
    if (mine.low, mine.high) != (theirs.low, theirs.high):
        raise illegal_operation(f"spgemm: the dimensions '{mine}' and '{theirs}' must have the same bounds.")
    semiring = args.value("semiring") or "+.*"
    if semiring not in _SEMIRINGS:
        raise illegal_operation(f"spgemm knows the semirings {', '.join(_SEMIRINGS)}, not '{semiring}'.")
    product = f"CAST({_SEMIRINGS[semiring]} AS {'FLOAT' if type_ == 'float' else 'DOUBLE'})"
    found = [axes(left, "l.")[0], axes(right, "r.")[1]]
    tail = f"FROM ({left.sql}) AS l JOIN ({right.sql}) AS r ON l.d1 = r.d0 GROUP BY l.d0, r.d1"
    cell = Cell(Attribute("multiply", type_), product)
    return relation(_named(found), [cell], tail, name=left.schema.name, distribution=None)


def _check_matrix(matrix: Relation, name: str) -> None:
    attributes, dimensions = matrix.schema.attributes, matrix.schema.dimensions
    if len(dimensions) != 2 or any(dimension.length is None for dimension in dimensions):
        raise illegal_operation(f"{name} takes matrices: two dimensions, both bounded.")
    if len(attributes) != 1 or attributes[0].type != "double":
        raise illegal_operation(f"{name} takes matrices of one attribute of type double.")
    places = math.prod(dimension.length or 0 for dimension in dimensions)
    if not 0 < places <= _MOST_PLACES:
        raise illegal_operation(f"{name} takes matrices of at most {_MOST_PLACES:,} places, not {places:,}.")


def _sides(matrix: Relation, turned: bool) -> Sequence[Dimension]:
    return matrix.schema.dimensions[::-1] if turned else matrix.schema.dimensions


def _dense(execution: Execution, matrix: Relation, turned: bool) -> Matrix:
    cells = execution.cells(matrix, "d0", "d1", "coalesce(a0, 0) AS a0")
    found = np.zeros([dimension.length or 0 for dimension in matrix.schema.dimensions])
    places = [cells[f"d{k}"].to_numpy() - each.low for k, each in enumerate(matrix.schema.dimensions)]
    found[tuple(places)] = cells["a0"].to_numpy()
    return found.T if turned else found


def _listed(values: Matrix, dimensions: Sequence[Dimension]) -> pa.Table:
    """Every place of a box with its value."""
    import pyarrow as pa

    places = np.indices(values.shape).reshape(values.ndim, -1)
    columns: dict[str, Any] = {f"d{k}": places[k] + each.low for k, each in enumerate(dimensions)}
    columns["a0"] = values.reshape(-1)
    return pa.table(columns)


def _result(name: str, dimensions: Sequence[Dimension]) -> Relation:
    found = _named([Axis(replace(dimension, overlap=0), "0") for dimension in dimensions])
    return relation(found, [Cell(Attribute(name, "double"), "0")], "", name=name, distribution=None)


def _named(found: Sequence[Axis]) -> list[Axis]:
    """Two dimensions of the same name get different ones."""
    names = unique(axis.dimension.name for axis in found)
    return [
        axis
        if axis.dimension.name == name
        else replace(axis, dimension=replace(axis.dimension, name=name, aliases=()))
        for axis, name in zip(found, names, strict=True)
    ]


OPERATORS = (
    operator(
        "gemm",
        "<input> <input> <input>",
        gemm,
        keywords={
            "transa": "<constant:bool>",
            "transb": "<constant:bool>",
            "alpha": "<constant:double>",
            "beta": "<constant:double>",
        },
        frames=False,
    ),
    operator("gesvd", "<input> factor=<constant:string>", gesvd, frames=False),
    operator("spgemm", "<input> <input> semiring=<constant:string>?", spgemm, frames=False),
)
