"""A row for each model that the sandbox plays, as Google's model list and documentation describe it (2026-11)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

Pixels = tuple[int, int]

PIXELS_OF_2_5: Mapping[str, Pixels] = MappingProxyType(
    {
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
)
PIXELS_OF_3_AT_1K: Mapping[str, Pixels] = MappingProxyType(
    {
        "1:1": (1024, 1024),
        "2:3": (848, 1264),
        "3:2": (1264, 848),
        "3:4": (896, 1200),
        "4:3": (1200, 896),
        "4:5": (928, 1152),
        "5:4": (1152, 928),
        "9:16": (768, 1376),
        "16:9": (1376, 768),
        "21:9": (1584, 672),
    }
)
BANNERS_AT_1K: Mapping[str, Pixels] = MappingProxyType(
    {"1:4": (512, 2048), "4:1": (2048, 512), "1:8": (384, 3072), "8:1": (3072, 384)}
)
ODD_PIXELS: Mapping[tuple[str, str], Pixels] = MappingProxyType({("512", "21:9"): (792, 168)})  # as documented
SCALES = {"512": 0.5, "1K": 1.0, "2K": 2.0, "4K": 4.0}
PIXELS_WITHOUT_RATIO = (1408, 768)  # what 3.x models draw without a ratio; not in Google's tables


@dataclass(frozen=True)
class ImageModel:
    """One model: how Google lists it, what it can draw, and how many tokens a picture has."""

    name: str
    version: str
    display_name: str
    description: str
    input_token_limit: int
    output_token_limit: int
    mime_type: str
    ratios: Mapping[str, Pixels]
    tokens_per_picture: Mapping[str, int]  # by image size
    tokens_per_input_picture: int
    thinks: bool
    samples: bool = True  # whether it takes a seed, a temperature, topP and topK

    def pixels(self, aspect_ratio: str | None, image_size: str, input_pixels: Pixels | None) -> Pixels:
        """The pixels of the picture to draw. Without a ratio an input picture decides, then the model's default."""
        ratio = aspect_ratio or (self.nearest_ratio(input_pixels) if input_pixels else None)
        if ratio is None:
            return self.scaled(self.ratios["1:1"] if not self.thinks else PIXELS_WITHOUT_RATIO, image_size)
        return ODD_PIXELS.get((image_size, ratio)) or self.scaled(self.ratios[ratio], image_size)

    def scaled(self, pixels: Pixels, image_size: str) -> Pixels:
        """The pixels at an image size; a model with a single size keeps its own."""
        if len(self.tokens_per_picture) == 1:
            return pixels
        scale = SCALES[image_size]
        return round(pixels[0] * scale), round(pixels[1] * scale)

    def nearest_ratio(self, pixels: Pixels) -> str:
        """The name of the model's ratio closest to a picture's own shape."""
        shape = pixels[0] / pixels[1]
        return min(self.ratios, key=lambda ratio: _distance(shape, self.ratios[ratio]))

    def picture_tokens(self, image_size: str) -> int:
        """The output tokens of one picture of an image size."""
        return self.tokens_per_picture.get(image_size, next(iter(self.tokens_per_picture.values())))

    def record(self) -> dict[str, Any]:
        """The model as Google's model list shows it."""
        record: dict[str, Any] = {
            "name": f"models/{self.name}",
            "version": self.version,
            "displayName": self.display_name,
            "description": self.description,
            "inputTokenLimit": self.input_token_limit,
            "outputTokenLimit": self.output_token_limit,
            "supportedGenerationMethods": ["generateContent", "countTokens", "batchGenerateContent"],
            "temperature": 1,
            "topP": 0.95,
            "topK": 64,
            "maxTemperature": 1,
        }
        if self.thinks:
            record["thinking"] = True
        return record


def _distance(shape: float, pixels: Pixels) -> float:
    known = pixels[0] / pixels[1]
    return max(shape, known) / min(shape, known)


_ROWS = (
    ImageModel(
        name="gemini-2.5-flash-image",
        version="2.0",
        display_name="Nano Banana",
        description="Gemini 2.5 Flash Preview Image",
        input_token_limit=32768,
        output_token_limit=32768,
        mime_type="image/png",
        ratios=PIXELS_OF_2_5,
        tokens_per_picture={"1K": 1290},
        tokens_per_input_picture=258,
        thinks=False,
    ),
    ImageModel(
        name="gemini-3-pro-image",
        version="3.0",
        display_name="Nano Banana Pro",
        description="Gemini 3 Pro Image",
        input_token_limit=131072,
        output_token_limit=32768,
        mime_type="image/jpeg",
        ratios=PIXELS_OF_3_AT_1K,
        tokens_per_picture={"1K": 1120, "2K": 1120, "4K": 2000},
        tokens_per_input_picture=560,
        thinks=True,
    ),
    ImageModel(
        name="gemini-3.1-flash-image",
        version="3.0",
        display_name="Nano Banana 2",
        description="Gemini 3.1 Flash Image.",
        input_token_limit=65536,
        output_token_limit=65536,
        mime_type="image/jpeg",
        ratios={**PIXELS_OF_3_AT_1K, **BANNERS_AT_1K},
        tokens_per_picture={"512": 747, "1K": 1120, "2K": 1680, "4K": 2520},
        tokens_per_input_picture=1120,
        thinks=True,
    ),
    ImageModel(
        name="gemini-3.1-flash-lite-image",
        version="3.0",
        display_name="Nano Banana 2 Lite",
        description="Gemini 3.1 Flash Lite Image.",
        input_token_limit=65536,
        output_token_limit=4096,
        mime_type="image/jpeg",
        ratios=PIXELS_OF_3_AT_1K,
        tokens_per_picture={"1K": 1120},
        tokens_per_input_picture=1120,
        thinks=True,
    ),
    ImageModel(
        name="gemini-nano-banana-2.1",
        version="2.1",
        display_name="Nano Banana 2.1",
        description="Nano Banana 2.1",
        input_token_limit=131072,
        output_token_limit=65536,
        mime_type="image/jpeg",
        ratios={**PIXELS_OF_3_AT_1K, **BANNERS_AT_1K},
        tokens_per_picture={"1K": 1120, "2K": 1680, "4K": 3780},
        tokens_per_input_picture=1120,
        thinks=True,
        samples=False,
    ),
)
IMAGE_MODELS: Mapping[str, ImageModel] = MappingProxyType({row.name: row for row in _ROWS})
NEWEST = "gemini-nano-banana-2.1"
RETIRED = frozenset({"gemini-2.5-flash-image-preview", "gemini-2.0-flash-preview-image-generation"})
