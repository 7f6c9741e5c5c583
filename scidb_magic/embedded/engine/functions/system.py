"""What asks the clock, the dice or the server."""

from __future__ import annotations

import time
from collections.abc import Sequence

from scidb_magic.embedded.engine import sql as text
from scidb_magic.embedded.engine.functions.table import Overload
from scidb_magic.embedded.engine.relation import Typed
from scidb_magic.embedded.engine.temporal import pack

_NOW = "CAST(epoch(now()) AS BIGINT)"


def _local_now(arguments: Sequence[Typed], wrap: bool) -> str:  # noqa: ARG001
    offset = text.whole(time.localtime().tm_gmtoff)
    return pack(f"({_NOW} + {offset})", offset)


FUNCTIONS: dict[str, list[Overload]] = {
    "now": [Overload((), "datetime", _NOW, deterministic=False)],
    "tznow": [Overload((), "datetimetz", _local_now, deterministic=False)],
    "random": [Overload((), "uint32", "CAST(floor(random() * 2147483648) AS UINTEGER)", deterministic=False)],
    "instanceid": [Overload((), "int64", text.whole(0))],
}
