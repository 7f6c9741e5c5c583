"""A server that is started anew gives out the same ids again: whose session is it then?

The server is killed and started in the middle of a request, and before the client can notice, a stranger
has the id that was the client's. The client must neither use nor release it: all that it may do with it
is to look, by a ``HEAD``, whether it is still its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from fault_proxy import NO_ANSWER, PASS, RESET_AFTER, RESET_BEFORE, TRUNCATE_BODY, Asked, Fault

from scidb_magic.errors import QueryOutcomeUnknown, ResultLost
from scidb_magic.shim.client import ShimClient

READ = "build(<x:int64>[i=0:1999], i * 3)"
RIGHT = [number * 3 for number in range(2000)]
STRANGERS = "build(<x:int64 not null>[i=0:9], 42)"


class Restart:
    """Kills the server and starts another; its first session, of the client's old id, is a stranger's."""

    def __init__(self, embedded_factory: Callable[..., Any], proxied: Callable[..., Any]) -> None:
        self._factory = embedded_factory
        self._first = embedded_factory("--repeat-ids")
        self._client: ShimClient | None = None
        self._stranger = ""
        self.proxy = proxied(self._first, renamed={b"glance%28": b"project%28"})
        self.proxy.on_fault = self

    def __call__(self, asked: Asked) -> None:
        if self._client is not None:
            return
        self._first.process.kill()
        self._first.process.wait()
        second = self._factory("--repeat-ids")
        self.proxy.upstream = second.port
        self._client = ShimClient(second.url)
        self._stranger = str(self._client.new_session())
        assert self._stranger == asked.sid
        self._client.execute_query(self._stranger, STRANGERS, save="(int64)")

    def check(self, session: Any) -> None:
        """The stranger's session lives, and nobody but the stranger has used it."""
        assert self._client is not None
        mine = [asked for asked in self.proxy.log if asked.sid == self._stranger]
        last = max(number for number, asked in enumerate(mine) if asked.fault is not PASS)
        assert {asked.method for asked in mine[last + 1 :]} <= {"HEAD"}, self.proxy.told()
        session.release()
        assert self._client.read_bytes(self._stranger) == (42).to_bytes(8, "little") * 10
        assert (self._client.debug() or "").count("avail 0") == 1
        assert session.status().abandoned == 1


@pytest.fixture
def restart(embedded_factory: Callable[..., Any], proxied: Callable[..., Any]) -> Restart:
    return Restart(embedded_factory, proxied)


@pytest.fixture
def session(restart: Restart, make: Callable[..., Any]) -> Any:
    # The start of the second server takes longer than a release may: its client is to wait for the reset.
    session = make(restart.proxy.url, guardian=False, release_timeout=30.0)
    assert session.fetch(READ)["x"].tolist() == RIGHT
    return session


@pytest.mark.parametrize("fault", [RESET_BEFORE, RESET_AFTER, NO_ANSWER], ids=str)
def test_while_a_read_runs(restart: Restart, session: Any, fault: Fault) -> None:
    restart.proxy.follow({("execute_query", 2): fault})
    assert session.fetch(READ)["x"].tolist() == RIGHT
    restart.check(session)


def test_while_a_change_runs(restart: Restart, session: Any) -> None:
    restart.proxy.follow({("execute_query", 1): RESET_AFTER})
    with pytest.raises(QueryOutcomeUnknown):
        session.execute(f"store({READ}, A)")
    restart.check(session)


@pytest.mark.parametrize(("nth", "fault"), [(1, RESET_AFTER), (2, RESET_BEFORE), (2, TRUNCATE_BODY)])
def test_while_a_result_is_on_its_way(restart: Restart, session: Any, nth: int, fault: Fault) -> None:
    """What came of the old result is not put together with the stranger's."""
    restart.proxy.follow({("read_bytes", nth): fault})
    assert session.fetch(READ)["x"].tolist() == RIGHT
    restart.check(session)


def test_while_a_result_is_on_its_way_that_cannot_be_had_again(restart: Restart, session: Any) -> None:
    restart.proxy.follow({("read_bytes", 2): TRUNCATE_BODY})
    with pytest.raises(ResultLost):
        session.fetch(f"glance({READ}, x)")
    restart.check(session)


def test_while_data_are_sent(restart: Restart, session: Any) -> None:
    attached = session.attach(pd.DataFrame({"x": RIGHT}))
    restart.proxy.follow({("upload", 1): RESET_AFTER})
    frame = session.fetch(attached.text, attachments=(attached,))
    assert frame["x"].tolist() == RIGHT
    restart.check(session)


@pytest.mark.parametrize("fault", [RESET_BEFORE, NO_ANSWER], ids=str)
def test_while_the_slot_is_given_back(restart: Restart, session: Any, fault: Fault) -> None:
    restart.proxy.follow({("release_session", 1): fault})
    session.release()
    restart.check(session)
