"""Loading twice, reloading, unloading, another server: never two slots, no doubled hooks, none left over."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import pytest

QUERY = "%scidb aggregate(build(<x:int64>[i=0:9], i), sum(x))"

HOOKS = """
import atexit, signal
at_exit, register, unregister = [], atexit.register, atexit.unregister
def registering(function, *arguments, **named):
    at_exit.append(function)
    return register(function, *arguments, **named)
def unregistering(function):
    at_exit[:] = [one for one in at_exit if one != function]
    return unregister(function)
atexit.register, atexit.unregister = registering, unregistering

def hooks():
    return {
        "handlers": [repr(signal.getsignal(n)) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)],
        "at exit": [one.__qualname__ for one in at_exit if one.__module__.startswith("scidb_magic.")],
        "magics": [kind for kind, own in get_ipython().magics_manager.magics.items() if "scidb" in own],
        "shutdown": repr(get_ipython().kernel.do_shutdown),
        "traits": [type(one).__name__ for one in get_ipython().configurables].count("SciDBMagics"),
    }
def doubled():
    former, depth = get_ipython().kernel.do_shutdown, 0
    while (former := getattr(former, "_scidb_magic_former", None)) is not None:
        depth += 1
    return depth
"""


@pytest.fixture
def notebook(scene: Any, start_kernel: Callable[..., Any]) -> Any:
    """A kernel without the extension, which can tell its hooks."""
    kernel = start_kernel(bare=True)
    kernel.run(HOOKS)
    kernel.run(f"import os; os.environ['SCIDB_URL'] = {scene.server.url!r}")
    return kernel


def hooks(kernel: Any) -> Any:
    return ast.literal_eval(kernel.run("print(hooks())"))


def test_unload_leaves_nothing(notebook: Any, scene: Any) -> None:
    before = hooks(notebook)
    assert (before["magics"], before["at exit"], before["traits"]) == ([], [], 0)
    for _ in range(3):
        notebook.run("%load_ext scidb_magic")
        notebook.run(QUERY)
        assert len(scene.server.sids) == 1
        assert hooks(notebook) != before
        notebook.run("%unload_ext scidb_magic")
        assert scene.server.sids == []
        assert hooks(notebook) == before
    scene.check_left(0)


def test_loading_again_doubles_nothing(notebook: Any, scene: Any) -> None:
    notebook.run("%load_ext scidb_magic")
    notebook.run(QUERY)
    before, sids = hooks(notebook), scene.server.sids
    for again in ("%load_ext scidb_magic", "%reload_ext scidb_magic", "%load_ext scidb_magic"):
        notebook.run(again)
        notebook.run(QUERY)
        now = hooks(notebook)
        assert len(scene.server.sids) == 1
        assert {**now, "shutdown": ""} == {**before, "shutdown": ""}
        assert notebook.run("print(doubled())") == "1\n"
    assert len(sids) == 1
    with scene.death("shutdown", "loaded many times", notebook.pid):
        notebook.manager.shutdown_kernel()


def test_a_change_of_server_gives_the_old_slot_back_first(
    notebook: Any, scene: Any, embedded_factory: Callable[..., Any]
) -> None:
    second = type(scene.server)(embedded_factory().url)
    notebook.run("%load_ext scidb_magic")
    notebook.run(QUERY)
    before = hooks(notebook)
    for here, there in ((second, scene.server), (scene.server, second)) * 2:
        notebook.run(f"%scidb connect {here.url}")
        assert there.sids == []
        notebook.run(QUERY)
        assert len(here.sids) == 1
        assert there.sids == []
        assert hooks(notebook) == before
        scene.check_left(1)
    with scene.death("shutdown", "the server was changed", notebook.pid):
        notebook.manager.shutdown_kernel()


@pytest.mark.whole
def test_other_settings_of_the_same_server_take_no_second_slot(notebook: Any, scene: Any) -> None:
    notebook.run("%load_ext scidb_magic\nimport scidb_magic")
    for timeout in range(5, 10):
        notebook.run(f"scidb_magic.connect({scene.server.url!r}, connect_timeout={timeout})\n{QUERY}")
        assert len(scene.server.sids) == 1
    with scene.death("SIGKILL", "the settings were changed", notebook.pid):
        notebook.manager.shutdown_kernel(now=True)


@pytest.mark.whole
def test_a_handler_of_another_extension_is_not_taken_away(notebook: Any, scene: Any) -> None:
    notebook.run("%load_ext scidb_magic")
    notebook.run(QUERY)
    notebook.run(
        "kernel, former = get_ipython().kernel, get_ipython().kernel.do_shutdown\n"
        "def theirs(restart): return former(restart)\n"
        "kernel.do_shutdown = theirs\n"
        "def handler(number, frame): pass\n"
        "previous = signal.signal(signal.SIGTERM, handler)"
    )
    notebook.run("%unload_ext scidb_magic")
    assert scene.server.sids == []
    assert notebook.run(
        "print(kernel.do_shutdown is theirs, signal.getsignal(signal.SIGTERM) is handler)"
    ) == ("True True\n")
    notebook.run(f"%load_ext scidb_magic\n{QUERY}")
    with scene.death("shutdown", "wrapped by another extension", notebook.pid, at_request=True):
        notebook.manager.shutdown_kernel()
