"""Which server the settings mean, and the client that talks to it.

With no URL anywhere it is shim on this machine, if one answers, else the embedded server. That is
decided once a process and never switched by a failure.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from scidb_magic.errors import ScidbMagicError
from scidb_magic.session import lifecycle
from scidb_magic.session.settings import Settings

if TYPE_CHECKING:
    from scidb_magic.session.local import LocalServer
    from scidb_magic.shim.client import ShimClient

LOCAL_SHIM = "http://localhost:8080"
EMBEDDED = "embedded:"

_VERSION = re.compile(r"\d+\.\d+(\.\d+)*\s*$")
_default_lock = threading.Lock()
_default_url: str | None = None


def _after_fork() -> None:
    global _default_lock
    _default_lock = threading.Lock()


lifecycle.after_fork(_after_fork)


def default_url(notify: Callable[[str], None]) -> str:
    """The URL for settings that name none; the first call decides and says so."""
    global _default_url
    with _default_lock:
        if _default_url is None:
            _default_url = LOCAL_SHIM if _shim_answers(LOCAL_SHIM) else EMBEDDED
            where = "shim on this machine" if _default_url == LOCAL_SHIM else "the embedded server, in memory"
            notify(f"No SCIDB_URL is set: using {where} ({_default_url}).")
        return _default_url


def _shim_answers(url: str) -> bool:
    from scidb_magic.shim.client import ShimClient

    try:
        return _VERSION.match(ShimClient(url, connect_timeout=1.0).version()) is not None
    except ScidbMagicError:
        return False


class Endpoint:
    """The server of one `Settings`; starts the embedded one when it is asked for and not there."""

    def __init__(self, settings: Settings, notify: Callable[[str], None]) -> None:
        self._settings = settings
        self._notify = notify
        self._client: ShimClient | None = None
        self._server: LocalServer | None = None
        self._had_server = False
        self._lock = threading.Lock()

    @property
    def url(self) -> str | None:
        """The URL as the user gave it or as it was decided; None while it is open."""
        return self._settings.url or _default_url

    @property
    def embedded(self) -> bool:
        """Whether it is the embedded server."""
        return (self.url or "").startswith(EMBEDDED)

    @property
    def in_memory(self) -> bool:
        """Whether it is the embedded server that keeps its arrays in memory."""
        return self.url == EMBEDDED

    @property
    def ends_with_us(self) -> bool:
        """Whether the server is the embedded one of this process alone, and every slot ends with it.

        Not in a forked child: there it is the parent's.
        """
        return self.in_memory and self._server is not None and self._server.started

    def client(self) -> ShimClient:
        """A client of a server that, if it is the embedded one, runs."""
        from scidb_magic.shim.client import ShimClient

        url = self._settings.url or default_url(self._notify)
        with self._lock:
            if url.startswith(EMBEDDED):
                return self._embedded_client(url[len(EMBEDDED) :])
            if self._client is None:
                settings = self._settings
                http_auth = None
                if settings.http_user is not None:
                    http_auth = (settings.http_user, settings.http_password or "")
                self._client = ShimClient(
                    url,
                    http_auth=http_auth,
                    verify={"yes": True, "no": False}.get(settings.verify, settings.verify),
                    connect_timeout=settings.connect_timeout,
                )
            return self._client

    def client_to_ask(self) -> ShimClient | None:
        """A client to ask who holds which slots; None for an embedded server that nobody has needed yet."""
        if self._client is None and (self.url or default_url(self._notify)).startswith(EMBEDDED):
            return None
        return self.client()

    def close(self, seconds: float) -> None:
        """End the embedded server, if this process started it, and wait for that at most so long."""
        server, self._server, self._client = self._server, None, None
        if server is not None:
            server.stop(seconds)

    def forget(self) -> None:
        """In a forked child: the embedded server goes on to be used, but it is the parent's to end."""
        self._lock = threading.Lock()

    def _embedded_client(self, directory: str) -> ShimClient:
        from scidb_magic.session.local import LocalServer
        from scidb_magic.shim.client import ShimClient

        if self._server is not None and self._client is not None and self._server.alive():
            return self._client
        if self._had_server and not directory:
            self._notify("The embedded server had ended and was started again: its arrays are gone.")
        server = LocalServer()
        url, http_auth = server.start(Path(directory).expanduser() if directory else None)
        self._server, self._had_server = server, True
        self._client = ShimClient(url, http_auth=http_auth, connect_timeout=self._settings.connect_timeout)
        return self._client
