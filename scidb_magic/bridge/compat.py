"""The import adapter: SciDB-Py as it stands, on current NumPy.

SciDB-Py 19.3.1 and 19.11.7 use names that NumPy 2 dropped (``numpy.string_``, ``numpy.NAN``,
``numpy.object``, ``numpy.bool``). Nothing is added to numpy. A finder in front of ``sys.meta_path`` takes
exactly the modules ``scidbpy.db`` and ``scidbpy.schema`` and has their own loader run their own code; only
the name ``numpy`` in them, while they are loaded and afterwards, is a view of numpy with the lost names.

It works for the user's own ``import scidbpy`` too, once ``scidb_magic`` was imported. Where scidbpy was
imported before, on a NumPy that it can live with, nothing is left to do.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MODULES = frozenset(("scidbpy.db", "scidbpy.schema"))


class _Finder:
    """Finds the two modules as everybody else would, and has `_Loader` load them."""

    def __init__(self) -> None:
        self._thread = threading.local()

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the protocol of sys.meta_path
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if name not in MODULES or getattr(self._thread, "inside", False):
            return None
        self._thread.inside = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._thread.inside = False
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
        return spec


class _Loader:
    """The module's own loader; only its ``import numpy`` gives the view."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        # A module's code imports through the builtins in its own namespace, so no other module, and no
        # other thread, ever sees the view.
        vars(module)["__builtins__"] = {**vars(builtins), "__import__": _import}
        self._loader.exec_module(module)
        if module.__name__ == "scidbpy.schema":
            _repair_itemsize(vars(module)["Attribute"])


class _NumpyView(ModuleType):
    """numpy with the names that it has lost; everything else is handed on."""

    def __init__(self, numpy: ModuleType) -> None:
        super().__init__("numpy", numpy.__doc__)
        vars(self).update(
            {name: lost for name, lost in _lost_names(numpy).items() if name not in vars(numpy)}
        )
        self._numpy = numpy

    def __getattr__(self, name: str) -> Any:
        return getattr(self._numpy, name)


def _lost_names(numpy: ModuleType) -> dict[str, Any]:
    return {"object": object, "bool": bool, "string_": numpy.bytes_, "NAN": numpy.nan}


_view: _NumpyView | None = None


def _import(
    name: str,
    globals: Mapping[str, object] | None = None,
    locals: Mapping[str, object] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    global _view
    module = builtins.__import__(name, globals, locals, fromlist or (), level)
    if name != "numpy" or level:
        return module
    if _view is None:
        _view = _NumpyView(module)
    return _view


def _repair_itemsize(attribute: Any) -> None:
    """An int, not numpy.uint32: on NumPy 2 offsets over 4 GiB wrap around, and the reading never ends."""
    itemsize = attribute.itemsize

    def exact(self: Any, *args: Any, **kwargs: Any) -> int:
        return int(itemsize(self, *args, **kwargs))

    attribute.itemsize = exact


_finder = _Finder()


def install() -> None:
    """Put the adapter in front of ``sys.meta_path``; safe to call again. Imports nothing."""
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
