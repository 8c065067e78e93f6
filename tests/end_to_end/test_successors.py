"""An upstream that has ended a model and draws with its successor, as both SDKs see it."""

import base64
from collections.abc import Callable
from pathlib import Path

import openai
import pytest
import requests
from google import genai
from google.genai import errors, types

from tests.support import pictures
from tests.support.keys import new_key
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import JSON, SSE, Answer, Call, ScriptedUpstream

OLD, NEW = "gemini-2.5-flash-image", "gemini-nano-banana-2.1"
PICTURE = pictures.plain_jpeg()
DRAWN = {**pictures.drawn(pictures.picture_part(PICTURE, "image/jpeg")), "modelVersion": NEW}
COST = (9 * 1.50 + 1290 * 30) / 1e6
RETIRED = pictures.error(
    404,
    "NOT_FOUND",
    f"This model models/{OLD} is no longer available to new users. Please update your code to use a newer model for "
    "the latest features and improvements.",
)


def has_only_the_successor(call: Call) -> Answer:
    """Google, after the end of the model."""
    if f"models/{NEW}:" not in call.target:
        return Answer(RETIRED, status=404)
    if ":stream" in call.target:
        return Answer(pictures.as_events(DRAWN), content_type=SSE)
    return Answer(DRAWN, content_type=JSON)


def models_of(calls: list[Call]) -> list[str]:
    return [call.target.split("models/")[1].partition(":")[0] for call in calls]


def google_sdk(server: ProxyServer, key: str) -> genai.Client:
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=server.url))


def openai_sdk(server: ProxyServer, key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0)


def drawn_by_openai(server: ProxyServer, key: str, model: str) -> bytes:
    """A picture through OpenAI's SDK: its model and its price are those of the row that drew."""
    raw = openai_sdk(server, key).images.with_raw_response.generate(model=model, prompt="x", response_format="b64_json")
    assert raw.headers["x-twinlens-model"] == NEW
    answer = raw.parse()
    assert answer.usage.model_extra["cost"] == pytest.approx(COST)
    return base64.b64decode(answer.data[0].b64_json)


def drawn_by_google(server: ProxyServer, key: str, model: str) -> bytes:
    client = google_sdk(server, key)  # which closes its connections when it is no longer held
    answer = client.models.generate_content(model=model, contents="x")
    assert answer.sdk_http_response.headers["x-twinlens-model"] == NEW
    return answer.parts[0].inline_data.data


SDKS = {"openai": drawn_by_openai, "google": drawn_by_google}
both_sdks = pytest.mark.parametrize("draw", SDKS.values(), ids=SDKS.keys())
Draw = Callable[[ProxyServer, str, str], bytes]


@both_sdks
def test_one_404_and_one_picture_at_first_then_pictures_only(
    server: ProxyServer, upstream: ScriptedUpstream, draw: Draw
):
    upstream.answers(has_only_the_successor)
    first, second = new_key(), new_key()
    for key, name in ((first, OLD), (first, f"google/{OLD}"), (second, OLD), (first, OLD)):
        assert draw(server, key, name) == PICTURE
    assert models_of(upstream.calls) == [OLD, NEW, NEW, OLD, NEW, NEW]
    for other in SDKS.values():
        assert other(server, first, OLD) == PICTURE
    assert models_of(upstream.calls)[6:] == [NEW, NEW]
    lines = [line for line in server.output().splitlines() if f"its successor {NEW} draws" in line]
    assert len(lines) == 1
    assert f'model="{OLD}",successor="{NEW}"' in requests.get(f"{server.url}/metrics", timeout=5).text


def test_a_stream_is_followed_too(server: ProxyServer, upstream: ScriptedUpstream, key: str):
    upstream.answers(has_only_the_successor)
    client = google_sdk(server, key)
    chunks = list(client.models.generate_content_stream(model=OLD, contents="x"))
    assert chunks[0].parts[0].inline_data.data == PICTURE
    (event,) = openai_sdk(server, new_key()).images.generate(model=OLD, prompt="x", stream=True)
    assert base64.b64decode(event.b64_json) == PICTURE
    assert models_of(upstream.calls) == [OLD, NEW] * 2


def test_a_404_that_does_not_name_the_model_is_not_followed(server: ProxyServer, upstream: ScriptedUpstream, key: str):
    upstream.answers(Answer(pictures.error(404, "NOT_FOUND", "Requested entity was not found."), status=404))
    with pytest.raises(openai.NotFoundError):
        openai_sdk(server, key).images.generate(model=OLD, prompt="x")
    client = google_sdk(server, key)
    with pytest.raises(errors.ClientError, match="Requested entity was not found"):
        client.models.generate_content(model=OLD, contents="x")
    assert models_of(upstream.calls) == [OLD, OLD]


def test_a_replay_names_the_model_that_drew(server: ProxyServer, upstream: ScriptedUpstream, key: str):
    upstream.answers(has_only_the_successor)
    headers = {"Idempotency-Key": "once"}
    for _ in range(2):
        images = openai_sdk(server, key).images.with_raw_response
        answer = images.generate(model=OLD, prompt="x", extra_headers=headers)
        assert answer.headers["x-twinlens-model"] == NEW
    assert answer.headers["idempotent-replayed"] == "true"
    assert models_of(upstream.calls) == [OLD, NEW]


def test_it_is_off_where_the_operator_says_so(tmp_path: Path, upstream: ScriptedUpstream, key: str):
    upstream.answers(has_only_the_successor)
    with ProxyServer(tmp_path, GEMINI_BASE_URL=upstream.url, FOLLOW_SUCCESSORS="0") as server:
        with pytest.raises(openai.NotFoundError, match=f"UPSTREAM_MODELS={OLD}={NEW}"):
            openai_sdk(server, key).images.generate(model=OLD, prompt="x")
        client = google_sdk(server, key)
        with pytest.raises(errors.ClientError, match="no longer available to new users"):
            client.models.generate_content(model=OLD, contents="x")
    assert models_of(upstream.calls) == [OLD, OLD]


def test_the_sandbox_plays_the_end_of_a_model_on_request(tmp_path: Path):
    with ProxyServer(tmp_path, SANDBOX="1") as server:
        client = openai_sdk(server, "sandbox")
        before = client.images.with_raw_response.generate(model=OLD, prompt="a cat").headers
        after = client.images.with_raw_response.generate(model=OLD, prompt="[[successor]] a cat").headers
        later = client.images.with_raw_response.generate(model=OLD, prompt="a cat").headers
        assert [headers["x-twinlens-model"] for headers in (before, after, later)] == [OLD, NEW, NEW]
