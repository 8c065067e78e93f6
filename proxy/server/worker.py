"""Gunicorn's gevent worker, with four habits changed: its errors, its log, how it writes, and how it stops.

Beside `generation` this room knows gevent, because the worker it changes is made of it.
"""

from __future__ import annotations

import errno
import json
import logging
import re
import socket
import time
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from typing import Any

import gevent
from gunicorn import util
from gunicorn.glogging import Logger
from gunicorn.http import errors, wsgi
from gunicorn.workers.ggevent import GeventWorker
from werkzeug.datastructures import Headers

from compat.errors import ApiError, ErrorKind
from compat.gemini_content import error as google_dialect
from compat.openai_images import error as openai_dialect
from proxy.caller import is_googles, reset_when_closed
from proxy.greenlets import time_limit
from proxy.limits import LONGEST_HEADER, LONGEST_REQUEST_LINE, MOST_HEADERS, seconds_for
from proxy.observation.logs import JsonFormatter

HEADERS_TOO_LARGE = f"it has more than {MOST_HEADERS} headers, or one of more than {LONGEST_HEADER} bytes"
STATUS_OF_ERROR = (  # what gunicorn answers a request that is none, before the app sees it, and what is told of why
    (errors.LimitRequestLine, 414, "URI Too Long", f"its first line is longer than {LONGEST_REQUEST_LINE} bytes"),
    (errors.LimitRequestHeaders, 431, "Request Header Fields Too Large", HEADERS_TOO_LARGE),
    (errors.ExpectationFailed, 417, "Expectation Failed", "it expects what is not known here"),
    (errors.UnsupportedTransferCoding, 501, "Not Implemented", "its transfer coding is not known here"),
    (errors.ParseException, 400, "Bad Request", "it is no HTTP request"),
    (Exception, 500, "Internal Server Error", ""),
)
HIDDEN_HEADERS = ("authorization", "x-goog-api-key", "api-key", "cookie", "referer")
QUERY = re.compile(r"\?[^\s'\"]*")

log = logging.getLogger("twinlens")


class QuietLogger(Logger):  # type: ignore[misc]
    """Gunicorn's logger, with no query and no credential in any line: a query may hold a key."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.addFilter(drop_query)
        self.access_log.addFilter(drop_query)

    def atoms(self, resp: Any, req: Any, environ: Any, request_time: Any) -> dict[str, Any]:
        """What a format of the access log can name."""
        atoms: dict[str, Any] = super().atoms(resp, req, environ, request_time)
        hidden = {"q": "-", **{f"{{{name}}}i": "-" for name in HIDDEN_HEADERS}}
        return {**atoms, **{name: value for name, value in hidden.items() if name in atoms}}


class JsonLogger(QuietLogger):
    """The same with a line of JSON for each record, as Twinlens itself logs."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            handler.setFormatter(JsonFormatter())


def drop_query(record: logging.LogRecord) -> bool:
    """Takes queries out of a log record and its traceback."""
    try:
        record.msg = QUERY.sub("?...", record.getMessage())
    except Exception:  # a record that cannot be formatted is logging's own to tell
        return True
    record.args = None
    if record.exc_info:
        record.exc_text = QUERY.sub("?...", logging.Formatter().formatException(record.exc_info))
    return True


class TooSlow(ConnectionResetError):
    """A caller does not take his answer."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the caller did not take his answer")


# Who waits until a caller takes what is sent, and how long he does. A look at it every second costs less than a timer.
waited_for: dict[gevent.Greenlet, float] = {}


class GatheringResponse(wsgi.Response):  # type: ignore[misc]
    """Gunicorn's response in fewer writes: the head leaves with the body's first piece, a chunk with its frame.

    A caller must keep taking it, as the body of his request must keep coming: gunicorn would wait for ever.
    """

    def __init__(self, req: Any, sock: Any, cfg: Any):
        super().__init__(req, sock, cfg)
        self.headers_sent: bool
        self.can_gather = not cfg.is_ssl
        self.head = b""  # that waits for the first piece

    def write(self, arg: bytes) -> None:
        """What the app says next."""
        if not self.can_gather:
            self.wait_for_caller(len(arg), super().write, arg)
            return
        if arg and not self.headers_sent:
            self.gather_head()
        super().write(arg)

    def gather_head(self) -> None:
        """The status line and the headers leave with what comes next."""
        lines = [*self.default_headers(), *(f"{name}: {value}\r\n" for name, value in self.headers), "\r\n"]
        self.head = "".join(lines).encode("latin-1")
        self.headers_sent = True

    def _emit_body(self, data: bytes) -> None:
        """The piece, framed: what gunicorn calls for what is left of it by the rules of HTTP."""
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
        """A file, which the kernel sends; False if it cannot."""
        sent: bool = self.wait_for_caller(self.response_length or 0, super().sendfile, respiter)
        return sent

    def close(self) -> None:
        """The end of the chunks, and the head of an answer that has no body."""
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

        He is then told no more: what the kernel still holds for him is thrown away when the connection is closed.
        """
        here = gevent.getcurrent()
        waited_for[here] = time.monotonic() + seconds_for(length)
        try:
            return send(*args)
        except TooSlow:
            log.warning("an answer was cut off: its caller took too long to take it")
            reset_when_closed(self.sock)
            raise
        finally:
            del waited_for[here]


@lru_cache(maxsize=1)
def date_of(second: int) -> str:
    """The Date of an answer, which is written once a second and not for each."""
    return formatdate(second, usegmt=True)


# Gunicorn looks both up there for every request.
wsgi.Response = GatheringResponse
util.http_date = lambda: date_of(int(time.time()))


def send_rest(connection: Any, pieces: tuple[bytes, ...], sent: int) -> None:
    """Sends the pieces without the bytes that have been sent."""
    sent = sent or connection.sendmsg(pieces)
    for piece in pieces:
        if sent < len(piece):
            connection.sendall(memoryview(piece)[sent:])
        sent = max(0, sent - len(piece))


class AsksNothing(BaseException):
    """A caller has kept his connection idle for too long."""


class Idleness:
    """While the next request is waited for, its connection is among the idle ones, and no longer than so many seconds.

    What gevent.Timeout does, with less work: there is one for each request.
    """

    __slots__ = ("here", "idle", "limit")

    def __init__(self, idle: set[gevent.Greenlet], seconds: float):
        self.idle = idle
        self.limit = time_limit(seconds, AsksNothing)

    def __enter__(self) -> None:
        self.here = gevent.getcurrent()
        self.idle.add(self.here)
        self.limit.__enter__()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self.limit.__exit__()
        self.idle.discard(self.here)
        return kind is AsksNothing


class Worker(GeventWorker):  # type: ignore[misc]
    """Answers what is no HTTP request with JSON, says of it only what kind it was, and stops without idle callers."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.idle: set[gevent.Greenlet] = set()
        self.quit_at = float("-inf")

    def init_process(self) -> None:
        """After the fork: what gunicorn's settings say stays as it is, and need not be looked up for each request."""
        self.cfg.__dict__.update({name: setting.get() for name, setting in self.cfg.settings.items()})
        super().init_process()

    def timeout_ctx(self) -> Idleness:
        """What the next request of a connection is waited for in."""
        return Idleness(self.idle, self.cfg.keepalive)

    def notify(self) -> None:
        """Called every second. Nobody waits for ever for callers who do not take their answers.

        Once the worker is to stop, nobody waits for those who ask nothing.
        """
        super().notify()
        now, in_hub = time.monotonic(), gevent.get_hub().loop.run_callback
        for one, until in waited_for.items():
            if until < now:
                in_hub(end_wait, one)
        if not self.alive:
            for one in self.idle:
                in_hub(self.end_idle, one)

    def end_idle(self, one: gevent.Greenlet) -> None:
        """Called by the hub, so that nothing comes in between: who has asked something meanwhile is answered."""
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


def end_wait(one: gevent.Greenlet) -> None:
    """Called by the hub, so that nothing comes in between: whose caller has taken his answer meanwhile goes on."""
    if waited_for.get(one, float("inf")) < time.monotonic():
        one.throw(TooSlow())


def send_error(client: Any, status: int, reason: str, why: str, path: str) -> None:
    """Writes a JSON error, in the dialect of the path, on a connection that is then closed."""
    kind = ErrorKind.INTERNAL if status == 500 else ErrorKind.INVALID_ARGUMENT
    dialect = google_dialect if is_googles(path, Headers(), lambda: {}) else openai_dialect
    told = f"The server could not read the request: {why}." if why else "The server had an error."
    body = json.dumps(dialect.build_error(ApiError(kind, told, status=status))[1]).encode()
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"X-Content-Type-Options: nosniff\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    try:
        util.write_nonblock(client, head.encode() + body)
    except OSError:
        log.debug("the caller was gone before an error could be told")
