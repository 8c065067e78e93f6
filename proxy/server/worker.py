"""Gunicorn's gevent worker, with its own errors, responses and way to stop."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
from gunicorn import util
from gunicorn.http import errors, wsgi
from gunicorn.workers.ggevent import GeventWorker
from werkzeug.datastructures import Headers

from compat.errors import ApiError, ErrorKind
from proxy.caller import dialect_of
from proxy.greenlets import confirm, confirm_at_end
from proxy.jobs import registry
from proxy.limits import LONGEST_HEADER, LONGEST_REQUEST_LINE, MOST_HEADERS
from proxy.purchases import call as calls
from proxy.server.response import GatheringResponse, http_date

TOO_LARGE = f"it has more than {MOST_HEADERS} headers, or one of more than {LONGEST_HEADER} bytes"
REFUSALS = (  # what gunicorn raises for a request that never reaches the app: status, reason, and why in the message
    (errors.LimitRequestLine, 414, "URI Too Long", f"its first line is longer than {LONGEST_REQUEST_LINE} bytes"),
    (errors.LimitRequestHeaders, 431, "Request Header Fields Too Large", TOO_LARGE),
    (errors.ExpectationFailed, 417, "Expectation Failed", "its Expect header is not supported"),
    (errors.UnsupportedTransferCoding, 501, "Not Implemented", "its transfer coding is not supported"),
    (errors.ParseException, 400, "Bad Request", "it is not an HTTP request"),
    (BaseException, 500, "Internal Server Error", ""),
)

log = logging.getLogger("twinlens")


class Worker(GeventWorker):  # type: ignore[misc]
    """Answers what is not an HTTP request with JSON, logs only its kind, and stops without waiting for idle callers."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.idle: set[gevent.Greenlet] = set()
        self.quit_at = float("-inf")

    def init_process(self) -> None:
        """After the fork."""
        wsgi.Response, util.http_date = GatheringResponse, http_date  # gunicorn's worker has no setting for them
        gevent.config.track_greenlet_tree = False  # or each greenlet that begins keeps the stack it was begun from
        # Gunicorn looks its settings up many times for each request. As plain attributes they cost a tenth.
        self.cfg.__dict__.update({name: setting.get() for name, setting in self.cfg.settings.items()})
        super().init_process()

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Encloses the wait for a connection's next request: gunicorn's time limit, and a note that it is idle.

        What comes says whether the answer before it was read.
        """
        here = gevent.getcurrent()
        self.idle.add(here)
        was_read = True
        try:
            with super().timeout_ctx():
                yield
        except ConnectionResetError:
            was_read = False
            raise
        finally:
            self.idle.discard(here)
            confirm(was_read)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Answers a request. Raises StopIteration if its connection is to be closed."""
        try:
            super().handle_request(listener_name, req, sock, addr)
        except StopIteration:
            confirm_at_end(sock)
            raise

    def run(self) -> None:
        """Serves until the worker is to stop, and then until the calls are over whose callers have gone."""
        registry.start_looking()
        super().run()
        registry.stop_starting()
        until = time.monotonic() + self.cfg.graceful_timeout
        while (calls.running or registry.is_busy()) and time.monotonic() < until:
            self.notify()
            gevent.sleep(0.1)

    def notify(self) -> None:
        """Called every second. Once the worker is to stop, it ends the connections that wait for a request."""
        super().notify()
        if not self.alive:
            registry.stop_starting()
            for connection in self.idle:
                gevent.get_hub().loop.run_callback(self.end_idle, connection)

    def end_idle(self, connection: gevent.Greenlet) -> None:
        """Called by the hub, so that a request that has come meanwhile is answered."""
        if connection in self.idle:
            connection.throw(gevent.GreenletExit)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Ctrl-C reaches a worker many times, from the terminal and from its master: once a second is enough."""
        if time.monotonic() > self.quit_at + 1:
            self.quit_at = time.monotonic()
            super().handle_quit(sig, frame)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Called for what the app raises, and for what never reached it."""
        if isinstance(exc, gevent.GreenletExit):
            return
        status, reason, why = next(row[1:] for row in REFUSALS if isinstance(exc, row[0]))
        path = getattr(req, "path", "") or ""
        if status == 500:
            self.log.error("error outside the app on %s", path, exc_info=exc)
        else:
            self.log.warning("request refused: %s", type(exc).__name__)
        send_error(client, status, reason, why, path)


def send_error(client: Any, status: int, reason: str, why: str, path: str) -> None:
    """Writes a JSON error, in the dialect of the path, on a connection that is then closed."""
    kind = ErrorKind.INTERNAL if status == 500 else ErrorKind.INVALID_ARGUMENT
    message = f"The server could not read the request: {why}." if why else "The server had an error."
    _, error = dialect_of(path, Headers(), dict).build_error(ApiError(kind, message, status=status))
    body = json.dumps(error).encode()
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"X-Content-Type-Options: nosniff\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    try:
        util.write_nonblock(client, head.encode() + body)
    except OSError:
        log.debug("the caller was gone before an error could be sent")
