"""The running gunicorn: how it stops, malformed requests, and stored pictures."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from proxy import limits
from tests.support import pictures
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import NO_ANSWER, NO_ANSWER_BUT_A_RESET, Answer, ScriptedUpstream, reset

GENERATIONS = "/v1/images/generations"
GENERATE_CONTENT = "/v1beta/models/gemini-2.5-flash-image:generateContent"
PAINTED = Answer(pictures.drawn(pictures.picture_part(pictures.plain_png())))


def generate(server: ProxyServer, key: str, **parameters: Any) -> requests.Response:
    """A call of OpenAI's surface without any SDK."""
    headers = {"Authorization": f"Bearer {key}"}
    return requests.post(server.url + GENERATIONS, json={"prompt": "a cat", **parameters}, headers=headers, timeout=15)


@pytest.fixture
def short_lived_server(google: ScriptedUpstream, tmp_path: Path) -> Iterator[ProxyServer]:
    """A proxy that a test may stop."""
    with ProxyServer(tmp_path, GEMINI_BASE_URL=google.url, WEB_CONCURRENCY="2") as server:
        yield server


def test_sigterm_lets_a_call_in_flight_end_and_exits_with_0(
    short_lived_server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    picture_is_ready = threading.Event()
    upstream.answers(Answer(PAINTED.body, hold=picture_is_ready))
    answers: list[requests.Response] = []
    caller = threading.Thread(
        target=lambda: answers.append(generate(short_lived_server, key, response_format="b64_json"))
    )
    caller.start()
    upstream.wait_for(1)
    short_lived_server.terminate()
    time.sleep(0.5)
    picture_is_ready.set()
    caller.join(10)
    assert [answer.status_code for answer in answers] == [200]
    assert answers[0].json()["data"][0]["b64_json"] == pictures.base64_of(pictures.plain_png())
    assert short_lived_server.exit_code() == 0
    assert not short_lived_server.has_left_processes()
    assert "Traceback" not in short_lived_server.output()


def test_sigterm_does_not_wait_for_idle_connections(short_lived_server: ProxyServer) -> None:
    with requests.Session() as idle:
        idle.get(f"{short_lived_server.url}/healthz", timeout=5)
        short_lived_server.terminate()
        assert short_lived_server.exit_code(4) == 0
    assert not short_lived_server.has_left_processes()


def test_ctrl_c_stops_the_server_without_an_error(short_lived_server: ProxyServer) -> None:
    short_lived_server.press_ctrl_c()
    assert short_lived_server.exit_code(5) == 0
    assert not short_lived_server.has_left_processes()
    assert "Traceback" not in short_lived_server.output()


def test_a_wrong_setting_stops_the_start_and_names_the_variable(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="IMAGE_TTL_SECONDS"), ProxyServer(tmp_path, IMAGE_TTL_SECONDS="soon"):
        pass


def test_a_healthy_server_says_so_without_a_key(server: ProxyServer) -> None:
    assert requests.get(f"{server.url}/healthz", timeout=5).status_code == 200


def assert_openai_envelope(answer: requests.Response, status: int) -> None:
    """The error is OpenAI's, all four keys of it."""
    assert answer.status_code == status, answer.text[:300]
    assert answer.headers["Content-Type"] == "application/json"
    error = answer.json()["error"]
    assert set(error) >= {"message", "type", "param", "code"}
    assert error["message"] and error["type"]
    assert error["code"] is None or isinstance(error["code"], str)


def assert_google_envelope(answer: requests.Response, status: int) -> None:
    """The error is a google.rpc.Status."""
    assert answer.status_code == status, answer.text[:300]
    assert answer.headers["Content-Type"].startswith("application/json")
    error = answer.json()["error"]
    assert error["code"] == status
    assert isinstance(error["status"], str) and error["status"] == error["status"].upper()
    assert error["message"]


AS_OPENAI = {"Authorization": "Bearer {key}"}
AS_GOOGLE = {"x-goog-api-key": "{key}"}


@pytest.mark.parametrize(
    ("method", "path", "credential", "status", "envelope"),
    [
        ("GET", "/v1/nowhere", AS_OPENAI, 404, assert_openai_envelope),
        ("GET", "/v1/nowhere", {}, 404, assert_openai_envelope),
        ("GET", "/nowhere", {}, 404, assert_openai_envelope),
        ("GET", "/v1/nowhere", AS_GOOGLE, 404, assert_google_envelope),
        ("GET", "/v1/nowhere?key={key}", {}, 404, assert_google_envelope),
        ("GET", "/v1beta/nowhere", AS_OPENAI, 404, assert_google_envelope),
        ("GET", "/v1beta/openai/nowhere", AS_GOOGLE, 404, assert_openai_envelope),
        ("POST", "/v1/images/nowhere", AS_GOOGLE, 404, assert_openai_envelope),
        ("POST", "/v1/models/other:generateContent", AS_GOOGLE, 404, assert_google_envelope),
        ("POST", "/v1/models/gemini-2.5-flash-image:predict", AS_OPENAI, 404, assert_google_envelope),
        ("POST", "/v1beta/v1/models/gemini-2.5-flash-image:generateContent", AS_GOOGLE, 404, assert_google_envelope),
        ("POST", "/v1beta1/publishers/google/models/x:generateContent", AS_GOOGLE, 404, assert_google_envelope),
        ("GET", GENERATIONS, AS_OPENAI, 405, assert_openai_envelope),
        ("DELETE", "/v1/models", AS_OPENAI, 405, assert_openai_envelope),
        ("DELETE", "/v1/models", AS_GOOGLE, 405, assert_google_envelope),
        ("PUT", GENERATE_CONTENT, AS_GOOGLE, 405, assert_google_envelope),
        ("GET", "/v1/models/nothing", AS_OPENAI, 404, assert_openai_envelope),
        ("GET", "/v1/models/nothing", AS_GOOGLE, 404, assert_google_envelope),
        ("GET", "/v1beta/models/nothing", AS_OPENAI, 404, assert_google_envelope),
        ("GET", "/v1/models", {}, 401, assert_openai_envelope),
        ("GET", "/v1beta/models", {}, 403, assert_google_envelope),
        ("POST", GENERATIONS, {}, 401, assert_openai_envelope),
        ("POST", GENERATE_CONTENT, {}, 403, assert_google_envelope),
    ],
)
def test_an_error_speaks_the_language_of_its_surface(
    server: ProxyServer, key: str, method: str, path: str, credential: dict[str, str], status: int, envelope: Any
) -> None:
    headers = {name: value.format(key=key) for name, value in credential.items()}
    body = {"prompt": "a cat", "contents": []} if method in ("POST", "PUT") else None
    answer = requests.request(method, server.url + path.format(key=key), headers=headers, json=body, timeout=10)
    envelope(answer, status)
    if status == 405:
        assert answer.headers["Allow"]


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PATCH", "BREW"])
@pytest.mark.parametrize("path", ["/nowhere", "/healthz", "/v1/models", GENERATIONS, GENERATE_CONTENT, "/images/x.png"])
def test_no_method_is_answered_with_html(server: ProxyServer, key: str, method: str, path: str) -> None:
    answer = requests.request(method, server.url + path, headers={"Authorization": f"Bearer {key}"}, timeout=5)
    assert "html" not in answer.headers.get("Content-Type", "")
    assert answer.status_code < 500


BAD_BODIES = {
    "nothing": (b"", "application/json"),
    "half a JSON": (b'{"prompt": "a', "application/json"),
    "a list": (b"[]", "application/json"),
    "a number": (b"5", "application/json"),
    "null": (b"null", "application/json"),
    "not UTF-8": (b'{"prompt": "\xff\xfe"}', "application/json"),
    "very deep": (b'{"prompt":' + b"[" * 20_000, "application/json"),
    "not a number": (b'{"prompt": "a", "n": NaN, "contents": NaN}', "application/json"),
    "half a form": (b"--x\r\nContent-Disposition: form-data", "multipart/form-data; boundary=x"),
    "a form without a boundary": (b"x", "multipart/form-data"),
    "a web form": (b"prompt=a", "application/x-www-form-urlencoded"),
    "XML": (b"<a/>", "application/xml"),
    "no type": (b'{"prompt": "a cat', None),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_body_that_cannot_be_read_is_refused_in_the_language_of_its_surface(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, name: str
) -> None:
    upstream.answers(PAINTED)
    body, content_type = BAD_BODIES[name]
    for path, envelope in ((GENERATIONS, assert_openai_envelope), (GENERATE_CONTENT, assert_google_envelope)):
        headers = {"x-goog-api-key": key, "Authorization": f"Bearer {key}"}
        if content_type:
            headers["Content-Type"] = content_type
        answer = requests.post(server.url + path, data=body, headers=headers, timeout=10)
        assert answer.status_code in (400, 415), answer.text[:300]
        envelope(answer, answer.status_code)
    assert upstream.calls == []


@pytest.mark.parametrize("has_length", [True, False], ids=["Content-Length", "chunked"])
def test_a_request_that_is_too_large_is_refused_in_the_language_of_its_surface(
    impatient_server: ProxyServer, upstream: ScriptedUpstream, key: str, has_length: bool
) -> None:
    upstream.answers(PAINTED)
    body = b'{"prompt": "' + b"a" * 150_000 + b'", "contents": [{"parts": [{"text": "a"}]}]}'
    for path, envelope in ((GENERATIONS, assert_openai_envelope), (GENERATE_CONTENT, assert_google_envelope)):
        headers = {"x-goog-api-key": key, "Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        data = body if has_length else iter([body])
        envelope(requests.post(impatient_server.url + path, data=data, headers=headers, timeout=10), 413)
    assert upstream.calls == []


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"NONSENSE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /v1/models\r\n\r\n",
        b"GET /v1/models HTTP/7.0\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 70_000 + b"\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nHost: x\r\n" + b"X-Many: 1\r\n" * 500 + b"\r\n",
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/images/generations HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        b"POST /v1/images/generations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked, chunked\r\n\r\n",
        b"POST /v1/images/generations HTTP/1.1\r\nHost: x\r\nExpect: a-miracle\r\nContent-Length: 2\r\n\r\n{}",
    ],
    ids=lambda request: request[:40],
)
def test_a_request_that_is_no_http_is_answered_with_json_or_not_at_all(
    server: ProxyServer, request_bytes: bytes
) -> None:
    answer = server.says_to(request_bytes)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"html" not in answer.lower()
    if answer:
        assert head.split()[1].startswith(b"4") or head.split()[1] == b"501"
        assert b"application/json" in head.lower()
        assert body.startswith(b"{")
    assert requests.get(f"{server.url}/healthz", timeout=5).status_code == 200


def of_length(line: int) -> bytes:
    """A request whose first line has so many bytes."""
    return b"GET /" + b"x" * (line - len("GET / HTTP/1.1")) + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def with_headers(count: int, length: int = 9) -> bytes:
    """A request with so many headers, all but two of so many bytes."""
    header = b"X-Many: " + b"x" * (length - len("X-Many: \r\n")) + b"\r\n"
    return b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + header * (count - 2) + b"\r\n"


LIMITED = {
    "a first line": (of_length, limits.LONGEST_REQUEST_LINE, b" 404 ", b" 414 "),
    "headers": (with_headers, limits.MOST_HEADERS, b" 200 ", b" 431 "),
    "a header": (partial(with_headers, 3), limits.LONGEST_HEADER, b" 200 ", b" 431 "),
}


@pytest.mark.parametrize("what", LIMITED)
def test_what_is_too_long_of_a_request_is_refused_by_a_limit_that_is_named(server: ProxyServer, what: str):
    request_of, limit, within, above = LIMITED[what]
    assert within in server.says_to(request_of(limit)).partition(b"\r\n")[0]
    refused = server.says_to(request_of(limit + 1))
    assert above in refused.partition(b"\r\n")[0]
    assert str(limit).encode() in refused.partition(b"\r\n\r\n")[2]


def stored_picture(server: ProxyServer, upstream: ScriptedUpstream, key: str, answer: Answer = PAINTED) -> str:
    """Have a picture made, and return its URL."""
    upstream.answers(answer)
    return str(generate(server, key, response_format="url").json()["data"][0]["url"])


@pytest.mark.parametrize(
    ("picture", "mime_type", "ending"),
    [(pictures.plain_png(), "image/png", ".png"), (pictures.plain_jpeg(), "image/jpeg", (".jpg", ".jpeg"))],
    ids=["PNG", "JPEG"],
)
def test_a_stored_picture_has_its_type_and_a_cache_lifetime(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, picture: bytes, mime_type: str, ending: Any
) -> None:
    url = stored_picture(server, upstream, key, Answer(pictures.drawn(pictures.picture_part(picture, mime_type))))
    assert url.endswith(ending)
    answer = requests.get(url, timeout=5)
    assert answer.content == picture
    assert answer.headers["Content-Type"] == mime_type
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    directives = dict(part.strip().partition("=")[::2] for part in answer.headers["Cache-Control"].split(","))
    assert 3500 < int(directives["max-age"]) <= 3600


def test_the_type_of_a_stored_picture_comes_from_its_bytes(
    server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    mislabelled = Answer(pictures.drawn(pictures.picture_part(pictures.plain_jpeg(), "image/png")))
    url = stored_picture(server, upstream, key, mislabelled)
    assert requests.get(url, timeout=5).headers["Content-Type"] == "image/jpeg"


@pytest.mark.parametrize(
    ("wanted", "span"),
    [("bytes=0-99", slice(0, 100)), ("bytes=1000-", slice(1000, None)), ("bytes=-7", slice(-7, None))],
)
def test_a_part_of_a_stored_picture_can_be_fetched(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, wanted: str, span: slice
) -> None:
    url = stored_picture(server, upstream, key)
    answer = requests.get(url, headers={"Range": wanted}, timeout=5)
    assert answer.status_code == 206
    assert answer.content == pictures.plain_png()[span]
    assert answer.headers["Content-Range"].endswith(f"/{len(pictures.plain_png())}")
    head = requests.head(url, timeout=5)
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(pictures.plain_png())))


def test_a_range_beyond_the_picture_is_refused_with_json(
    server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    url = stored_picture(server, upstream, key)
    answer = requests.get(url, headers={"Range": "bytes=99999999-"}, timeout=5)
    assert answer.status_code == 416
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "name",
    [
        "nothing.png",
        "..%2f..%2fapp.py",
        "../server.log",
        "%2e%2e/server.log",
        "....//server.log",
        "%2fetc%2fpasswd",
        "..",
        "",
        ".png",
        "a%00.png",
        "%ff%fe.png",
        "x" * 2000,
    ],
    ids=lambda name: name[:30],
)
def test_a_name_that_is_not_a_picture_is_not_found(server: ProxyServer, name: str) -> None:
    answer = server.says_to(f"GET /images/{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] == b"404", answer[:300]
    assert b"application/json" in head
    assert b"error" in body


def test_a_name_with_another_expiry_or_another_ending_is_not_found(
    server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    url = stored_picture(server, upstream, key)
    stem, _, ending = url.rpartition(".")
    for changed in (f"{stem[:-1]}.{ending}", f"{stem}0.{ending}", f"{stem}.webp", f"{url}/", stem):
        assert requests.get(changed, timeout=5).status_code == 404


def test_names_of_pictures_cannot_be_guessed(server: ProxyServer, upstream: ScriptedUpstream, key: str) -> None:
    names = [stored_picture(server, upstream, key).rpartition("/")[2] for _ in range(5)]
    assert len(set(names)) == 5
    # 128 bits are 22 characters of base64; the expiry and the ending come on top of them.
    assert min(map(len, names)) >= 22 + len(".png")


def test_an_expired_picture_is_gone_from_the_address_and_from_the_folder(
    impatient_server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    url = stored_picture(impatient_server, upstream, key)
    assert requests.get(url, timeout=5).content == pictures.plain_png()
    first = stored_files(impatient_server)
    assert first
    until(lambda: requests.get(url, timeout=5).status_code == 404, seconds=5)
    until(lambda: not first & stored_files(impatient_server), seconds=10)


def stored_files(server: ProxyServer) -> set[Path]:
    """Every file of the store."""
    return {path for path in server.pictures.rglob("*") if path.is_file()}


def until(condition: Any, seconds: float) -> None:
    """Wait for something that must come true in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)


def test_the_workers_share_the_stored_pictures(sandbox_server: ProxyServer) -> None:
    url = generate(sandbox_server, "sandbox", response_format="url").json()["data"][0]["url"]
    # Each request on a connection of its own reaches one worker or the other.
    assert {requests.get(url, headers={"Connection": "close"}, timeout=5).status_code for _ in range(12)} == {200}


@pytest.fixture(scope="module")
def crowded_server(google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """A proxy with places for two callers."""
    folder = tmp_path_factory.mktemp("crowded")
    with ProxyServer(folder, GEMINI_BASE_URL=google.url, MAX_IN_FLIGHT="2") as server:
        yield server


def test_a_call_beyond_max_in_flight_is_refused_and_the_server_stays_healthy(
    crowded_server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    picture_is_ready = threading.Event()
    upstream.answers(Answer(PAINTED.body, hold=picture_is_ready))
    statuses: list[int] = []
    callers = [
        threading.Thread(target=lambda: statuses.append(generate(crowded_server, key).status_code)) for _ in range(2)
    ]
    for caller in callers:
        caller.start()
    upstream.wait_for(2)
    body = {"prompt": "a cat", "contents": [{"parts": [{"text": "a cat"}]}]}
    for path, envelope in ((GENERATIONS, assert_openai_envelope), (GENERATE_CONTENT, assert_google_envelope)):
        answer = requests.post(
            crowded_server.url + path, json=body, headers={"Authorization": f"Bearer {key}"}, timeout=5
        )
        envelope(answer, 503)
        assert int(answer.headers["Retry-After"]) >= 1
    assert requests.get(f"{crowded_server.url}/healthz", timeout=2).status_code == 200
    picture_is_ready.set()
    for caller in callers:
        caller.join(10)
    assert statuses == [200, 200]
    assert len(upstream.calls) == 2


TROUBLE = {
    "a picture": PAINTED,
    "a refusal": Answer(pictures.refused()),
    "no answer": NO_ANSWER,
    "a reset": NO_ANSWER_BUT_A_RESET,
    "a break in the picture": Answer(
        pictures.drawn(pictures.picture_part(pictures.heavy_png())), cut_after=500_000, then=reset
    ),
    "HTML": Answer(b"<html></html>", content_type="text/html"),
    "an error": Answer(pictures.error(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted."), 429),
}


@pytest.mark.parametrize("name", TROUBLE)
@pytest.mark.parametrize("path", [GENERATIONS, GENERATE_CONTENT])
def test_every_call_is_counted_out_however_it_ends(
    crowded_server: ProxyServer, upstream: ScriptedUpstream, key: str, path: str, name: str
) -> None:
    upstream.answers(TROUBLE[name])
    body = {"prompt": "a", "response_format": "b64_json", "contents": [{"parts": [{"text": "a"}]}]}
    for malformed in (body, body, body, {}, {"prompt": 5, "contents": 5}):
        with contextlib.suppress(requests.RequestException):
            headers = {"Authorization": f"Bearer {key}"}
            requests.post(crowded_server.url + path, json=malformed, headers=headers, timeout=5)
    upstream.answers(PAINTED)
    until(lambda: generate(crowded_server, key).status_code == 200, seconds=1)


@pytest.mark.parametrize("path", [GENERATIONS, GENERATE_CONTENT])
def test_a_call_whose_caller_hangs_up_is_not_in_flight_any_more(
    crowded_server: ProxyServer, upstream: ScriptedUpstream, key: str, path: str
) -> None:
    never = threading.Event()
    upstream.answers(Answer(PAINTED.body, hold=never))
    body = b'{"prompt": "a", "contents": [{"parts": [{"text": "a"}]}]}'
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    try:
        for number in range(1, 7):
            with socket.create_connection(("127.0.0.1", crowded_server.port), timeout=5) as connection:
                connection.sendall(head.encode() + body)
                upstream.wait_for(number, 2)
    finally:
        never.set()


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
@pytest.mark.parametrize("path", [GENERATIONS, GENERATE_CONTENT, "/v1/images/nowhere"])
def test_a_connection_that_ends_with_its_answer_is_closed_at_once(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, path: str, version: str
) -> None:
    upstream.answers(PAINTED)
    body = b'{"prompt": "a", "contents": [{"parts": [{"text": "a"}]}]}'
    head = f"POST {path} {version}\r\nHost: x\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n"
    started = time.monotonic()
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            while connection.recv(65536):
                pass
    assert time.monotonic() - started < 1


def test_a_body_in_chunks_without_a_length_is_read(server: ProxyServer, upstream: ScriptedUpstream, key: str) -> None:
    upstream.answers(PAINTED)
    pieces = [b'{"prompt": "a c', b'at", "contents": [{"par', b'ts": [{"text": "a cat"}]}]}']
    for path in (GENERATIONS, GENERATE_CONTENT):
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        answer = requests.post(server.url + path, data=iter(pieces), headers=headers, timeout=10)
        assert answer.status_code == 200, answer.text
    assert upstream.calls[1].body == b"".join(pieces)


def test_a_caller_that_expects_100_continue_gets_it(server: ProxyServer, upstream: ScriptedUpstream, key: str) -> None:
    upstream.answers(PAINTED)
    head = (
        f"POST {GENERATIONS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n"
        "Expect: 100-continue\r\nContent-Length: 19\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(head.encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 100")
        connection.sendall(b'{"prompt": "a cat"}')
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_twenty_megabytes_go_up_byte_for_byte(server: ProxyServer, upstream: ScriptedUpstream, key: str) -> None:
    upstream.answers(PAINTED)
    part = pictures.picture_part(pictures.heavy_png())
    body = json.dumps({"contents": [{"parts": [{"text": "a cat"}, *[part] * 10]}]}).encode()
    assert len(body) > 20_000_000
    answer = requests.post(server.url + GENERATE_CONTENT, data=body, headers={"x-goog-api-key": key}, timeout=20)
    assert answer.status_code == 200
    assert upstream.calls[0].body == body


def test_a_slow_body_does_not_hold_the_server(server: ProxyServer) -> None:
    head = f"POST {GENERATIONS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nContent-Length: 1000\r\n\r\n{{"
    slow = [socket.create_connection(("127.0.0.1", server.port), timeout=5) for _ in range(50)]
    try:
        for connection in slow:
            connection.sendall(head.encode())
        assert requests.get(f"{server.url}/healthz", timeout=2).status_code == 200
    finally:
        for connection in slow:
            connection.close()


@pytest.mark.parametrize(
    ("path", "body_so_far"),
    [(GENERATIONS, b'{"prompt": '), (GENERATE_CONTENT, b'{"contents": '), (GENERATIONS, b"")],
    ids=["OpenAI", "Google", "not a byte"],
)
def test_a_body_that_stops_coming_is_given_up_in_time(
    impatient_server: ProxyServer, key: str, path: str, body_so_far: bytes
) -> None:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", impatient_server.port), timeout=4) as connection:
        connection.sendall(head.encode() + body_so_far)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    head_of_answer, _, body = answer.partition(b"\r\n\r\n")
    assert head_of_answer.split()[1] in (b"400", b"408"), answer
    error = json.loads(body)["error"]
    assert ("status" in error) == (path == GENERATE_CONTENT)
    assert error["message"]
