"""A script for an empty folder: what is installed there from the artifact of the name given works.

``python smoke.py scidb_magic-0.1.0-py3-none-any.whl``
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

import scidb_magic


def main(artifact: str) -> None:
    """Fail with an AssertionError where something is missing."""
    place = Path(scidb_magic.__file__)
    assert place.is_relative_to(sys.prefix), f"{place} is not what was installed"
    assert artifact.startswith(f"scidb_magic-{scidb_magic.__version__}"), artifact
    assert version("scidb-magic") == scidb_magic.__version__
    assert (Path(sys.prefix) / "share/jupyter/labextensions/scidb-magic/static/afl.js").is_file()

    with scidb_magic.connect("embedded:") as session:
        frame = session.fetch("apply(build(<x:int64>[i=0:4], i), y, 'row ' + string(x))", order=True)
        assert frame["y"].tolist() == [f"row {number}" for number in range(5)]
        session.upload(frame, "rows")
        assert session.fetch("aggregate(rows, sum(x))")["x_sum"].tolist() == [10]
        assert sum(slot.owner == "mine" for slot in session.slots()) == 1

    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "scidb_magic")
    total = shell.run_line_magic("scidb", "aggregate(build(<x:int64>[i=0:9], i), sum(x))")
    assert total["x_sum"].tolist() == [45]
    with capture_output() as told:
        shell.run_line_magic("scidb", "help errors")
    assert "QueryOutcomeUnknown" in told.outputs[0].data["text/plain"]
    shell.run_line_magic("unload_ext", "scidb_magic")


if __name__ == "__main__":
    main(*sys.argv[1:])
