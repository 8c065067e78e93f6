"""Model lists in OpenAI's format, with extra fields about what a model can do and costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compat.formats import BY_MIME_TYPE, OUTPUTS, Pixels
from compat.image_models import ImageModel, ServedModel
from compat.images import MOST_PICTURES
from compat.input_images import MOST_IMAGES
from compat.openai_images.request import LONGEST_PROMPT

CREATED = 1759363200  # 2025-10-02, when gemini-2.5-flash-image became generally available


def build_models(models: list[ServedModel]) -> dict[str, Any]:
    """The answer of GET /v1/models."""
    return {"object": "list", "data": [build_model(model) for model in models]}


def build_model(model: ServedModel) -> dict[str, Any]:
    """The answer of GET /v1/models/{model}."""
    upstream = model.upstream
    body: dict[str, Any] = {
        "id": model.requested_name,
        "object": "model",
        "created": CREATED,
        "owned_by": upstream.owner,
        "shutdown_date": upstream.retires.isoformat() if upstream.retires else None,
        "upstream_model": model.upstream_name,
        "architecture": build_architecture(upstream),
        "aspect_ratios": write_pixels(upstream.pixels),
        "image_sizes": {tier: write_pixels(pixels) for tier, pixels in upstream.tiers.items()},
        "output_formats": [known.name for known in OUTPUTS],
        "native_output_format": BY_MIME_TYPE[upstream.output_mime_type].name,
        "limits": {
            "n": MOST_PICTURES,
            "prompt_characters": LONGEST_PROMPT,
            "input_images": MOST_IMAGES,
            "input_images_recommended": upstream.max_input_images,
            "input_tokens": upstream.input_tokens,
            "output_tokens": upstream.output_tokens,
        },
    }
    if upstream.prices:
        body["pricing"] = {
            "unit": "USD per 1M tokens",
            "input": upstream.prices.input,
            "text_output": upstream.prices.text_output,
            "image_output": upstream.prices.image_output,
        }
    return body


def build_architecture(upstream: ImageModel) -> dict[str, Any]:
    """What goes in and what comes out, as OpenRouter lists it (openapi.yaml of 2026-08-22): chat clients read it."""
    inputs = ["text", "image"] if not upstream.openai or upstream.openai.edits else ["text"]
    outputs = ["image"] if upstream.openai else ["text", "image"]
    return {
        "modality": f"{'+'.join(inputs)}->{'+'.join(outputs)}",
        "input_modalities": inputs,
        "output_modalities": outputs,
    }


def write_pixels(pixels: Mapping[str, Pixels]) -> dict[str, str]:
    return {ratio: f"{width}x{height}" for ratio, (width, height) in pixels.items()}
