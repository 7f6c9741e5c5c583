"""Files to load, a program that loads them, and somebody who counts slots meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scidb_magic.shim.client import ShimClient

ROOT = Path(__file__).parents[2]
LOADER = Path(__file__).with_name("loader.py")
EVERY = 0.04
"""Seconds between two looks at the slots."""


def taken(url: str) -> int:
    return (ShimClient(url).debug() or "").count("avail 0")


@dataclass
class Sampler:
    """How many slots were taken, at each look."""

    seen: list[int] = field(default_factory=list)

    @property
    def most(self) -> int:
        return max(self.seen)


@contextmanager
def sampling(url: str) -> Iterator[Sampler]:
    """Look at the slots, in a thread, all along the block and once behind it."""
    sampler, ended = Sampler(), threading.Event()

    def look() -> None:
        while not ended.wait(EVERY):
            sampler.seen.append(taken(url))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield sampler
    finally:
        ended.set()
        thread.join()
        sampler.seen.append(taken(url))


@pytest.fixture
def files(tmp_path: Path) -> Callable[[int], Path]:
    """``files(count)``: a folder of so many small tables, each 16 rows of its own."""

    def files(count: int) -> Path:
        for number in range(count):
            rows = pd.DataFrame(
                {"station": number, "hour": np.arange(16), "rain": np.arange(16) + 0.25 * number}
            )
            rows.to_csv(tmp_path / f"f{number:03}.csv", index=False)
        return tmp_path

    return files


@dataclass
class Loader:
    """A running `loader.py`."""

    process: subprocess.Popen[str]
    errors: Path

    def said(self) -> str:
        """Its word, or what went wrong with it."""
        assert self.process.stdout is not None
        return self.process.stdout.readline() or self.errors.read_text()

    def finish(self) -> str:
        """Let it end, as it should; what it had to complain of meanwhile."""
        self.process.communicate(timeout=30)
        errors = self.errors.read_text()
        assert self.process.returncode == 0, errors
        return errors


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[..., Loader]]:
    """``program(url, folder, how, client, *more)``: the running `loader.py`."""
    started: list[Loader] = []

    def program(url: str, folder: Path, how: str, client: str, *more: str) -> Loader:
        command = [sys.executable, str(LOADER), "--url", url, "--folder", str(folder)]
        # A pipe that nobody reads would hold up those who have much to say.
        errors = tmp_path / f"errors_{len(started)}"
        with errors.open("w") as file:
            process = subprocess.Popen(
                [*command, "--how", how, "--client", client, *more],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
        started.append(Loader(process, errors))
        return started[-1]

    yield program
    for loader in started:
        loader.process.kill()
        loader.process.communicate()


@pytest.fixture
def slots() -> Any:
    """The counting: ``slots.taken(url)``, ``with slots.sampling(url) as sampler``."""

    class Slots:
        taken = staticmethod(taken)
        sampling = staticmethod(sampling)

    return Slots
