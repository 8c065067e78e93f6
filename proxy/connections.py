"""Connections to the upstream, on which a small request leaves in one write: each write wakes whoever reads."""

from __future__ import annotations

from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from proxy.limits import KIB

SMALL = 64 * KIB  # bytes of a request that are joined; to copy more costs more than a write


class OneWrite(HTTPConnection):
    """Holds the head of a request back until its body is there."""

    held: list[bytes] | None = None

    def request(self, *args: Any, **options: Any) -> None:
        self.held = []
        try:
            super().request(*args, **options)
            pieces = self.held
        finally:
            self.held = None
        for piece in [b"".join(pieces)] if sum(map(len, pieces)) <= SMALL else pieces:
            self.send(piece)

    def send(self, data: Any) -> None:
        """Called for each piece of a request."""
        if self.held is None:
            super().send(data)
        else:
            self.held.append(data)


class SecureOneWrite(OneWrite, HTTPSConnection):
    """The same with TLS."""


class Pool(HTTPConnectionPool):
    """Keeps connections open between requests."""

    ConnectionCls = OneWrite


class SecurePool(HTTPSConnectionPool):
    """The same with TLS."""

    ConnectionCls = SecureOneWrite


class Adapter(HTTPAdapter):
    """What `requests` asks for a connection."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": Pool, "https": SecurePool}
