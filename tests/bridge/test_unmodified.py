"""SciDB-Py 19.11.7 as published, with the libraries of its time, against the embedded server."""

from __future__ import annotations

import json
import subprocess
from typing import Any

SCRIPT = """
import json, sys, warnings
import numpy, requests, scidbpy

warnings.simplefilter("ignore")
db = scidbpy.connect(sys.argv[1])
seen = {"versions": [scidbpy.__version__, int(numpy.__version__.partition(".")[0])]}
array = db.build('<x:int64>[i=0:9]', 'i').store('a')
seen["stored"] = str(array)
frame = db.arrays.a[:]
seen["fetched"] = [list(frame), frame["i"].tolist(), frame["x"].tolist()]
seen["arrow"] = db.iquery('scan(a)', fetch=True, use_arrow=True)["x"].tolist()
seen["lines"] = db.iquery_readlines("apply(filter(a, x > 7), s, 'b', y, double(x) / 2)")
seen["uploaded"] = db.input(upload_data=numpy.arange(3, 6)).store('b')[:]["x"].tolist()
seen["strings"] = db.input(upload_data=numpy.array(['ä', 'b'])).store('c')[:]["x"].tolist()
seen["loaded"] = db.load(db.arrays.a, upload_data=numpy.arange(10))[:]["x"].tolist()
seen["arrays"] = dir(db.arrays)
seen["operators"] = {"build", "apply", "load"} <= set(dir(db))
temporary = db.build('<x:int64>[i=0:9]', 'i').store()
del temporary
seen["afterwards"] = dir(db.arrays)
try:
    db.arrays.nope[:]
except requests.HTTPError as error:
    seen["refused"] = [error.response.status_code, "SCIDB_LE_ARRAY_DOESNT_EXIST" in str(error)]
json.dump(seen, sys.stdout)
"""


def test_it_works_against_the_embedded_server(unmodified_python: str, embedded_factory: Any) -> None:
    server = embedded_factory()
    done = subprocess.run(
        [unmodified_python, "-c", SCRIPT, server.url], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    ten = list(range(10))
    assert json.loads(done.stdout) == {
        "versions": ["19.11.7", 1],
        "stored": "a",
        "fetched": [["i", "x"], ten, ten],
        "arrow": ten,
        "lines": [["8", "b", "4"], ["9", "b", "4.5"]],
        "uploaded": [3, 4, 5],
        "strings": ["ä", "b"],
        "loaded": ten,
        "arrays": ["a", "b", "c"],
        "operators": True,
        "afterwards": ["a", "b", "c"],
        "refused": [406, True],
    }
