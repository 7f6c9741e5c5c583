"""Never somebody else's session: shim gives out the same ids again after a restart."""

from __future__ import annotations

from typing import Any

import pytest

from scidb_magic.api import ManagedSession
from scidb_magic.errors import ShimUnreachable
from scidb_magic.session import held, proof
from scidb_magic.shim.client import ShimClient

READ = "build(<x:int64>[i=0:2], i)"


def taken(url: str) -> int:
    return (ShimClient(url).debug() or "").count("avail 0")


def sid_of(session: ManagedSession) -> str | None:
    return session.connection._keeper.sid


@pytest.fixture
def distrust(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every session had been unused for longer than ids are trusted."""
    monkeypatch.setattr(held, "TRUSTED", -1.0)


@pytest.fixture
def unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The idle watch gets no proof in time, as where the GIL is held."""
    monkeypatch.setattr(proof, "FRESH_PROOF", 1e9)


def restarted(server: Any, embedded_factory: Any) -> tuple[Any, ShimClient, str]:
    """Another server on the same port, with a stranger in the first session that it gives out."""
    server.process.kill()
    server.process.wait()
    second = embedded_factory("--repeat-ids", "--port", str(server.port))
    client = ShimClient(second.url)
    stranger = client.new_session()
    client.execute_query(stranger, "build(<x:int64>[i=0:99], i)", save="(int64)")
    return second, client, stranger


@pytest.mark.usefixtures("distrust")
def test_a_session_that_is_proved_ours_goes_on(embedded_factory: Any, make: Any, notices: list[str]) -> None:
    url = embedded_factory().url
    session = make(url)
    session.fetch(READ)
    first = sid_of(session)
    assert len(session.fetch(READ)) == 3
    assert session.connection.text(READ).startswith("0")
    assert len(session.fetch(READ)) == 3
    assert (sid_of(session), notices, taken(url)) == (first, [], 1)
    session.release()
    assert (taken(url), session.status().abandoned) == (0, 0)


@pytest.mark.usefixtures("distrust")
def test_a_strangers_session_is_neither_used_nor_released(
    embedded_factory: Any, make: Any, notices: list[str]
) -> None:
    first = embedded_factory("--repeat-ids")
    session = make(first.url)
    session.fetch(READ)
    second, client, stranger = restarted(first, embedded_factory)
    assert stranger == sid_of(session)
    assert len(session.fetch(READ)) == 3
    assert sid_of(session) != stranger
    assert len(client.read_bytes(stranger)) == 800  # its output, untouched
    assert (taken(second.url), session.status().abandoned) == (2, 1)
    assert len(notices) == 1 and "could not be proved" in notices[0]
    assert session.status().replays == 0


@pytest.mark.usefixtures("distrust")
def test_a_strangers_session_is_not_released_at_the_end(embedded_factory: Any, make: Any) -> None:
    first = embedded_factory("--repeat-ids")
    session = make(first.url)
    session.fetch(READ)
    second, client, stranger = restarted(first, embedded_factory)
    session.close()
    assert len(client.read_bytes(stranger)) == 800
    assert (taken(second.url), session.status().abandoned) == (1, 1)


@pytest.mark.usefixtures("distrust")
def test_a_session_that_is_gone_is_renewed_before_the_statement_is_sent(
    embedded_factory: Any, make: Any, notices: list[str]
) -> None:
    url = embedded_factory().url
    session = make(url)
    session.fetch(READ)
    ShimClient(url).release_session(sid_of(session) or "")
    session.execute("store(build(<x:int64>[i=0:2], i), A)")
    assert session.fetch("versions(A)")["version_id"].tolist() == [1]
    assert notices[0] == "The server had dropped the session: took a new one."
    assert session.status().replays == 0


@pytest.mark.usefixtures("distrust", "unwatched")
def test_without_a_proof_the_session_is_left_to_the_server(embedded_factory: Any, make: Any) -> None:
    url = embedded_factory().url
    session = make(url)
    session.execute("store(build(<x:int64>[i=0:2], i), A)")
    session.release()
    assert (taken(url), session.status().abandoned) == (1, 1)


def test_a_session_that_saved_nothing_gets_a_proof_in_time(
    embedded_factory: Any, make: Any, monkeypatch: pytest.MonkeyPatch, wait_until: Any
) -> None:
    monkeypatch.setattr(proof, "FRESH_PROOF", 0.01)
    url = embedded_factory().url
    session = make(url)
    session.execute("store(build(<x:int64>[i=0:2], i), A)")
    kept = session.connection._keeper.session
    assert kept is not None
    assert wait_until(lambda: kept.proof is not None)
    monkeypatch.setattr(held, "TRUSTED", -1.0)
    assert len(session.fetch("scan(A)")) == 3
    assert session.connection._keeper.session is kept
    session.release()
    assert (taken(url), session.status().abandoned) == (0, 0)


def test_a_stamp_sees_a_clock_that_was_set_and_one_that_stood_still() -> None:
    now = proof.Stamp.now()
    assert now.age < 5
    assert proof.Stamp(now.monotonic, now.wall - 100).age >= 100
    assert proof.Stamp(now.monotonic, now.wall + 100).age >= 95
    assert proof.Stamp(now.monotonic - 100, now.wall).age >= 100


def test_a_sign_of_a_restart_at_any_request_is_heeded(
    embedded_factory: Any, make: Any, notices: list[str]
) -> None:
    first = embedded_factory("--repeat-ids")
    session = make(first.url)
    session.fetch(READ)
    first.process.kill()
    first.process.wait()
    with pytest.raises(ShimUnreachable):
        session.slots()
    second, client, stranger = restarted(first, embedded_factory)
    assert len(session.fetch(READ)) == 3
    assert len(client.read_bytes(stranger)) == 800
    assert (taken(second.url), session.status().abandoned) == (2, 1)
