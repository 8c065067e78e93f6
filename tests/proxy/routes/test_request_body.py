"""Bodies as gunicorn hands them on: from a socket, in pieces, slowly, or not at all."""

import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from flask.testing import FlaskClient
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.unreader import SocketUnreader
from werkzeug.test import TestResponse

from proxy.routes import request_body
from tests.proxy.alarm_clock import alarm
from tests.proxy.conftest import MODEL, Gemini
from tests.proxy.dialects import google_error, openai_error
from tests.proxy.gemini_answers import DRAWN, PICTURE

WITH_KEY = {"Authorization": "Bearer k"}
GENERATIONS = "/v1/images/generations"
EDITS = "/v1/images/edits"
GENERATE_CONTENT = f"/v1beta/models/{MODEL}:generateContent"
BODY = json.dumps({"prompt": "a cat", "contents": [{"parts": [{"text": "a cat"}]}]}).encode()
FORM = (
    b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\na hat\r\n'
    b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + PICTURE + b"\r\n--x--\r\n"
)
FORM_TYPE = "multipart/form-data; boundary=x"


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch):
    """The limits of time, made short."""
    monkeypatch.setattr(request_body, "BODY_SECONDS", 0.3)
    monkeypatch.setattr(request_body, "SLOWEST_BODY", 2_000_000)
    monkeypatch.setattr(request_body, "time_limit", alarm)


@contextmanager
def caller(say: Callable[[socket.socket], None]) -> Iterator[socket.socket]:
    """Our end of a caller's connection, on which he says something in his own time."""
    theirs, ours = socket.socketpair()
    done = threading.Event()

    def speak() -> None:
        with suppress(OSError):
            say(theirs)
        done.wait(5)
        theirs.close()

    thread = threading.Thread(target=speak, daemon=True)
    thread.start()
    try:
        yield ours
    finally:
        done.set()
        ours.close()
        thread.join(5)


def post(
    client: FlaskClient,
    path: str,
    say: Callable[[socket.socket], None],
    length: int | None,
    content_type: str = "application/json",
) -> TestResponse:
    """A request whose body comes from a socket through gunicorn's own reader."""
    with caller(say) as ours:
        unreader = SocketUnreader(ours)
        reader = ChunkedReader(None, unreader) if length is None else LengthReader(unreader, length)
        environ = {
            "wsgi.input": Body(reader),
            "wsgi.input_terminated": True,
            "gunicorn.socket": ours,
            "CONTENT_TYPE": content_type,
            "CONTENT_LENGTH": "" if length is None else str(length),
        }
        response = client.post(path, headers=WITH_KEY, environ_overrides=environ)
        response.get_data()
        response.close()
        return response


def dribble(body: bytes) -> Callable[[socket.socket], None]:
    """Says one byte every twentieth of a second."""

    def say(connection: socket.socket) -> None:
        for position in range(len(body)):
            connection.sendall(body[position : position + 1])
            time.sleep(0.05)

    return say


def at_once(*pieces: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(b"".join(pieces))


def and_leave(*pieces: bytes) -> Callable[[socket.socket], None]:
    def say(connection: socket.socket) -> None:
        connection.sendall(b"".join(pieces))
        connection.shutdown(socket.SHUT_WR)

    return say


def told_in(path: str) -> Callable[..., Any]:
    """How an error with this status is told on this path."""
    if path == GENERATE_CONTENT:
        return lambda response, status: google_error(response, status, response.get_json()["error"]["status"])
    return lambda response, status: openai_error(response, status, response.get_json()["error"]["code"])


PATHS = pytest.mark.parametrize(
    ("path", "content_type"),
    [(GENERATIONS, "application/json"), (GENERATE_CONTENT, "application/json"), (EDITS, FORM_TYPE)],
)


@PATHS
def test_a_body_that_comes_is_read(client: FlaskClient, gemini: Gemini, path: str, content_type: str):
    gemini.answers(DRAWN)
    body = FORM if path == EDITS else BODY
    assert post(client, path, at_once(body), len(body), content_type).status_code == 200
    chunked = b"5\r\n" + body[:5] + b"\r\n%x\r\n" % (len(body) - 5) + body[5:] + b"\r\n0\r\n\r\n"
    assert post(client, path, at_once(chunked), None, content_type).status_code == 200


@PATHS
@pytest.mark.parametrize("length", [500_000, None], ids=["Content-Length", "chunked"])
def test_a_body_that_stops_coming_is_given_up_in_time(
    client: FlaskClient, gemini: Gemini, path: str, content_type: str, length: int | None
):
    started = time.monotonic()
    half = FORM[:60] if path == EDITS else BODY[:20]
    said = half if length else b"fffff\r\n" + half
    response = post(client, path, at_once(said), length, content_type)
    assert time.monotonic() - started < 2
    told_in(path)(response, 408)
    assert response.headers["x-should-retry"] == "false"
    assert not gemini.calls


@PATHS
def test_a_body_that_dribbles_is_given_up_in_time(client: FlaskClient, gemini: Gemini, path: str, content_type: str):
    started = time.monotonic()
    body = (FORM if path == EDITS else BODY)[:60]
    response = post(client, path, dribble(body), 500_000, content_type)
    assert time.monotonic() - started < 1.5, "each byte may not buy another wait"
    told_in(path)(response, 408)


@PATHS
@pytest.mark.parametrize(
    "said",
    [b"zz\r\nabc\r\n0\r\n\r\n", b"3\r\nabcdef\r\n0\r\n\r\n", b"3;=\r\nabc\r\n0\r\n\r\n", b"-1\r\n"],
    ids=range(4),
)
def test_chunks_that_are_none_are_the_callers_fault(
    client: FlaskClient, gemini: Gemini, path: str, content_type: str, said: bytes, caplog: pytest.LogCaptureFixture
):
    told_in(path)(post(client, path, at_once(said), None, content_type), 400)
    assert "unforeseen" not in caplog.text


@PATHS
@pytest.mark.parametrize("length", [500_000, None], ids=["Content-Length", "chunked"])
def test_a_caller_who_leaves_in_the_middle_is_no_fault_of_ours(
    client: FlaskClient,
    gemini: Gemini,
    path: str,
    content_type: str,
    length: int | None,
    caplog: pytest.LogCaptureFixture,
):
    half = FORM[:60] if path == EDITS else BODY[:20]
    response = post(client, path, and_leave(half if length else b"fffff\r\n" + half), length, content_type)
    assert response.status_code in (400, 499)
    assert "unforeseen" not in caplog.text
    assert not gemini.calls


def test_a_form_is_the_same_wherever_its_reads_end(
    client: FlaskClient, gemini: Gemini, monkeypatch: pytest.MonkeyPatch
):
    """Werkzeug by itself takes the line break before a delimiter for data, if a read ends in the delimiter's end."""
    gemini.answers(DRAWN)
    prompt_last = (
        FORM.removesuffix(b"--\r\n") + b' \t\r\nContent-Disposition: form-data; name="user"\r\n\r\nme\r\n--x \r\n'
        b'Content-Disposition: form-data; name="n"\r\n\r\n1\r\n--x--\r\n'
    )
    for size in range(1, len(prompt_last)):
        monkeypatch.setattr(request_body, "MIB", size)
        response = client.post(EDITS, data=prompt_last, headers={**WITH_KEY, "Content-Type": FORM_TYPE})
        assert response.status_code == 200, (size, response.get_data())
        response.close()
    parts = [json.loads(call.body)["contents"][0]["parts"] for call in gemini.calls]
    assert len(parts) == len(prompt_last) - 1
    assert all(one == parts[0] for one in parts)
    assert base64.b64decode(parts[0][0]["inlineData"]["data"]) == PICTURE
