"""Answers of the Images API, whole or streamed, in OpenAI's format."""

from __future__ import annotations

import json
from typing import Any

from compat.images import Usage
from tests.compat.pictures import base64_of

USAGE = {
    "total_tokens": 1563,
    "input_tokens": 263,
    "output_tokens": 1300,
    "input_tokens_details": {"text_tokens": 5, "image_tokens": 258},
    "output_tokens_details": {"text_tokens": 10, "image_tokens": 1290},
}
PARSED_USAGE = Usage(5, 258, 10, 1290)
BLOCKED = {"type": "image_generation_user_error", "code": "moderation_blocked", "message": "No.", "param": None}


def body_of(*items: Any, **others: Any) -> bytes:
    """An ImagesResponse."""
    return json.dumps({"created": 1, "data": list(items), **others}, indent=2).encode()


def encoded(picture: bytes, **others: Any) -> dict[str, Any]:
    """An item with a picture as base64."""
    return {"b64_json": base64_of(picture), **others}


def stream_of(*events: dict[str, Any] | str, end: str = "\n\n") -> bytes:
    """A stream of events as OpenAI writes it; a string is a line of it."""
    return "".join(
        (event if isinstance(event, str) else f"event: {event.get('type')}\ndata: {json.dumps(event)}") + end
        for event in events
    ).encode()


def completed(picture: bytes, operation: str = "image_generation", **others: Any) -> dict[str, Any]:
    """The event of a complete picture."""
    return {"type": f"{operation}.completed", **encoded(picture), "created_at": 1, "size": "auto", **others}


def partial(picture: bytes, operation: str = "image_generation", **others: Any) -> dict[str, Any]:
    """The event of a partial picture."""
    return {"type": f"{operation}.partial_image", **encoded(picture), "partial_image_index": 0, **others}
