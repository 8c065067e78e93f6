"""What callers get from both SDKs for every fault of an upstream, and how often a picture is bought meanwhile.

The SDKs run with their defaults: OpenAI's asks up to three times, Google's once.
"""

import base64
import json
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import httpx2
import openai
import openai._base_client
import pytest
import requests
from google import genai
from google.genai import errors, types

from tests.faults.answers import ANSWER, PICTURE, with_fault
from tests.faults.calls import MODEL
from tests.support import pictures
from tests.support.certificate import certificate
from tests.support.keys import new_key
from tests.support.leftovers import Leftovers
from tests.support.processes import free_port
from tests.support.proxy_server import ProxyServer, Start
from tests.support.upstream import Answer, ScriptedUpstream
from tests.support.upstream_faults import FAULTS, NONE, NOT_A_PICTURE

BODY = pictures.as_google_writes(ANSWER)
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # costs less than the SDKs' own; these tests' proxies speak plain HTTP
LONGEST = 6  # seconds for three attempts at a proxy that waits one second for its upstream


class Result(NamedTuple):
    """An exception and its status, or the pictures that came; and how often the SDK asked for them."""

    what: Any
    status: int | None = None
    asked: int = 1


# What OpenAI's SDK returns or raises.
O_400 = Result(openai.BadRequestError, 400)
O_429_THRICE = Result(openai.RateLimitError, 429, 3)
O_502 = Result(openai.InternalServerError, 502)
O_502_THRICE = Result(openai.InternalServerError, 502, 3)
O_504 = Result(openai.InternalServerError, 504)

# What Google's SDK returns or raises; it never repeats a call by itself.
G_429 = Result(errors.ClientError, 429)
G_502 = Result(errors.ServerError, 502)
G_504 = Result(errors.ServerError, 504)
G_529 = Result(errors.ServerError, 529)
G_CUT = Result(httpx2.RemoteProtocolError)
G_NO_GZIP = Result(httpx2.DecodingError)
G_NO_JSON = Result(json.JSONDecodeError)
G_NO_EVENT = Result(errors.UnknownApiResponseError)
NOTHING, DRAWN, NONSENSE = Result([]), Result([PICTURE]), Result([NOT_A_PICTURE])

# By images.generate: where an answer is held until it is whole (a URL, two pictures, a stream), and as b64_json;
# by generate_content, and by generate_content_stream.
RESULTS = {
    "mislabelled": (DRAWN, DRAWN, DRAWN, DRAWN),
    "quota": (O_429_THRICE, O_429_THRICE, G_429, G_429),
    "html": (O_502, O_502, G_502, G_502),
    "html-with-200": (O_502, O_502, G_NO_JSON, G_NO_EVENT),
    "unknown-status": (O_502, O_502, G_529, G_529),
    "refusal": (O_400, O_400, NOTHING, NOTHING),
    "empty": (O_502, O_502, NOTHING, NOTHING),
    "empty-with-length": (O_502, O_502, NOTHING, NOTHING),
    "not-a-picture": (O_502, O_502, NONSENSE, NONSENSE),
    "bare-picture": (O_502, O_502, G_NO_JSON, G_NO_EVENT),
    "events-as-json": (O_502, O_502, G_NO_JSON, G_NO_EVENT),
    "list-of-numbers": (O_502, O_502, NOTHING, NOTHING),
    "broken-json": (O_502, O_502, G_NO_JSON, G_NO_EVENT),
    "truncated": (O_502, O_502, G_NO_JSON, G_NO_EVENT),
    "short-length": (O_502, O_502, G_NO_JSON, G_NO_EVENT),
    "no-gzip": (O_502, O_502, G_NO_GZIP, G_NO_GZIP),
    "broken-gzip": (O_502, O_502, G_NO_JSON, G_NO_EVENT),
    "too-large": (O_502, O_502, G_CUT, G_CUT),
    "silence": (O_504, O_504, G_504, G_504),
    "closed": (O_502, O_502, G_502, G_502),
    "reset": (O_502, O_502, G_502, G_502),
    "reset-after-head": (O_502, O_502, G_502, G_502),
    "reset-in-picture": (O_502, O_502, G_CUT, G_CUT),
    "reset-between-chunks": (O_502, O_502, G_CUT, G_CUT),
    "no-body": (O_502, O_502, G_502, G_502),
    "cut": (O_502, O_502, G_CUT, G_CUT),
    "cut-between-chunks": (O_502, O_502, G_CUT, G_CUT),
    "stall": (O_504, O_504, G_CUT, G_CUT),
    "drip": (O_504, O_504, G_CUT, G_CUT),
    "drip-of-headers": (O_504, O_504, G_504, G_504),
    "broken-first-chunk": (O_502, O_502, G_502, G_502),
    "broken-chunk": (O_502, O_502, G_CUT, G_CUT),
}
UNREACHABLE = {  # nothing has been sent, so nothing is bought, however often it is asked for
    "refused": (O_502_THRICE, O_502_THRICE, G_502, G_502),
    "DNS": (O_502_THRICE, O_502_THRICE, G_502, G_502),
    "TLS": (O_502, O_502, G_502, G_502),
}


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenAI's SDK asks as often as by default, after shorter delays."""
    assert openai.DEFAULT_MAX_RETRIES == 2
    monkeypatch.setattr(openai._base_client, "INITIAL_RETRY_DELAY", 0.01)


Asked = list[Any]
Way = Callable[[ProxyServer, str, Asked], list[bytes]]


def images_generate(**parameters: Any) -> Way:
    """Pictures by OpenAI's SDK."""

    def ask(server: ProxyServer, key: str, asked: Asked) -> list[bytes]:
        with (
            openai.DefaultHttpxClient(event_hooks={"request": [asked.append]}, verify=NO_TLS) as http_client,
            openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, http_client=http_client) as client,
        ):
            answer = client.images.generate(model=MODEL, prompt="a cat", **parameters)
            return [bytes_of(item) for item in (answer if "stream" in parameters else answer.data)]

    return ask


def bytes_of(item: Any) -> bytes:
    """The picture of an item, or of an event."""
    if url := getattr(item, "url", None):
        return requests.get(url, timeout=5).content
    return base64.b64decode(item.b64_json, validate=True)


def generate_content(stream: bool) -> Way:
    """Pictures by Google's SDK."""

    def ask(server: ProxyServer, key: str, asked: Asked) -> list[bytes]:
        watched = {"event_hooks": {"request": [asked.append]}, "verify": NO_TLS}
        options = types.HttpOptions(base_url=server.url, client_args=watched, async_client_args={"verify": NO_TLS})
        with genai.Client(api_key=key, http_options=options) as client:
            method = client.models.generate_content_stream if stream else client.models.generate_content
            answer = method(model=MODEL, contents="a cat")
            return [
                part.inline_data.data
                for piece in (answer if stream else [answer])
                for candidate in piece.candidates or []
                for part in candidate.content.parts or []
            ]

    return ask


WAYS: dict[str, Way] = {
    "url": images_generate(response_format="url"),
    "two": images_generate(n=2),
    "stream": images_generate(stream=True),
    "b64_json": images_generate(response_format="b64_json"),
    "generate_content": generate_content(stream=False),
    "generate_content_stream": generate_content(stream=True),
}


def expected(row: tuple[Result, Result, Result, Result]) -> dict[str, Result]:
    """A row of the tables, by way."""
    held, as_base64, whole, streamed = row
    two = held._replace(what=held.what * 2) if isinstance(held.what, list) else held
    return dict(zip(WAYS, (held, two, held, as_base64, whole, streamed), strict=True))


def results(server: ProxyServer, keys: dict[str, str]) -> dict[str, Result]:
    """What comes of all ways at once, each with a key of its own."""

    def by(way: str) -> Result:
        asked: Asked = []
        try:
            return Result(WAYS[way](server, keys[way], asked), None, len(asked))
        except Exception as error:
            status = getattr(error, "status_code", getattr(error, "code", None))
            return Result(type(error), status, len(asked))

    with ThreadPoolExecutor(len(WAYS)) as pool:
        return dict(zip(WAYS, pool.map(by, WAYS), strict=True))


@pytest.fixture
def keys() -> dict[str, str]:
    """A key for every way."""
    return {way: new_key() for way in WAYS}


def test_every_fault_is_in_the_table() -> None:
    assert FAULTS.keys() - {NONE, "slow"} == RESULTS.keys()


@pytest.mark.parametrize("fault", RESULTS)
def test_a_fault_becomes_an_error_in_time_and_no_picture_is_bought_by_itself(
    server: ProxyServer, upstream: ScriptedUpstream, keys: dict[str, str], nothing_is_left: Leftovers, fault: str
) -> None:
    nothing_is_left.kept = len(WAYS) + 1
    upstream.answers(with_fault(fault))
    started = time.monotonic()
    found = results(server, keys)
    assert time.monotonic() - started < LONGEST
    assert found == expected(RESULTS[fault])
    used = [call.headers["x-goog-api-key"] for call in upstream.calls]
    asked = {way: found[way].asked * (2 if way == "two" else 1) for way in WAYS}
    assert {way: used.count(keys[way]) for way in WAYS} == asked


@pytest.fixture(scope="module")
def unreachable(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], ProxyServer]]:
    """Proxies whose upstream cannot be reached, by the reason, and in the end the proof that it was not."""
    folder = tmp_path_factory.mktemp("unreachable")
    with ScriptedUpstream(Answer(BODY), certificate=certificate(folder)) as secure:
        urls = {"refused": f"http://127.0.0.1:{free_port()}", "DNS": "https://gemini.invalid", "TLS": secure.url}
        yield lambda reason: start(folder / reason, GEMINI_BASE_URL=urls[reason])
    assert not secure.calls, "a request has left, and the key with it"


@pytest.mark.parametrize("fault", UNREACHABLE)
def test_an_unreachable_upstream_is_retried_if_nothing_was_sent(
    unreachable: Callable[[str], ProxyServer], keys: dict[str, str], nothing_is_left: Leftovers, fault: str
) -> None:
    assert results(unreachable(fault), keys) == expected(UNREACHABLE[fault])
