"""The mistakes of a first minute, made with the client that they are made with."""

import base64
from pathlib import Path

import openai
import pytest
import requests
from google import genai
from google.genai import errors, types

from tests.support import pictures
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import Answer, ScriptedUpstream

MODEL = "gemini-2.5-flash-image"
PICTURE = pictures.plain_png()
DRAWN = Answer(pictures.drawn(pictures.picture_part(PICTURE)))


@pytest.mark.parametrize("end", ["", "/", "/v1//", "/V1", "/v1/v1", "/v1beta", "/v1/images/generations", "/api/v1"])
def test_a_wrong_base_url_of_openais_sdk_is_a_404_that_names_the_right_one(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, end: str
):
    client = openai.OpenAI(base_url=f"{server.url}{end}", api_key=key, max_retries=0)
    for ask, path in (
        (lambda: client.images.generate(model=MODEL, prompt="x"), "/v1/images/generations"),
        (lambda: client.images.edit(model=MODEL, prompt="x", image=PICTURE), "/v1/images/edits"),
        (lambda: client.models.list(), "/v1/models"),
    ):
        if end == "/v1beta" and path == "/v1/models":
            continue  # Google's list of models is there
        with pytest.raises(openai.NotFoundError) as caught:
            ask()
        assert f" {path}" in caught.value.message
    assert not upstream.calls


@pytest.mark.parametrize("end", ["/v1", "/v1beta", "/v1beta/openai", "/v1alpha/"])
def test_a_wrong_base_url_of_googles_sdk_is_a_404_that_says_what_to_take_off(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, end: str
):
    client = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=f"{server.url}{end}"))
    with pytest.raises(errors.ClientError) as caught:
        client.models.generate_content(model=MODEL, contents="x")
    assert caught.value.code == 404
    assert "off the base URL" in str(caught.value)
    assert not upstream.calls


@pytest.mark.parametrize("version", ["v1alpha", "", "v1", "v1beta"])
def test_googles_sdk_may_ask_for_any_version_or_none(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, version: str
):
    upstream.answers(DRAWN)
    options = types.HttpOptions(base_url=server.url, api_version=version)
    client = genai.Client(api_key=key, http_options=options)
    assert client.models.generate_content(model=MODEL, contents="x").parts[0].inline_data.data == PICTURE
    assert [model.name for model in client.models.list()] == [f"models/{MODEL}"]
    assert client.models.get(model=MODEL).name == f"models/{MODEL}"
    assert upstream.call.target == f"/v1beta/models/{MODEL}:generateContent"


def test_openais_names_are_drawn_by_the_default_model(
    tmp_path: Path, server: ProxyServer, upstream: ScriptedUpstream, key: str
):
    upstream.answers(DRAWN)
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0)
    drawn = client.images.with_raw_response.generate(model="gpt-image-1", prompt="x")
    assert base64.b64decode(drawn.parse().data[0].b64_json) == PICTURE
    assert drawn.headers["x-twinlens-model"] == MODEL
    assert client.images.generate(model="dall-e-3", prompt="x").data[0].url
    assert client.models.retrieve("dall-e-3").id == "dall-e-3"
    assert [model.id for model in client.models.list()] == [MODEL]
    with ProxyServer(tmp_path, GEMINI_BASE_URL=upstream.url, MODEL_ALIASES="none") as strict:
        client = openai.OpenAI(base_url=f"{strict.url}/v1", api_key=key, max_retries=0)
        with pytest.raises(openai.NotFoundError, match=f"MODEL_ALIASES=gpt-image-1={MODEL}") as caught:
            client.images.generate(model="gpt-image-1", prompt="x")
        assert caught.value.code == "model_not_found"


def test_a_row_named_as_a_model_of_openais_is_drawn_by_its_own_server(
    tmp_path: Path, upstream: ScriptedUpstream, key: str
):
    upstream.answers(DRAWN)
    row = f'[[model]]\nname = "gpt-image-1"\nupstream = "gemini"\nbase_url = "{upstream.url}/own"\n'
    (tmp_path / "models.toml").write_text(f'{row}upstream_name = "painter"\npixels = "{MODEL}"\n')
    with ProxyServer(
        tmp_path, GEMINI_BASE_URL=upstream.url, MODELS_FILE=str(tmp_path / "models.toml"), SERVED_MODELS="all"
    ) as server:
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0)
        for name in ("gpt-image-1", "dall-e-3", "gemini-3-pro-image"):
            client.images.generate(model=name, prompt="x")
    targets = [call.target for call in upstream.calls]
    assert targets == [
        "/own/v1beta/models/painter:generateContent",
        f"/v1beta/models/{MODEL}:generateContent",
        "/v1beta/models/gemini-3-pro-image:generateContent",
    ]


def test_a_host_name_with_an_underscore(server: ProxyServer, upstream: ScriptedUpstream, key: str):
    upstream.answers(DRAWN)
    host = "image_proxy:8000"
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0, default_headers={"Host": host})
    url = client.images.generate(model=MODEL, prompt="x").data[0].url
    assert url.startswith(f"http://{host}/images/")
    here = url.replace(f"http://{host}", server.url)
    assert requests.get(here, headers={"Host": host}, timeout=5).content == PICTURE


def test_a_key_in_x_api_key_reaches_google(server: ProxyServer, upstream: ScriptedUpstream, key: str):
    upstream.answers(DRAWN)
    for folder in ("/v1beta", "/v1", "/v1alpha", ""):
        url, body = f"{server.url}{folder}/models/{MODEL}:generateContent", {"contents": [{"parts": [{"text": "x"}]}]}
        assert requests.post(url, json=body, headers={"x-api-key": key}, timeout=5).status_code == 200
    assert [call.headers["x-goog-api-key"] for call in upstream.calls] == [key] * 4
    assert not any("x-api-key" in call.headers for call in upstream.calls)


def test_a_seed_gives_every_picture_of_a_request_another_one(server: ProxyServer, upstream: ScriptedUpstream, key: str):
    upstream.answers(DRAWN)
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0)
    client.images.generate(model=MODEL, prompt="x", n=3, extra_body={"seed": 7})
    assert sorted(call.json["generationConfig"]["seed"] for call in upstream.calls) == [7, 8, 9]
