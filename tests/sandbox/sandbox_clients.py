"""Ways to talk to the sandbox in tests, and to read what it says."""

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
ADAPTED = "sandbox://gemini"


class Client:
    """Calls one sandbox, wherever it is."""

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
        """POST a body; anything but text and bytes goes as JSON."""
        data = body if isinstance(body, (bytes, str)) else json.dumps(body)
        url = f"{self.base_url}/{version}/models/{model}:{method}{query}"
        return self.session.post(url, data=data, headers=KEY if headers is None else headers, stream=stream)

    def get(self, path: str, headers: dict[str, str] | None = None) -> requests.Response:
        return self.session.get(self.base_url + path, headers=KEY if headers is None else headers)


def asking(*parts: Any, **config: Any) -> dict[str, Any]:
    """A generateContent body with one turn; texts may be given as they are."""
    body: dict[str, Any] = {"contents": [{"role": "user", "parts": [_part(part) for part in parts]}]}
    if config:
        body["generationConfig"] = config
    return body


def _part(part: Any) -> Any:
    return {"text": part} if isinstance(part, str) else part


def inline(data: bytes, mime_type: str = "image/png") -> dict[str, Any]:
    """A picture as a part."""
    return {"inlineData": {"mimeType": mime_type, "data": base64.b64encode(data).decode()}}


def png(size: tuple[int, int] = (64, 64), mode: str = "RGB") -> bytes:
    """A small picture with something to see in it."""
    picture = Image.linear_gradient("L").resize(size).convert(mode)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def parts_of(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of the first candidate."""
    parts: list[dict[str, Any]] = answer["candidates"][0]["content"]["parts"]
    return parts


def pictures_of(answer: dict[str, Any]) -> list[Image.Image]:
    """Every picture of the first candidate, opened."""
    return [opened(part) for part in parts_of(answer) if "inlineData" in part]


def opened(part: dict[str, Any]) -> Image.Image:
    """A part's picture; its MIME type must be the true one."""
    picture = Image.open(io.BytesIO(base64.b64decode(part["inlineData"]["data"], validate=True)))
    assert picture.get_format_mimetype() == part["inlineData"]["mimeType"]
    return picture


def events_of(text: str) -> list[dict[str, Any]]:
    """The events of an alt=sse stream, which must be framed exactly as Google frames them."""
    assert text.endswith("\r\n\r\n")
    frames = text[:-4].split("\r\n\r\n")
    assert all(frame.startswith("data: ") for frame in frames)
    return [json.loads(frame[6:]) for frame in frames]
