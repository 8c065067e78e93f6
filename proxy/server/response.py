"""Gunicorn's response in fewer writes: the head leaves with the body's first piece, a chunk with its frame.

A caller must keep taking its answer, as the body of its request must keep coming: gunicorn would wait forever.
"""

from __future__ import annotations

import errno
import logging
import socket
import time
from collections.abc import Callable
from typing import Any

import gevent
from gunicorn.http import wsgi

from proxy.caller import reset_when_closed
from proxy.limits import seconds_for

log = logging.getLogger("twinlens")

# Until when a greenlet waits for its caller to take what is sent. The worker looks at it every second.
waiting_until: dict[gevent.Greenlet, float] = {}


class TooSlow(ConnectionResetError):
    """A caller does not take its answer."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the caller did not take its answer")


class GatheringResponse(wsgi.Response):  # type: ignore[misc]
    """One answer on its connection. Behind gunicorn's own TLS it does what gunicorn does."""

    def __init__(self, req: Any, sock: Any, cfg: Any):
        super().__init__(req, sock, cfg)
        self.headers_sent: bool
        self.can_gather = not cfg.is_ssl
        self.head = b""  # that waits for the first piece

    def write(self, arg: bytes) -> None:
        """Sends the next piece of the body."""
        if not self.can_gather:
            self.wait_for_caller(len(arg), super().write, arg)
            return
        if arg and not self.headers_sent:
            self.gather_head()
        super().write(arg)

    def gather_head(self) -> None:
        """Makes the status line and the headers leave with what comes next."""
        lines = [*self.default_headers(), *(f"{name}: {value}\r\n" for name, value in self.headers), "\r\n"]
        self.head = "".join(lines).encode("latin-1")
        self.headers_sent = True

    def _emit_body(self, data: bytes) -> None:
        """Sends a piece in its frame. Gunicorn calls it with what is left of the piece by the rules of HTTP."""
        if not self.can_gather:
            super()._emit_body(data)
        elif self.chunked:
            self.send(b"%X\r\n" % len(data), data, b"\r\n")
        else:
            self.send(data)

    def send(self, *pieces: bytes) -> None:
        """Sends the head and the pieces in one go, as far as the connection takes them, and then the rest of each."""
        pieces, self.head = (self.head, *pieces), b""
        length = sum(map(len, pieces))
        try:
            sent = self.sock.sendmsg(pieces, (), socket.MSG_DONTWAIT)
        except BlockingIOError:
            sent = 0
        if sent < length:
            self.wait_for_caller(length, send_rest, self.sock, pieces, sent)

    def sendfile(self, respiter: Any) -> bool:
        """Lets the kernel send a file; False if it cannot."""
        sent: bool = self.wait_for_caller(self.response_length or 0, super().sendfile, respiter)
        return sent

    def close(self) -> None:
        """Sends the end of the chunks, and the head of an answer that has no body."""
        if not self.can_gather:
            self.wait_for_caller(0, super().close)
            return
        if not self.headers_sent:
            self.gather_head()
        if self.chunked:
            self.send(b"0\r\n\r\n")
        elif self.head:
            self.send()

    def wait_for_caller(self, length: int, send: Callable[..., Any], *args: Any) -> Any:
        """Calls what sends so many bytes, and may have to wait until the caller takes them. Raises TooSlow.

        After that nothing more is sent: what the kernel still holds is dropped when the connection is closed.
        """
        here = gevent.getcurrent()
        waiting_until[here] = time.monotonic() + seconds_for(length)
        try:
            return send(*args)
        except TooSlow:
            log.warning("an answer was cut off: its caller took too long to take it")
            reset_when_closed(self.sock)
            raise
        finally:
            del waiting_until[here]


def send_rest(connection: Any, pieces: tuple[bytes, ...], sent: int) -> None:
    """Sends the pieces without the bytes that have been sent."""
    sent = sent or connection.sendmsg(pieces)
    for piece in pieces:
        if sent < len(piece):
            connection.sendall(memoryview(piece)[sent:])
        sent = max(0, sent - len(piece))


def end_slow_waits() -> None:
    """Ends every wait for a caller that has taken too long."""
    now, in_hub = time.monotonic(), gevent.get_hub().loop.run_callback
    for one, until in waiting_until.items():
        if until < now:
            in_hub(end_wait, one)


def end_wait(one: gevent.Greenlet) -> None:
    """Called by the hub, so that nothing comes in between: one whose caller has taken its answer meanwhile goes on."""
    if waiting_until.get(one, float("inf")) < time.monotonic():
        one.throw(TooSlow())
