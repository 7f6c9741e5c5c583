"""Data on their way to the server: in pieces, counted, stopped, sent again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scidb_magic.errors import QueryError, UploadError
from scidb_magic.session.exchange import Transfer
from scidb_magic.session.uploads import SENT_AT_ONCE, Attachment, Counted, Named

ROWS = 200_000


class Watched:
    """The numbers 0 … ROWS - 1 as rows, in pieces of 8,000 bytes; `at` is called before each."""

    def __init__(self, at: Callable[[int], object]) -> None:
        self._at = at
        self._body = np.arange(ROWS, dtype="<i8").tobytes()

    def __len__(self) -> int:
        return len(self._body)

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self), 8000):
            self._at(start)
            yield self._body[start : start + 8000]


def attached(at: Callable[[int], object]) -> Attachment:
    attachment = Attachment.of(Watched(at))
    schema = f"<v:int64 NOT NULL>[i=0:{ROWS - 1}]"
    text = f"input({schema}, '{attachment.token}', -2, '(int64)')"
    return replace(attachment, text=text, schema=schema)


def test_an_upload_is_counted_while_it_goes(embedded: Any, make: Any) -> None:
    session = make(embedded.url)
    seen: list[Transfer | None] = []
    numbers = attached(lambda _: seen.append(session.connection.transfer()))
    frame = session.fetch(f"aggregate({numbers.text}, sum(v))", attachments=[numbers])
    assert frame["v_sum"].tolist() == [ROWS * (ROWS - 1) // 2]
    # The count is told just after a piece has been asked for, so each sees that of the one before it.
    assert seen == [None, *(Transfer(start, 8 * ROWS) for start in range(0, 8 * ROWS - 8000, 8000))]
    assert session.status().bytes > 8 * ROWS


def test_an_upload_stops_when_it_is_cancelled(embedded_factory: Any, make: Any) -> None:
    server = embedded_factory()
    session = make(server.url)
    session.execute("store(build(<v:int64>[i=0:2], i), kept)")
    (before,) = [slot for slot in session.slots() if slot.owner == "mine"]
    pieces: list[int] = []

    def at(start: int) -> None:
        pieces.append(start)
        if start == 80_000:
            assert session.cancel()

    numbers = attached(at)
    with pytest.raises(QueryError) as caught:
        session.execute(f"insert({numbers.text}, kept)", attachments=[numbers])
    assert (caught.value.code, caught.value.ran) == ("SCIDB_LE_QUERY_CANCELLED", False)
    assert pieces[-1] <= 88_000
    assert session.fetch("scan(kept)")["v"].tolist() == [0, 1, 2]
    assert [slot for slot in session.slots() if slot.owner == "mine"] == [before]


def test_a_frame_of_many_pieces(embedded: Any, make: Any) -> None:
    session = make(embedded.url)
    words = [f"ä{number:x}" * (number % 7) for number in range(100_000)]
    frame = pd.DataFrame({"n": np.arange(100_000), "word": words})
    session.upload(frame, "many_pieces")
    back = session.fetch("scan(many_pieces)", order=True)
    assert back["n"].tolist() == frame["n"].tolist()
    assert back["word"].tolist() == words


def test_arrays_are_removed_though_the_statement_failed(embedded_factory: Any, make: Any) -> None:
    session = make(embedded_factory().url)
    one, two = session.attach(pd.DataFrame({"a": [1]})), session.attach(pd.DataFrame({"b": [2]}))
    with pytest.raises(QueryError, match="nope") as caught:
        session.execute(f"store(cross_join({one.text}, {two.text}), nope.nope)", attachments=[one, two])
    assert one.token not in str(caught.value)
    assert len(session.fetch("list('arrays')")) == 0


def test_a_preview_takes_several_frames(embedded: Any, make: Any) -> None:
    session = make(embedded.url)
    one, two = session.attach(pd.DataFrame({"a": [1]})), session.attach(pd.DataFrame({"b": [2, 3]}))
    shown = session.preview(f"cross_join({one.text} as l, {two.text} as r)", 1, attachments=[one, two])
    assert not shown.complete
    assert shown.data["a"].tolist() == [1]


def test_what_cannot_be_stored_stands_alone(embedded: Any, make: Any) -> None:
    """Bytes whose shape nobody knows, as SciDB-Py sends them, are one file."""
    session = make(embedded.url)
    bare, frame = Attachment.of(b"12345678"), session.attach(pd.DataFrame({"b": [2, 3]}))
    text = f"input(<v:int64 NOT NULL>[i=0:0], '{bare.token}', -2, '(int64)')"
    with pytest.raises(UploadError, match="store"):
        session.fetch(f"cross_join({text}, {frame.text})", attachments=[bare, frame])


def test_bytes_are_cut() -> None:
    told: list[tuple[int, int]] = []
    body = bytes(range(256)) * 4096
    pieces = list(Counted(body, lambda sent, total: told.append((sent, total))))
    assert b"".join(pieces) == body
    assert max(map(len, pieces)) == SENT_AT_ONCE
    assert told == [(sent, len(body)) for sent in range(0, len(body) + 1, SENT_AT_ONCE)]


def test_places_in_what_was_sent() -> None:
    one, two = (Attachment(f"token{n}", b"", f"input('token{n}')", "<v:int64>[i]") for n in "12")
    text = f"join({one.text}, {two.text}, x)"
    names = Named()
    assert names.missing(text, [one, two]) == [one, two]
    names.array(one, "a")
    assert names.missing(text, [one, two]) == [two]
    names.file(two, "/tmp/of/the/server")
    assert names.missing(text, [one, two]) == []
    sent = names.filled(text)
    assert sent == "join(a, input('/tmp/of/the/server'), x)"
    assert names.before(sent.index("x)"), text) == text.index("x)")
    assert names.before(sent.index("a,"), text) == text.index(one.text)
    assert names.before(sent.index("of/the"), text) == text.index("token2")
    assert names.before(0, text) == 0
