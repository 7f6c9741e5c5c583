"""Sessions of one's own, closed at the test's end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scidb_magic.api import ManagedSession
from scidb_magic.session.layers import resolve


@pytest.fixture
def notices() -> list[str]:
    return []


@pytest.fixture
def make(notices: list[str]) -> Iterator[Callable[..., ManagedSession]]:
    made: list[ManagedSession] = []

    def make(url: str, **settings: Any) -> ManagedSession:
        made.append(ManagedSession(*resolve({"url": url, **settings}), notify=notices.append))
        return made[-1]

    yield make
    for session in made:
        session.close()
