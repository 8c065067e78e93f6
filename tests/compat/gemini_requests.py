"""A request for Gemini as its server reads it."""

from __future__ import annotations

import json
from typing import Any

from compat.gemini_content.request import write_request
from compat.images import ImageRequest


def sent(image_request: ImageRequest) -> dict[str, Any]:
    """The JSON that goes up."""
    body: dict[str, Any] = json.loads(b"".join(write_request(image_request)))
    return body
