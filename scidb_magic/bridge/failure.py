"""Errors that are both: scidb_magic's own, and what a caller of SciDB-Py expects to catch.

SciDB-Py raises `requests.HTTPError` for an answer with an error status and `requests.ConnectionError`
for none. Programs written for it catch these, and SciDB-Py itself does.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import requests

from scidb_magic.errors import ScidbMagicError, ShimError, ShimUnreachable, rebuilt

E = TypeVar("E", bound=ScidbMagicError)


@contextmanager
def as_scidbpy_raises() -> Iterator[None]:
    """Let errors of shim and of the connection out as those of requests too; all else as it is."""
    try:
        yield
    except ShimError as error:
        both = _both(error, requests.HTTPError)
        vars(both)["response"] = _response(error)
        raise both from None
    except ShimUnreachable as error:
        raise _both(error, requests.ConnectionError) from None


def _both(error: E, kind: Any) -> E:
    own: Any = type(error)
    mixed = _mixed(own, kind)
    both: E = mixed.__new__(mixed)
    both.args = error.args
    vars(both).update({"response": None, "request": None}, **vars(error))
    return both.with_traceback(error.__traceback__)


@functools.cache
def _mixed(own: Any, kind: Any) -> Any:
    # Made here and not in `errors`, which must not import requests; pickled as its own class alone.
    def reduce(error: Any) -> tuple[Any, ...]:
        state = {name: value for name, value in vars(error).items() if name not in ("response", "request")}
        return rebuilt, (own, error.args), state

    more = {"__module__": own.__module__, "__doc__": own.__doc__, "__reduce__": reduce}
    return type(own.__name__, (own, kind), more)


def _response(error: ShimError) -> requests.Response:
    response = requests.Response()
    response.status_code = error.status
    response.encoding = "utf-8"
    response.raw = io.BytesIO((error.body or str(error)).encode(errors="surrogateescape"))
    return response
