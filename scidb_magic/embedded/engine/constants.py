"""The value of SQL without columns, computed by a DuckDB of its own while a statement is planned."""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

_LOCK = threading.Lock()


@lru_cache(maxsize=1)
def _calculator() -> duckdb.DuckDBPyConnection:
    """Locked down as `Storage` is, and small."""
    import duckdb

    calculator = duckdb.connect(
        config={
            "threads": 1,
            "memory_limit": "256MB",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
    )
    for name in ("python_enable_replacements", "enable_external_access"):
        calculator.execute(f"SET {name} = false")
    calculator.execute("SET lock_configuration = true")
    return calculator


def evaluated(*expressions: str) -> tuple[Any, ...]:
    """The Python values of expressions of SQL; None for a null.

    Raises
    ------
    EngineError
        What an expression raises when it is evaluated, such as ``DIVISION_BY_ZERO``.
    """
    import duckdb

    from scidb_magic.embedded.engine.errors import from_duckdb

    with _LOCK:
        try:
            row = _calculator().execute(f"SELECT {', '.join(expressions)}").fetchone()
        except duckdb.OutOfRangeException:
            # The statement is planned again, with integers that wrap (run.py).
            raise
        except duckdb.Error as error:
            raise from_duckdb(error) from None
    return row or ()
