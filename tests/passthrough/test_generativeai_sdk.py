"""google-generativeai 0.8, the SDK before google-genai, with transport="rest": integer enums, JSON arrays, one key."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from contract.suite.situations import Situation
from tests.passthrough.conftest import sdk_client
from tests.passthrough.sdk_client import SdkClient, SdkError
from tests.passthrough.sdk_errors import error_of, sdk_errors
from tests.support import pictures
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import Answer, ScriptedUpstream, gzipped_if_asked

MODEL = "gemini-2.5-flash-image"
INTEGER_ENUMS = "%24alt=json%3Benum-encoding%3Dint"  # the query of every call of this SDK
SMALL = pictures.plain_png(64, 64)  # it reads a stream letter by letter
Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def sdk(sdk_clients: dict[str, SdkClient]) -> SdkClient:
    """The SDK's process."""
    return sdk_client("google-generativeai-0.8.6", sdk_clients)


@pytest.fixture
def ask(sdk: SdkClient, server: ProxyServer, key: str) -> Ask:
    """Asks the proxy in front of the upstream that the test scripts."""
    return lambda do, **question: sdk.ask(do=do, **{"base_url": server.url, "key": key, "model": MODEL, **question})


@pytest.fixture
def ask_sandbox(sdk: SdkClient, sandbox_server: ProxyServer) -> Ask:
    """Asks the proxy with the sandbox's key."""
    where = {"base_url": sandbox_server.url, "key": "sandbox", "model": MODEL}
    return lambda do, **question: sdk.ask(do=do, **{**where, **question})


def drawn(picture: bytes) -> bytes:
    """Google's answer with a text and a picture."""
    return pictures.as_google_writes(pictures.drawn({"text": "Here you go: "}, pictures.picture_part(picture)))


def as_array(*bodies: Any) -> bytes:
    """A stream as Google sends it without `alt=sse`."""
    return b"[" + b",\r\n".join(pictures.as_google_writes(body) for body in bodies) + b"]"


def test_the_process_runs_the_version_it_is_named_after(sdk: SdkClient, server: ProxyServer) -> None:
    assert sdk.ask(do="version", base_url=server.url, key="any") == "0.8.6"


def test_a_text_becomes_a_picture(ask: Ask, upstream: ScriptedUpstream, key: str) -> None:
    picture = pictures.heavy_png()
    upstream.answers(Answer(drawn(picture)))
    answer = ask("generate", contents="a cat")
    assert [one["data"] for one in answer["pictures"]] == [pictures.base64_of(picture)]
    assert answer["texts"] == ["Here you go: "]
    assert (answer["finish_reason"], answer["total_tokens"]) == ("STOP", 1299)
    request = upstream.call
    assert request.request_line == f"POST /v1beta/models/{MODEL}:generateContent?{INTEGER_ENUMS} HTTP/1.1"
    assert request.all("x-goog-api-key") == [key]
    assert request.all("x-goog-api-client")[0].startswith("genai-py/0.8.6 ")


def test_integer_enums_and_pictures_go_in_as_they_are(ask: Ask, upstream: ScriptedUpstream) -> None:
    upstream.answers(Answer(drawn(SMALL)))
    given = {"mime_type": "image/png", "data": pictures.base64_of(SMALL)}
    ask(
        "generate",
        contents=["put these together", given, given],
        config={"response_modalities": [2], "temperature": 0.5},
        safety_settings={"HARASSMENT": "BLOCK_NONE"},
        system_instruction="draw like a child",
    )
    body = json.loads(upstream.call.body)
    assert body["generationConfig"]["responseModalities"] == [2]
    assert body["safetySettings"] == [{"category": 7, "threshold": 4}]
    assert body["contents"][0]["parts"][1:] == [
        {"inlineData": {"mimeType": "image/png", "data": given["data"]}} for _ in range(2)
    ]
    assert body["systemInstruction"]["parts"] == [{"text": "draw like a child"}]


def test_a_chat_sends_its_pictures_back_as_history(ask: Ask, upstream: ScriptedUpstream) -> None:
    upstream.answers(Answer(drawn(SMALL)))
    first, second = ask("chat", messages=["a cat", "now blue"])
    assert first["pictures"] == second["pictures"]
    contents = json.loads(upstream.calls[1].body)["contents"]
    assert [content["role"] for content in contents] == ["user", "model", "user"]
    assert contents[1]["parts"][1]["inlineData"]["data"] == pictures.base64_of(SMALL)


def test_a_stream_is_an_array_and_brings_the_picture_whole(ask: Ask, upstream: ScriptedUpstream) -> None:
    parts = ({"text": "Here"}, pictures.picture_part(SMALL), {"text": ""})
    upstream.answers(Answer(as_array(*map(pictures.drawn, parts))))
    chunks = ask("stream", contents="a cat")
    assert [chunk["texts"] for chunk in chunks] == [["Here"], [], []]
    assert [one["data"] for one in chunks[1]["pictures"]] == [pictures.base64_of(SMALL)]
    assert upstream.call.target == f"/v1beta/models/{MODEL}:streamGenerateContent?{INTEGER_ENUMS}"


def test_tokens_are_counted(ask: Ask, upstream: ScriptedUpstream) -> None:
    upstream.answers(Answer(b'{"totalTokens": 8}'))
    assert ask("count", contents="a cat") == 8
    assert upstream.call.target == f"/v1beta/models/{MODEL}:countTokens?{INTEGER_ENUMS}"
    assert json.loads(upstream.call.body)["generateContentRequest"]["model"] == f"models/{MODEL}"


def test_the_models_are_listed_and_one_can_be_retrieved(ask: Ask, upstream: ScriptedUpstream) -> None:
    (model,) = ask("list")
    assert model["name"] == f"models/{MODEL}"
    assert {"generateContent", "countTokens"} <= set(model["actions"])
    assert ask("list", page_size=1) == [model]
    assert ask("get", model=f"models/{MODEL}") == model
    assert upstream.calls == []


@pytest.mark.parametrize("do", ["generate", "stream", "get"])
def test_another_model_is_not_found(ask: Ask, upstream: ScriptedUpstream, do: str) -> None:
    with pytest.raises(SdkError) as caught:
        ask(do, contents="a cat", model="models/gemini-3-pro-image")
    assert (caught.value.classes[0], caught.value.code, caught.value.status) == ("NotFound", 404, "NOT_FOUND")
    assert MODEL in str(caught.value.message)
    assert upstream.calls == []


def test_a_compressed_answer_is_opened_by_the_sdk(
    sdk: SdkClient, gzip_server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(gzipped_if_asked(drawn(SMALL)))
    answer = sdk.ask(do="generate", base_url=gzip_server.url, key=key, model=MODEL, contents="a cat")
    assert [one["data"] for one in answer["pictures"]] == [pictures.base64_of(SMALL)]
    assert upstream.call.all("accept-encoding") == ["gzip, deflate"]


# It reads an error's body only where that is an object.
OBJECTS = [situation for situation in sdk_errors() if situation.text.startswith("{")]


@pytest.mark.parametrize("situation", OBJECTS, ids=lambda one: one.name)
@pytest.mark.parametrize("do", ["generate", "stream"])
def test_an_error_of_google_is_raised_with_all_its_fields(ask_sandbox: Ask, situation: Situation, do: str) -> None:
    with pytest.raises(SdkError) as caught:
        ask_sandbox(do, contents=f"[[{situation.name}]]")
    error, body = caught.value, error_of(situation)
    assert "GoogleAPICallError" in error.classes
    assert error.code == situation.status
    assert error.status == body["error"]["status"]
    assert str(error.message).endswith(body["error"]["message"])
    assert error.details == body


def test_the_sandbox_draws_chats_and_counts(ask_sandbox: Ask) -> None:
    assert len(ask_sandbox("generate", contents="a cat")["pictures"]) == 1
    first, second = ask_sandbox("chat", messages=["a cat", "with a hat"])
    assert first["pictures"] != second["pictures"]
    assert ask_sandbox("count", contents="a cat") > 0


def test_the_sandbox_streams(ask_sandbox: Ask) -> None:
    chunks = ask_sandbox("stream", contents="[[text_and_picture]]")
    assert [len(chunk["pictures"]) for chunk in chunks if chunk["pictures"]] == [1]
