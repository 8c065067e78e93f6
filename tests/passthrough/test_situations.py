"""Every contract fixture can be summoned by its name, and comes through as it says."""

import http.client
import json
from collections.abc import Iterator

import pytest

from tests.passthrough.situations import Situation, all_situations
from tests.support.proxy_server import ProxyServer
from tests.support.raw_caller import call

MODEL = "gemini-2.5-flash-image"
METHODS = {
    "generate_content": "generateContent",
    "stream_generate_content": "streamGenerateContent",
    "count_tokens": "countTokens",
    "models": "generateContent",
}
KEY = "sandbox"
IN_ITS_PLACE = "[key]"  # where an error repeats the key


def target(situation: Situation) -> str:
    """The call that the fixture is an answer to."""
    events = "?alt=sse" if situation.content_type == "text/event-stream" else ""
    return f"/v1beta/models/{MODEL}:{METHODS[situation.operation]}{events}"


def asking_for(name: str) -> bytes:
    return json.dumps({"contents": [{"role": "user", "parts": [{"text": f"please [[{name}]]"}]}]}).encode()


WHOLE = [situation for situation in all_situations() if not situation.cut]
CUT = [situation for situation in all_situations() if situation.cut]


@pytest.mark.parametrize("situation", WHOLE, ids=str)
def test_a_situation_comes_through_as_its_fixture_says(sandbox_server: ProxyServer, situation: Situation) -> None:
    reply = call(sandbox_server, target(situation), asking_for(situation.name), [("x-goog-api-key", KEY)])
    assert (reply.status, reply.one("content-type")) == (situation.status, situation.content_type)
    assert reply.body == situation.body(IN_ITS_PLACE)
    told = {name.lower(): value for name, value in situation.fixture["response"]["headers"].items()}
    for name in ("content-disposition", "server-timing", "x-gemini-service-tier"):
        if name in told:
            assert reply.one(name) == told[name]


@pytest.mark.parametrize("situation", CUT, ids=str)
def test_a_situation_that_breaks_off_breaks_off(sandbox_server: ProxyServer, situation: Situation) -> None:
    with pytest.raises((http.client.IncompleteRead, ConnectionError)) as caught:
        call(sandbox_server, target(situation), asking_for(situation.name), [("x-goog-api-key", KEY)])
    if isinstance(caught.value, http.client.IncompleteRead):
        assert caught.value.partial == situation.body(IN_ITS_PLACE)


@pytest.mark.parametrize("situation", [one for one in WHOLE if one.operation == "generate_content"], ids=str)
def test_a_situation_can_be_streamed(sandbox_server: ProxyServer, situation: Situation) -> None:
    path = f"/v1/models/google/{MODEL}:streamGenerateContent?alt=sse"
    reply = call(sandbox_server, path, asking_for(situation.name), [("x-goog-api-key", KEY)])
    assert reply.status == situation.status
    if situation.status >= 400:
        assert reply.body == situation.body(IN_ITS_PLACE), "an error on a stream is plain JSON"
        return
    assert reply.one("content-type") == "text/event-stream"
    try:
        expected = json.loads(situation.body(IN_ITS_PLACE))
    except ValueError:
        return
    assert list(events(reply.body)) == (expected if isinstance(expected, list) else [expected])


def events(body: bytes) -> Iterator[object]:
    """The JSON of each event."""
    for event in body.split(b"\r\n\r\n"):
        if event:
            assert event.startswith(b"data: ")
            yield json.loads(event.removeprefix(b"data: "))


@pytest.mark.parametrize(
    "situation", [one for one in WHOLE if one.operation == "stream_generate_content" and one.status == 200], ids=str
)
def test_a_streamed_situation_can_come_as_an_array(sandbox_server: ProxyServer, situation: Situation) -> None:
    path = f"/v1/models/{MODEL}:streamGenerateContent"
    reply = call(sandbox_server, path, asking_for(situation.name), [("x-goog-api-key", KEY)])
    assert (reply.status, reply.one("content-type")) == (200, "application/json; charset=UTF-8")
    body = situation.body(IN_ITS_PLACE)
    if b"data: " in body and situation.name not in ("bare_error_mid_stream", "streamed_line_feeds"):
        assert json.loads(reply.body) == list(events(body))


def test_an_unknown_situation_names_those_that_there_are(sandbox_server: ProxyServer) -> None:
    path = f"/v1beta/models/{MODEL}:generateContent"
    reply = call(sandbox_server, path, asking_for("no_such_thing"), [("x-goog-api-key", KEY)])
    assert (reply.status, reply.error["status"]) == (400, "INVALID_ARGUMENT")
    assert "quota_per_minute" in reply.error["message"]
