"""Azure's client, in Python and Node: its addresses, its header, its deployments."""

import asyncio
import base64
import json
import subprocess
import uuid
from typing import Any

import openai
import pytest

from tests.support import pictures
from tests.support.environments import environment
from tests.support.installed import program
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import Answer, ScriptedUpstream

PICTURE = pictures.plain_png()
VERSION = "2025-04-01-preview"
DRAWN = Answer(pictures.drawn(pictures.picture_part(PICTURE)))
EDIT = {"model": "gpt-image-1", "prompt": "a hat", "image": ("cat.png", PICTURE), "response_format": "b64_json"}
WAYS: dict[str, dict[str, Any]] = {
    "deployments": {"azure_endpoint": "{url}"},
    "v1": {"base_url": "{url}/openai/v1/"},
    "a fixed deployment": {"azure_endpoint": "{url}", "azure_deployment": "dall-e-3"},
}


def client_of(kind: type, server: ProxyServer, key: str, **options: Any) -> Any:
    where = {name: value.format(url=server.url) for name, value in options.items()}
    return kind(api_key=key, api_version=VERSION, max_retries=0, **where)


def check_calls(upstream: ScriptedUpstream, key: str, count: int) -> None:
    """The model is drawn by the default one, the key is Google's, and Azure's query stays here."""
    assert len(upstream.calls) == count
    for call in upstream.calls:
        assert call.target == "/v1beta/models/gemini-2.5-flash-image:generateContent"
        assert call.headers["x-goog-api-key"] == key
        assert not {"api-key", "authorization"} & call.headers.keys()


@pytest.mark.parametrize("options", WAYS.values(), ids=WAYS.keys())
def test_python_draws_and_edits(server: ProxyServer, upstream: ScriptedUpstream, key: str, options: dict[str, Any]):
    upstream.answers(DRAWN)
    client = client_of(openai.AzureOpenAI, server, key, **options)
    made = client.images.generate(model="gpt-image-1", prompt="a cat", response_format="b64_json")
    changed = client.images.edit(**EDIT)
    (event,) = client.images.generate(model="gpt-image-1", prompt="a cat", stream=True)
    for encoded in (made.data[0].b64_json, changed.data[0].b64_json, event.b64_json):
        assert base64.b64decode(encoded) == PICTURE
    check_calls(upstream, key, 3)


@pytest.mark.parametrize("options", WAYS.values(), ids=WAYS.keys())
def test_the_asynchronous_client_draws_and_edits(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, options: dict[str, Any]
):
    upstream.answers(DRAWN)

    async def both() -> list[str]:
        async with client_of(openai.AsyncAzureOpenAI, server, key, **options) as client:
            made = await client.images.generate(model="gpt-image-1", prompt="a cat", response_format="b64_json")
            changed = await client.images.edit(**EDIT)
            return [made.data[0].b64_json, changed.data[0].b64_json]

    assert [base64.b64decode(encoded) for encoded in asyncio.run(both())] == [PICTURE] * 2
    check_calls(upstream, key, 2)


def test_a_token_instead_of_a_key(server: ProxyServer, upstream: ScriptedUpstream, key: str):
    upstream.answers(DRAWN)
    client = openai.AzureOpenAI(azure_endpoint=server.url, azure_ad_token=key, api_version=VERSION, max_retries=0)
    assert client.images.generate(model="dall-e-3", prompt="a cat").data[0].url
    check_calls(upstream, key, 1)


def test_an_unknown_deployment_is_not_found_and_the_message_names_the_served_model(
    server: ProxyServer, upstream: ScriptedUpstream, key: str
):
    client = client_of(openai.AzureOpenAI, server, key, azure_endpoint="{url}", azure_deployment="my-deployment")
    with pytest.raises(openai.NotFoundError) as caught:
        client.images.generate(model="gpt-image-1", prompt="a cat")
    assert caught.value.code == "model_not_found"
    assert "'my-deployment'" in caught.value.message
    assert "gemini-2.5-flash-image" in caught.value.message
    assert [model.id for model in client.models.list()] == ["gemini-2.5-flash-image"]
    assert not upstream.calls


NODE = """
import { AzureOpenAI, toFile } from "openai";
const [, , url, apiKey, apiVersion, picture, way] = process.argv;
const where = way === "v1" ? { baseURL: `${url}/openai/v1/` } : { endpoint: url };
const client = new AzureOpenAI({ ...where, apiKey, apiVersion, maxRetries: 0 });
const made = await client.images.generate({ model: "gpt-image-1", prompt: "a cat", response_format: "b64_json" });
const image = await toFile(Buffer.from(picture, "base64"), "cat.png", { type: "image/png" });
const changed = await client.images.edit({ model: "gpt-image-1", prompt: "a hat", image });
console.log(JSON.stringify([made.data[0].b64_json, changed.data[0].b64_json]));
"""


@pytest.mark.parametrize("way", ["deployments", "v1"])
def test_node_draws_and_edits(server: ProxyServer, upstream: ScriptedUpstream, key: str, way: str):
    upstream.answers(DRAWN)
    script = environment("docs-node") / f"azure-{uuid.uuid4().hex}.mjs"
    script.write_text(NODE)
    arguments = [server.url, key, VERSION, pictures.base64_of(PICTURE), way]
    try:
        done = subprocess.run(
            [program("node"), script, *arguments], capture_output=True, text=True, timeout=60, check=False
        )
    finally:
        script.unlink()
    assert done.returncode == 0, done.stderr
    assert [base64.b64decode(encoded) for encoded in json.loads(done.stdout)] == [PICTURE] * 2
    check_calls(upstream, key, 2)
