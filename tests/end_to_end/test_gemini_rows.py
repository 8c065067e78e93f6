"""A row of MODELS_FILE whose server speaks Gemini's API: its address, its name for the model, the operator's key."""

import base64
from collections.abc import Iterator

import openai
import pytest
from google import genai
from google.genai import types

from tests.support import pictures
from tests.support.keys import new_key
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import Answer, ScriptedUpstream

OPERATORS_KEY = new_key()
PICTURE = pictures.plain_png()
ROW = """
[[model]]
name = "mirror"
aliases = ["gpt-image-1"]
upstream = "gemini"
base_url = "{url}"
upstream_name = "gemini-3-pro-image"
key = "env:OPERATORS_KEY"
pixels = "gemini-3-pro-image"
prices = {{ input = 2, text_output = 12, image_output = 120 }}
"""


@pytest.fixture(scope="module")
def mirror(google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """A proxy with such a row beside the built-in model, whose own server is not there."""
    folder = tmp_path_factory.mktemp("mirror")
    file = folder / "models.toml"
    file.write_text(ROW.format(url=google.url))
    unreachable = "http://127.0.0.1:9"
    with ProxyServer(folder, MODELS_FILE=str(file), OPERATORS_KEY=OPERATORS_KEY, GEMINI_BASE_URL=unreachable) as server:
        yield server


def test_both_surfaces_call_its_server_with_the_operators_key(mirror: ProxyServer, upstream: ScriptedUpstream):
    upstream.answers(Answer(pictures.drawn(pictures.picture_part(PICTURE))))
    google = genai.Client(api_key=new_key(), http_options=types.HttpOptions(base_url=mirror.url))
    assert google.models.generate_content(model="mirror", contents="x").parts[0].inline_data.data == PICTURE
    client = openai.OpenAI(base_url=f"{mirror.url}/v1", api_key=new_key(), max_retries=0)
    answer = client.images.generate(model="gpt-image-1", prompt="x")
    assert base64.b64decode(answer.data[0].b64_json) == PICTURE
    assert answer.usage.model_extra["cost"] > 0
    for call in upstream.calls:
        assert call.target == "/v1beta/models/gemini-3-pro-image:generateContent"
        assert call.headers.get("x-goog-api-key") == OPERATORS_KEY
        assert call.headers.get("authorization") is None


def test_the_built_in_model_still_has_its_own_server(mirror: ProxyServer, upstream: ScriptedUpstream):
    upstream.answers(Answer(pictures.drawn(pictures.picture_part(PICTURE))))
    client = openai.OpenAI(base_url=f"{mirror.url}/v1", api_key=new_key(), max_retries=0)
    assert [model.id for model in client.models.list().data] == ["gemini-2.5-flash-image", "mirror"]
    with pytest.raises(openai.InternalServerError):
        client.images.generate(prompt="x")
    assert not upstream.calls
