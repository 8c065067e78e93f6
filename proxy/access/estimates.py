"""What a request may cost, before it is made: reserved from the budget of its key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from compat.errors import ApiError, ErrorKind
from compat.image_models import ImageModel, ServedModel
from compat.images import ImageRequest
from compat.json_text import dicts
from proxy.limits import INPUT_PICTURE_TOKENS, WORDS_ALLOWANCE


@dataclass(frozen=True)
class Expected:
    """What a request asks for, as far as it costs something."""

    model: ServedModel
    pictures: int = 1
    image_size: str | None = None
    text_bytes: int = 0  # of prompts: a token has one byte or more
    input_pictures: int = 0
    has_files: bool = False  # input whose tokens cannot be foreseen, such as a document at an address

    @property
    def is_free(self) -> bool:
        """Whether it buys nothing, as counting tokens does."""
        return not self.pictures

    @property
    def calls(self) -> int:
        """How many calls upstream it takes."""
        server = self.model.upstream.openai
        return max(1, ceil(self.pictures / server.most_pictures) if server else self.pictures)


def micros_of(expected: Expected) -> int | None:
    """The most that a request costs, in millionths of a USD, words beyond WORDS_ALLOWANCE apart.

    None if the model's row does not say what its pictures cost.
    """
    if expected.is_free:
        return 0
    model = expected.model
    if model.successor is None:
        return micros_by(model.upstream, expected)
    amounts = [micros_by(row, expected) for row in (model.upstream, model.successor)]  # either of them may draw
    return max((one for one in amounts if one is not None), default=None) if amounts[0] is not None else None


def micros_by(row: ImageModel, expected: Expected) -> int | None:
    """The same if this row draws."""
    if row.price_per_picture is not None:
        return ceil(row.price_per_picture * expected.pictures * 1_000_000)
    tokens = row.tokens_of_picture(expected.image_size)
    if tokens is None or row.prices is None:
        return None
    outputs = tokens * row.prices.image_output + WORDS_ALLOWANCE * row.prices.text_output
    return ceil(outputs * expected.pictures + input_tokens(expected, row) * row.prices.input * expected.calls)


def input_tokens(expected: Expected, row: ImageModel) -> int:
    """The most tokens that the input of one call has."""
    if expected.has_files:
        return row.input_tokens
    return min(row.input_tokens, expected.text_bytes + expected.input_pictures * INPUT_PICTURE_TOKENS)


def check_model(expected: Expected, models: frozenset[str] | None, has_budget: bool) -> int:
    """What is to be reserved. Raises PERMISSION_DENIED for a model that a key may not use, or not with a budget."""
    name = expected.model.name
    if models is not None and name not in models:
        served = ", ".join(sorted(models))
        raise ApiError(
            ErrorKind.PERMISSION_DENIED, f"This API key may not use the model '{name}'. It may use: {served}."
        )
    micros = micros_of(expected)
    if micros is None and has_budget:
        raise ApiError(
            ErrorKind.PERMISSION_DENIED,
            f"An API key with a budget cannot use the model '{name}', because it is not known what it costs: its row "
            "has no prices with image_tokens, and no price_per_picture.",
        )
    return micros or 0


def expected_of(image_request: ImageRequest, model: ServedModel) -> Expected:
    """What a request for pictures asks for."""
    words = f"{image_request.prompt}{image_request.gemini or ''}"
    pictures = [*image_request.input_images, *([image_request.mask] if image_request.mask else [])]
    return Expected(
        model,
        image_request.count,
        image_request.image_size or size_of(camel(image_request.gemini, "generationConfig")),
        len(words.encode("utf-8", "replace")),
        len(pictures),
        any(one.uri is not None for one in pictures),
    )


def expected_of_content(content: Mapping[str, Any], length: int, model: ServedModel) -> Expected:
    """What a generateContent request asks for, whose body has so many bytes."""
    config = camel(content, "generationConfig")
    count = camel(config, "candidateCount")
    inline = [one for part in parts_of(content) if isinstance(one := camel(part, "inlineData"), dict)]
    data = sum(len(one["data"]) for one in inline if isinstance(one.get("data"), str))
    mime_types = [str(camel(one, "mimeType") or "image/") for one in inline]
    return Expected(
        model,
        count if type(count) is int and 1 < count < 100 else 1,
        size_of(config),
        max(0, length - data),
        len(inline),
        any(camel(part, "fileData") for part in parts_of(content))
        or bool(camel(content, "cachedContent"))
        or not all(one.startswith("image/") for one in mime_types),
    )


def size_of(config: Any) -> str | None:
    """The image size of a generationConfig. One that is said in another way counts as the most expensive."""
    size = camel(camel(config, "imageConfig"), "imageSize")
    return size if isinstance(size, str) else "unknown" if camel(config, "responseFormat") else None


def parts_of(content: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All parts of the conversation."""
    contents = content.get("contents")
    for turn in dicts(contents if isinstance(contents, list) else [contents]):
        parts = turn.get("parts")
        yield from dicts(parts if isinstance(parts, list) else [parts])


def camel(content: Any, name: str) -> Any:
    """A member by its name, in camelCase or with underscores: Google reads both. None if it is not there."""
    if not isinstance(content, Mapping):
        return None
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    return content.get(name, content.get(snake))
