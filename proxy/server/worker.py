"""Gunicorn's gevent worker, with three habits changed: its errors, how long it waits, and how it stops."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import gevent
from gunicorn import util
from gunicorn.http import errors, wsgi
from gunicorn.workers.ggevent import GeventWorker
from werkzeug.datastructures import Headers

from compat.errors import ApiError, ErrorKind
from compat.gemini_content import error as google_dialect
from compat.openai_images import error as openai_dialect
from proxy.caller import is_googles
from proxy.limits import LONGEST_HEADER, LONGEST_REQUEST_LINE, MOST_HEADERS
from proxy.purchases import call
from proxy.server.response import GatheringResponse, end_slow_waits

HEADERS_TOO_LARGE = f"it has more than {MOST_HEADERS} headers, or one of more than {LONGEST_HEADER} bytes"
STATUS_OF_ERROR = (  # status and reason for a request that never reaches the app, and why
    (errors.LimitRequestLine, 414, "URI Too Long", f"its first line is longer than {LONGEST_REQUEST_LINE} bytes"),
    (errors.LimitRequestHeaders, 431, "Request Header Fields Too Large", HEADERS_TOO_LARGE),
    (errors.ExpectationFailed, 417, "Expectation Failed", "it expects what is not known here"),
    (errors.UnsupportedTransferCoding, 501, "Not Implemented", "its transfer coding is not known here"),
    (errors.ParseException, 400, "Bad Request", "it is no HTTP request"),
    (Exception, 500, "Internal Server Error", ""),
)

log = logging.getLogger("twinlens")


class KeptIdle(BaseException):
    """A caller has kept its connection idle for too long."""


class Worker(GeventWorker):  # type: ignore[misc]
    """Answers what is no HTTP request with JSON, and stops without waiting for idle connections."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.idle: set[gevent.Greenlet] = set()
        self.quit_at = float("-inf")

    def init_process(self) -> None:
        """After the fork. Gunicorn looks its response class up by this name for every request."""
        wsgi.Response = GatheringResponse
        super().init_process()

    def timeout_ctx(self) -> AbstractContextManager[None]:
        """The context in which the next request of a connection is waited for: idle, and not for long."""
        return self.idle_for(self.cfg.keepalive)

    @contextmanager
    def idle_for(self, seconds: float) -> Iterator[None]:
        here = gevent.getcurrent()
        self.idle.add(here)
        try:
            with gevent.Timeout(seconds, KeptIdle):
                yield
        except KeptIdle:
            pass
        finally:
            self.idle.discard(here)

    def run(self) -> None:
        """Serves until the worker is to stop; then the calls end whose callers have gone and may come back."""
        super().run()
        until = time.monotonic() + self.cfg.graceful_timeout
        while call.running and time.monotonic() < until:
            self.notify()
            gevent.sleep(0.1)

    def notify(self) -> None:
        """Called every second: ends what has waited too long, and, once the worker is to stop, idle connections."""
        super().notify()
        end_slow_waits()
        if not self.alive:
            in_hub = gevent.get_hub().loop.run_callback
            for one in self.idle:
                in_hub(self.end_idle, one)

    def end_idle(self, one: gevent.Greenlet) -> None:
        """Called by the hub, so that nothing comes in between: a request that has arrived meanwhile is answered."""
        if one in self.idle:
            one.throw(gevent.GreenletExit)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Ctrl-C reaches a worker many times, from the terminal and from its master: once a second is enough."""
        if time.monotonic() > self.quit_at + 1:
            self.quit_at = time.monotonic()
            super().handle_quit(sig, frame)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Called for everything that leaves the app or never reached it."""
        if isinstance(exc, gevent.GreenletExit):
            return
        status, reason, why = next(row[1:] for row in STATUS_OF_ERROR if isinstance(exc, row[0]) or row[0] is Exception)
        path = getattr(req, "path", "") or ""
        if status == 500:
            self.log.error("error outside the app on %s", path, exc_info=exc)
        else:
            self.log.warning("request refused: %s", type(exc).__name__)
        send_error(client, status, reason, why, path)


def send_error(client: Any, status: int, reason: str, why: str, path: str) -> None:
    """Writes a JSON error, in the dialect of the path, on a connection that is then closed."""
    kind = ErrorKind.INTERNAL if status == 500 else ErrorKind.INVALID_ARGUMENT
    dialect = google_dialect if is_googles(path, Headers(), lambda: {}) else openai_dialect
    message = f"The server could not read the request: {why}." if why else "The server had an error."
    body = json.dumps(dialect.build_error(ApiError(kind, message, status=status))[1]).encode()
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"X-Content-Type-Options: nosniff\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    try:
        util.write_nonblock(client, head.encode() + body)
    except OSError:
        log.debug("the caller was gone before it could be sent an error")
