"""Digest authentication against shim's web server.

Imported only when a server is talked to.
"""

from __future__ import annotations

from typing import Any

import requests
from requests.auth import HTTPDigestAuth


class Digest(HTTPDigestAuth):
    """Answers a challenge on a new connection, and keeps the answer for the thread's later requests.

    Shim closes the connection of its challenge without saying so; an answer sent on that one could get lost.
    """

    def handle_401(self, r: requests.Response, **kwargs: Any) -> requests.Response:
        """Called by requests with every answer; close the connections before one is sent again."""
        if r.status_code == requests.codes.unauthorized:
            r.close()
            r.connection.close()
        answered: requests.Response = super().handle_401(r, **kwargs)  # type: ignore[no-untyped-call]
        return answered

    @property
    def challenged(self) -> bool:
        """Whether this thread's next request is authenticated at once."""
        state = self._thread_local  # type: ignore[attr-defined]
        return bool(getattr(state, "last_nonce", ""))
