"""Connections that know whether TLS came up: only then can a request have arrived.

requests tells every failure of TLS alike, be it a certificate or a server that ended in the middle of
a query. Here a fault before the end of the handshake is marked as `NotConnected`.

A client has one context for all its connections, as reading the certificates of the world's authorities
takes some 20 ms.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any

import urllib3.exceptions
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.ssl_ import create_urllib3_context

from scidb_magic.errors import SettingError

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
    """Makes connections under `context` that mark what fails before TLS is up."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        """As in requests, with our context and pools."""
        super().init_poolmanager(*args, ssl_context=self._context, **more)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
        """As in requests, with our context and pools."""
        manager = super().proxy_manager_for(proxy, ssl_context=self._context, **more)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Called by requests; else it has the certificates read again at each request."""


def context(verify: bool | str) -> ssl.SSLContext:
    """The context of all connections of a client.

    Raises
    ------
    SettingError
        `verify` names no file of certificates.
    """
    ca = authorities(verify)
    made = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED if ca else ssl.CERT_NONE)
    if ca is not None and not _load(made, ca):
        raise SettingError(f"verify names {ca}, and there is no file of certificates.")
    return made


def _load(context: ssl.SSLContext, ca: str) -> bool:
    try:
        if Path(ca).is_dir():
            context.load_verify_locations(capath=ca)
        else:
            context.load_verify_locations(cafile=ca)
    except OSError:
        return False
    return True


def trusted(verify: bool | str) -> bool | str:
    """`verify`, or the file that the environment names for requests where it only says that it shall be."""
    if verify is not True:
        # Absolute: the guardian lives in another folder, and this process may move to one.
        return str(Path(verify).absolute()) if isinstance(verify, str) else verify
    return next((os.environ[name] for name in _BUNDLES if os.environ.get(name)), True)


def authorities(verify: bool | str) -> str | None:
    """Path of the certificates that are trusted, a file or a folder; None where nothing is checked."""
    return DEFAULT_CA_BUNDLE_PATH if verify is True else verify or None
