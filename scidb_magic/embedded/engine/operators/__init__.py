"""The table of operators: one name, one rule.

    build.py        build
    select.py       scan apply filter project between cross_between bernoulli limit
    substitute.py   substitute
    cast.py         cast
    aggregate.py    aggregate
    redimension.py  redimension
    window.py       window; dense_window.py  the same on NumPy
    join.py         cross_join join
    equi_join.py    equi_join grouped_aggregate
    shape.py        subarray slice transpose unpack flatten unfold repart reshape regrid xgrid
    running.py      cumulate variable_window quantile
    order.py        sort uniq rank avg_rank merge index_lookup
    matrices.py     gemm gesvd spgemm
    io.py           input save consume
    aio.py          aio_input aio_save
    arrays.py       create_array store insert delete add_attributes remove rename remove_versions
    about.py        show versions dimensions attributes
    summarize.py    summarize
    server.py       list help echo cancel load_library
    macros.py       append load discard op_count op_sum …

`operator` says what a row of the table is, `signature` how arguments are matched, `kinds` what they
stand for. A new operator is a rule and a row in the ``OPERATORS`` of one of these files.
"""

from __future__ import annotations

from scidb_magic.embedded.engine.operators import (
    about,
    aggregate,
    aio,
    arrays,
    build,
    cast,
    equi_join,
    io,
    join,
    matrices,
    order,
    redimension,
    running,
    select,
    server,
    shape,
    substitute,
    summarize,
    window,
)
from scidb_magic.embedded.engine.operators.macros import MACROS
from scidb_magic.embedded.engine.operators.operator import Operator

OPERATORS: dict[str, Operator] = {
    row.name: row
    for module in (
        about,
        aggregate,
        aio,
        arrays,
        build,
        cast,
        equi_join,
        io,
        join,
        matrices,
        order,
        redimension,
        running,
        select,
        server,
        shape,
        substitute,
        summarize,
        window,
    )
    for row in module.OPERATORS
}
"""Name in lower case -> operator."""

__all__ = ["MACROS", "OPERATORS", "Operator"]
