"""The sandbox behind a model whose server speaks OpenAI's API: the same key, the same code, no server."""

import base64
import io
from collections.abc import Iterator

import openai
import pytest
import requests
from google import genai
from google.genai import errors, types
from PIL import Image

from tests.support import pictures
from tests.support.models_file import models_file
from tests.support.proxy_server import ProxyServer

MODEL = "gemini-2.5-flash-image"
UNREACHABLE = "http://127.0.0.1:9/v1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """A proxy whose model's server is not there."""
    folder = tmp_path_factory.mktemp("sandbox")
    file = models_file(folder, UNREACHABLE, 'key = "none"', 'fields = ["seed"]')
    with ProxyServer(folder, SANDBOX="1", MODELS_FILE=file) as server:
        yield server


@pytest.fixture
def from_google(server: ProxyServer) -> genai.Client:
    """Google's SDK with the sandbox's key."""
    return genai.Client(api_key="sandbox", http_options=types.HttpOptions(base_url=server.url))


@pytest.fixture
def from_openai(server: ProxyServer) -> openai.OpenAI:
    """OpenAI's SDK with the sandbox's key."""
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="sandbox", max_retries=0)


def opened(data: bytes | None) -> Image.Image:
    return Image.open(io.BytesIO(data or b""))


def test_google_genai_draws_edits_and_chats(from_google: genai.Client):
    wide = types.GenerateContentConfig(image_config=types.ImageConfig(aspect_ratio="16:9"), candidate_count=2)
    response = from_google.models.generate_content(model=MODEL, contents="a fox in the snow", config=wide)
    drawn = [opened(one.content.parts[-1].inline_data.data) for one in response.candidates]
    assert [picture.size for picture in drawn] == [(1344, 768)] * 2
    assert drawn[0].tobytes() != drawn[1].tobytes()
    assert response.usage_metadata.prompt_token_count > 0
    chat = from_google.chats.create(model=MODEL)
    first = chat.send_message(["make it blue", opened(pictures.plain_png(320, 240, "orange"))])
    second = chat.send_message("and now at night")
    assert opened(second.parts[-1].inline_data.data).size == opened(first.parts[-1].inline_data.data).size


def test_openai_draws_edits_and_streams(from_openai: openai.OpenAI):
    url = from_openai.images.generate(prompt="a fox", size="1344x768").data[0].url
    assert opened(requests.get(url, timeout=10).content).size == (1344, 768)
    edited = from_openai.images.edit(
        image=("a.png", pictures.plain_png(320, 240, "orange"), "image/png"), prompt="blue"
    )
    assert opened(base64.b64decode(edited.data[0].b64_json)).size == (320, 240)
    events = list(from_openai.images.generate(prompt="a fox", stream=True, n=2))
    assert [event.type for event in events] == ["image_generation.completed"] * 2


@pytest.mark.parametrize(
    ("situation", "reason"),
    [("moderation_blocked", "IMAGE_SAFETY"), ("no_pictures", "NO_IMAGE")],
)
def test_a_refusal_is_a_finish_reason(from_google: genai.Client, situation: str, reason: str):
    response = from_google.models.generate_content(model=MODEL, contents=f"[[{situation}]]")
    assert response.candidates[0].finish_reason == types.FinishReason[reason]
    assert not response.parts


@pytest.mark.parametrize(
    ("situation", "status", "name"),
    [
        ("insufficient_quota", 429, "RESOURCE_EXHAUSTED"),
        ("html_502", 502, "UNAVAILABLE"),
        ("url_elsewhere", 502, "UNAVAILABLE"),
        ("broken_json", 502, "UNAVAILABLE"),
    ],
)
def test_a_failure_is_an_error_in_googles_form(from_google: genai.Client, situation: str, status: int, name: str):
    with pytest.raises(errors.APIError) as caught:
        from_google.models.generate_content(model=MODEL, contents=f"[[{situation}]]")
    assert (caught.value.code, caught.value.status) == (status, name)


def test_a_picture_at_the_servers_own_address_is_fetched(from_google: genai.Client):
    response = from_google.models.generate_content(model=MODEL, contents="a fox [[url_only]]")
    assert opened(response.parts[-1].inline_data.data).format == "PNG"


def test_a_picture_that_breaks_off_is_no_picture(from_google: genai.Client):
    with pytest.raises(Exception) as caught:  # noqa: PT011  # of the transfer, and which one depends on the SDK
        from_google.models.generate_content(model=MODEL, contents="a fox [[cut_in_picture]]")
    assert not isinstance(caught.value, AssertionError)


def test_any_other_key_goes_to_the_server(server: ProxyServer):
    client = genai.Client(api_key="another", http_options=types.HttpOptions(base_url=server.url))
    with pytest.raises(errors.ServerError) as caught:
        client.models.generate_content(model=MODEL, contents="a fox")
    assert caught.value.code == 502
