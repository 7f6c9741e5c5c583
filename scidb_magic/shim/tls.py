"""Connections that know whether TLS came up: only then can a request have arrived.

requests tells every failure of TLS alike, be it a certificate or a server that ended in the middle of
a query. Here a fault before the end of the handshake is marked as `NotConnected`.
"""

from __future__ import annotations

import os
import ssl
from typing import Any

import urllib3.exceptions
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class NotConnected(ssl.SSLError):
    """The connection ended before TLS was up: nothing of the request was sent. Its cause says why."""


class _Connection(HTTPSConnection):
    def connect(self) -> None:
        try:
            super().connect()
        except (OSError, urllib3.exceptions.SSLError) as error:
            raise NotConnected("no TLS connection") from error
        # Else urllib3 warns at each request of a certificate that the user chose not to have checked.
        self.is_verified = True


class _Pool(HTTPSConnectionPool):
    ConnectionCls = _Connection


_POOLS = {"http": HTTPConnectionPool, "https": _Pool}


class Adapter(HTTPAdapter):
    """Makes connections that mark what fails before TLS is up."""

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, **more)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **more)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager


def trusted(verify: bool | str) -> bool | str:
    """`verify`, or the file that the environment names for requests where it only says that it shall be."""
    if verify is not True:
        return verify
    return next((os.environ[name] for name in _BUNDLES if os.environ.get(name)), True)


def authorities(verify: bool | str) -> str | None:
    """Path of the certificates that are trusted, a file or a folder; None where nothing is checked."""
    return DEFAULT_CA_BUNDLE_PATH if verify is True else verify or None
