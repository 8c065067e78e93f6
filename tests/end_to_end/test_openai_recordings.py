"""Real answers of OpenAI, replayed by a server behind Twinlens: read by google-genai, and passed on to openai.

The recordings are not part of the project: they are read where they lie, and without them these tests are skipped.
"""

import asyncio
import base64
import io
from collections.abc import Iterator
from typing import Any

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
from tests.support.recordings import ABSENT, openai_recordings
from tests.support.upstream import ScriptedUpstream

MODEL = "gemini-2.5-flash-image"
RECORDINGS = {recording.name: recording for recording in openai_recordings()}

pytestmark = pytest.mark.skipif(not RECORDINGS, reason=ABSENT)

# What is recorded as an error, as a caller of google-genai meets it: HTTP status and error.status.
ERRORS = {
    "openai_err_400_edit_json_image_url_404": (400, "INVALID_ARGUMENT"),
    "openai_err_400_edit_json_invalid_image_file": (400, "INVALID_ARGUMENT"),
    "openai_err_400_edit_unsupported_mimetype": (400, "INVALID_ARGUMENT"),
    "openai_err_401_invalid_api_key": (400, "INVALID_ARGUMENT"),
    "openai_err_additional_params_invalid_background_is_rejected": (400, "INVALID_ARGUMENT"),
    "openai_err_additional_params_invalid_output_format_is_rejected": (400, "INVALID_ARGUMENT"),
    "openai_err_additional_params_invalid_quality_is_rejected": (400, "INVALID_ARGUMENT"),
    "openai_err_additional_params_override_model": (404, "NOT_FOUND"),
    "openai_err_additional_params_override_prompt": (400, "INVALID_ARGUMENT"),
    "openai_err_additional_params_override_size": (400, "INVALID_ARGUMENT"),
    "openai_err_caller_can_reinstate_response_format": (400, "INVALID_ARGUMENT"),
    "openai_err_response_format_is_rejected_before_the_model_is_looked_at": (400, "INVALID_ARGUMENT"),
    "openai_err_retired_model_reaches_model_validation": (404, "NOT_FOUND"),
    "openai_err_unlisted_dated_snapshot_reaches_its_own_validation": (400, "INVALID_ARGUMENT"),
}
NO_PICTURE = {"openai_gpt-image-1-mini_generate_jpeg_usage"}  # the recorder wrote `hello` in its place


def items_of(name: str) -> list[dict[str, Any]]:
    """The items of a recorded answer; none if it is an error."""
    found: list[dict[str, Any]] = RECORDINGS[name].bodies[0].get("data", [])
    return found


PICTURED = [name for name in RECORDINGS if "b64_json" in str(items_of(name))[:40] and name not in NO_PICTURE]
LINKED = [name for name in RECORDINGS if any(item.get("url") for item in items_of(name))]


def recorded_picture(name: str) -> bytes:
    """The first picture of a recording."""
    return base64.b64decode(items_of(name)[0]["b64_json"])


@pytest.fixture(scope="module")
def server(google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """A proxy whose only model is drawn by the replaying server, in OpenAI's API."""
    folder = tmp_path_factory.mktemp("recordings")
    file = models_file(folder, f"{google.url}/v1", "image_urls = true", "urls = true")
    with ProxyServer(folder, MODELS_FILE=file) as server:
        yield server


@pytest.fixture(scope="module")
def key() -> str:
    """One key for all of them."""
    return new_key("sk-")


@pytest.fixture
def client(server: ProxyServer, key: str) -> genai.Client:
    """Google's SDK."""
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=server.url))


def test_the_table_of_errors_names_recordings_only_and_all_that_are_errors():
    assert set(ERRORS) == {name for name in RECORDINGS if RECORDINGS[name].status >= 400}
    assert {*ERRORS, *PICTURED, *LINKED, *NO_PICTURE} == set(RECORDINGS)


def pictures_in(response: types.GenerateContentResponse) -> list[bytes]:
    """The pictures of an answer, as google-genai hands them out."""
    parts = [part for candidate in response.candidates or [] for part in (candidate.content.parts or [])]
    return [part.inline_data.data for part in parts if part.inline_data and not part.thought]


def mime_type(picture: bytes) -> str:
    return {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}[Image.open(io.BytesIO(picture)).format]


@pytest.mark.parametrize("name", PICTURED)
def test_google_genai_gets_the_recorded_picture_and_its_usage(
    client: genai.Client, upstream: ScriptedUpstream, name: str, key: str
):
    upstream.answers(RECORDINGS[name].answer)
    response = client.models.generate_content(model=MODEL, contents="an axolotl")
    assert pictures_in(response) == [recorded_picture(name)]
    [part] = [part for part in response.parts if part.inline_data]
    assert part.inline_data.mime_type == mime_type(recorded_picture(name))
    assert response.candidates[0].finish_reason == types.FinishReason.STOP
    assert response.model_version == MODEL
    assert response.response_id
    counted, usage = RECORDINGS[name].bodies[0].get("usage"), response.usage_metadata
    if counted:
        assert usage.prompt_token_count == counted["input_tokens"]
        assert usage.total_token_count == counted["total_tokens"]
        assert usage.candidates_token_count == counted["output_tokens"]
    else:
        assert usage is None
    (call,) = upstream.calls
    assert call.target == "/v1/images/generations"
    assert call.headers.get("authorization") == f"Bearer {key}"
    assert call.headers.get("x-goog-api-key") is None
    assert call.json == {"model": MODEL, "prompt": "an axolotl", "response_format": "b64_json"}


@pytest.mark.parametrize("name", PICTURED)
def test_google_genai_streams_the_recorded_picture(client: genai.Client, upstream: ScriptedUpstream, name: str):
    upstream.answers(RECORDINGS[name].answer)
    responses = list(client.models.generate_content_stream(model=MODEL, contents="an axolotl"))
    assert [picture for response in responses for picture in pictures_in(response)] == [recorded_picture(name)]
    assert responses[-1].candidates[0].finish_reason == types.FinishReason.STOP


@pytest.mark.parametrize("name", PICTURED)
def test_asynchronous_google_genai_gets_the_recorded_picture(
    client: genai.Client, upstream: ScriptedUpstream, name: str
):
    async def both() -> tuple[list[bytes], list[bytes]]:
        response = await client.aio.models.generate_content(model=MODEL, contents="an axolotl")
        stream = await client.aio.models.generate_content_stream(model=MODEL, contents="an axolotl")
        return pictures_in(response), [picture async for response in stream for picture in pictures_in(response)]

    upstream.answers(RECORDINGS[name].answer)
    assert asyncio.run(both()) == ([recorded_picture(name)], [recorded_picture(name)])


def test_an_array_of_responses_holds_the_recorded_picture(server: ProxyServer, upstream: ScriptedUpstream, key: str):
    upstream.answers(RECORDINGS[PICTURED[0]].answer)
    url = f"{server.url}/v1beta/models/{MODEL}:streamGenerateContent"
    body = {"contents": [{"parts": [{"text": "an axolotl"}]}]}
    answer = requests.post(url, headers={"x-goog-api-key": key}, json=body, timeout=20)
    assert answer.headers["Content-Type"].startswith("application/json")
    parts = [part for one in answer.json() for part in one["candidates"][0]["content"]["parts"]]
    [data] = [part["inlineData"]["data"] for part in parts if "inlineData" in part]
    assert base64.b64decode(data) == recorded_picture(PICTURED[0])


@pytest.mark.parametrize("name", [name for name in PICTURED if "edit" in name])
def test_an_edit_with_pil_sends_the_picture_as_a_form(client: genai.Client, upstream: ScriptedUpstream, name: str):
    upstream.answers(RECORDINGS[name].answer)
    photo = Image.open(io.BytesIO(pictures.plain_png(64, 48, "orange")))
    response = client.models.generate_content(
        model=MODEL,
        contents=["turn it blue", photo],
        config=types.GenerateContentConfig(image_config=types.ImageConfig(aspect_ratio="4:3")),
    )
    assert pictures_in(response) == [recorded_picture(name)]
    (call,) = upstream.calls
    assert call.target == "/v1/images/edits"
    assert call.headers.get("content-type").startswith("multipart/form-data; boundary=")
    assert b'name="image"; filename=' in call.body
    assert b"turn it blue" in call.body
    assert b"1184x864" in call.body
    assert b"\x89PNG\r\n\x1a\n" in call.body


def test_a_chat_edits_the_picture_that_was_drawn_before(client: genai.Client, upstream: ScriptedUpstream):
    upstream.answers(RECORDINGS[PICTURED[0]].answer, RECORDINGS[PICTURED[-1]].answer)
    chat = client.chats.create(model=MODEL)
    chat.send_message("an axolotl")
    assert pictures_in(chat.send_message("give it a hat")) == [recorded_picture(PICTURED[-1])]
    drawn, changed = upstream.calls
    assert drawn.target == "/v1/images/generations"
    assert changed.target == "/v1/images/edits"
    assert recorded_picture(PICTURED[0]) in changed.body
    assert b"give it a hat" in changed.body
    assert b"an axolotl" not in changed.body


@pytest.mark.parametrize("name", ERRORS)
def test_a_recorded_error_is_the_right_exception(client: genai.Client, upstream: ScriptedUpstream, name: str):
    upstream.answers(RECORDINGS[name].answer)
    with pytest.raises(errors.ClientError) as caught:
        client.models.generate_content(model=MODEL, contents="an axolotl")
    assert (caught.value.code, caught.value.status) == ERRORS[name]
    assert RECORDINGS[name].bodies[0]["error"]["message"] in caught.value.message


def test_the_recorded_key_error_says_that_the_key_is_wrong(client: genai.Client, upstream: ScriptedUpstream):
    upstream.answers(RECORDINGS["openai_err_401_invalid_api_key"].answer)
    with pytest.raises(errors.ClientError) as caught:
        client.models.generate_content(model=MODEL, contents="an axolotl")
    assert caught.value.details["error"]["details"][0]["reason"] == "API_KEY_INVALID"


@pytest.mark.parametrize("name", [*LINKED, *NO_PICTURE])
def test_an_answer_without_a_picture_of_that_server_is_an_error(
    client: genai.Client, upstream: ScriptedUpstream, name: str
):
    upstream.answers(RECORDINGS[name].answer)
    with pytest.raises(errors.ServerError) as caught:
        client.models.generate_content(model=MODEL, contents="an axolotl")
    assert caught.value.code == 502
    assert len(upstream.calls) == 1, "an address on another host is never opened"


# Passed through


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_openai_surface_returns_the_recorded_bytes(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, name: str
):
    upstream.answers(RECORDINGS[name].answer)
    form = "url" if name in LINKED else "b64_json"
    body = {"prompt": "an axolotl", "response_format": form, "quality": "low", "n": 1}
    headers = {"Authorization": f"Bearer {key}"}
    answer = requests.post(f"{server.url}/v1/images/generations", json=body, headers=headers, timeout=20)
    assert answer.status_code == RECORDINGS[name].status
    assert answer.content == RECORDINGS[name].body
    (call,) = upstream.calls
    assert call.json == {"model": MODEL, **body}


@pytest.mark.parametrize("name", PICTURED)
def test_openai_gets_a_url_of_our_own_store_where_the_server_answers_with_base64(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, name: str
):
    upstream.answers(RECORDINGS[name].answer)
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0)
    [item] = client.images.generate(prompt="an axolotl").data
    assert item.url.startswith(server.url)
    assert requests.get(item.url, timeout=10).content == recorded_picture(name)


def test_without_a_price_there_is_no_cost_and_tokens_are_counted(
    server: ProxyServer, upstream: ScriptedUpstream, client: genai.Client
):
    name = next(name for name in PICTURED if RECORDINGS[name].bodies[0].get("usage"))
    upstream.answers(RECORDINGS[name].answer)
    client.models.generate_content(model=MODEL, contents="an axolotl")
    line = [line for line in server.output().splitlines() if "operation=generateContent" in line][-1]
    assert f"output_tokens={RECORDINGS[name].bodies[0]['usage']['output_tokens']}" in line
    assert "pictures=1" in line
    assert "cost=" not in line
