"""The import adapter: lets SciDB-Py's own, untouched code run on current NumPy.

scidb-py 19.3.1 and 19.11.7 use names that NumPy has lost since (``numpy.object`` in 1.24, ``numpy.NAN``
in 2.0). Nothing is added to NumPy itself. Instead a finder on ``sys.meta_path`` loads exactly
``scidbpy.schema`` and ``scidbpy.db`` as Python would, but with an ``import`` of their own that answers
a *view* of NumPy: the lost names, and everything else handed on. No other module and no other thread
ever sees the view. The user's own ``import scidbpy`` is served as well, once scidb_magic was imported;
modules that were imported before are left alone, for their NumPy still has the names.

Needs nothing but the standard library until SciDB-Py is imported.
"""

from __future__ import annotations

import builtins
import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

ADAPTED = frozenset(("scidbpy.schema", "scidbpy.db"))
"""The modules of SciDB-Py that import NumPy."""

LOST: dict[str, Callable[[Any], object]] = {
    "NAN": lambda numpy: numpy.nan,
    "bool": lambda _: bool,
    "object": lambda _: object,
    "string_": lambda numpy: numpy.bytes_,
}
"""What the names meant that SciDB-Py uses and NumPy 1.24 or 2.0 took away."""


def install() -> None:
    """Put the finder in front of ``sys.meta_path``; again does nothing. Imports nothing."""
    if not any(_is_ours(finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, ScidbpyFinder())


def _is_ours(finder: object) -> bool:
    """Ours also when this module was imported anew since."""
    kind = type(finder)
    return (kind.__module__, kind.__qualname__) == (ScidbpyFinder.__module__, ScidbpyFinder.__qualname__)


class ScidbpyFinder:
    """Finds the adapted modules where the other finders find them."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        if name not in ADAPTED:
            return None
        for finder in list(sys.meta_path):
            find_spec = None if _is_ours(finder) else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find_spec(name, path, target) if find_spec else None
            if spec is not None:
                spec.loader = _AdaptedLoader(spec.loader)
                return spec
        return None


class _AdaptedLoader(Loader):
    """The module's own loader, which runs the module's own code; only its ``import`` is ours."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        names = vars(module)
        # Code imports through the builtins of its own namespace.
        names["__builtins__"] = {**vars(builtins), "__import__": _import}
        self._loader.exec_module(module)
        if module.__name__ == "scidbpy.schema":
            names["Attribute"].itemsize = _as_int(names["Attribute"].itemsize)


class _NumpyView(ModuleType):
    """NumPy with the lost names; what NumPy has is NumPy's own."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.modules["numpy"], name)


@functools.cache
def _view(numpy: ModuleType) -> ModuleType:
    view = _NumpyView(numpy.__name__, numpy.__doc__)
    for name, meaning in LOST.items():
        # Not hasattr: NumPy warns when some of the lost names are asked for.
        if name not in vars(numpy):
            setattr(view, name, meaning(numpy))
    return view


def _import(
    name: str,
    globals: Mapping[str, object] | None = None,
    locals: Mapping[str, object] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    module = builtins.__import__(name, globals, locals, fromlist or (), level)
    return _view(module) if name == "numpy" and level == 0 else module


def _as_int(itemsize: Callable[..., int]) -> Callable[..., int]:
    """SciDB-Py adds up item sizes; as numpy.uint32 the sum wraps at 4 GiB, and the loop never ends."""

    @functools.wraps(itemsize)
    def exact(*args: Any, **kwargs: Any) -> int:
        return int(itemsize(*args, **kwargs))

    return exact
