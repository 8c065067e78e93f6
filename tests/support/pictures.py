"""Pictures to send and to compare, and the answers of Google in which they come."""

import base64
import io
import json
import random
from collections.abc import Mapping
from functools import cache
from typing import Any

from PIL import Image

# Pixels of gemini-2.5-flash-image by aspect ratio, as Google documents them (2026-09).
PIXELS = {
    "1:1": (1024, 1024),
    "2:3": (832, 1248),
    "3:2": (1248, 832),
    "3:4": (864, 1184),
    "4:3": (1184, 864),
    "4:5": (896, 1152),
    "5:4": (1152, 896),
    "9:16": (768, 1344),
    "16:9": (1344, 768),
    "21:9": (1536, 672),
}


@cache
def plain_png(width: int = 1024, height: int = 1024, colour: str = "teal") -> bytes:
    """A PNG of one colour: right pixels, few bytes."""
    return _saved(Image.new("RGB", (width, height), colour), "PNG")


@cache
def heavy_png(seed: int = 0, side: int = 720) -> bytes:
    """A PNG of noise; of about the 1.5 MB that the model's pictures have, unless its side is given."""
    noise = random.Random(seed).randbytes(side * side * 3)
    return _saved(Image.frombytes("RGB", (side, side), noise), "PNG")


@cache
def plain_jpeg(width: int = 1408, height: int = 768, colour: str = "purple") -> bytes:
    """A JPEG, as models of the third generation send them."""
    return _saved(Image.new("RGB", (width, height), colour), "JPEG")


def pixels_of(picture: bytes) -> tuple[int, int]:
    """Width and height of a picture that can be opened and decoded whole."""
    with Image.open(io.BytesIO(picture)) as image:
        image.load()
        return image.size


def _saved(image: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def base64_of(data: bytes) -> str:
    """Standard base64, padded."""
    return base64.b64encode(data).decode()


def picture_part(picture: bytes, mime_type: str = "image/png") -> dict[str, Any]:
    """A part that holds a picture, as Google writes it."""
    return {"inlineData": {"mimeType": mime_type, "data": base64_of(picture)}}


def drawn(*parts: Mapping[str, Any], prompt_tokens: int = 9) -> dict[str, Any]:
    """The body of a successful answer, with the token counts of a model that drew one picture."""
    return {
        "candidates": [{"content": {"parts": list(parts), "role": "model"}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {
            "promptTokenCount": prompt_tokens,
            "candidatesTokenCount": 1290,
            "totalTokenCount": prompt_tokens + 1290,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt_tokens}],
            "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}],
        },
        "modelVersion": "gemini-2.5-flash-image",
        "responseId": "pzR8ac7cG_LUz7IP79TA4A8",
    }


def refused(
    finish_reason: str = "IMAGE_SAFETY", message: str = "Unable to show the generated image."
) -> dict[str, Any]:
    """The body of a 200 that holds no picture but a reason."""
    candidate = {"content": {"role": "model"}, "finishReason": finish_reason, "index": 0, "finishMessage": message}
    return {"candidates": [candidate], "modelVersion": "gemini-2.5-flash-image"}


def error(code: int, status: str, message: str, *details: Mapping[str, Any]) -> dict[str, Any]:
    """The body of one of Google's errors."""
    body: dict[str, Any] = {"code": code, "message": message, "status": status}
    return {"error": {**body, "details": list(details)} if details else body}


def retry_info(delay: str) -> dict[str, Any]:
    """The detail that says when to come back."""
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


def quota_failure(quota_id: str) -> dict[str, Any]:
    """The detail that says which quota ran out."""
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota_id}]}


API_KEY_INVALID = error(
    400,
    "INVALID_ARGUMENT",
    "API key not valid. Please pass a valid API key.",
    {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"},
)


def as_google_writes(body: Any) -> bytes:
    """JSON on the wire: two spaces, a newline at the end."""
    return (json.dumps(body, indent=2) + "\n").encode()


def as_events(*bodies: Any) -> bytes:
    """Server-sent events on the wire, as Google sends them."""
    return b"".join(b"data: " + json.dumps(body).encode() + b"\r\n\r\n" for body in bodies)
