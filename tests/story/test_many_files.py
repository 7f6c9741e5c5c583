"""The user's story: many files, eight workers a file, each of which connects for every file."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import scidb_magic
from scidb_magic import api
from scidb_magic.api import ManagedSession
from scidb_magic.errors import QueryError
from scidb_magic.session.layers import resolve

WORKERS = 8
LONG = bool(os.environ.get("SCIDB_MAGIC_LONG"))

Program = Callable[..., Any]
Files = Callable[[int], Path]
WaitUntil = Callable[..., bool]


def size(short: int, long: int = 400) -> int:
    """How many files: the story's own number takes minutes, so it is for `.ci/long`."""
    return long if LONG else short


def check_arrays(url: str, folder: Path) -> None:
    """Every part of every file is there, once; of some of them also every value."""
    paths = sorted(folder.glob("*.csv"))
    with ManagedSession(*resolve({"url": url})) as session:
        names = session.fetch("list('arrays', true)")["name"].tolist()
        parts = [f"{path.stem}_{number}" for path in paths for number in range(WORKERS)]
        assert sorted(name for name in names if "@" not in name) == sorted(parts)
        assert sorted(name for name in names if "@" in name) == sorted(f"{part}@1" for part in parts)
        for path in random.Random(1).sample(paths, min(len(paths), 10)):
            pieces = [session.fetch(f"scan({path.stem}_{number})") for number in range(WORKERS)]
            found = pd.concat(pieces).sort_values("hour", ignore_index=True)
            expected = pd.read_csv(path)
            pd.testing.assert_frame_equal(found[list(expected.columns)], expected, check_dtype=False)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("how", "more", "count", "most"),
    [
        ("fork", ("--first",), size(25), 9),
        *([("spawn", ("--join",), size(4), 8)] if LONG else []),
        ("threads", (), size(15), 1),
    ],
)
def test_many_files_are_loaded(
    embedded_factory: Any,
    files: Files,
    program: Program,
    slots: Any,
    wait_until: WaitUntil,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
    more: tuple[str, ...],
    count: int,
    most: int,
) -> None:
    # The sampler may miss what is short; a server that has no place more, where nobody waits, does not.
    monkeypatch.setenv("SCIDB_MAGIC_SLOT_WAIT", "0")
    url = embedded_factory("--max-sessions", str(most)).url
    folder = files(count)
    with slots.sampling(url) as sampler:
        loader = program(url, folder, how, "shared", *more)
        assert loader.said() == "loaded\n"
        # The main process lives on: with its own slot, if it ever took one.
        own = int(how == "threads" or "--first" in more)
        assert wait_until(lambda: slots.taken(url) == own, 3)
        assert loader.finish() == ""
        assert wait_until(lambda: slots.taken(url) == 0, 3)
    assert own < sampler.most <= most if most > 1 else sampler.most == most
    check_arrays(url, folder)


@pytest.mark.parametrize("how", ["fork", "threads"] if LONG else ["fork"])
def test_plain_scidbpy_fails_as_it_did_for_the_user(
    embedded_factory: Any, files: Files, program: Program, slots: Any, how: str
) -> None:
    """Its sessions live as long as anything holds their objects: 50 slots last for six files."""
    url = embedded_factory("--max-sessions", "50").url
    said = program(url, files(10), how, "scidbpy").said()
    assert said.startswith("failed at f006") and "HTTPError: 503" in said
    assert slots.taken(url) == 50


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("how", ["fork", "threads"])
def test_workers_wait_for_each_other_where_there_are_few_slots(
    embedded_factory: Any, files: Files, program: Program, slots: Any, wait_until: WaitUntil, how: str
) -> None:
    url = embedded_factory("--max-sessions", "4").url
    folder = files(size(4, 100))
    with slots.sampling(url) as sampler:
        loader = program(url, folder, how, "block", "--join")
        assert loader.said() == "loaded\n"
        assert wait_until(lambda: slots.taken(url) == 0, 3)
        errors = loader.finish()  # a worker that had to wait has said so
    assert "Traceback" not in errors
    assert 1 <= sampler.most <= (1 if how == "threads" else 4)
    check_arrays(url, folder)


# The shared session in a block, in several threads of one process


@pytest.fixture
def url(embedded_factory: Any) -> Any:
    """A server that `scidb_magic.connect` is pointed at; the shared session ends with the test."""
    yield embedded_factory().url
    api.forget()


SLOW = "aggregate(build(<x:int64>[i=0:{last}], i % 7), sum(x) as s)"


def _runs(url: str, text: str) -> bool:
    with ManagedSession(*resolve({"url": url, "guardian": False})) as other:
        return text in other.connection.text("list('queries')")


@pytest.mark.parametrize("in_block", [True, False], ids=["also in a block", "outside of one"])
def test_who_leaves_a_block_cancels_nobody(
    url: str, slots: Any, wait_until: WaitUntil, in_block: bool
) -> None:
    last = 120_000_000
    answers: list[int] = []

    def slow() -> None:
        session = scidb_magic.connect(url)
        if in_block:
            with session:
                answers.append(int(session.fetch(SLOW.format(last=last))["s"][0]))
        else:
            answers.append(int(session.fetch(SLOW.format(last=last))["s"][0]))

    def quick() -> None:
        with scidb_magic.connect(url):
            pass

    one = threading.Thread(target=slow)
    one.start()
    assert wait_until(lambda: _runs(url, "aggregate(build"))
    other = threading.Thread(target=quick)
    other.start()
    other.join(60)
    one.join(60)
    weeks, rest = divmod(last + 1, 7)
    assert answers == [weeks * 21 + sum(range(rest))]
    assert wait_until(lambda: slots.taken(url) == 0, 3)


def test_threads_in_blocks_share_one_session(url: str, slots: Any) -> None:
    failures: list[BaseException] = []
    sums: list[int] = []

    def work(number: int) -> None:
        try:
            for turn in range(4):
                with scidb_magic.connect(url) as session:
                    frame = session.fetch(
                        f"aggregate(build(<x:int64>[i=0:9], i + {number + turn}), sum(x) as s)"
                    )
                    sums.append(int(frame["s"][0]) - 45 - 10 * (number + turn))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(WORKERS)]
    with slots.sampling(url) as sampler:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    assert sums == [0] * (4 * WORKERS)
    assert (sampler.most, slots.taken(url)) == (1, 0)


def test_a_block_that_fails_gives_its_slot_back_too(url: str, slots: Any) -> None:
    with pytest.raises(QueryError), scidb_magic.connect(url) as session:
        session.fetch("scan(nope)")
    assert slots.taken(url) == 0
    assert len(session.fetch("build(<x:int64>[i=0:2], i)")) == 3
