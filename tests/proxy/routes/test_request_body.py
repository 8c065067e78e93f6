"""Bodies as they come through gunicorn: from a socket, in pieces, slowly, or not at all."""

import base64
import gzip
import json
import re
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

from proxy.limits import MOST_FORM_PARTS
from proxy.routes import request_body
from tests.proxy.conftest import MODEL, Gemini, MakeApp
from tests.support.alarm_clock import alarm
from tests.support.dialects import google_error, openai_error
from tests.support.gemini_answers import DRAWN, PICTURE

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
    """Short time limits."""
    monkeypatch.setattr("proxy.limits.BODY_SECONDS", 0.3)
    monkeypatch.setattr("proxy.limits.SLOWEST_BODY", 2_000_000)
    monkeypatch.setattr(request_body, "time_limit", alarm)


@contextmanager
def caller(say: Callable[[socket.socket], None]) -> Iterator[socket.socket]:
    """Our side of a caller's connection, on which a function sends something."""
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
    """Sends one byte every twentieth of a second."""

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


def error_check_of(path: str) -> Callable[..., Any]:
    """The function that checks an error with this status on this path."""
    if path == GENERATE_CONTENT:
        return lambda response, status: google_error(response, status, response.get_json()["error"]["status"])
    return lambda response, status: openai_error(response, status, response.get_json()["error"]["code"])


PATHS = pytest.mark.parametrize(
    ("path", "content_type"),
    [(GENERATIONS, "application/json"), (GENERATE_CONTENT, "application/json"), (EDITS, FORM_TYPE)],
)


@PATHS
def test_a_body_is_read(client: FlaskClient, gemini: Gemini, path: str, content_type: str):
    gemini.answers(DRAWN)
    body = FORM if path == EDITS else BODY
    assert post(client, path, at_once(body), len(body), content_type).status_code == 200
    chunked = b"5\r\n" + body[:5] + b"\r\n%x\r\n" % (len(body) - 5) + body[5:] + b"\r\n0\r\n\r\n"
    assert post(client, path, at_once(chunked), None, content_type).status_code == 200


@PATHS
@pytest.mark.parametrize("length", [500_000, None], ids=["Content-Length", "chunked"])
def test_a_body_that_stops_coming_is_refused_in_time(
    client: FlaskClient, gemini: Gemini, path: str, content_type: str, length: int | None
):
    started = time.monotonic()
    half = FORM[:60] if path == EDITS else BODY[:20]
    said = half if length else b"fffff\r\n" + half
    response = post(client, path, at_once(said), length, content_type)
    assert time.monotonic() - started < 2
    error_check_of(path)(response, 408)
    assert response.headers["x-should-retry"] == "false"
    assert not gemini.calls


@PATHS
def test_a_body_that_comes_too_slowly_is_refused_in_time(
    client: FlaskClient, gemini: Gemini, path: str, content_type: str
):
    started = time.monotonic()
    body = (FORM if path == EDITS else BODY)[:60]
    response = post(client, path, dribble(body), 500_000, content_type)
    assert time.monotonic() - started < 1.5, "each byte may not buy another wait"
    error_check_of(path)(response, 408)


@PATHS
@pytest.mark.parametrize(
    "said",
    [b"zz\r\nabc\r\n0\r\n\r\n", b"3\r\nabcdef\r\n0\r\n\r\n", b"3;=\r\nabc\r\n0\r\n\r\n", b"-1\r\n"],
    ids=range(4),
)
def test_malformed_chunks_are_an_error_of_the_caller(
    client: FlaskClient, gemini: Gemini, path: str, content_type: str, said: bytes, caplog: pytest.LogCaptureFixture
):
    error_check_of(path)(post(client, path, at_once(said), None, content_type), 400)
    assert "unexpected error" not in caplog.text


@PATHS
@pytest.mark.parametrize("length", [500_000, None], ids=["Content-Length", "chunked"])
def test_a_caller_that_leaves_is_not_an_error_of_ours(
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
    assert "unexpected error" not in caplog.text
    assert not gemini.calls


def test_a_form_is_the_same_wherever_its_reads_end(
    client: FlaskClient, gemini: Gemini, monkeypatch: pytest.MonkeyPatch
):
    gemini.answers(DRAWN)
    prompt_last = FORM.removesuffix(b"--\r\n") + b'\r\nContent-Disposition: form-data; name="n"\r\n\r\n1\r\n--x--\r\n'
    for size in range(1, len(prompt_last)):
        monkeypatch.setattr(request_body, "MIB", size)
        response = client.post(EDITS, data=prompt_last, headers={**WITH_KEY, "Content-Type": FORM_TYPE})
        assert response.status_code == 200, (size, response.get_data())
        response.close()
    parts = [json.loads(call.body)["contents"][0]["parts"] for call in gemini.calls]
    assert len(parts) == len(prompt_last) - 1
    assert all(one == parts[0] for one in parts)
    assert base64.b64decode(parts[0][0]["inlineData"]["data"]) == PICTURE


def part(head: bytes, content: bytes = b"1") -> bytes:
    """A part of a form whose delimiter is --x."""
    return b"--x\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + content + b"\r\n"


END = b"--x--\r\n"
NAME = b'name="a"'
FILE = b'name="a"; filename="f"'
FORMS: dict[str, tuple[bytes, list[tuple[str, str | bytes]]]] = {
    "nothing": (END, []),
    "the order of parts": (
        part(b"name=b") + part(b"name=a") + part(b"name=b", b"2") + END,
        [("b", "1"), ("a", "1"), ("b", "2")],
    ),
    "no line end at its end": (part(NAME) + b"--x--", [("a", "1")]),
    "words before and after": (b"hello\r\n" + part(NAME) + END + b"bye", [("a", "1")]),
    "an empty text": (part(NAME, b""), [("a", "")]),
    "an empty file": (part(FILE, b""), [("a", b"")]),
    "a file without a name": (part(b'name="a"; filename=""'), [("a", b"1")]),
    "line ends at the end of a file": (part(FILE, b"ab\r\n\n\r\r\n"), [("a", b"ab\r\n\n\r\r\n")]),
    "almost delimiters in a file": (
        part(FILE, b"a--x\r\n\n--x\r\n\r\n--\r\n-x"),
        [("a", b"a--x\r\n\n--x\r\n\r\n--\r\n-x")],
    ),
    "a name in UTF-8": (part('name="고양이"'.encode(), "한 마리".encode()), [("고양이", "한 마리")]),
    "a name of RFC 2231": (part(b"name*=utf-8''%e2%82%ac"), [("\u20ac", "1")]),
    "a file of RFC 2231": (part(b"name=a; filename*=utf-8''%e2%82%ac"), [("a", b"1")]),
    "both, as .NET writes them": (part(b"name=a; filename=f; filename*=utf-8''f"), [("a", b"1")]),
    "an escaped quote": (part(b'name="a\\"b"'), [('a"b', "1")]),
    "a quote as browsers write it": (part(b'name="a%22b"'), [('a"b', "1")]),
    "semicolons in quotes": (part(b'name="a;b"; filename="c; d"'), [("a;b", b"1")]),
    "a folded header": (part(b'\r\n name="a"'), [("a", "1")]),
    "another header": (part(b"name=a\r\nContent-Type: text/plain\r\nX-Odd: y"), [("a", "1")]),
    "a text that is not UTF-8": (part(NAME, b"\xe9"), [("a", None)]),
    "a text in Latin-1": (part(b"name=a\r\nContent-Type: text/plain; charset=ISO-8859-1", b"\xe9"), [("a", "\xe9")]),
    "a text in another charset": (
        part(b"name=a\r\nContent-Type: text/plain; charset=utf-7", b"+AOk-"),
        [("a", None)],
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_the_parts_of_a_form(name: str):
    body, expected = FORMS[name]
    form = request_body.parse_form(body if body.endswith((END, b"--x--", b"bye")) else body + END, b"x")
    assert [(part.name, part.data if part.is_file else part.text("utf-8")) for part in form.parts] == expected


NO_FORMS = {
    "words": b"hello",
    "line ends": b"\r\n" * 1000,
    "another boundary": part(NAME).replace(b"--x", b"--y") + b"--y--\r\n",
    "a part without end": part(NAME, b"1")[:-2],
    "no last delimiter": part(NAME) + b"--x\r\n",
    "half a last delimiter": part(NAME) + b"--x-",
    "no name": part(b"filename=f") + END,
    "an empty name": part(b'name=""') + END,
    "no Content-Disposition": b"--x\r\nContent-Type: a/b\r\n\r\n1\r\n" + END,
    "no headers": b"--x\r\n\r\n1\r\n" + END,
    "a header that is none": part(b"name=a\r\nhello") + END,
    "a name that is not UTF-8": part(b'name="\xe9"') + END,
    "a header of a megabyte": part(b'name="' + b"a" * 2**20 + b'"') + END,
    "headers without end": part(b"name=a\r\n" + b"X: y\r\n" * 50_000) + END,
    "an empty part without its line end": part(NAME, b"").removesuffix(b"\r\n") + part(FILE) + END,
    "bare line feeds": (part(NAME) + END).replace(b"\r\n", b"\n"),
    "a line that begins like a delimiter": part(FILE, b"1\r\n--xy") + END,
}


@pytest.mark.parametrize("name", NO_FORMS)
def test_a_malformed_form_is_refused_with_a_reason(client: FlaskClient, gemini: Gemini, name: str):
    response = client.post(EDITS, data=NO_FORMS[name], headers={**WITH_KEY, "Content-Type": FORM_TYPE})
    message = openai_error(response, 400, None)["message"]
    assert re.fullmatch(r"The form cannot be read: [\w'() -]{5,80}\.", message), message
    assert not gemini.calls


def test_a_form_has_a_limited_number_of_parts(client: FlaskClient, gemini: Gemini):
    gemini.answers(DRAWN)
    most = FORM.removesuffix(END) + part(b"name=user") * (MOST_FORM_PARTS - 2)
    headers = {**WITH_KEY, "Content-Type": FORM_TYPE}
    assert client.post(EDITS, data=most + END, headers=headers).status_code == 200
    response = client.post(EDITS, data=most + part(b"name=user") + END, headers=headers)
    assert str(MOST_FORM_PARTS) in openai_error(response, 413, "request_too_large")["message"]


@PATHS
@pytest.mark.parametrize("has_length", [True, False], ids=["Content-Length", "chunked"])
def test_a_body_of_the_most_bytes_is_read_and_one_more_is_not(
    make_app: MakeApp, gemini: Gemini, path: str, content_type: str, has_length: bool
):
    gemini.answers(DRAWN)
    body = (FORM if path == EDITS else BODY).ljust(2000)
    overrides: dict[str, Any] = {"wsgi.input_terminated": True, **({} if has_length else {"CONTENT_LENGTH": ""})}
    for most, status in ((len(body), 200), (len(body) - 1, 413)):
        client = make_app(MAX_REQUEST_BYTES=str(most)).test_client()
        headers = {**WITH_KEY, "Content-Type": content_type}
        assert client.post(path, data=body, headers=headers, environ_overrides=overrides).status_code == status


@PATHS
@pytest.mark.parametrize("encoding", ["gzip", "br", "x-unknown", "gzip, identity"])
def test_a_compressed_body_is_refused_by_name(
    client: FlaskClient, gemini: Gemini, path: str, content_type: str, encoding: str
):
    body = gzip.compress(FORM if path == EDITS else BODY)
    headers = {**WITH_KEY, "Content-Type": content_type, "Content-Encoding": encoding}
    response = client.post(path, data=body, headers=headers)
    assert encoding in error_check_of(path)(response, 415)["message"]
    assert not gemini.calls


@PATHS
def test_a_body_that_is_declared_as_not_compressed_is_read(
    client: FlaskClient, gemini: Gemini, path: str, content_type: str
):
    gemini.answers(DRAWN)
    headers = {**WITH_KEY, "Content-Type": content_type, "Content-Encoding": "identity"}
    assert client.post(path, data=FORM if path == EDITS else BODY, headers=headers).status_code == 200


def test_a_body_without_a_known_end_is_empty(client: FlaskClient):
    """Without Content-Length, from a server that does not end the stream either."""

    class Endless:
        def read(self, size: int = -1) -> bytes:
            raise AssertionError("it was read")

    response = client.post(GENERATIONS, headers=WITH_KEY, environ_overrides={"wsgi.input": Endless()})
    openai_error(response, 400, response.get_json()["error"]["code"])
