"""Every fault of an upstream, as both SDKs tell it to their callers, and how often they buy the picture meanwhile.

The SDKs are as they come: OpenAI's asks up to three times, Google's once. What is odd is not wished for, it is known.
"""

import base64
import json
import ssl
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

from tests.faults.calls import MODEL
from tests.faults.upstream_faults import ANSWER, FAULTS, NO_PICTURE, PICTURE
from tests.support import pictures
from tests.support.certificate import certificate
from tests.support.keys import new_key
from tests.support.leftovers import Leftovers
from tests.support.processes import free_port
from tests.support.proxy_server import ProxyServer, Start
from tests.support.upstream import Answer, ScriptedUpstream

BODY = pictures.as_google_writes(ANSWER)
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # costs less than the SDKs' own; these tests' proxies speak plain HTTP


class Seen(NamedTuple):
    """An exception and its status, or the pictures that came; and how often the SDK asked for them."""

    what: Any
    status: int | None = None
    asked: int = 1


# What OpenAI's SDK tells, and asks for once unless it is said otherwise.
O_502 = Seen(openai.InternalServerError, 502)
O_502_THRICE = Seen(openai.InternalServerError, 502, 3)
O_504 = Seen(openai.InternalServerError, 504)
O_CUT_THRICE = Seen(openai.APIConnectionError, None, 3)

# What Google's SDK tells; it never repeats a call by itself.
G_502 = Seen(errors.ServerError, 502)
G_504 = Seen(errors.ServerError, 504)
G_CUT = Seen(httpx2.RemoteProtocolError)
G_NO_GZIP = Seen(httpx2.DecodingError)
G_NO_JSON = Seen(json.JSONDecodeError)
G_NO_EVENT = Seen(errors.UnknownApiResponseError)
NOTHING, DRAWN, NONE = Seen([]), Seen([PICTURE]), Seen([NO_PICTURE])

SEEN = {  # by images.generate: url, b64_json, stream; by generate_content, and by generate_content_stream
    "reset before the answer": (O_502, O_502, O_502, G_502, G_502),
    "reset after the headers": (O_502, O_502, O_502, G_502, G_502),
    "reset in the picture": (O_502, O_CUT_THRICE, O_502, G_CUT, G_CUT),
    "stall": (O_504, O_504, O_504, G_504, G_504),
    "stall in the picture": (O_504, O_CUT_THRICE, O_504, G_CUT, G_CUT),
    "slow drip of headers": (O_504, O_504, O_504, G_504, G_504),
    "slow drip of the picture": (O_504, O_CUT_THRICE, O_504, G_CUT, G_CUT),
    "short Content-Length, no byte": (O_502, O_502, O_502, G_502, G_502),
    "short Content-Length in the picture": (O_502, O_CUT_THRICE, O_502, G_CUT, G_CUT),
    "broken chunk": (O_502, O_502, O_502, G_502, G_502),
    "broken chunk in the picture": (O_502, O_CUT_THRICE, O_502, G_CUT, G_CUT),
    "gzip that is none": (O_502, O_502, O_502, G_NO_GZIP, G_NO_GZIP),
    "half of a gzip": (O_502, O_CUT_THRICE, O_502, G_NO_JSON, G_NO_EVENT),
    "truncated JSON": (O_502, O_502, O_502, G_NO_JSON, G_NO_EVENT),
    "JSON truncated in the picture": (O_502, O_CUT_THRICE, O_502, G_NO_JSON, G_NO_EVENT),
    "HTML with 502": (O_502, O_502, O_502, G_502, G_502),
    "HTML with 200": (O_502, O_502, O_502, G_NO_JSON, G_NO_EVENT),
    "nothing with 200": (O_502, O_502, O_502, NOTHING, NOTHING),
    "nothing with 200 and a length": (O_502, O_502, O_502, NOTHING, NOTHING),
    "wrong content type": (DRAWN, DRAWN, DRAWN, DRAWN, DRAWN),
    "a picture that is none": (O_502, O_502, O_502, NONE, NONE),
    "larger than the limit": (O_502, O_CUT_THRICE, O_502, G_CUT, G_CUT),
}
UNREACHABLE = {  # nothing has been sent, so nothing is bought, however often it is asked for
    "refused": (O_502_THRICE, O_502_THRICE, O_502_THRICE, G_502, G_502),
    "DNS": (O_502_THRICE, O_502_THRICE, O_502_THRICE, G_502, G_502),
    "TLS": (O_502, O_502, O_502, G_502, G_502),
}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenAI's SDK asks as often as ever, and sooner."""
    assert openai.DEFAULT_MAX_RETRIES == 2
    monkeypatch.setattr(openai._base_client, "INITIAL_RETRY_DELAY", 0.01)


Asked = list[Any]
Way = Callable[[ProxyServer, str, Asked], list[bytes]]


def images_generate(**wishes: Any) -> Way:
    """Pictures by OpenAI's SDK."""

    def ask(server: ProxyServer, key: str, asked: Asked) -> list[bytes]:
        with (
            openai.DefaultHttpxClient(event_hooks={"request": [asked.append]}, verify=NO_TLS) as http_client,
            openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, http_client=http_client) as client,
        ):
            answer = client.images.generate(model=MODEL, prompt="a cat", **wishes)
            return [bytes_of(item) for item in (answer if "stream" in wishes else answer.data)]

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
                for part in candidate.content.parts
            ]

    return ask


WAYS: dict[str, Way] = {
    "url": images_generate(response_format="url"),
    "b64_json": images_generate(response_format="b64_json"),
    "stream": images_generate(stream=True),
    "generate_content": generate_content(stream=False),
    "generate_content_stream": generate_content(stream=True),
}


def look(server: ProxyServer, keys: dict[str, str]) -> dict[str, Seen]:
    """What is seen by all ways at once, each with a key of its own."""

    def by(way: str) -> Seen:
        asked: Asked = []
        try:
            return Seen(WAYS[way](server, keys[way], asked), None, len(asked))
        except Exception as error:
            status = getattr(error, "status_code", getattr(error, "code", None))
            return Seen(type(error), status, len(asked))

    with ThreadPoolExecutor(len(WAYS)) as pool:
        return dict(zip(WAYS, pool.map(by, WAYS), strict=True))


@pytest.fixture
def keys() -> dict[str, str]:
    """A key for every way."""
    return {way: new_key() for way in WAYS}


def test_every_fault_is_in_the_table() -> None:
    assert FAULTS.keys() == SEEN.keys()


@pytest.mark.parametrize("fault", SEEN)
def test_a_fault_is_seen_as_it_is_and_bought_as_often_as_it_was_asked_for(
    server: ProxyServer, upstream: ScriptedUpstream, keys: dict[str, str], nothing_is_left: Leftovers, fault: str
) -> None:
    nothing_is_left.kept = len(WAYS)
    upstream.answers(FAULTS[fault])
    seen = look(server, keys)
    assert seen == dict(zip(WAYS, SEEN[fault], strict=True))
    used = [request.all("x-goog-api-key") for request in upstream.calls]
    assert {way: used.count([keys[way]]) for way in WAYS} == {way: seen[way].asked for way in WAYS}


@pytest.fixture(scope="module")
def unreachable(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], ProxyServer]]:
    """Proxies whose upstream cannot be reached, by the reason, and in the end the proof that it was not."""
    folder = tmp_path_factory.mktemp("unreachable")
    with ScriptedUpstream(Answer(BODY), certificate=certificate(folder)) as secure:
        urls = {"refused": f"http://127.0.0.1:{free_port()}", "DNS": "https://gemini.invalid", "TLS": secure.url}
        yield lambda reason: start(folder / reason, GEMINI_BASE_URL=urls[reason])
    assert not secure.calls, "a request has left, and the key with it"


@pytest.mark.parametrize("fault", UNREACHABLE)
def test_an_upstream_that_cannot_be_reached_is_asked_again_where_that_may_help(
    unreachable: Callable[[str], ProxyServer], keys: dict[str, str], nothing_is_left: Leftovers, fault: str
) -> None:
    assert look(unreachable(fault), keys) == dict(zip(WAYS, UNREACHABLE[fault], strict=True))
