"""The calls to make, each named after the fixture that its answer corresponds to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PROMPT = "a red sun above the sea"
INPUT_PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAOUlEQVR42mP8smofAzbAxIADsMBZazY8gjBCAuQQOuCicDajkUoEAwNDnpkHsjmTTu2A"
    "SpBgOU4JAM+FDkTYUcwkAAAAAElFTkSuQmCC"
)
OWN, WRONG, NONE = "the caller's key", "an invalid key", "no key"
MISSING_MODEL = "gemini-0-flash-image"

# USD for one picture at its default size, from Google's price list (2026-07); ABOUT for other models.
PRICES: Mapping[str, float] = {
    "gemini-2.5-flash-image": 0.039,
    "gemini-3.1-flash-lite-image": 0.034,
    "gemini-3.1-flash-image": 0.067,
    "gemini-3-pro-image": 0.134,
    "gemini-nano-banana-2.1": 0.034,
}
ABOUT = 0.04


@dataclass(frozen=True)
class Call:
    """One request. `pictures` is the largest number of pictures that it may buy."""

    operation: str
    name: str
    target: str  # with {model}
    body: Any = None
    key: str = OWN
    headers: Mapping[str, str] = field(default_factory=dict)
    pictures: int = 0

    def path(self, model: str) -> str:
        """The path with its query."""
        return self.target.replace("{model}", model)


def conversation(*parts: Mapping[str, Any], **config: Any) -> dict[str, Any]:
    """A conversation of one turn."""
    body: dict[str, Any] = {"contents": [{"role": "user", "parts": list(parts)}]}
    return {**body, "generationConfig": config} if config else body


WORDS = {"text": PROMPT}
PICTURE = {"inlineData": {"mimeType": "image/png", "data": INPUT_PICTURE}}
GENERATE = "/v1beta/models/{model}:generateContent"
STREAM = "/v1beta/models/{model}:streamGenerateContent"
COUNT = "/v1beta/models/{model}:countTokens"
NOWHERE = f"/v1beta/models/{MISSING_MODEL}"

# The first call shows whether the key is valid before anything is bought.
CALLS: Sequence[Call] = (
    Call("models", "model_list_first_page", "/v1beta/models?pageSize=1"),
    Call("models", "model_list", "/v1beta/models?pageSize=1000"),
    Call("models", "one_model", "/v1beta/models/{model}"),
    Call("models", "get_model_not_found", NOWHERE),
    Call("models", "list_with_invalid_key", "/v1beta/models?pageSize=1000", key=WRONG),
    Call("count_tokens", "counted_text", COUNT, conversation({"text": "a red sun above the quiet sea"})),
    Call("count_tokens", "counted_text_and_picture", COUNT, conversation(PICTURE, {"text": "turn the sun to violet"})),
    Call("count_tokens", "count_model_not_found", f"{NOWHERE}:countTokens", conversation(WORDS)),
    Call("generate_content", "api_key_invalid", GENERATE, conversation(WORDS), key=WRONG),
    Call("generate_content", "missing_key", GENERATE, conversation(WORDS), key=NONE),
    Call("generate_content", "model_not_found", f"{NOWHERE}:generateContent", conversation(WORDS)),
    Call("generate_content", "contents_missing", GENERATE, {}),
    Call("generate_content", "unknown_name", GENERATE, conversation(WORDS, imageConfig={"imageOutputOptions": {}})),
    Call("generate_content", "multiple_candidates", GENERATE, conversation(WORDS, candidateCount=2), pictures=2),
    Call("generate_content", "deadline_too_short", GENERATE, conversation(WORDS), headers={"x-server-timeout": "5"}),
    Call(
        "generate_content",
        "input_image_unreadable",
        GENERATE,
        conversation({"inlineData": {"mimeType": "image/png", "data": "bm90IGEgcGljdHVyZQ=="}}, WORDS),
    ),
    Call(
        "stream_generate_content",
        "not_found_on_stream",
        f"{NOWHERE}:streamGenerateContent?alt=sse",
        conversation(WORDS),
    ),
    Call(
        "generate_content",
        "picture",
        GENERATE,
        conversation(WORDS, responseModalities=["IMAGE"], imageConfig={"aspectRatio": "16:9"}),
        pictures=1,
    ),
    Call("generate_content", "text_and_picture", GENERATE, conversation(WORDS), pictures=1),
    Call(
        "generate_content",
        "edited_picture",
        GENERATE,
        conversation(PICTURE, {"text": "turn the sun to violet"}),
        pictures=1,
    ),
    Call(
        "generate_content",
        "text_only",
        GENERATE,
        conversation({"text": "Tell me about the sea, no image please."}),
        pictures=1,
    ),
    Call("stream_generate_content", "streamed_text_and_picture", f"{STREAM}?alt=sse", conversation(WORDS), pictures=1),
    Call("stream_generate_content", "array_stream", STREAM, conversation(WORDS), pictures=1),
)


def cost(calls: Sequence[Call], model: str) -> tuple[int, float]:
    """How many pictures may be bought, and what they cost in USD."""
    pictures = sum(call.pictures for call in calls)
    return pictures, pictures * PRICES.get(model, ABOUT)
