"""Chat completions as a dialect: errors in OpenAI's envelope, about the fields of a chat."""

from __future__ import annotations

from compat.dialect import Dialect
from compat.openai_envelope import MISSING_KEY, build_error

CHAT = Dialect(
    name="openai_chat",
    build_error=build_error,
    fields={
        "prompt": ("messages",),
        "input_images": ("messages",),
        "model": ("model",),
        "count": ("n",),
        "aspect_ratio": ("aspect_ratio", "image_config.aspect_ratio", "size"),
        "image_size": ("image_size", "image_config.image_size"),
        "seed": ("seed",),
        "temperature": ("temperature",),
        "gemini": ("google",),
    },
    missing_key=MISSING_KEY,
)
