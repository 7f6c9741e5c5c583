"""scidb_magic: a notebook holds exactly one SciDB session, which looks after itself.

In a notebook::

    %load_ext scidb_magic
    %%scidb
    aggregate(build(<x:int64>[i=0:99], i), sum(x))

In a script::

    import scidb_magic
    session = scidb_magic.connect("https://cluster:8083")
    frame = session.fetch("scan(A)")

Importing the package has one side effect: the import adapter that lets SciDB-Py run on current NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scidb_magic.afl.literals import Name
from scidb_magic.api import ManagedSession, connect, current
from scidb_magic.bridge import compat as _compat

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = [
    "ManagedSession",
    "Name",
    "__version__",
    "connect",
    "current",
    "load_ipython_extension",
    "unload_ipython_extension",
]

__version__ = "0.1.0"

_compat.install()


def load_ipython_extension(shell: InteractiveShell) -> None:
    """``%load_ext scidb_magic``: registers the magics; prints nothing and takes no slot."""
    from scidb_magic.notebook import magics

    magics.load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """``%unload_ext scidb_magic``: takes the magics away and releases the slot."""
    from scidb_magic.notebook import magics

    magics.unload(shell)
