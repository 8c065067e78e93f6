"""Calls the sandbox as a client of OpenAI's API does, and reads its answers."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import requests
from PIL import Image

from tests.sandbox.gemini_client import Client

OPENAI_KEY = {"authorization": "Bearer sandbox"}
PROMPT = "a lighthouse at dusk"
File = tuple[str, bytes, str]


def generate(client: Client, headers: dict[str, str] | None = None, **fields: Any) -> requests.Response:
    """POST a generation, of 96x64 unless a size is given."""
    body = {"model": "flux-1-schnell", "prompt": PROMPT, "size": "96x64", **fields}
    return post(client, "generations", json=body, headers=OPENAI_KEY if headers is None else headers)


def edit(client: Client, *images: File, mask: File | None = None, **fields: Any) -> requests.Response:
    """POST a form with images to change."""
    name = "image[]" if len(images) > 1 else "image"
    files = [(name, image) for image in images] + ([("mask", mask)] if mask else [])
    return post(client, "edits", data={"prompt": "make it night", **fields}, files=files, headers=OPENAI_KEY)


def post(client: Client, operation: str, **options: Any) -> requests.Response:
    return client.session.post(f"{client.base_url}/v1/images/{operation}", **options)


def image_file(data: bytes, mime_type: str = "image/png") -> File:
    """An image as a file of a form."""
    return ("picture", data, mime_type)


def data_url(data: bytes, mime_type: str = "image/png") -> str:
    return f"data:{mime_type};base64,{base64.b64encode(data).decode()}"


def pictures(response: requests.Response) -> list[Image.Image]:
    """Every picture of an answer, opened."""
    assert response.status_code == 200, response.text[:500]
    return [opened(item) for item in response.json()["data"]]


def opened(item: dict[str, Any]) -> Image.Image:
    """The picture of an item or an event."""
    image = Image.open(io.BytesIO(base64.b64decode(item["b64_json"], validate=True)))
    image.load()
    return image


def events_of(response: requests.Response) -> list[dict[str, Any]]:
    """The events of a stream; each name must be its data's type, and nothing may follow the last."""
    assert response.status_code == 200, response.text[:500]
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.text.endswith("\n\n")
    found = []
    for frame in response.text[:-2].split("\n\n"):
        name, data = frame.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        found.append(event)
    return found


def error_of(response: requests.Response, status: int) -> dict[str, Any]:
    """The error of an answer; it must have OpenAI's four fields."""
    assert response.status_code == status, response.text[:500]
    assert response.headers["content-type"] == "application/json"
    error: dict[str, Any] = response.json()["error"]
    assert list(error) == ["message", "type", "param", "code"]
    return error
