"""The recipe of docs/own-models.md: a server with the requests and answers that vLLM-Omni documents.

Read 2026-11: image_generation_api.md and image_edit_api.md of vllm-project/vllm-omni.
"""

import base64
import io
import re
from collections.abc import Iterator
from email.message import Message
from typing import Any

import openai
import pytest
import requests
from google import genai
from google.genai import errors, types
from PIL import Image
from werkzeug.formparser import MultiPartParser

from tests.support import pictures
from tests.support.keys import new_key
from tests.support.models_file import models_file
from tests.support.processes import PROJECT
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import JSON, Answer, Call, ScriptedUpstream

MODEL = "gemini-2.5-flash-image"
RECIPE = (PROJECT / "docs" / "own-models.md").read_text()


def recipe_columns() -> list[str]:
    """The columns of the recipe's row which say what the server can do."""
    row = RECIPE[RECIPE.index('name = "qwen-image"') :].partition("```")[0]
    lines = [line.partition("#")[0].strip() for line in row.splitlines()]
    return [line for line in lines if line and not re.match("name|upstream =|base_url", line)]


def vllm_omni(call: Call) -> Answer:
    """The answer of such a server."""
    fields = fields_of(call)
    if fields.get("response_format", "b64_json") not in ("b64_json", "file"):
        return Answer(
            {"detail": [{"loc": ["body", "response_format"], "msg": "Value error, only b64_json"}]}, status=422
        )
    if fields.get("model") != "Qwen/Qwen-Image":
        return Answer({"detail": "Model mismatch: the server runs another one."}, status=400)
    if not fields.get("prompt"):
        return Answer({"detail": [{"loc": ["body", "prompt"], "msg": "field required", "type": "missing"}]}, status=422)
    width, height = map(int, fields.get("size", "1024x1024").split("x"))
    drawn = base64.b64encode(pictures.plain_png(width, height, "teal")).decode()
    item = {"b64_json": drawn, "url": None, "revised_prompt": None}
    answer = {"created": 1701234567, "data": [item] * int(fields.get("n", 1)), "output_format": "png", "size": None}
    return Answer(answer, content_type="application/json")


def fields_of(call: Call) -> dict[str, Any]:
    """The fields of a call: of its JSON, or the texts of its form."""
    header = Message()
    header["content-type"] = call.headers.get("content-type") or JSON
    if header.get_content_type() != "multipart/form-data":
        fields: dict[str, Any] = call.json
        return fields
    boundary = str(header.get_param("boundary")).encode()
    texts, _ = MultiPartParser().parse(io.BytesIO(call.body), boundary, len(call.body))
    return dict(texts)


@pytest.fixture(scope="module")
def recipe_server(google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """A proxy with the recipe's row."""
    folder = tmp_path_factory.mktemp("recipe")
    file = models_file(folder, f"{google.url}/v1", *recipe_columns())
    with ProxyServer(folder, MODELS_FILE=file) as server:
        yield server


@pytest.fixture
def server(recipe_server: ProxyServer, upstream: ScriptedUpstream) -> ProxyServer:
    """The proxy, with the server behind it."""
    upstream.answers(vllm_omni)
    return recipe_server


@pytest.fixture
def from_google(server: ProxyServer) -> genai.Client:
    """Google's SDK."""
    return genai.Client(api_key=new_key(), http_options=types.HttpOptions(base_url=server.url))


@pytest.fixture
def from_openai(server: ProxyServer) -> openai.OpenAI:
    """OpenAI's SDK."""
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=new_key(), max_retries=0)


def test_google_genai_gets_the_requested_aspect_ratio(from_google: genai.Client, upstream: ScriptedUpstream):
    config = types.GenerateContentConfig(image_config=types.ImageConfig(aspect_ratio="16:9"), seed=7, top_k=3)
    response = from_google.models.generate_content(model=MODEL, contents="a fox", config=config)
    [part] = response.parts
    assert Image.open(io.BytesIO(part.inline_data.data)).size == (1664, 928)
    (call,) = upstream.calls
    assert call.json == {"model": "Qwen/Qwen-Image", "prompt": "a fox", "size": "1664x928", "seed": 7}
    assert call.headers.get("authorization") is None, "the row says that no key travels"


@pytest.mark.parametrize("n", [1, 3])
def test_openai_gets_addresses_of_our_own_store(from_openai: openai.OpenAI, upstream: ScriptedUpstream, n: int):
    response = from_openai.images.generate(prompt="a fox", n=n, size="1664x928", model=MODEL)
    assert len(response.data) == n
    for item in response.data:
        assert Image.open(io.BytesIO(requests.get(item.url, timeout=10).content)).size == (1664, 928)
    assert [call.json.get("n", 1) for call in upstream.calls] == [n]


def test_openai_gets_base64_whether_or_not_the_server_knows_the_field(from_openai: openai.OpenAI):
    response = from_openai.images.generate(prompt="a fox", response_format="b64_json")
    assert Image.open(io.BytesIO(base64.b64decode(response.data[0].b64_json))).format == "PNG"


def test_our_own_fields_are_translated_for_the_server(from_openai: openai.OpenAI, upstream: ScriptedUpstream):
    extra = {"aspect_ratio": "9:16", "guidance_scale": 2.5}
    response = from_openai.images.generate(prompt="a fox", extra_body=extra, response_format="b64_json")
    assert response.size == "928x1664"
    assert upstream.calls[0].json["size"] == "928x1664"
    assert upstream.calls[0].json["guidance_scale"] == 2.5
    assert "aspect_ratio" not in upstream.calls[0].json


@pytest.mark.parametrize("surface", ["google", "openai"])
def test_pictures_are_refused_for_a_server_that_does_not_edit(
    from_google: genai.Client, from_openai: openai.OpenAI, upstream: ScriptedUpstream, surface: str
):
    photo = pictures.plain_png(64, 64, "orange")
    if surface == "google":
        part = types.Part.from_bytes(data=photo, mime_type="image/png")
        with pytest.raises(errors.ClientError) as google_refused:
            from_google.models.generate_content(model=MODEL, contents=["blue", part])
        assert google_refused.value.code == 400
    else:
        with pytest.raises(openai.BadRequestError):
            from_openai.images.edit(image=photo, prompt="blue")
    assert not upstream.calls


def test_the_servers_complaint_is_passed_on(from_google: genai.Client, upstream: ScriptedUpstream):
    upstream.answers(Answer({"detail": "Invalid size format: '1024x'."}, status=400, content_type="application/json"))
    with pytest.raises(errors.ClientError, match="Invalid size format"):
        from_google.models.generate_content(model=MODEL, contents="a fox")


def test_a_server_that_is_not_ready_yet_is_unavailable(from_google: genai.Client, upstream: ScriptedUpstream):
    upstream.answers(Answer({"detail": "Diffusion engine not initialized."}, status=503))
    with pytest.raises(errors.ServerError) as caught:
        from_google.models.generate_content(model=MODEL, contents="a fox")
    assert (caught.value.code, caught.value.status) == (503, "UNAVAILABLE")
