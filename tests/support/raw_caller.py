"""A caller who writes HTTP by hand: nothing is normalised, added or hidden."""

import http.client
import json
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.proxy_server import ProxyServer

SECONDS = 20
A_CAT = b'{"contents":[{"parts":[{"text":"a cat"}],"role":"user"}]}'


@dataclass(frozen=True)
class Reply:
    """An answer as it came."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for given, value in self.headers if given.lower() == name]

    def one(self, name: str) -> str | None:
        """The value of a header that may not come twice, or None."""
        values = self.all(name)
        assert len(values) < 2, f"{name} comes {len(values)} times: {values}"
        return values[0] if values else None

    @property
    def error(self) -> dict[str, Any]:
        """The google.rpc.Status that the body is."""
        error: dict[str, Any] = json.loads(self.body)["error"]
        assert set(error) >= {"code", "message", "status"}, error
        assert error["code"] == self.status
        return error

    def detail(self, name: str) -> dict[str, Any]:
        """The one detail of a google.rpc type."""
        (found,) = (one for one in self.error["details"] if one["@type"] == f"type.googleapis.com/google.rpc.{name}")
        return dict(found)


def call(
    server: ProxyServer,
    target: str,
    body: bytes | None = A_CAT,
    headers: Iterable[tuple[str, str]] = (),
    method: str = "POST",
) -> Reply:
    """One request on a connection of its own, with these headers and no others but Host and Content-Length."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        return Reply(response.status, response.getheaders(), response.read())
    finally:
        connection.close()


@contextmanager
def left_hanging(
    server: ProxyServer, target: str, body: bytes, headers: Iterable[tuple[str, str]], receive_buffer: int = 0
) -> Iterator[socket.socket]:
    """A request that has been sent, on a connection that the test reads or closes as it likes."""
    connection = socket.socket()
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(SECONDS)
    with connection:
        connection.connect(("127.0.0.1", server.port))
        lines = [f"POST {target} HTTP/1.1", "Host: proxy", f"Content-Length: {len(body)}"]
        head = "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers), "", ""])
        connection.sendall(head.encode("latin-1") + body)
        yield connection


def read_at_least(connection: socket.socket, count: int) -> bytes:
    """So many bytes or a few more."""
    received = bytearray()
    while len(received) < count:
        piece = connection.recv(65536)
        assert piece, f"the answer ended after {len(received)} bytes"
        received += piece
    return bytes(received)
