"""A slot that nobody uses is given back by itself, and taken again unseen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

ENDLESS = "aggregate(build(<x:int64>[i=0:99999999999], i % 7), sum(x))"
TAKE = "%%scidb --no-fetch --quiet\nbuild(<x:int64>[i=0:9], i)"
SUM = "print(session.fetch('aggregate(build(<x:int64>[i=0:9], i), sum(x))', as_='numpy')['x_sum'][0])"
QUIET = "import warnings\nwarnings.simplefilter('ignore')"
IDLE = 1.0


@pytest.fixture
def notebook(scene: Any, start_kernel: Callable[..., Any]) -> Any:
    """A kernel whose session gives its slot back after `IDLE` seconds."""
    kernel = start_kernel(bare=True)
    kernel.run(
        "%load_ext scidb_magic\nimport scidb_magic\n"
        f"session = scidb_magic.connect({scene.server.url!r}, idle_release={IDLE})"
    )
    return kernel


def rest(scene: Any) -> str:
    """Wait until the slot that is held is given back, by guardian and ledger too; its session."""
    (sid,) = scene.server.sids
    scene.server.until_taken(0)
    scene.check_left(0)
    return str(sid)


def test_the_slot_comes_and_goes_unseen(notebook: Any, scene: Any) -> None:
    seen = set()
    for _ in range(3):
        # Neither text nor display: nothing tells that a slot was taken anew.
        assert notebook.run(TAKE) == ""
        seen.add(rest(scene))
    assert len(seen) == 3
    assert notebook.run("print(session.status().state, session.status().replays)") == "released 0\n"
    notebook.run("%config SciDBMagics.idle_release = 600")
    assert notebook.run(SUM) == "45\n"
    with scene.death("SIGKILL", "after idle releases", notebook.pid):
        notebook.manager.shutdown_kernel(now=True)


def test_an_upload_that_was_not_sent_yet_is_sent_after_it(notebook: Any, scene: Any) -> None:
    notebook.run(QUIET)
    notebook.run("import numpy\nlazy = session.db.input(upload_data=numpy.arange(10))")
    notebook.run(TAKE)
    rest(scene)
    for _ in range(2):
        assert notebook.run("print(lazy[:]['x'].sum())") == "45\n"
        rest(scene)
    assert notebook.run("print(int(session.db.aggregate(lazy, 'sum(x)')[:]['x_sum'][0]))") == "45\n"


@pytest.mark.whole
def test_a_stored_result_outlives_it(notebook: Any, scene: Any) -> None:
    notebook.run(QUIET)
    notebook.run("kept = session.db.build('<x:int64>[i=0:9]', 'i').store()")
    rest(scene)
    assert notebook.run("print(int(kept[:]['x'].sum()))") == "45\n"


@pytest.mark.whole
def test_a_running_query_is_no_idle_time(notebook: Any, scene: Any, wait_until: Callable[..., bool]) -> None:
    notebook.begin(f"%scidb {ENDLESS}")
    scene.server.until_runs("99999999999")
    before = scene.server.sids
    assert not wait_until(lambda: scene.server.sids != before, 2 * IDLE)
    assert notebook.busy
    notebook.manager.interrupt_kernel()
    assert wait_until(lambda: not notebook.busy)
    assert rest(scene) == before[0]


@pytest.mark.whole
def test_it_may_be_switched_off_and_on(notebook: Any, scene: Any, wait_until: Callable[..., bool]) -> None:
    notebook.run("%config SciDBMagics.idle_release = 0")
    notebook.run(TAKE)
    before = scene.server.sids
    assert len(before) == 1
    assert not wait_until(lambda: scene.server.sids != before, 2 * IDLE)
    # The time without a query is over already.
    notebook.run(f"%config SciDBMagics.idle_release = {IDLE}")
    assert wait_until(lambda: scene.server.sids == [])
