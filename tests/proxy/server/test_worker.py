"""Gunicorn's worker and log with our habits: no query in any line, JSON for what is no request, quiet goodbyes."""

import contextlib
import datetime
import json
import logging
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import gevent.event
import pytest
from gunicorn import util
from gunicorn.config import Config
from gunicorn.http import errors, wsgi

from proxy.greenlets import CallerGone
from proxy.server.worker import QuietLogger, Worker, drop_query, send_error, waited_for
from tests.support.processes import free_port
from tests.support.upstream import http, upstream_that

KEY = "AIzaSy-a-key-that-nobody-may-see"
GENERATE_CONTENT = "/v1beta/models/m:generateContent"


# The log


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("GET /v1/models?key=K HTTP/1.1", "GET /v1/models?... HTTP/1.1"),
        ("Error handling request /a?alt=sse&key=K", "Error handling request /a?..."),
        ("'/a?key=K' and \"/b?key=K\"", "'/a?...' and \"/b?...\""),
        ("nothing to hide", "nothing to hide"),
        ("why?", "why?..."),
    ],
)
def test_a_query_is_taken_out_of_a_line(line: str, expected: str):
    record = logging.LogRecord("x", logging.INFO, __file__, 1, line, (), None)
    assert drop_query(record)
    assert record.getMessage() == expected


def test_a_query_is_taken_out_of_arguments_too():
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "%s %r", (f"/a?key={KEY}", f"/b?key={KEY}"), None)
    assert drop_query(record)
    assert KEY not in record.getMessage()


def test_a_line_that_cannot_be_formatted_does_not_stop_the_worker():
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "%d of %s", ("x",), None)
    assert drop_query(record) in (True, False)


@pytest.fixture
def logged(tmp_path: Any) -> Any:
    """A logger of gunicorn's as its settings make it, and what it has written."""
    config = Config()
    for name in ("errorlog", "accesslog"):
        config.set(name, str(tmp_path / name))
    config.set("loglevel", "debug")
    logger = QuietLogger(config)
    yield logger, lambda: "".join(path.read_text() for path in tmp_path.iterdir())
    for log in (logger.error_log, logger.access_log):
        for handler in list(log.handlers):
            log.removeHandler(handler)
            handler.close()
        for kept in list(log.filters):
            log.removeFilter(kept)


def test_gunicorns_own_log_holds_no_key(logged: Any):
    logger, written = logged
    logger.info("Error handling request %s", f"{GENERATE_CONTENT}?alt=sse&key={KEY}")
    logger.debug("GET %s", f"/v1/models?key={KEY}")
    assert "Error handling request" in written()
    assert KEY not in written()


def test_an_exception_in_gunicorns_own_log_holds_no_key(logged: Any):
    logger, written = logged
    try:
        raise ValueError(f"cannot answer {GENERATE_CONTENT}?key={KEY}")
    except ValueError:
        logger.exception("Error handling request %s", f"/a?key={KEY}")
    assert "ValueError" in written()
    assert KEY not in written()


@pytest.mark.parametrize("log_format", [None, '%(r)s %(q)s "%(f)s" %({raw_uri}e)s'], ids=["usual", "talkative"])
def test_an_access_log_that_an_operator_wants_holds_no_key(logged: Any, log_format: str | None):
    logger, written = logged
    if log_format:
        logger.cfg.set("access_log_format", log_format)
    environ = {
        "REQUEST_METHOD": "POST",
        "RAW_URI": f"{GENERATE_CONTENT}?alt=sse&key={KEY}",
        "PATH_INFO": GENERATE_CONTENT,
        "QUERY_STRING": f"alt=sse&key={KEY}",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_REFERER": f"https://app.test/?key={KEY}",
    }
    response = SimpleNamespace(status="200 OK", status_code=200, sent=5, headers=[], response_length=5)
    request = SimpleNamespace(headers=[])
    logger.access(response, request, environ, datetime.timedelta(seconds=1))
    assert GENERATE_CONTENT in written()
    assert KEY not in written()


# What is no request


class Log:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __getattr__(self, level: str) -> Any:
        def write(message: str, *args: Any, **options: Any) -> None:
            error = options.get("exc_info")
            self.lines.append(f"{level}: {message % args}{f' {error}' if error else ''}")

        return write


def handled(error: BaseException, path: str | None = None) -> tuple[bytes, list[str]]:
    """What a caller is sent, and what is logged."""
    theirs, ours = socket.socketpair()
    worker = SimpleNamespace(log=Log())
    request = SimpleNamespace(path=path, uri=f"{path}?key={KEY}") if path else None
    with theirs, ours:
        Worker.handle_error(worker, request, ours, ("127.0.0.1", 1), error)
        ours.shutdown(socket.SHUT_WR)
        theirs.settimeout(2)
        sent = b""
        while piece := theirs.recv(65536):
            sent += piece
    return sent, worker.log.lines


def body_of(sent: bytes) -> tuple[int, dict[str, Any]]:
    """Status and body of what was sent, which must be one whole answer."""
    head, _, body = sent.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    assert headers["content-type"] == "application/json"
    assert headers["connection"] == "close"
    assert headers["x-content-type-options"] == "nosniff"
    assert int(headers["content-length"]) == len(body)
    return int(lines[0].split()[1]), json.loads(body)


REFUSED = [
    (errors.InvalidRequestLine(f"GET /?key={KEY}"), 400),
    (errors.InvalidRequestMethod(f"G?key={KEY}"), 400),
    (errors.InvalidHTTPVersion("HTTP/7"), 400),
    (errors.InvalidHeader(f"x-goog-api-key: {KEY}"), 400),
    (errors.InvalidHeaderName(f"x {KEY}"), 400),
    (errors.ObsoleteFolding(f"x: {KEY}"), 400),
    (errors.LimitRequestLine(9000, 8190), 414),
    (errors.LimitRequestHeaders("limit request headers fields size"), 431),
    (errors.UnsupportedTransferCoding("gzip"), 501),
    (errors.ExpectationFailed("a miracle"), 417),
]


@pytest.mark.parametrize(("error", "status"), REFUSED, ids=lambda value: type(value).__name__)
def test_what_is_no_request_is_refused_in_json_and_of_it_only_its_kind_is_logged(error: Exception, status: int):
    sent, lines = handled(error)
    told_status, body = body_of(sent)
    assert told_status == status
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert [type(error).__name__ in line for line in lines] == [True]
    assert KEY not in str(lines) + sent.decode()


def test_a_fault_outside_of_the_app_is_told_in_the_dialect_of_the_path():
    sent, lines = handled(RuntimeError("the secret of line 7"), GENERATE_CONTENT)
    status, body = body_of(sent)
    assert (status, body["error"]["code"], body["error"]["status"]) == (500, 500, "INTERNAL")
    assert "secret" not in sent.decode()
    assert "the secret of line 7" in str(lines)
    status, body = body_of(handled(RuntimeError("x"), "/v1/images/generations")[0])
    assert (status, body["error"]["code"]) == (500, "internal_error")


def test_a_fault_outside_of_the_app_is_logged_without_the_query():
    assert KEY not in str(handled(RuntimeError("x"), GENERATE_CONTENT)[1])


@pytest.mark.parametrize("goodbye", [gevent.GreenletExit(), CallerGone()], ids=lambda error: type(error).__name__)
def test_the_end_of_a_greenlet_and_a_caller_who_left_are_no_errors(goodbye: BaseException):
    assert handled(goodbye, GENERATE_CONTENT) == (b"", [])


def test_a_timeout_is_told_in_json():
    status, _ = body_of(handled(gevent.Timeout(1), GENERATE_CONTENT)[0])
    assert status in (500, 504)


def test_a_caller_who_is_gone_is_told_nothing():
    theirs, ours = socket.socketpair()
    theirs.close()
    with ours:
        send_error(ours, 400, "Bad Request", "it is none", "/v1/models")
    send_error(ours, 400, "Bad Request", "it is none", "/v1/models")


# Stopping


def waiting_worker(keepalive: float) -> Any:
    """A worker's memory of who waits, without a worker."""
    worker = Worker.__new__(Worker)
    worker.idle = set()
    worker.cfg = SimpleNamespace(keepalive=keepalive)
    return worker


def test_a_connection_counts_as_idle_while_its_next_request_is_waited_for():
    worker = waiting_worker(5)
    with worker.timeout_ctx():
        assert worker.idle == {gevent.getcurrent()}
    assert worker.idle == set()


def test_a_connection_without_a_request_is_given_up_in_time():
    worker = waiting_worker(0.05)
    answered = False
    with worker.timeout_ctx():
        gevent.sleep(2)
        answered = True
    assert not answered
    assert worker.idle == set()


def test_a_request_that_fails_while_it_is_read_is_no_longer_waited_for():
    worker = waiting_worker(5)
    with pytest.raises(ValueError, match="no request"), worker.timeout_ctx():
        raise ValueError("no request")
    assert worker.idle == set()


@pytest.mark.parametrize("asks", [False, True], ids=["asks nothing", "asks in that moment"])
def test_a_worker_that_stops_ends_who_asks_nothing_and_answers_who_asks(asks: bool):
    worker = waiting_worker(5)
    asked = gevent.event.Event()
    worker.alive, worker.tmp = False, SimpleNamespace(notify=lambda: None)
    worker.ppid = os.getppid()
    answers = []

    def connection() -> None:
        with worker.timeout_ctx():
            asked.wait()
        gevent.sleep(0.05)
        answers.append("an answer")

    greenlet = gevent.spawn(connection)
    gevent.sleep(0.01)
    if asks:
        asked.set()
    worker.notify()
    greenlet.join(2)
    assert answers == (["an answer"] if asks else [])


# The real thing


@contextmanager
def gunicorn(project: Path, tmp_path: Path, **environ: str) -> Iterator[tuple[int, Path]]:
    """A gunicorn as an operator starts it: its port and its log."""
    port, log = free_port(), tmp_path / "log"
    defaults = {"PORT": str(port), "IMAGE_STORE_URL": str(tmp_path / "images"), "WEB_CONCURRENCY": "1"}
    command = [sys.executable, "-m", "gunicorn"]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=project, env={**os.environ, **defaults, **environ}, stdout=file, stderr=file
        )
    try:
        for _ in range(100):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            time.sleep(0.1)
        yield port, log
    finally:
        process.terminate()
        process.wait(20)


def close(caller: socket.socket) -> None:
    caller.close()


def reset(caller: socket.socket) -> None:
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    caller.close()


def half_close(caller: socket.socket) -> None:
    caller.shutdown(socket.SHUT_WR)
    time.sleep(0.2)


@pytest.mark.parametrize("goodbye", [close, reset, half_close])
def test_callers_who_hang_up_in_the_middle_are_no_errors_and_give_their_places_back(
    project: Path, tmp_path: Path, goodbye: Callable[[socket.socket], None]
):
    body = b'{"contents": [{"parts": [{"text": "a cat"}]}]}'
    asked = f"POST {GENERATE_CONTENT.replace('/m:', '/gemini-2.5-flash-image:')}?key={KEY} HTTP/1.1\r\nHost: x\r\n"
    request = asked.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with (
        upstream_that(http(b"x" * 20_000_000)) as upstream,
        gunicorn(project, tmp_path, GEMINI_BASE_URL=upstream.url, MAX_IN_FLIGHT="1") as (port, log),
    ):
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", port)) as caller:
                caller.sendall(request)
                assert b" 200 " in caller.recv(60), "the place of the one before is lost"
                time.sleep(0.2)
                goodbye(caller)
                assert upstream.hung_up.acquire(timeout=2), "nobody told the upstream"
    written = log.read_text()
    assert "Listening at" in written
    assert "Traceback" not in written
    assert KEY not in written


# Writes


class Narrow:
    """A connection that takes a few bytes of what is gathered, and everything of what is sent alone."""

    def __init__(self, width: int | None):
        self.width = width
        self.taken = b""

    def sendmsg(self, pieces: tuple[bytes, ...], _: tuple[()] = (), flags: int = 0) -> int:
        if self.width is None and flags & socket.MSG_DONTWAIT:
            raise BlockingIOError
        taken = b"".join(pieces)[: self.width]
        self.taken += taken
        return len(taken)

    def sendall(self, data: bytes) -> None:
        self.taken += data


def response_on(connection: Any, method: str = "GET") -> wsgi.Response:
    """An answer that gunicorn is about to write."""
    request = SimpleNamespace(method=method, version=(1, 1), should_close=lambda: False)
    return wsgi.Response(request, connection, Config())


@pytest.mark.parametrize("width", [None, *range(11)])
def test_pieces_that_are_sent_together_arrive_whole_and_in_order(width: int | None):
    connection = Narrow(width)
    response = response_on(connection)
    response.head = b"head"
    response.send(b"5\r\n", b"", b"x", b"\r\n")
    assert connection.taken == b"head5\r\nx\r\n"


class TakesNothing:
    """A connection whose other end reads nothing for a while."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.options: list[Any] = []

    def sendmsg(self, pieces: tuple[bytes, ...], _: tuple[()] = (), flags: int = 0) -> int:
        if flags & socket.MSG_DONTWAIT:
            raise BlockingIOError
        gevent.sleep(self.seconds)
        return sum(map(len, pieces))

    def setsockopt(self, *option: Any) -> None:
        self.options.append(option)


@pytest.mark.parametrize(("seconds", "end"), [(0.05, "taken"), (5, "TooSlow")])
def test_a_caller_who_takes_nothing_is_not_waited_for_without_end(
    seconds: float, end: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("proxy.limits.BODY_SECONDS", 0.1)
    connection = TakesNothing(seconds)

    def write() -> str:
        response = response_on(connection)
        response.start_response("200 OK", [])
        try:
            response.write(b"a piece")
        except ConnectionResetError as error:
            return type(error).__name__
        return "taken"

    writing = gevent.spawn(write)
    for _ in range(10):
        gevent.sleep(0.02)
        worker_that_looks().notify()
    assert writing.get(timeout=1) == end
    is_reset = [(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))]
    assert connection.options == (is_reset if end == "TooSlow" else [])
    assert not waited_for


def worker_that_looks() -> Worker:
    """As much of a worker as looks every second who has waited too long."""
    worker = object.__new__(Worker)
    worker.tmp, worker.idle, worker.alive = SimpleNamespace(notify=lambda: None), set(), True
    worker.ppid = os.getppid()
    return worker


@pytest.mark.parametrize("width", [None, 7, 100_000])
@pytest.mark.parametrize(
    ("method", "status", "told", "pieces", "body"),
    [
        ("GET", "200 OK", [], [b"ab", b"", b"c"], b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"),
        ("GET", "200 OK", [("Content-Length", "3")], [b"ab", b"cd"], b"abc"),
        ("GET", "200 OK", [("Content-Length", "0")], [b"ab"], b""),
        ("HEAD", "200 OK", [("Content-Length", "2")], [b"ab"], b""),
        ("GET", "204 No Content", [], [b"ab"], b""),
        ("GET", "200 OK", [], [], b"0\r\n\r\n"),
    ],
)
def test_an_answer_has_one_head_and_the_body_it_may_have(
    width: int | None, method: str, status: str, told: list[tuple[str, str]], pieces: list[bytes], body: bytes
):
    connection = Narrow(width)
    response = response_on(connection, method)
    response.start_response(status, told)
    for piece in pieces:
        response.write(piece)
    response.close()
    head, _, rest = connection.taken.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status.encode())
    assert rest == body


def test_an_answer_tells_the_second_in_which_it_began(monkeypatch: pytest.MonkeyPatch):
    told = []
    for now in (784111777.2, 784111777.9, 784111778.0):
        monkeypatch.setattr("proxy.server.worker.time.time", lambda now=now: now)
        told.append(util.http_date())
    assert told == ["Sun, 06 Nov 1994 08:49:37 GMT"] * 2 + ["Sun, 06 Nov 1994 08:49:38 GMT"]  # RFC 9110's own example
