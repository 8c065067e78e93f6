"""Model lists in Google's format."""

from __future__ import annotations

from typing import Any

from compat.errors import ApiError, ErrorKind
from compat.image_models import Api, ServedModel

DEFAULT_PAGE = 50
LARGEST_PAGE = 1000
COUNT = "countTokens"  # for models on Gemini servers only
METHODS = ("generateContent", "streamGenerateContent", COUNT)


def build_models(models: list[ServedModel], page_size: str | None, page_token: str | None) -> dict[str, Any]:
    """One page of models; `page_token` is the index of its first one. Raises INVALID_ARGUMENT for a wrong number."""
    size = read_number(page_size or "0", "pageSize") or DEFAULT_PAGE
    start = read_number(page_token or "0", "pageToken")
    page = models[start : start + min(size, LARGEST_PAGE)]
    body: dict[str, Any] = {"models": [build_model(model) for model in page]}
    if start + len(page) < len(models):
        body["nextPageToken"] = str(start + len(page))
    return body


def read_number(text: str, param: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ApiError(
            ErrorKind.INVALID_ARGUMENT, f"Invalid value at '{param}' (TYPE_INT32), \"{text[:40]}\"", param=param
        )
    return int(text)


def build_model(model: ServedModel) -> dict[str, Any]:
    """One model."""
    upstream = model.upstream
    return {
        "name": f"models/{model.requested_name}",
        "version": "001",
        "displayName": upstream.title,
        "description": f"Draws and edits pictures; answered by {model.upstream_name}.",
        "inputTokenLimit": upstream.input_tokens,
        "outputTokenLimit": upstream.output_tokens,
        "supportedGenerationMethods": [method for method in METHODS if upstream.api is Api.GEMINI or method != COUNT],
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "maxTemperature": 1,
    }
