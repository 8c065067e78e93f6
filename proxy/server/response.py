"""Gunicorn's response in fewer writes, and with a limit on how long a caller may take to read it."""

from __future__ import annotations

import errno
import logging
import socket
import time
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from typing import Any

from gunicorn.http import wsgi

from compat.images import Lead
from proxy.greenlets import reset_when_closed, time_limit
from proxy.limits import seconds_for

log = logging.getLogger("twinlens")


@lru_cache(maxsize=1)
def date_of(second: int) -> str:
    """Seconds since 1970 as the Date header has them (RFC 9110, 5.6.7), formatted once a second."""
    return formatdate(second, usegmt=True)


def http_date() -> str:
    """The Date header's value."""
    return date_of(int(time.time()))


class TooSlow(ConnectionResetError):
    """A caller does not read its answer."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the caller did not read its answer")


class GatheringResponse(wsgi.Response):  # type: ignore[misc]
    """Sends the head with the body's first piece, and a chunk with its frame.

    A caller must keep reading, as its request body must keep coming: gunicorn itself would wait forever. On a
    connection with gunicorn's own TLS, which has no sendmsg, only this limit applies.
    """

    def __init__(self, req: Any, sock: Any, cfg: Any):
        super().__init__(req, sock, cfg)
        self.headers_sent: bool
        self.can_gather = not cfg.is_ssl
        self.head = b""  # what waits for the next piece

    def write(self, arg: bytes) -> None:
        """Sends what the app gives next."""
        if not self.can_gather:
            self.limit(len(arg), super().write, arg)
            return
        if arg and not self.headers_sent:
            self.gather_head()
        super().write(arg)

    def gather_head(self) -> None:
        """Keeps the status line and the headers for the next piece."""
        lines = [*self.default_headers(), *(f"{name}: {value}\r\n" for name, value in self.headers), "\r\n"]
        self.head = "".join(lines).encode("latin-1")
        self.headers_sent = True

    def _emit_body(self, data: bytes) -> None:
        """Sends a piece of the body, framed. Gunicorn's write() calls it, after applying HTTP's rules."""
        if not self.can_gather:
            super()._emit_body(data)
        elif self.chunked:
            self.send(b"%X\r\n" % len(data), data, b"\r\n")
        elif isinstance(data, Lead):
            self.head += data
        else:
            self.send(data)

    def send(self, *pieces: bytes) -> None:
        """Sends the head and the pieces: what the connection takes at once, and then the rest of each."""
        pieces, self.head = (self.head, *pieces), b""
        length = sum(map(len, pieces))
        try:
            sent = self.sock.sendmsg(pieces, (), socket.MSG_DONTWAIT)
        except BlockingIOError:
            sent = 0
        if sent < length:
            self.limit(length, send_rest, self.sock, pieces, sent)

    def sendfile(self, respiter: Any) -> bool:
        """Lets the kernel send a file; False if it cannot."""
        sent: bool = self.limit(self.response_length or 0, super().sendfile, respiter)
        return sent

    def close(self) -> None:
        """Sends the last chunk, or the head of an answer without a body."""
        if not self.can_gather:
            self.limit(0, super().close)
            return
        if not self.headers_sent:
            self.gather_head()
        if self.chunked:
            self.send(b"0\r\n\r\n")
        elif self.head:
            self.send()

    def limit(self, length: int, send: Callable[..., Any], *args: Any) -> Any:
        """Calls what sends so many bytes. Raises TooSlow, and resets the connection, if the caller reads too slowly."""
        try:
            with time_limit(seconds_for(length), TooSlow()):
                return send(*args)
        except TooSlow:
            log.warning("an answer was cut off: the caller was too slow to read it")
            reset_when_closed(self.sock)
            raise


def send_rest(connection: Any, pieces: tuple[bytes, ...], sent: int) -> None:
    """Sends the pieces without the bytes that have been sent."""
    sent = sent or connection.sendmsg(pieces)
    for piece in pieces:
        if sent < len(piece):
            connection.sendall(memoryview(piece)[sent:])
        sent = max(0, sent - len(piece))
