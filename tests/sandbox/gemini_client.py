"""Calls the sandbox as a client of Google's API does, and reads its answers."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import requests
from PIL import Image

FIXTURES = Path(__file__).resolve().parents[2] / "contract_fixtures" / "gemini_content"
FLASH = "gemini-2.5-flash-image"
KEY = {"x-goog-api-key": "sandbox"}
IN_PROCESS = "http://sandbox.test"  # the base URL of a session that has the sandbox mounted


class Client:
    """Calls one sandbox, in this process or behind a socket."""

    def __init__(self, session: requests.Session, base_url: str) -> None:
        self.session = session
        self.base_url = base_url

    def call(
        self,
        body: Any,
        *,
        model: str = FLASH,
        method: str = "generateContent",
        version: str = "v1beta",
        query: str = "",
        headers: dict[str, str] | None = None,
        stream: bool = False,
    ) -> requests.Response:
        """POST a body; anything but text and bytes is sent as JSON."""
        data = body if isinstance(body, (bytes, str)) else json.dumps(body)
        url = f"{self.base_url}/{version}/models/{model}:{method}{query}"
        return self.session.post(url, data=data, headers=KEY if headers is None else headers, stream=stream)

    def get(self, path: str, headers: dict[str, str] | None = None) -> requests.Response:
        return self.session.get(self.base_url + path, headers=KEY if headers is None else headers)


def body_of(*parts: Any, **config: Any) -> dict[str, Any]:
    """A generateContent body with one turn; a part that is a string is a text."""
    turn = [{"text": part} if isinstance(part, str) else part for part in parts]
    body: dict[str, Any] = {"contents": [{"role": "user", "parts": turn}]}
    return {**body, "generationConfig": config} if config else body


def inline(data: bytes, mime_type: str = "image/png") -> dict[str, Any]:
    """A picture as a part."""
    return {"inlineData": {"mimeType": mime_type, "data": base64.b64encode(data).decode()}}


def png(size: tuple[int, int] = (64, 64), mode: str = "RGB") -> bytes:
    """A small picture, a gradient."""
    return bytes_of(Image.linear_gradient("L").resize(size).convert(mode))


def bytes_of(image: Image.Image, kind: str = "PNG") -> bytes:
    """An image as a file's content."""
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def parts_of(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of the first candidate."""
    parts: list[dict[str, Any]] = answer["candidates"][0]["content"]["parts"]
    return parts


def picture_of(response: requests.Response) -> Image.Image:
    """The one picture of an answer, opened; its MIME type must be right."""
    assert response.status_code == 200, response.text[:500]
    (blob,) = [part["inlineData"] for part in parts_of(response.json()) if "inlineData" in part]
    picture = Image.open(io.BytesIO(base64.b64decode(blob["data"], validate=True)))
    assert picture.get_format_mimetype() == blob["mimeType"]
    picture.load()
    return picture


def events_of(text: str) -> list[dict[str, Any]]:
    """The events of an alt=sse stream, which must be framed exactly as Google frames them."""
    assert text.endswith("\r\n\r\n")
    frames = text[:-4].split("\r\n\r\n")
    assert all(frame.startswith("data: ") for frame in frames)
    return [json.loads(frame[6:]) for frame in frames]
