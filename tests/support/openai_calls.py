"""What the tests of the OpenAI surface share: answers of an upstream, and calls of both clients as plain functions."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import openai
import requests
from openai.types import ImagesResponse

from tests.support import pictures
from tests.support.upstream import Answer, Call

MODEL = "google/gemini-2.5-flash-image"
CLIENTS = ("sync", "async")

Ask = Callable[..., Any]


def painted(colour: str = "teal", **settings: Any) -> Answer:
    """An answer with a picture of one colour."""
    return Answer(pictures.drawn(pictures.picture_part(pictures.plain_png(colour=colour))), **settings)


def refused(reason: str = "IMAGE_SAFETY", **settings: Any) -> Answer:
    """An answer that says why there is no picture."""
    return Answer(pictures.refused(reason), **settings)


def failed(code: int, status: str, *details: dict[str, Any], message: str = "It went wrong.") -> Answer:
    """One of Google's errors."""
    return Answer(pictures.error(code, status, message, *details), status=code)


def asking(client: openai.OpenAI, kind: str) -> Ask:
    """`ask("edit", image=..., ...)`: a call of `client.images` or of its asynchronous twin; a stream as its list."""

    def ask(method: str, **arguments: Any) -> Any:
        if kind == "sync":
            answer = getattr(client.images, method)(**arguments)
            return list(answer) if isinstance(answer, openai.Stream) else answer
        return asyncio.run(ask_asynchronously(method, arguments))

    async def ask_asynchronously(method: str, arguments: dict[str, Any]) -> Any:
        settings = {"base_url": client.base_url, "api_key": client.api_key, "max_retries": client.max_retries}
        async with openai.AsyncOpenAI(**settings) as asynchronous:
            answer = await getattr(asynchronous.images, method)(**arguments)
            return [event async for event in answer] if isinstance(answer, openai.AsyncStream) else answer

    return ask


def bytes_of(answer: ImagesResponse) -> list[bytes]:
    """The pictures of an answer, wherever they are."""
    return [
        base64.b64decode(item.b64_json, validate=True)
        if item.b64_json
        else requests.get(item.url or "", timeout=10).content
        for item in answer.data or []
    ]


def extras(answer: Any) -> dict[str, Any]:
    """The fields of an answer that OpenAI's own do not have."""
    return answer.model_extra or {}


def parts_of(call: Call) -> list[dict[str, Any]]:
    """The parts of the only content that was asked of the model."""
    (content,) = call.json["contents"]
    parts: list[dict[str, Any]] = content["parts"]
    return parts


def inline_pictures(call: Call) -> list[tuple[str, bytes]]:
    """The pictures that were sent to the model: their declared type, and the bytes."""
    blobs = [part["inlineData"] for part in parts_of(call) if "inlineData" in part]
    return [(blob["mimeType"], base64.b64decode(blob["data"], validate=True)) for blob in blobs]
