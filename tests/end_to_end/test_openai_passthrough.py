"""OpenAI's API on both sides: what passes unchanged, what does not, and the errors of a broken server."""

import base64
import io
import json
from collections.abc import Iterator

import openai
import pytest
import requests
from google import genai
from google.genai import errors, types
from PIL import Image

from tests.support import pictures
from tests.support.keys import new_key
from tests.support.models_file import models_file
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import NO_ANSWER, NO_ANSWER_BUT_A_RESET, Answer, ScriptedUpstream

MODEL = "gemini-2.5-flash-image"
PICTURE = pictures.plain_png(1024, 1024, "teal")
DRAWN = {"created": 1, "data": [{"b64_json": base64.b64encode(PICTURE).decode(), "revised_prompt": "a teal square"}]}
OPERATORS_KEY = new_key("sk-")
FORM = (
    b'--it-came-so\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nblue\r\n'
    b'--it-came-so\r\ncontent-disposition: form-data; name="image"; filename="x"\r\n\r\n%b\r\n'
    b'--it-came-so\r\nContent-Disposition: form-data; name="model"\r\n\r\n%b\r\n--it-came-so--\r\n'
)


@pytest.fixture(scope="module")
def server(google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """A proxy with the operator's key for a server that has another name for the model, and small limits."""
    folder = tmp_path_factory.mktemp("passthrough")
    columns = ('upstream_name = "flux"', 'key = "env:OPERATORS_KEY"')
    environment = {
        "MODELS_FILE": models_file(folder, f"{google.url}/v1", *columns),
        "OPERATORS_KEY": OPERATORS_KEY,
        "UPSTREAM_TIMEOUT_SECONDS": "2",
        "MAX_ANSWER_BYTES": "3000000",
    }
    with ProxyServer(folder, **environment) as server:
        yield server


@pytest.fixture
def from_google(server: ProxyServer) -> genai.Client:
    """Google's SDK."""
    return genai.Client(api_key=new_key(), http_options=types.HttpOptions(base_url=server.url))


@pytest.fixture
def from_openai(server: ProxyServer) -> openai.OpenAI:
    """OpenAI's SDK, which asks once."""
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=new_key(), max_retries=0)


def post(
    server: ProxyServer, path: str, body: bytes, content_type: str = "application/json", **marks: str
) -> requests.Response:
    headers = {"Authorization": f"Bearer {new_key()}", "Content-Type": content_type, **marks}
    return requests.post(f"{server.url}/v1/images/{path}", data=body, headers=headers, timeout=20)


def test_json_is_passed_on_unchanged_but_for_the_models_name(server: ProxyServer, upstream: ScriptedUpstream):
    upstream.answers(Answer(json.dumps(DRAWN).encode(), headers=(("x-of-the-server", "yes"),)))
    body = b'{ "prompt":"\\uace0", "model" : "%b","response_format":"b64_json", "steps": 1.50 }'
    answer = post(server, "generations", body % MODEL.encode())
    assert answer.content == json.dumps(DRAWN).encode()
    assert answer.headers["x-of-the-server"] == "yes"
    (call,) = upstream.calls
    assert call.body == b'{ "prompt":"\\uace0", "model" :"flux","response_format":"b64_json", "steps": 1.50 }'
    assert call.headers.get("authorization") == f"Bearer {OPERATORS_KEY}"


@pytest.mark.parametrize("mark", ["x-stainless-retry-count", "Idempotency-Key"])
def test_an_answer_to_a_caller_that_may_come_back_has_the_headers_of_any_other(
    server: ProxyServer, upstream: ScriptedUpstream, mark: str
):
    upstream.answers(Answer(json.dumps(DRAWN).encode(), chunked=False))
    plain, marked = (
        post(server, "generations", b'{"prompt": "a cat", "response_format": "b64_json"}', **marks)
        for marks in ({}, {mark: "0"})
    )
    assert plain.content == marked.content == json.dumps(DRAWN).encode()
    names = [sorted(name.lower() for name, _ in one.raw.headers.items()) for one in (plain, marked)]
    assert names[0] == names[1]
    assert marked.raw.headers.getlist("content-length") == [str(len(marked.content))]


def test_a_form_is_passed_on_unchanged_but_for_the_models_name(server: ProxyServer, upstream: ScriptedUpstream):
    upstream.answers(Answer(DRAWN))
    content_type = "multipart/form-data; boundary=it-came-so"
    assert post(server, "edits", FORM % (PICTURE, MODEL.encode()), content_type).ok
    (call,) = upstream.calls
    assert call.target == "/v1/images/edits"
    assert call.headers.get("content-type") == content_type
    assert call.body == FORM % (PICTURE, b"flux")


@pytest.mark.parametrize("link", ["{url}/drawn/a.png", "/drawn/a.png"])
def test_base64_is_returned_even_if_the_server_answers_with_a_url(
    from_openai: openai.OpenAI, upstream: ScriptedUpstream, link: str
):
    item = {"url": link.format(url=upstream.url), "revised_prompt": "a teal square"}
    upstream.answers(Answer({"created": 1, "data": [item]}), Answer(PICTURE, content_type="image/png"))
    answer = from_openai.images.generate(prompt="x", response_format="b64_json")
    assert base64.b64decode(answer.data[0].b64_json) == PICTURE
    assert answer.data[0].revised_prompt == "a teal square"
    assert [call.target for call in upstream.calls] == ["/v1/images/generations", "/drawn/a.png"]
    assert upstream.calls[1].headers["authorization"] == f"Bearer {OPERATORS_KEY}"


def test_a_stream_passes_as_it_came(from_openai: openai.OpenAI, upstream: ScriptedUpstream):
    event = {
        "type": "image_generation.completed",
        "b64_json": DRAWN["data"][0]["b64_json"],
        "created_at": 1,
        "size": "1024x1024",
        "quality": "low",
        "background": "opaque",
        "output_format": "png",
        "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3, "input_tokens_details": {}},
    }
    wire = b"event: image_generation.completed\ndata: " + json.dumps(event).encode() + b"\n\n"
    upstream.answers(Answer(wire, content_type="text/event-stream"))
    [event] = list(from_openai.images.generate(prompt="x", stream=True, partial_images=0))
    assert base64.b64decode(event.b64_json) == PICTURE
    assert upstream.calls[0].json == {"prompt": "x", "stream": True, "partial_images": 0, "model": "flux"}


def test_pixels_of_any_size_are_made_here(from_openai: openai.OpenAI, upstream: ScriptedUpstream):
    upstream.answers(Answer(DRAWN))
    extra = {"resize": "cover", "quality": "high"}
    answer = from_openai.images.generate(prompt="x", size="300x200", response_format="b64_json", extra_body=extra)
    assert Image.open(io.BytesIO(base64.b64decode(answer.data[0].b64_json))).size == (300, 200)
    assert upstream.calls[0].json["size"] == "1248x832"
    assert upstream.calls[0].json["quality"] == "high"


def test_an_error_passes_without_the_operators_key(from_openai: openai.OpenAI, upstream: ScriptedUpstream):
    error = {"message": f"Odd key {OPERATORS_KEY}.", "type": "invalid_request_error", "param": None, "code": "x"}
    upstream.answers(Answer({"error": error}, status=400, headers=(("retry-after", "7"),)))
    with pytest.raises(openai.BadRequestError) as caught:
        from_openai.images.generate(prompt="x", response_format="b64_json")
    assert caught.value.body["message"] == "Odd key [key]."
    assert caught.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize("way", ["address", "base64"])
def test_a_field_that_is_wrong_is_named_in_the_callers_words(
    from_google: genai.Client, from_openai: openai.OpenAI, upstream: ScriptedUpstream, way: str
):
    error = {"error": {"message": "No.", "type": "invalid_request_error", "param": "prompt", "code": "invalid_value"}}
    upstream.answers(Answer(error, status=400))
    with pytest.raises(openai.BadRequestError) as from_openais:
        from_openai.images.generate(prompt="x", response_format="url" if way == "address" else "b64_json")
    assert from_openais.value.param == "prompt"
    with pytest.raises(errors.ClientError) as from_googles:
        from_google.models.generate_content(model=MODEL, contents="x")
    violations = from_googles.value.details["error"]["details"][1]["fieldViolations"]
    assert [one["field"] for one in violations] == ["contents"]


def test_a_rate_limit_has_its_delay(from_google: genai.Client, upstream: ScriptedUpstream):
    error = {"error": {"message": "Slow down.", "type": "x", "param": None, "code": "rate_limit_exceeded"}}
    upstream.answers(Answer(error, status=429, headers=(("retry-after", "7"),)))
    with pytest.raises(errors.ClientError) as caught:
        from_google.models.generate_content(model=MODEL, contents="x")
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
    assert caught.value.details["error"]["details"][-1]["retryDelay"] == "7s"
    assert caught.value.response.headers["retry-after"] == "7"


BODY = json.dumps(DRAWN).encode()
BAD = {
    "silent": (NO_ANSWER, 502),
    "reset": (NO_ANSWER_BUT_A_RESET, 502),
    "html": (Answer(b"<html>no</html>", status=502, content_type="text/html"), 502),
    "html 200": (Answer(b"<html>no</html>", content_type="text/html"), 502),
    "empty": (Answer(b""), 502),
    "truncated": (Answer(BODY[:60]), 502),
    "no picture": (Answer({"created": 1, "data": [{"b64_json": "aGVsbG8gd29ybGQsIGhlbGxv"}]}), 502),
    "late": (Answer(DRAWN, delay=3), 504),
    "too large": (Answer({"created": 1, "padding": "x" * 4_000_000, "data": []}), 502),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_fault_of_the_server_is_an_error_in_googles_form(
    from_google: genai.Client, upstream: ScriptedUpstream, fault: str
):
    answer, status = BAD[fault]
    upstream.answers(answer)
    with pytest.raises(errors.ServerError) as caught:
        from_google.models.generate_content(model=MODEL, contents="x")
    assert caught.value.code == status
    assert len(upstream.calls) == 1


def test_a_picture_that_breaks_off_is_a_broken_transfer(from_google: genai.Client, upstream: ScriptedUpstream):
    heavy = {"created": 1, "data": [{"b64_json": base64.b64encode(pictures.heavy_png()).decode()}]}
    upstream.answers(Answer(heavy, cut_after=600_000))
    with pytest.raises(Exception) as caught:  # noqa: PT011  # of the transfer: which one depends on the SDK
        from_google.models.generate_content(model=MODEL, contents="x")
    assert not isinstance(caught.value, AssertionError)


def test_half_a_picture_is_an_error_that_no_sdk_repeats(server: ProxyServer, upstream: ScriptedUpstream):
    body = json.dumps({"created": 1, "data": [{"b64_json": pictures.base64_of(pictures.heavy_png())}]}).encode()
    upstream.answers(Answer(body, cut_after=600_000))
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="any")
    with pytest.raises(openai.InternalServerError) as caught:
        client.images.generate(prompt="a cat", response_format="b64_json")
    assert caught.value.status_code == 502
    assert len(upstream.calls) == 1


def test_one_of_several_that_fails_costs_no_other(
    server: ProxyServer, from_google: genai.Client, upstream: ScriptedUpstream
):
    message = f"Blocked for {OPERATORS_KEY}."
    failed = {"message": message, "type": "image_generation_user_error", "param": None, "code": "moderation_blocked"}
    upstream.answers(Answer({**DRAWN, "errors": [failed]}))
    config = types.GenerateContentConfig(candidate_count=2)
    drawn, blocked = from_google.models.generate_content(model=MODEL, contents="x", config=config).candidates
    assert drawn.content.parts[0].inline_data.data == PICTURE
    assert blocked.finish_reason == types.FinishReason.IMAGE_SAFETY
    url, body = f"{server.url}/v1beta/models/{MODEL}:generateContent", {"contents": [{"parts": [{"text": "x"}]}]}
    answer = requests.post(url, json=body, headers={"x-goog-api-key": new_key()}, timeout=20)
    assert answer.json()["candidates"][1]["finishMessage"] == "Blocked for [key]."


def test_ignored_parameters_are_reported(server: ProxyServer, upstream: ScriptedUpstream):
    upstream.answers(Answer(DRAWN))
    body = {
        "contents": [{"parts": [{"text": "x"}]}],
        "generationConfig": {"seed": 3, "topK": 4, "imageConfig": {"imageSize": "2K"}},
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    }
    url = f"{server.url}/v1beta/models/{MODEL}:generateContent"
    answer = requests.post(url, json=body, headers={"x-goog-api-key": new_key()}, timeout=20)
    assert answer.status_code == 200
    named = set(answer.headers["x-twinlens-ignored"].split(", "))
    assert named == {
        "safetySettings",
        "generationConfig.topK",
        "generationConfig.seed",
        "generationConfig.imageConfig.imageSize",
    }


def test_models_are_listed_on_both_surfaces(from_google: genai.Client, from_openai: openai.OpenAI):
    [model] = from_google.models.list()
    assert model.name == f"models/{MODEL}"
    assert "countTokens" not in model.supported_actions
    [model] = from_openai.models.list().data
    assert (model.id, model.owned_by, model.model_extra["upstream_model"]) == (MODEL, "twinlens", "flux")


def test_tokens_cannot_be_counted(from_google: genai.Client, upstream: ScriptedUpstream):
    upstream.answers(Answer(DRAWN))
    with pytest.raises(errors.ServerError, match="countTokens") as caught:
        from_google.models.count_tokens(model=MODEL, contents="x")
    assert (caught.value.code, caught.value.status) == (501, "UNIMPLEMENTED")
    assert not upstream.calls
