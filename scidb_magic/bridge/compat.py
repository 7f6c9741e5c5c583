"""The import adapter: lets SciDB-Py's own, untouched code run on current NumPy.

scidb-py 19.3.1 and 19.11.7 use names that NumPy has lost since (``numpy.object`` in 1.24, ``numpy.NAN``
in 2.0). Nothing is added to NumPy itself. Instead a finder on ``sys.meta_path`` loads exactly
``scidbpy.schema`` and ``scidbpy.db`` as Python would, but with an ``import`` of their own that answers
a *view* of NumPy: the lost names, and everything else handed on. Modules that were imported before
are left alone: that they could be imported shows that their NumPy still has the names.

Needs nothing but the standard library until SciDB-Py is imported.
"""

from __future__ import annotations

import builtins
import functools
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

ADAPTED = ("scidbpy.schema", "scidbpy.db")
"""The modules that are loaded with the view; both import NumPy, the rest of SciDB-Py does not."""

LOST: dict[str, Callable[[Any], object]] = {
    "NAN": lambda numpy: numpy.nan,
    "bool": lambda _: bool,
    "object": lambda _: object,
    "string_": lambda numpy: numpy.bytes_,
}
"""What the names meant that SciDB-Py uses and NumPy 1.24 or 2.0 took away."""


def install() -> None:
    """Put the finder in front of ``sys.meta_path``; again does nothing."""
    if not any(type(finder).__qualname__ == _Finder.__qualname__ for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Finds the adapted modules where the other finders find them."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in ADAPTED:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None:
                spec.loader = _Loader(spec.loader)
                return spec
        return None


class _Loader:
    """The module's own loader, but for the moment in which the code runs."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import}
        self._loader.exec_module(module)
        attribute = module.__dict__.get("Attribute")
        if attribute is not None and attribute.__module__ == module.__name__:
            attribute.itemsize = _plain_int(attribute.itemsize)


class _NumpyView(ModuleType):
    """NumPy with the lost names; what NumPy has is NumPy's own."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.modules["numpy"], name)


def _import(
    name: str,
    globals: dict[str, Any] | None = None,
    locals: dict[str, Any] | None = None,
    fromlist: Sequence[str] = (),
    level: int = 0,
) -> ModuleType:
    module = builtins.__import__(name, globals, locals, fromlist, level)
    return _view(module) if module.__name__ == "numpy" else module


def _view(numpy: ModuleType) -> ModuleType:
    view = _NumpyView(numpy.__name__)
    for name, meaning in LOST.items():
        # Not hasattr: NumPy warns when a lost name is asked for.
        if name not in vars(numpy):
            setattr(view, name, meaning(numpy))
    return view


def _plain_int(itemsize: Callable[..., int]) -> Callable[..., int]:
    """SciDB-Py adds up item sizes; as numpy.uint32 the sum wraps at 4 GiB and the loop never ends."""

    @functools.wraps(itemsize)
    def sized(*args: Any, **kwargs: Any) -> int:
        return int(itemsize(*args, **kwargs))

    return sized
