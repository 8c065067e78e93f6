"""google-genai 1, 2 and 3, sync and async, over a real socket, get from the proxy what they get from Google."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from contract.suite.situations import Situation
from tests.passthrough.conftest import sdk_client
from tests.passthrough.sdk_client import SdkClient, SdkError
from tests.passthrough.sdk_errors import error_of, sdk_errors
from tests.support import pictures
from tests.support.keys import new_key
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import JSON, SSE, Answer, ScriptedUpstream, gzipped_if_asked

MODEL = "gemini-2.5-flash-image"
PATHS = {"1.40.0": "/v1beta", "2.34.0": "/v1beta", "3.4.0": "/v1"}  # what each version calls
SPELLINGS = (MODEL, f"google/{MODEL}", f"publishers/google/models/{MODEL}")
Ask = Callable[..., Any]


@pytest.fixture(scope="module", params=PATHS)
def sdk(request: pytest.FixtureRequest, sdk_clients: dict[str, SdkClient]) -> SdkClient:
    """One version of the SDK."""
    return sdk_client(f"google-genai-{request.param}", sdk_clients)


@pytest.fixture(scope="module", params=[False, True], ids=["sync", "async"])
def asynchronous(request: pytest.FixtureRequest) -> bool:
    """Which half of the SDK is used."""
    return bool(request.param)


@pytest.fixture
def ask(sdk: SdkClient, asynchronous: bool, server: ProxyServer, key: str) -> Ask:
    """Asks the proxy in front of the upstream that the test scripts."""

    def ask(do: str, **question: Any) -> Any:
        return sdk.ask(
            do=do, **{"asynchronous": asynchronous, "base_url": server.url, "key": key, "model": MODEL, **question}
        )

    return ask


@pytest.fixture
def ask_sandbox(sdk: SdkClient, asynchronous: bool, sandbox_server: ProxyServer) -> Ask:
    """Asks the proxy with the sandbox's key."""

    def ask(do: str, **question: Any) -> Any:
        asked = {"asynchronous": asynchronous, "base_url": sandbox_server.url, "key": "sandbox", "model": MODEL}
        return sdk.ask(do=do, **{**asked, **question})

    return ask


def given_picture(colour: str) -> dict[str, str]:
    """A picture as a question to the SDK carries it."""
    return {"mime_type": "image/png", "data": pictures.base64_of(pictures.plain_png(320, 200, colour))}


def drawn(picture: bytes, text: str = "Here you go: ") -> dict[str, Any]:
    """Google's answer with a text and a picture."""
    return pictures.drawn({"text": text}, pictures.picture_part(picture))


def as_json(body: Any) -> bytes:
    return pictures.as_google_writes(body)


def data_of(answer: dict[str, Any]) -> list[str]:
    """The base64 of an answer's pictures."""
    return [picture["data"] for picture in answer["pictures"]]


def test_the_process_runs_the_version_it_is_named_after(sdk: SdkClient) -> None:
    assert sdk.ask(do="version") in PATHS


def test_a_text_becomes_a_picture(ask: Ask, upstream: ScriptedUpstream, key: str) -> None:
    picture = pictures.heavy_png()
    upstream.answers(Answer(as_json(drawn(picture))))
    answer = ask("generate", contents="a cat")
    assert data_of(answer) == [pictures.base64_of(picture)]
    assert answer["texts"] == ["Here you go: "]
    assert answer["finish_reason"] == "STOP"
    assert answer["total_tokens"] == 1299
    assert answer["response_id"] == "pzR8ac7cG_LUz7IP79TA4A8"
    assert answer["model_version"] == MODEL
    request = upstream.call
    assert request.request_line == f"POST /v1beta/models/{MODEL}:generateContent HTTP/1.1"
    assert request.all("x-goog-api-key") == [key]
    assert json.loads(request.body) == {"contents": [{"parts": [{"text": "a cat"}], "role": "user"}]}


def test_each_version_names_itself_upstream(ask: Ask, sdk: SdkClient, upstream: ScriptedUpstream) -> None:
    upstream.answers(Answer(as_json(drawn(pictures.plain_png()))))
    ask("generate", contents="a cat", http_options={"timeout": 30_000})
    client = upstream.call.all("x-goog-api-client")
    assert len(client) == 1 and client[0].startswith(f"google-genai-sdk/{sdk.ask(do='version')} ")
    assert upstream.call.all("user-agent") == client
    assert upstream.call.all("x-server-timeout") == ["30"]


@pytest.mark.parametrize("name", SPELLINGS)
def test_every_spelling_of_the_model_reaches_the_same_upstream_path(
    ask: Ask, upstream: ScriptedUpstream, name: str
) -> None:
    upstream.answers(Answer(as_json(drawn(pictures.plain_png()))))
    ask("generate", contents="a cat", model=name)
    assert upstream.call.target == f"/v1beta/models/{MODEL}:generateContent"


def test_several_pictures_go_in_as_they_are(ask: Ask, upstream: ScriptedUpstream) -> None:
    given = [given_picture(colour) for colour in ("red", "green", "blue")]
    upstream.answers(Answer(as_json(drawn(pictures.plain_png()))))
    assert ask("generate", contents=["put these together", *given])["pictures"]
    first, *parts = json.loads(upstream.call.body)["contents"][0]["parts"]
    assert first == {"text": "put these together"}
    blobs = [part["inlineData"] for part in parts]
    # The SDK writes URL-safe base64 and snake_case; both travel as they are.
    assert [standard(blob["data"]) for blob in blobs] == [picture["data"] for picture in given]


def standard(data: str) -> str:
    """Base64 in the standard alphabet."""
    return data.replace("-", "+").replace("_", "/")


def test_a_whole_configuration_goes_in(ask: Ask, upstream: ScriptedUpstream) -> None:
    upstream.answers(Answer(as_json(drawn(pictures.plain_png()))))
    config = {
        "temperature": 0.5,
        "top_k": 40,
        "seed": 3,
        "stop_sequences": ["x"],
        "response_modalities": ["IMAGE"],
        "image_config": {"aspect_ratio": "21:9"},
        "system_instruction": "draw like a child",
        "safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        "thinking_config": {"include_thoughts": True},
        "tools": [{"google_search": {}}],
    }
    ask("generate", contents="a cat", config=config)
    body = json.loads(upstream.call.body)
    assert body["generationConfig"]["imageConfig"] == {"aspectRatio": "21:9"}
    assert body["generationConfig"]["responseModalities"] == ["IMAGE"]
    assert body["generationConfig"]["seed"] == 3
    assert body["systemInstruction"]["parts"] == [{"text": "draw like a child"}]
    assert {"tools", "safetySettings"} <= body.keys()


def test_a_chat_sends_its_pictures_back_as_history(ask: Ask, upstream: ScriptedUpstream) -> None:
    first, second, third = (pictures.plain_png(64, 64, colour) for colour in ("red", "green", "blue"))
    upstream.answers(*(Answer(as_json(drawn(picture))) for picture in (first, second, third)))
    answers = ask("chat", messages=["a cat", ["now with this", given_picture("white")], "without the hat"])
    assert [data_of(answer) for answer in answers] == [[pictures.base64_of(one)] for one in (first, second, third)]
    contents = json.loads(upstream.calls[2].body)["contents"]
    assert [content["role"] for content in contents] == ["user", "model", "user", "model", "user"]
    sent_back = [
        standard(part["inlineData"]["data"])
        for content in contents
        for part in content["parts"]
        if part.get("inlineData")
    ]
    assert sent_back == [pictures.base64_of(first), given_picture("white")["data"], pictures.base64_of(second)]


def test_a_streamed_chat_sends_its_pictures_back_as_history(ask: Ask, upstream: ScriptedUpstream) -> None:
    picture = pictures.plain_png(64, 64)
    events = pictures.as_events(
        pictures.drawn({"text": "Here"}), pictures.drawn(pictures.picture_part(picture)), pictures.drawn({"text": "."})
    )
    upstream.answers(Answer(events, content_type=SSE))
    first, _ = ask("chat_stream", messages=["a cat", "in the rain"])
    assert data_of(first[1]) == [pictures.base64_of(picture)]
    contents = json.loads(upstream.calls[1].body)["contents"]
    blobs = [part["inlineData"] for content in contents for part in content["parts"] if part.get("inlineData")]
    assert [standard(blob["data"]) for blob in blobs] == [pictures.base64_of(picture)]


def test_a_stream_brings_each_event_and_the_picture_whole(ask: Ask, upstream: ScriptedUpstream) -> None:
    picture = pictures.heavy_png()
    parts = ({"text": "Here"}, {"text": " you go"}, pictures.picture_part(picture), {"text": ""})
    upstream.answers(Answer(pictures.as_events(*map(pictures.drawn, parts)), content_type=SSE))
    chunks = ask("stream", contents="a cat", model=f"google/{MODEL}")
    assert [chunk["texts"] for chunk in chunks] == [["Here"], [" you go"], [], []]
    assert data_of(chunks[2]) == [pictures.base64_of(picture)]
    assert upstream.call.target == f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"


def test_an_error_within_a_stream_is_the_same_as_without_the_proxy(ask: Ask, upstream: ScriptedUpstream) -> None:
    trouble = pictures.error(503, "UNAVAILABLE", "The model is overloaded.")
    upstream.answers(Answer(pictures.as_events(pictures.drawn({"text": "Here"}), trouble), content_type=SSE))
    outcomes = []
    for question in ({}, {"base_url": upstream.url}):
        try:
            outcomes.append(ask("stream", contents="a cat", **question))
        except SdkError as error:
            outcomes.append((error.code, error.status, error.message, error.details))
    assert outcomes[0] == outcomes[1]


def test_tokens_are_counted(ask: Ask, upstream: ScriptedUpstream) -> None:
    upstream.answers(Answer(as_json({"totalTokens": 8})))
    assert ask("count", contents=["what is this", given_picture("red")], model=f"google/{MODEL}") == 8
    assert upstream.call.target == f"/v1beta/models/{MODEL}:countTokens"


def test_the_models_are_listed(ask: Ask, upstream: ScriptedUpstream) -> None:
    (model,) = ask("list")
    assert model["name"] == f"models/{MODEL}"
    assert {"generateContent", "countTokens"} <= set(model["actions"])
    assert (model["input_token_limit"], model["output_token_limit"]) == (32768, 32768)
    assert ask("list", config={"page_size": 1}) == [model]
    assert upstream.calls == []


@pytest.mark.parametrize("name", SPELLINGS)
def test_one_model_has_any_of_its_names(ask: Ask, name: str) -> None:
    assert ask("get", model=name)["name"] == f"models/{MODEL}"


@pytest.mark.parametrize("do", ["generate", "get"])
def test_another_model_is_not_found(ask: Ask, upstream: ScriptedUpstream, do: str) -> None:
    with pytest.raises(SdkError) as caught:
        ask(do, contents="a cat", model="gemini-3-pro-image")
    error = caught.value
    assert (error.classes[0], error.code, error.status) == ("ClientError", 404, "NOT_FOUND")
    assert MODEL in str(error.message)
    assert error.details["error"]["details"], "our own errors say which kind they are"
    assert upstream.calls == []


def test_a_compressed_answer_is_opened_by_the_sdk(
    sdk: SdkClient, asynchronous: bool, gzip_server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    picture = pictures.heavy_png()
    upstream.answers(gzipped_if_asked(as_json(drawn(picture))))
    question = {"asynchronous": asynchronous, "base_url": gzip_server.url, "key": key, "model": MODEL}
    assert data_of(sdk.ask(do="generate", contents="a cat", **question)) == [pictures.base64_of(picture)]
    assert "gzip" in upstream.call.all("accept-encoding")[0]
    events = pictures.as_events(drawn(picture), pictures.drawn({"text": ""}))
    upstream.answers(gzipped_if_asked(events, content_type=SSE))
    chunks = sdk.ask(do="stream", contents="a cat", **question)
    assert data_of(chunks[0]) == [pictures.base64_of(picture)]


@pytest.mark.parametrize("situation", sdk_errors(), ids=lambda one: one.name)
@pytest.mark.parametrize("do", ["generate", "stream"])
def test_an_error_of_google_is_raised_with_all_its_fields(ask_sandbox: Ask, situation: Situation, do: str) -> None:
    with pytest.raises(SdkError) as caught:
        ask_sandbox(do, contents=f"[[{situation.name}]]")
    error, body = caught.value, error_of(situation)
    assert error.classes[:2] == ["ClientError" if situation.status < 500 else "ServerError", "APIError"]
    assert error.code == body["error"]["code"] == situation.status
    assert error.status == body["error"]["status"]
    assert error.message == body["error"]["message"]
    assert error.details in (body, [body])


@pytest.mark.parametrize(
    ("situation", "finish_reason"),
    [("refused_image_safety", "IMAGE_SAFETY"), ("no_image", "NO_IMAGE"), ("image_other", "IMAGE_OTHER")],
)
def test_an_answer_without_a_picture_is_an_answer(ask_sandbox: Ask, situation: str, finish_reason: str) -> None:
    answer = ask_sandbox("generate", contents=f"[[{situation}]]")
    assert answer["pictures"] == []
    assert answer["finish_reason"] == finish_reason


def test_a_blocked_prompt_is_an_answer(ask_sandbox: Ask) -> None:
    answer = ask_sandbox("generate", contents="[[refused_prompt_prohibited_content]]")
    assert answer["pictures"] == []
    assert answer["block_reason"] == "PROHIBITED_CONTENT"


def test_the_sandbox_draws_streams_chats_and_counts(ask_sandbox: Ask) -> None:
    answer = ask_sandbox("generate", contents="a cat", config={"image_config": {"aspect_ratio": "16:9"}})
    assert pixels(answer["pictures"][0]) == (1344, 768)
    chunks = ask_sandbox("stream", contents=["make it blue", given_picture("red")])
    assert [len(chunk["pictures"]) for chunk in chunks if chunk["pictures"]] == [1]
    assert chunks[-1]["finish_reason"] == "STOP"
    first, second = ask_sandbox("chat", messages=["a cat", "with a hat"])
    assert first["pictures"] != second["pictures"]
    assert second["total_tokens"] > first["total_tokens"], "the picture of the first turn is read in the second"
    assert ask_sandbox("count", contents="a cat") > 0


def pixels(picture: dict[str, str]) -> tuple[int, int]:
    return pictures.pixels_of(base64.b64decode(picture["data"]))


def test_the_content_type_of_an_error_on_a_stream_may_be_that_of_a_stream(ask: Ask, upstream: ScriptedUpstream) -> None:
    body = as_json(pictures.error(503, "UNAVAILABLE", "This model is currently experiencing high demand."))
    for content_type in (SSE, JSON):
        upstream.answers(Answer(body, 503, content_type))
        with pytest.raises(SdkError) as caught:
            ask("stream", contents="a cat")
        assert (caught.value.classes[0], caught.value.code) == ("ServerError", 503)
        assert "high demand" in str(caught.value.message)


def test_every_call_has_a_key_of_its_own(ask: Ask, upstream: ScriptedUpstream) -> None:
    upstream.answers(Answer(as_json({"totalTokens": 8})))
    keys = [new_key(), new_key("AQ.")]
    for one in keys:
        ask("count", contents="a cat", key=one)
    assert [request.all("x-goog-api-key") for request in upstream.calls] == [[one] for one in keys]
