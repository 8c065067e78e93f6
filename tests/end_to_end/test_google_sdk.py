"""Google's own SDK in front of the running proxy, with an upstream that plays Google."""

import asyncio
from typing import Any

import pytest
import requests
from google import genai
from google.genai import errors, types

from tests.support import pictures
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import SSE, Answer, ScriptedUpstream, wait

MODEL = "gemini-2.5-flash-image"
GENERATE = f"/v1beta/models/{MODEL}:generateContent"
SPELLINGS = (MODEL, f"google/{MODEL}", f"models/{MODEL}", f"models/google/{MODEL}")


class Caller:
    """Google's client, synchronous or asynchronous, as plain calls."""

    def __init__(self, client: genai.Client, asynchronous: bool) -> None:
        self.client = client
        self.asynchronous = asynchronous

    def generate(self, **arguments: Any) -> types.GenerateContentResponse:
        """`generate_content`."""
        if self.asynchronous:
            return asyncio.run(self.client.aio.models.generate_content(**arguments))
        return self.client.models.generate_content(**arguments)

    def stream(self, **arguments: Any) -> list[types.GenerateContentResponse]:
        """`generate_content_stream`, to its end."""
        if not self.asynchronous:
            return list(self.client.models.generate_content_stream(**arguments))

        async def collect() -> list[types.GenerateContentResponse]:
            return [chunk async for chunk in await self.client.aio.models.generate_content_stream(**arguments)]

        return asyncio.run(collect())

    def count(self, **arguments: Any) -> types.CountTokensResponse:
        """`count_tokens`."""
        if self.asynchronous:
            return asyncio.run(self.client.aio.models.count_tokens(**arguments))
        return self.client.models.count_tokens(**arguments)


@pytest.fixture(params=["v1", "v1beta"])
def version(request: pytest.FixtureRequest) -> str:
    """The version that the SDK puts in the path: v1 since 3.0, v1beta before."""
    return str(request.param)


@pytest.fixture
def client(server: ProxyServer, key: str, version: str) -> genai.Client:
    """Google's client as the user's document makes it, for both versions of the API."""
    options = {"base_url": server.url} if version == "v1" else {"base_url": server.url, "api_version": version}
    return genai.Client(api_key=key, http_options=types.HttpOptions(**options))


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def caller(request: pytest.FixtureRequest, client: genai.Client) -> Caller:
    """The client, in one of its two forms."""
    return Caller(client, request.param)


def painted(picture: bytes | None = None, mime_type: str = "image/png") -> Answer:
    """An answer with a text and a picture."""
    part = pictures.picture_part(picture or pictures.plain_png(), mime_type)
    return Answer(pictures.drawn({"text": "Here you go: "}, part))


def pictures_of(answer: types.GenerateContentResponse) -> list[bytes]:
    """The bytes of all pictures of an answer."""
    return [part.inline_data.data or b"" for part in answer.parts or [] if part.inline_data]


def test_a_picture_arrives_as_the_upstream_drew_it(caller: Caller, upstream: ScriptedUpstream) -> None:
    picture = pictures.heavy_png()
    upstream.answers(painted(picture))
    answer = caller.generate(model=MODEL, contents="a cat")
    assert pictures_of(answer) == [picture]
    assert answer.text == "Here you go: "
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.total_token_count == 1299
    assert answer.response_id == "pzR8ac7cG_LUz7IP79TA4A8"


@pytest.mark.parametrize("name", SPELLINGS)
def test_every_spelling_of_the_model_reaches_the_same_upstream_path(
    caller: Caller, upstream: ScriptedUpstream, name: str
) -> None:
    upstream.answers(painted())
    caller.generate(model=name, contents="a cat")
    (call,) = upstream.calls
    assert call.target == GENERATE


def test_the_configuration_of_the_caller_reaches_the_upstream(caller: Caller, upstream: ScriptedUpstream) -> None:
    upstream.answers(painted())
    config = types.GenerateContentConfig(
        response_modalities=["IMAGE"], image_config=types.ImageConfig(aspect_ratio="21:9"), seed=3
    )
    source = types.Part.from_bytes(data=pictures.plain_png(64, 64), mime_type="image/png")
    caller.generate(model=MODEL, contents=["make it blue", source], config=config)
    (call,) = upstream.calls
    assert call.aspect_ratio == "21:9"
    assert call.json["generationConfig"]["seed"] == 3
    assert call.json["generationConfig"]["responseModalities"] == ["IMAGE"]
    assert len(call.json["contents"][0]["parts"]) == 2
    assert "google-genai-sdk" in (call.headers.get("x-goog-api-client") or "")


def test_a_jpeg_stays_a_jpeg(caller: Caller, upstream: ScriptedUpstream) -> None:
    upstream.answers(painted(pictures.plain_jpeg(), "image/jpeg"))
    answer = caller.generate(model=MODEL, contents="a cat")
    assert pictures_of(answer) == [pictures.plain_jpeg()]
    assert [part.inline_data.mime_type for part in answer.parts or [] if part.inline_data] == ["image/jpeg"]


def test_a_refusal_stays_an_answer_with_a_finish_reason(caller: Caller, upstream: ScriptedUpstream) -> None:
    upstream.answers(Answer(pictures.refused("IMAGE_SAFETY")))
    answer = caller.generate(model=MODEL, contents="a cat")
    assert answer.parts is None
    assert [candidate.finish_reason for candidate in answer.candidates or []] == [types.FinishReason.IMAGE_SAFETY]


@pytest.mark.parametrize(
    ("code", "status", "exception"),
    [
        (400, "INVALID_ARGUMENT", errors.ClientError),
        (401, "UNAUTHENTICATED", errors.ClientError),
        (403, "PERMISSION_DENIED", errors.ClientError),
        (404, "NOT_FOUND", errors.ClientError),
        (429, "RESOURCE_EXHAUSTED", errors.ClientError),
        (500, "INTERNAL", errors.ServerError),
        (503, "UNAVAILABLE", errors.ServerError),
        (504, "DEADLINE_EXCEEDED", errors.ServerError),
    ],
)
def test_an_error_of_the_upstream_has_all_its_fields(
    caller: Caller, upstream: ScriptedUpstream, code: int, status: str, exception: type[errors.APIError]
) -> None:
    body = pictures.error(code, status, f"It was {status}.", pictures.retry_info("7s"))
    upstream.answers(Answer(body, status=code))
    with pytest.raises(exception) as caught:
        caller.generate(model=MODEL, contents="a cat")
    assert (caught.value.code, caught.value.status, caught.value.message) == (code, status, f"It was {status}.")
    assert caught.value.details == body
    assert len(upstream.calls) == 1


def test_another_model_is_not_found_and_the_message_names_ours(caller: Caller, upstream: ScriptedUpstream) -> None:
    upstream.answers(painted())
    with pytest.raises(errors.ClientError) as caught:
        caller.generate(model="gemini-3-pro-image", contents="a cat")
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
    assert MODEL in (caught.value.message or "")
    assert upstream.calls == []


def test_a_stream_brings_the_texts_and_the_whole_picture(caller: Caller, upstream: ScriptedUpstream) -> None:
    picture = pictures.heavy_png()
    events = [pictures.drawn(part) for part in ({"text": "Here"}, {"text": " you go"}, pictures.picture_part(picture))]
    upstream.answers(Answer(pictures.as_events(*events), content_type=SSE))
    chunks = caller.stream(model=f"google/{MODEL}", contents="a cat")
    assert [chunk.text for chunk in chunks[:2]] == ["Here", " you go"]
    assert pictures_of(chunks[2]) == [picture]
    assert upstream.calls[0].target == f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"


def test_the_first_event_of_a_stream_does_not_wait_for_the_last(
    server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    first, last = (pictures.as_events(pictures.drawn({"text": text})) for text in ("first", "last"))
    upstream.answers(Answer(first + last, content_type=SSE, cut_after=len(first), then=wait))
    path = f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"
    body = {"contents": [{"parts": [{"text": "a cat"}]}]}
    with requests.post(
        server.url + path, json=body, headers={"x-goog-api-key": key}, stream=True, timeout=0.8
    ) as answer:
        assert next(answer.iter_content(None)) == first


def test_an_error_on_a_stream_has_all_its_fields(caller: Caller, upstream: ScriptedUpstream) -> None:
    # The error's own status, the content type of a stream, a plain JSON body: so does Google.
    body = pictures.error(503, "UNAVAILABLE", "This model is currently experiencing high demand.")
    upstream.answers(Answer(body, status=503, content_type=SSE))
    with pytest.raises(errors.ServerError) as caught:
        caller.stream(model=MODEL, contents="a cat")
    assert (caught.value.code, caught.value.status) == (503, "UNAVAILABLE")
    assert "high demand" in (caught.value.message or "")


def test_tokens_are_counted(caller: Caller, upstream: ScriptedUpstream) -> None:
    upstream.answers(Answer({"totalTokens": 8, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 8}]}))
    assert caller.count(model=f"google/{MODEL}", contents="a cat").total_tokens == 8
    assert upstream.calls[0].target == f"/v1beta/models/{MODEL}:countTokens"


def test_the_models_are_listed_in_googles_form(client: genai.Client) -> None:
    (model,) = client.models.list()
    assert model.name == f"models/{MODEL}"
    assert "generateContent" in (model.supported_actions or [])
    assert model.input_token_limit == 32768


@pytest.mark.parametrize("name", SPELLINGS)
def test_one_model_can_be_asked_for_by_any_of_its_spellings(client: genai.Client, name: str) -> None:
    assert client.models.get(model=name).name == f"models/{MODEL}"


def test_an_unknown_model_cannot_be_asked_for(client: genai.Client) -> None:
    with pytest.raises(errors.ClientError) as caught:
        client.models.get(model="gemini-3-pro-image")
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("headers", "query", "form"),
    [
        ({"x-goog-api-key": "{key}"}, "", "models"),
        ({}, "?key={key}", "models"),
        ({"Authorization": "Bearer {key}"}, "", "data"),
    ],
    ids=["x-goog-api-key", "key in the query", "Bearer"],
)
def test_v1_models_speaks_the_language_of_the_credential(
    server: ProxyServer, key: str, headers: dict[str, str], query: str, form: str
) -> None:
    filled = {name: value.format(key=key) for name, value in headers.items()}
    answer = requests.get(f"{server.url}/v1/models{query.format(key=key)}", headers=filled, timeout=10)
    assert answer.status_code == 200
    assert len(answer.json()[form]) == 1


def test_v1beta_models_is_googles_even_with_a_bearer_token(server: ProxyServer, key: str) -> None:
    answer = requests.get(f"{server.url}/v1beta/models", headers={"Authorization": f"Bearer {key}"}, timeout=10)
    assert [model["name"] for model in answer.json()["models"]] == [f"models/{MODEL}"]


def test_the_body_and_the_query_travel_byte_for_byte(server: ProxyServer, upstream: ScriptedUpstream, key: str) -> None:
    upstream.answers(painted())
    body = b'{ "contents" : {"parts":[{"text":"\\uace0\xec\x96\x91\xec\x9d\xb4", "unknown":1.50}]} ,\n "new_field":[] }'
    requests.post(
        f"{server.url}/v1/models/google/{MODEL}:generateContent?%24alt=json%3Benum-encoding%3Dint&key={key}&x=1",
        data=body,
        headers={"Content-Type": "application/json"},
        timeout=10,
    )
    (call,) = upstream.calls
    assert call.body == body
    assert call.target == f"{GENERATE}?%24alt=json%3Benum-encoding%3Dint&x=1"


def test_a_call_without_a_key_gets_googles_403_and_makes_no_call_upstream(
    server: ProxyServer, upstream: ScriptedUpstream
) -> None:
    upstream.answers(painted())
    body = {"contents": [{"parts": [{"text": "a cat"}]}]}
    answer = requests.post(server.url + GENERATE, json=body, timeout=10)
    assert answer.status_code == 403
    assert answer.json()["error"]["status"] == "PERMISSION_DENIED"
    assert "unregistered callers" in answer.json()["error"]["message"]
    assert upstream.calls == []


@pytest.mark.parametrize("body", [{}, {"contents": []}, {"contents": "a cat"}, {"contents": [{"parts": 5}]}], ids=str)
def test_a_body_that_google_would_refuse_is_refused_in_its_words(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, body: dict[str, Any]
) -> None:
    upstream.answers(painted())
    answer = requests.post(server.url + GENERATE, json=body, headers={"x-goog-api-key": key}, timeout=10)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    (bad_request,) = (detail for detail in error["details"] if detail["@type"].endswith("/google.rpc.BadRequest"))
    assert bad_request["fieldViolations"]
    assert upstream.calls == []


def test_a_base_url_that_ends_in_a_version_is_explained(server: ProxyServer, key: str) -> None:
    client = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=f"{server.url}/v1beta"))
    with pytest.raises(errors.ClientError) as caught:
        client.models.generate_content(model=MODEL, contents="a cat")
    assert caught.value.code == 404
    assert "/v1beta/v1" in (caught.value.message or "")
