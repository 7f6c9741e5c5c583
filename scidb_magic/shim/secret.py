"""Texts that must not show: in a repr, in a log of locals, in the page of a server that echoes them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NoReturn, SupportsIndex

ARGUMENTS = re.compile(
    r"(/(?:new_session|execute_query|read_lines|read_bytes|upload|cancel|release_session))\?[^\s\"'<]*"
)
"""The arguments of shim's endpoints, session id and password among them, in any text."""

_SHORTEST = 4


class Secret(str):
    """A string that does not show itself in a repr, a log of locals or a traceback."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'********'"

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        # A pickle is a file, or goes to a machine of somebody else's.
        raise TypeError("A password is not pickled: connect in the process that needs the session.")


def without_secrets(text: str, secrets: Iterable[str | None] = ()) -> str:
    """`text` without the arguments of an endpoint's URL, and without `secrets`, if they are long enough."""
    text = ARGUMENTS.sub(r"\1?…", text)
    for secret in secrets:
        if secret and len(secret) >= _SHORTEST:
            text = text.replace(secret, "…")
    return text
