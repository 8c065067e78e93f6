"""Every contract fixture, asked for by its name, comes through byte for byte."""

import http.client
import json

import pytest

from contract.suite.situations import OPERATIONS, Situation, situations
from tests.support.proxy_server import ProxyServer
from tests.support.raw_caller import call

MODEL = "gemini-2.5-flash-image"
METHODS = dict(
    zip(OPERATIONS, ("generateContent", "streamGenerateContent", "countTokens", "generateContent"), strict=True)
)
KEY = "sandbox"
ALL = [situation for operation in OPERATIONS for situation in situations(operation)]


def target(situation: Situation) -> str:
    """The call that the fixture is an answer to."""
    events = "?alt=sse" if situation.headers["content-type"] == "text/event-stream" else ""
    return f"/v1beta/models/{MODEL}:{METHODS[situation.operation]}{events}"


def asking_for(situation: Situation) -> bytes:
    return json.dumps({"contents": [{"role": "user", "parts": [{"text": f"please [[{situation.name}]]"}]}]}).encode()


def body_of(situation: Situation) -> bytes:
    """The body without the key, where it repeats it."""
    return situation.text.replace("[[key]]", "[key]").encode()


@pytest.mark.parametrize("situation", [one for one in ALL if not one.cut], ids=lambda one: one.name)
def test_a_situation_comes_through_as_its_fixture_says(sandbox_server: ProxyServer, situation: Situation) -> None:
    reply = call(sandbox_server, target(situation), asking_for(situation), [("x-goog-api-key", KEY)])
    assert (reply.status, reply.one("content-type")) == (situation.status, situation.headers["content-type"])
    assert reply.body == body_of(situation)
    for name in ("content-disposition", "server-timing", "x-gemini-service-tier"):
        if name in situation.headers:
            assert reply.one(name) == situation.headers[name]


@pytest.mark.parametrize("situation", [one for one in ALL if one.cut], ids=lambda one: one.name)
def test_a_situation_that_breaks_off_breaks_off(sandbox_server: ProxyServer, situation: Situation) -> None:
    with pytest.raises((http.client.IncompleteRead, ConnectionError)) as caught:
        call(sandbox_server, target(situation), asking_for(situation), [("x-goog-api-key", KEY)])
    if isinstance(caught.value, http.client.IncompleteRead):
        assert caught.value.partial == body_of(situation)
