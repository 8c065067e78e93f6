"""An upstream that breaks: an error where nothing has been sent, a broken transfer where a picture flows.

Never a 200 with a shortened picture, and never an invitation to buy the same picture twice.
"""

import asyncio
import base64
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
import requests
from google import genai
from google.genai import errors, types

from tests.support import pictures
from tests.support.keys import new_key
from tests.support.processes import free_port
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import NO_ANSWER, NO_ANSWER_BUT_A_RESET, SSE, Answer, ScriptedUpstream, hang_up, reset, wait

pytestmark = pytest.mark.usefixtures("nothing_is_left")

MODEL = "gemini-2.5-flash-image"
HTML = b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"
PICTURE = pictures.heavy_png()
BODY = pictures.as_google_writes(pictures.drawn({"text": "Here you go: "}, pictures.picture_part(PICTURE)))
PICTURE_BEGINS = BODY.index(pictures.base64_of(PICTURE)[:60].encode())
PICTURE_ENDS = PICTURE_BEGINS + len(pictures.base64_of(PICTURE))
IN_THE_PICTURE = PICTURE_BEGINS + 600_000

# How a transfer breaks: the connection is closed too early under either framing, or reset.
BREAKS = {
    "short of its Content-Length": {"chunked": False},
    "without a last chunk": {"chunked": True},
    "reset under Content-Length": {"chunked": False, "then": reset},
    "reset between chunks": {"chunked": True, "then": reset},
}

# What never becomes an answer: nothing of a picture has come, so a status can still tell it.
NO_ANSWER = {
    "closed without a word": NO_ANSWER,
    "reset without a word": NO_ANSWER_BUT_A_RESET,
    **{
        f"{name}, before the picture": Answer(BODY, cut_after=PICTURE_BEGINS - 20, **how)
        for name, how in BREAKS.items()
    },
    **{f"{name}, after no byte": Answer(BODY, cut_after=0, **how) for name, how in BREAKS.items()},
}
NONSENSE = {
    "HTML with 200": Answer(HTML, content_type="text/html; charset=UTF-8"),
    "broken JSON with 200": Answer(b'{"candidates": [{"content": }'),
    "half a JSON with 200": Answer(b'{"candidates": [{"content": {"parts": ['),
    "nothing with 200": Answer(b""),
    "a JSON list of numbers": Answer(b"[1, 2, 3]"),
    "a picture that is none": Answer(pictures.drawn(pictures.picture_part(b"this is not a picture at all" * 99))),
}
SERVER_ERRORS = {
    "HTML with 500": Answer(HTML, 500, "text/html"),
    "HTML with 502": Answer(HTML, 502, "text/html"),
    "an unknown 5xx": Answer(pictures.error(529, "UNAVAILABLE", "Overloaded."), 529),
}


def generate(server: ProxyServer, key: str, **wishes: Any) -> requests.Response:
    """A call of OpenAI's surface without any SDK."""
    body = {"model": MODEL, "prompt": "a cat", **wishes}
    headers = {"Authorization": f"Bearer {key}"}
    return requests.post(f"{server.url}/v1/images/generations", json=body, headers=headers, timeout=15)


def generate_content(server: ProxyServer, key: str, method: str = "generateContent") -> requests.Response:
    """A call of Google's surface without any SDK."""
    body = {"contents": [{"parts": [{"text": "a cat"}]}]}
    url = f"{server.url}/v1beta/models/{MODEL}:{method}"
    return requests.post(url, json=body, headers={"x-goog-api-key": key}, timeout=15)


def assert_openai_error(answer: requests.Response, status: int, code: str) -> None:
    """The error is complete, and in OpenAI's words."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/json"), answer.text[:300]
    error = answer.json()["error"]
    assert set(error) >= {"message", "type", "param", "code"}
    assert error["code"] == code
    assert error["message"]


def assert_google_error(answer: requests.Response, status: int) -> None:
    """The error is complete, and in Google's words."""
    assert answer.status_code == status, answer.text[:300]
    assert answer.headers["Content-Type"].startswith("application/json")
    error = answer.json()["error"]
    assert error["code"] == status
    assert error["status"] and error["message"]
    assert isinstance(error["details"], list)


@pytest.fixture(scope="module")
def server(google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """A proxy of these tests' own: no other test has left connections in it that may be kept."""
    with ProxyServer(tmp_path_factory.mktemp("faults"), GEMINI_BASE_URL=google.url) as server:
        yield server


@pytest.fixture
def openai_client(server: ProxyServer, key: str) -> openai.OpenAI:
    """OpenAI's SDK, which asks once."""
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0)


@pytest.fixture
def google_client(server: ProxyServer, key: str) -> genai.Client:
    """Google's SDK."""
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=server.url))


@pytest.mark.parametrize("wishes", [{"response_format": "url"}, {"response_format": "b64_json"}, {"n": 2}], ids=str)
@pytest.mark.parametrize("name", [*NO_ANSWER, *NONSENSE, *SERVER_ERRORS])
def test_a_break_before_the_picture_is_a_502(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, name: str, wishes: dict[str, Any]
) -> None:
    upstream.answers({**NO_ANSWER, **NONSENSE, **SERVER_ERRORS}[name])
    answer = generate(server, key, **wishes)
    assert_openai_error(answer, 502, "upstream_error")
    assert answer.headers["x-should-retry"] == "false"
    assert len(upstream.calls) == wishes.get("n", 1)


@pytest.mark.parametrize(
    "wishes", [{"response_format": "url"}, {"n": 2}, {"n": 2, "response_format": "b64_json"}], ids=str
)
@pytest.mark.parametrize("how", BREAKS)
def test_a_break_in_the_picture_is_a_502_where_nothing_has_been_sent(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, how: str, wishes: dict[str, Any]
) -> None:
    upstream.answers(Answer(BODY, cut_after=IN_THE_PICTURE, **BREAKS[how]))
    answer = generate(server, key, **wishes)
    assert_openai_error(answer, 502, "upstream_error")
    assert answer.headers["x-should-retry"] == "false"
    assert len(upstream.calls) == wishes.get("n", 1)
    assert not list(server.pictures.rglob("*.part")), "half a picture was left behind"


@pytest.mark.parametrize("how", BREAKS)
def test_a_break_in_a_picture_that_flows_is_a_broken_transfer(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, how: str
) -> None:
    upstream.answers(Answer(BODY, cut_after=IN_THE_PICTURE, **BREAKS[how]))
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        generate(server, key, response_format="b64_json")
    assert len(upstream.calls) == 1


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.parametrize("method", ["generateContent", "streamGenerateContent?alt=sse"])
def test_a_break_on_googles_surface_is_a_broken_transfer(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, how: str, method: str
) -> None:
    upstream.answers(Answer(BODY, cut_after=IN_THE_PICTURE, content_type=SSE, **BREAKS[how]))
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        generate_content(server, key, method)
    assert len(upstream.calls) == 1


@pytest.mark.parametrize("method", ["generateContent", "streamGenerateContent?alt=sse", "countTokens"])
@pytest.mark.parametrize("name", ["closed without a word", "reset without a word"])
def test_no_answer_at_all_is_a_502_on_googles_surface(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, name: str, method: str
) -> None:
    upstream.answers(NO_ANSWER[name])
    assert_google_error(generate_content(server, key, method), 502)
    assert len(upstream.calls) == 1


@pytest.mark.parametrize("how", BREAKS)
def test_both_openai_clients_raise_when_a_picture_breaks(
    openai_client: openai.OpenAI, upstream: ScriptedUpstream, how: str
) -> None:
    upstream.answers(Answer(BODY, cut_after=IN_THE_PICTURE, **BREAKS[how]))
    with pytest.raises((openai.APIError, httpx2.HTTPError)):
        openai_client.images.generate(model=MODEL, prompt="a cat", response_format="b64_json")

    async def ask() -> None:
        async with openai.AsyncOpenAI(
            base_url=openai_client.base_url, api_key=openai_client.api_key, max_retries=0
        ) as client:
            await client.images.generate(model=MODEL, prompt="a cat", response_format="b64_json")

    with pytest.raises((openai.APIError, httpx2.HTTPError)):
        asyncio.run(ask())
    assert len(upstream.calls) == 2


@pytest.mark.parametrize("how", BREAKS)
def test_both_google_clients_raise_when_a_picture_breaks(
    google_client: genai.Client, upstream: ScriptedUpstream, how: str
) -> None:
    upstream.answers(Answer(BODY, cut_after=IN_THE_PICTURE, **BREAKS[how]))
    with pytest.raises((errors.APIError, httpx2.HTTPError)):
        google_client.models.generate_content(model=MODEL, contents="a cat")
    with pytest.raises((errors.APIError, httpx2.HTTPError)):
        asyncio.run(google_client.aio.models.generate_content(model=MODEL, contents="a cat"))
    assert len(upstream.calls) == 2


def test_google_client_reads_the_502_of_a_silent_upstream(
    google_client: genai.Client, upstream: ScriptedUpstream
) -> None:
    upstream.answers(NO_ANSWER)
    with pytest.raises(errors.ServerError) as caught:
        google_client.models.generate_content(model=MODEL, contents="a cat")
    assert caught.value.code == 502
    assert caught.value.status


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.parametrize("path", ["/v1/images/generations", f"/v1beta/models/{MODEL}:generateContent"])
def test_a_caller_without_chunked_transfer_sees_a_reset(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, how: str, path: str
) -> None:
    # HTTP/1.0, which nginx long spoke to its upstreams, has nothing but the end of the connection to end a body.
    upstream.answers(Answer(BODY, cut_after=IN_THE_PICTURE, **BREAKS[how]))
    body = b'{"prompt": "a", "response_format": "b64_json", "contents": [{"parts": [{"text": "a"}]}]}'
    head = f"POST {path} HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    received = bytearray()
    with pytest.raises(ConnectionResetError):
        talk(server, head.encode() + body, received)
    assert received.split()[1] == b"200", received[:300]


def talk(server: ProxyServer, request: bytes, received: bytearray) -> None:
    """Send these bytes and note all that comes back, to the end of the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(request)
        while piece := connection.recv(65536):
            received += piece


def cuts() -> Iterator[int]:
    """Places all over an answer, and close to where something begins or ends."""
    yield from range(1, len(BODY), len(BODY) // 12)
    for edge in (PICTURE_BEGINS, PICTURE_ENDS, len(BODY)):
        yield from (edge - 2, edge - 1, edge + 1)


@pytest.mark.parametrize("wishes", [{"response_format": "url"}, {"response_format": "b64_json"}, {"n": 2}], ids=str)
@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "with a length"])
def test_a_cut_anywhere_never_gives_a_shortened_picture(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, chunked: bool, wishes: dict[str, Any]
) -> None:
    for cut in (cut for cut in cuts() if cut < len(BODY)):
        upstream.answers(Answer(BODY, cut_after=cut, chunked=chunked))
        try:
            answer = generate(server, key, **wishes)
        except requests.RequestException:
            assert wishes == {"response_format": "b64_json"}, "only a picture that flows may break off"
            assert cut >= PICTURE_BEGINS
            continue
        if answer.status_code == 200:
            assert cut >= PICTURE_ENDS, f"cut at {cut} of {len(BODY)}"
            assert [whole(item) for item in answer.json()["data"]] == [PICTURE] * wishes.get("n", 1)
        else:
            assert_openai_error(answer, 502, "upstream_error")


def whole(item: dict[str, str]) -> bytes:
    """The picture of an item."""
    if "url" in item:
        return requests.get(item["url"], timeout=10).content
    return base64.b64decode(item["b64_json"], validate=True)


@pytest.mark.parametrize("response_format", ["url", "b64_json"])
@pytest.mark.parametrize("how", BREAKS)
def test_a_broken_one_of_two_is_an_entry_in_errors_and_the_other_is_kept(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, how: str, response_format: str
) -> None:
    upstream.answers(Answer(BODY, cut_after=IN_THE_PICTURE, **BREAKS[how]), Answer(BODY))
    answer = generate(server, key, n=2, response_format=response_format)
    assert answer.status_code == 200, answer.text[:300]
    body = answer.json()
    assert [whole(item) for item in body["data"]] == [PICTURE]
    assert [entry["code"] for entry in body["errors"]] == ["upstream_error"]


def test_an_idle_connection_that_was_given_up_costs_nothing(
    server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(Answer(BODY, then=hang_up))
    for _ in range(5):
        assert generate(server, key).status_code == 200
        assert generate_content(server, key).content == BODY
        time.sleep(0.02)
    assert len(upstream.calls) == 10


@pytest.fixture(scope="module")
def unconnected_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """A proxy whose upstream is an address at which nobody listens."""
    folder: Path = tmp_path_factory.mktemp("unconnected")
    with ProxyServer(folder, GEMINI_BASE_URL=f"http://127.0.0.1:{free_port()}") as server:
        yield server


@pytest.mark.parametrize("wishes", [{}, {"response_format": "b64_json"}, {"n": 2}], ids=str)
def test_a_refused_connection_is_a_502_that_may_be_retried(
    unconnected_server: ProxyServer, wishes: dict[str, Any]
) -> None:
    answer = generate(unconnected_server, new_key(), **wishes)
    assert_openai_error(answer, 502, "upstream_error")
    assert answer.headers.get("x-should-retry") != "false", "nothing was sent, so nothing can be bought twice"


def test_a_refused_connection_is_a_502_on_googles_surface(unconnected_server: ProxyServer) -> None:
    assert_google_error(generate_content(unconnected_server, new_key()), 502)
    assert_google_error(generate_content(unconnected_server, new_key(), "streamGenerateContent?alt=sse"), 502)


@pytest.mark.parametrize("wishes", [{"response_format": "url"}, {"response_format": "b64_json"}, {"n": 2}], ids=str)
def test_no_answer_in_time_is_a_504_that_must_not_be_retried(
    impatient_server: ProxyServer, upstream: ScriptedUpstream, key: str, wishes: dict[str, Any]
) -> None:
    upstream.answers(Answer(BODY, delay=2.5))
    started = time.monotonic()
    answer = generate(impatient_server, key, **wishes)
    assert time.monotonic() - started < 2.2
    assert_openai_error(answer, 504, "upstream_timeout")
    assert answer.headers["x-should-retry"] == "false"
    assert len(upstream.calls) == wishes.get("n", 1)


def test_no_answer_in_time_is_a_504_on_googles_surface(
    impatient_server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(Answer(BODY, delay=2.5))
    answer = generate_content(impatient_server, key)
    assert_google_error(answer, 504)
    assert answer.json()["error"]["status"] == "DEADLINE_EXCEEDED"


@pytest.mark.parametrize("wishes", [{"response_format": "url"}, {"n": 2}], ids=str)
def test_a_picture_that_stops_coming_is_an_error_in_time(
    impatient_server: ProxyServer, upstream: ScriptedUpstream, key: str, wishes: dict[str, Any]
) -> None:
    upstream.answers(Answer(BODY, cut_after=IN_THE_PICTURE, then=wait))
    started = time.monotonic()
    answer = generate(impatient_server, key, **wishes)
    assert time.monotonic() - started < 3
    assert_openai_error(answer, 504, "upstream_timeout")
    assert answer.headers["x-should-retry"] == "false"


def test_a_flowing_picture_that_stops_coming_is_broken_off_in_time(
    impatient_server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(Answer(BODY, cut_after=IN_THE_PICTURE, then=wait))
    started = time.monotonic()
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        generate(impatient_server, key, response_format="b64_json")
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        generate_content(impatient_server, key)
    assert time.monotonic() - started < 5


def test_deadline_expired_after_minutes_of_work_must_not_be_retried_but_an_overload_may(
    server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(
        Answer(pictures.error(503, "UNAVAILABLE", "Deadline expired before operation could complete."), 503),
        Answer(pictures.error(503, "UNAVAILABLE", "The model is overloaded. Please try again later."), 503),
        Answer(pictures.error(500, "INTERNAL", "An internal error has occurred."), 500),
        Answer(pictures.error(504, "DEADLINE_EXCEEDED", "Deadline exceeded."), 504),
    )
    answers = [generate(server, key) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [503, 503, 500, 504]
    assert [answer.headers.get("x-should-retry") for answer in answers] == ["false", None, None, "false"]
