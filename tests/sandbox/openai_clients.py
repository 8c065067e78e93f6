"""Ways to ask the sandbox for pictures as OpenAI's clients do, and to read what it says."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import requests
from PIL import Image

from tests.sandbox.sandbox_clients import Client

OPENAI_KEY = {"authorization": "Bearer sandbox"}
PROMPT = "a lighthouse at dusk"
File = tuple[str, bytes, str]


def generate(client: Client, headers: dict[str, str] | None = None, **fields: Any) -> requests.Response:
    """POST a drawing, a small one unless its size is told."""
    body = {"model": "flux-1-schnell", "prompt": PROMPT, "size": "96x64", **fields}
    return post(client, "generations", json=body, headers=OPENAI_KEY if headers is None else headers)


def edit(client: Client, *images: File, mask: File | None = None, **fields: Any) -> requests.Response:
    """POST a form with pictures to change."""
    name = "image[]" if len(images) > 1 else "image"
    files = [(name, image) for image in images] + ([("mask", mask)] if mask else [])
    return post(client, "edits", data={"prompt": "make it night", **fields}, files=files, headers=OPENAI_KEY)


def post(client: Client, operation: str, **options: Any) -> requests.Response:
    return client.session.post(f"{client.base_url}/v1/images/{operation}", **options)


def picture(data: bytes, mime_type: str = "image/png") -> File:
    """A picture as a file of a form."""
    return ("picture", data, mime_type)


def data_url(data: bytes, mime_type: str = "image/png") -> str:
    return f"data:{mime_type};base64,{base64.b64encode(data).decode()}"


def pictures(response: requests.Response) -> list[Image.Image]:
    """Every picture of an answer, opened."""
    assert response.status_code == 200, response.text[:500]
    return [opened(item) for item in response.json()["data"]]


def opened(item: dict[str, Any]) -> Image.Image:
    """An item's or an event's picture."""
    image = Image.open(io.BytesIO(base64.b64decode(item["b64_json"], validate=True)))
    image.load()
    return image


def events_of(response: requests.Response) -> list[dict[str, Any]]:
    """The events of a stream, each named twice; nothing comes after the last."""
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
    """The error of a refusal; its four fields are always there."""
    assert response.status_code == status, response.text[:500]
    assert response.headers["content-type"] == "application/json"
    error: dict[str, Any] = response.json()["error"]
    assert list(error) == ["message", "type", "param", "code"]
    return error
