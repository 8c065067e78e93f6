"""Connections to the upstream that cost less for each call: one write for a small request, no e-mail parser."""

from __future__ import annotations

import http.client
import re
from http.client import HTTPException, HTTPMessage
from io import BytesIO
from typing import IO, Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from proxy.limits import KIB

SMALL = 64 * KIB  # bytes of a request that are joined; to copy more costs more than a write


LONGEST_LINE = 65536  # and most headers: http.client's own limits
MOST_HEADERS = 100
HEADER = re.compile(r"([A-Za-z0-9_-]+):[ \t]*([^\r\n]*)\r?\n")

parse_any_headers = http.client.parse_headers


def parse_headers(file: IO[bytes], _class: type[HTTPMessage] = HTTPMessage) -> HTTPMessage:
    """The headers of an answer. Only those that are odd are read as http.client does it: like those of an e-mail."""
    lines: list[str] = []
    while (line := file.readline(LONGEST_LINE + 1)) not in (b"\r\n", b"\n", b""):
        if len(line) > LONGEST_LINE or len(lines) == MOST_HEADERS:
            raise HTTPException("the headers are too long")
        lines.append(line.decode("latin-1"))
    headers = _class()
    for text in lines:
        if not (header := HEADER.fullmatch(text)):
            return parse_any_headers(BytesIO("".join([*lines, "\r\n"]).encode("latin-1")), _class)
        headers[header[1]] = header[2]
    return headers


http.client.parse_headers = parse_headers  # type: ignore[assignment]  # looked up there for every answer


class OneWrite(HTTPConnection):
    """Holds the head of a request back until its body is there: each write wakes whoever reads."""

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
