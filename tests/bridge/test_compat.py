"""SciDB-Py on current NumPy and pandas, both versions, each time in a fresh process."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

Run = Callable[..., str]

LOST = ("NAN", "bool", "object", "string_")


def script(text: str) -> str:
    return textwrap.dedent(text)


def test_heals_the_users_own_import(run_beside: Run) -> None:
    code = script("""
        import numpy
        try:
            import scidbpy
        except AttributeError:
            failed = True  # what a user sees without us
        else:
            failed = False
        import scidb_magic
        import scidbpy
        assert failed == ((scidbpy.__version__, numpy.__version__[:2]) != ("19.11.7", "1."))
        print(str(scidbpy.Schema.fromstring("<x:int64 not null, s:string>[i=0:9]")))
    """)
    assert run_beside(code) == "<x:int64 NOT NULL,s:string> [i=0:9]\n"


def test_numpy_gains_no_name(run_beside: Run) -> None:
    code = script("""
        import sys
        import warnings
        import numpy
        lost = [name for name in sys.argv[1:] if name not in vars(numpy)]
        import scidb_magic
        warnings.simplefilter("error", FutureWarning)
        import scidbpy.db, scidbpy.schema
        assert lost and not [name for name in lost if name in vars(numpy)], lost
        for module in (scidbpy.db, scidbpy.schema):
            assert module.numpy.ndarray is numpy.ndarray and module.numpy.float16 is numpy.float16
            assert module.numpy.object is object and module.numpy.string_ is numpy.bytes_
            assert module.numpy.NAN is numpy.nan
        warnings.simplefilter("ignore", FutureWarning)
        try:
            getattr(numpy, lost[-1])
        except AttributeError:
            print("untouched")
    """)
    assert run_beside(code, *LOST) == "untouched\n"


def test_is_installed_once_and_survives_a_reload(run_beside: Run) -> None:
    code = script("""
        import importlib, inspect, sys
        import scidb_magic
        from scidb_magic.bridge import compat
        finders = list(sys.meta_path)
        compat.install()
        importlib.reload(compat).install()
        assert sys.meta_path == finders
        import scidbpy
        importlib.reload(scidbpy.schema)
        importlib.reload(scidbpy.db)
        assert scidbpy.db.numpy.NAN != scidbpy.db.numpy.NAN
        assert "class DB(object)" in inspect.getsource(scidbpy.db)
        print(scidbpy.db.__spec__.origin == scidbpy.db.__file__)
    """)
    assert run_beside(code) == "True\n"


def test_many_threads_may_import_it_first(run_beside: Run) -> None:
    code = script("""
        import threading
        import scidb_magic
        start, found = threading.Barrier(8), []
        def load():
            start.wait()
            from scidbpy import Attribute, connect
            found.append((Attribute, connect))
        threads = [threading.Thread(target=load) for _ in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(len(found), len(set(found)))
    """)
    assert run_beside(code) == "8 1\n"


def test_sizes_of_items_are_plain_integers(run_beside: Run) -> None:
    """As numpy.uint32 the sum of sizes wraps at 4 GiB, and the loop over the rows never ends."""
    code = script("""
        import scidb_magic
        from scidbpy import Attribute
        body = b"\\xff\\x03\\x00\\x00\\x00ab\\x00"
        sizes = [Attribute("s", "string").itemsize(body, 0),
                 Attribute("b", "binary", True).itemsize(body[1:]),
                 Attribute("x", "int64").itemsize()]
        print(sizes, {type(size).__name__ for size in sizes}, 2**32 - 1 + sizes[0])
    """)
    assert run_beside(code) == "[8, 7, 9] {'int'} 4294967303\n"


def test_missing_values_become_nan(run_beside: Run) -> None:
    """What needs ``numpy.NAN`` at run time: a nullable attribute that does hold a null."""
    code = script("""
        import struct
        import warnings
        import scidb_magic
        import numpy, pandas, scidbpy
        warnings.simplefilter("ignore", UserWarning)  # SciDB-Py's own, of the promotion
        for type_, form, value in [("int64", "<q", -2), ("int8", "b", -2), ("uint16", "<H", 60000),
                                   ("double", "<d", 0.5), ("bool", "?", True), ("char", "c", b"a")]:
            schema = scidbpy.Schema.fromstring(f"<x:{type_}>[i]")
            cell = struct.pack(form, value)
            body = b"\\xff" + cell + b"\\x00" + bytes(len(cell))
            frame = pandas.DataFrame.from_records(numpy.frombuffer(body, schema.atts_dtype))
            schema.promote(frame)
            print(type_, frame["x"].dtype, frame["x"].tolist())
        schema = scidbpy.Schema.fromstring("<s:string, x:int32>[i]")
        body = b"\\xff\\x03\\x00\\x00\\x00\\xc3\\xa4\\x00\\xff\\x01\\x00\\x00\\x00" + b"\\x00" * 10
        frame = pandas.DataFrame.from_records(schema.frombytes(body, True))
        print(frame["s"][0], pandas.isna(frame["s"][1]), frame["x"].tolist())
        schema.pprint()
    """)
    expected = """\
int64 float64 [-2.0, nan]
int8 float16 [-2.0, nan]
uint16 float32 [60000.0, nan]
double float64 [0.5, nan]
bool object [True, nan]
char object [b'a', nan]
"""
    lines = run_beside(code)
    assert lines.startswith(expected)
    shown = lines[len(expected) :].splitlines()
    assert shown[:2] == ["ä True [1.0, nan]", "<s:string,x:int32> [i]"]


def test_dtypes_map_both_ways(run_beside: Run) -> None:
    code = script("""
        import scidb_magic
        import numpy, scidbpy
        for dtype in ("i8", "u1", "f4", "f8", "?", "U3", "S3", "M8[s]"):
            print(scidbpy.Schema.fromdtype(numpy.dtype(dtype)).atts[0].type_name)
    """)
    assert run_beside(code).split() == [
        "int64", "uint8", "float", "double", "bool", "string", "string", "datetime",
    ]  # fmt: skip
