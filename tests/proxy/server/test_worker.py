"""proxy/server/worker.py: JSON for what is not a request, and a quiet end of connections and of the worker."""

import contextlib
import json
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
from gunicorn.config import Config
from gunicorn.http import errors, wsgi
from gunicorn.workers.ggevent import GeventWorker

from proxy.greenlets import CallerGone
from proxy.server.response import GatheringResponse
from proxy.server.worker import Worker, send_error
from tests.support.processes import free_port
from tests.support.upstream import http, upstream_that

KEY = "AIzaSy-a-key-that-nobody-may-see"
GENERATE_CONTENT = "/v1beta/models/m:generateContent"


# What is not a request


class Log:
    """Keeps the messages."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __getattr__(self, level: str) -> Any:
        def write(message: str, *args: Any, **options: Any) -> None:
            error = options.get("exc_info")
            self.lines.append(f"{level}: {message % args}{f' {error}' if error else ''}")

        return write


def handled(error: BaseException, path: str | None = None) -> tuple[bytes, list[str]]:
    """What a caller receives, and what is logged."""
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
    """The status and the body of one complete answer."""
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
    (errors.ExpectationFailed("a-miracle"), 417),
]


@pytest.mark.parametrize(("error", "status"), REFUSED, ids=lambda value: type(value).__name__)
def test_what_is_not_a_request_is_refused_in_json_and_only_its_kind_is_logged(error: Exception, status: int):
    sent, lines = handled(error)
    actual, body = body_of(sent)
    assert actual == status
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert [type(error).__name__ in line for line in lines] == [True]
    assert KEY not in str(lines) + sent.decode()


def test_an_error_outside_the_app_is_answered_in_the_dialect_of_the_path():
    sent, lines = handled(RuntimeError("the secret of line 7"), GENERATE_CONTENT)
    status, body = body_of(sent)
    assert (status, body["error"]["code"], body["error"]["status"]) == (500, 500, "INTERNAL")
    assert "secret" not in sent.decode()
    assert "the secret of line 7" in str(lines)
    status, body = body_of(handled(RuntimeError("x"), "/v1/images/generations")[0])
    assert (status, body["error"]["code"]) == (500, "internal_error")


def test_an_error_outside_the_app_is_logged_without_the_query():
    assert KEY not in str(handled(RuntimeError("x"), GENERATE_CONTENT)[1])


@pytest.mark.parametrize("goodbye", [gevent.GreenletExit(), CallerGone()], ids=lambda error: type(error).__name__)
def test_the_end_of_a_greenlet_is_not_an_error(goodbye: BaseException):
    assert handled(goodbye, GENERATE_CONTENT) == (b"", [])


def test_a_timeout_is_answered_in_json():
    status, _ = body_of(handled(gevent.Timeout(1), GENERATE_CONTENT)[0])
    assert status in (500, 504)


def test_nothing_is_sent_to_a_caller_that_is_gone():
    theirs, ours = socket.socketpair()
    theirs.close()
    with ours:
        send_error(ours, 400, "Bad Request", "a reason", "/v1/models")
    send_error(ours, 400, "Bad Request", "a reason", "/v1/models")


# Stopping


def waiting_worker(keepalive: float) -> Any:
    """As much of a worker as waits for requests."""
    worker = Worker.__new__(Worker)
    worker.idle = set()
    worker.cfg = SimpleNamespace(keepalive=keepalive)
    return worker


def test_a_connection_is_idle_while_it_waits_for_its_next_request():
    worker = waiting_worker(5)
    with worker.timeout_ctx():
        assert worker.idle == {gevent.getcurrent()}
    assert worker.idle == set()


def test_a_connection_without_a_request_is_ended_in_time():
    worker = waiting_worker(0.05)
    answered = False
    with worker.timeout_ctx():
        gevent.sleep(2)
        answered = True
    assert not answered
    assert worker.idle == set()


def test_a_connection_is_not_idle_after_a_request_that_cannot_be_read():
    worker = waiting_worker(5)
    with pytest.raises(ValueError, match="no request"), worker.timeout_ctx():
        raise ValueError("no request")
    assert worker.idle == set()


@pytest.mark.parametrize("asks", [False, True], ids=["idle", "a request just came"])
def test_a_worker_that_stops_ends_idle_connections_and_answers_requests(asks: bool):
    worker = waiting_worker(5)
    request = gevent.event.Event()
    worker.alive, worker.tmp = False, SimpleNamespace(notify=lambda: None)
    worker.ppid = os.getppid()
    answers = []

    def connection() -> None:
        with worker.timeout_ctx():
            request.wait()
        gevent.sleep(0.05)
        answers.append("an answer")

    greenlet = gevent.spawn(connection)
    gevent.sleep(0.01)
    if asks:
        request.set()
    worker.notify()
    greenlet.join(2)
    assert answers == (["an answer"] if asks else [])


# A real gunicorn


@contextmanager
def gunicorn(project: Path, tmp_path: Path, **environ: str) -> Iterator[tuple[int, Path]]:
    """A gunicorn as an operator starts it: its port and its log."""
    port, log = free_port(), tmp_path / "log"
    defaults = {"PORT": str(port), "IMAGE_STORE_URL": str(tmp_path / "images"), "WEB_CONCURRENCY": "1"}
    defaults["DATABASE_URL"] = f"sqlite:///{tmp_path}/twinlens.sqlite3"
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
def test_a_caller_that_hangs_up_is_not_an_error_and_its_place_is_free_again(
    project: Path, tmp_path: Path, goodbye: Callable[[socket.socket], None]
):
    body = b'{"contents": [{"parts": [{"text": "a cat"}]}]}'
    head = f"POST {GENERATE_CONTENT.replace('/m:', '/gemini-2.5-flash-image:')}?key={KEY} HTTP/1.1\r\nHost: x\r\n"
    request = head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with (
        upstream_that(http(b"x" * 20_000_000)) as upstream,
        gunicorn(project, tmp_path, GEMINI_BASE_URL=upstream.url, MAX_IN_FLIGHT="1") as (port, log),
    ):
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", port)) as caller:
                caller.sendall(request)
                assert b" 200 " in caller.recv(60), "the place of the request before is lost"
                time.sleep(0.2)
                goodbye(caller)
                assert upstream.hung_up.acquire(timeout=2), "the call upstream went on"
    written = log.read_text()
    assert "Listening at" in written
    assert "Traceback" not in written
    assert KEY not in written


def test_a_workers_answers_are_gathered_from_its_start_and_not_from_an_import(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(wsgi, "Response", wsgi.Response)  # restores it after the test
    assert not issubclass(wsgi.Response, GatheringResponse)
    monkeypatch.setattr(GeventWorker, "init_process", lambda _: None)
    worker = waiting_worker(5)
    worker.cfg = Config()
    worker.init_process()
    assert wsgi.Response is GatheringResponse
    assert {"keepalive", "limit_request_fields"} < vars(worker.cfg).keys(), "plain attributes, which are quick"
    assert not worker.cfg.is_ssl
