"""compat/sizes.py: pixel sizes and aspect ratios."""

from __future__ import annotations

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compat.errors import ApiError, ErrorKind
from compat.image_models import MODELS, PIXELS_2_5, ImageModel
from compat.sizes import (
    TOLERANCE,
    aspect_ratio_of_size,
    nearest_aspect_ratio,
    nearest_image_size,
    parse_pixels,
)
from tests.compat.errors import error_of

MODEL, *MODELS_WITH_TIERS = MODELS
THREE_ONE = next(model for model in MODELS if model.name == "gemini-3.1-flash-image")

# Sizes of OpenAI's documentation and its clients, and others that people ask for
RATIOS = {
    "auto": None,
    "256x256": "1:1",
    "512x512": "1:1",
    "1024x1024": "1:1",
    "2048x2048": "1:1",
    "1536x1024": "3:2",
    "1024x1536": "2:3",
    "1792x1024": "16:9",
    "1024x1792": "9:16",
    "2048x1024": "16:9",
    "1024x2048": "9:16",
    "1280x896": "4:3",
    "896x1280": "3:4",
    "1280x720": "16:9",
    "720x1280": "9:16",
    "1920x1080": "16:9",
    "2560x1440": "16:9",
    "3840x2160": "16:9",
    "2160x3840": "9:16",
    "800x600": "4:3",
    "1024x768": "4:3",
    "768x1024": "3:4",
    "1080x1350": "4:5",
    "2560x1080": "21:9",
    "16x16": "1:1",
    "99999x99999": "1:1",
    "16:9": "16:9",
    "1:1": "1:1",
    **{f"{width}x{height}": ratio for ratio, (width, height) in PIXELS_2_5.items()},
}
REFUSED = [
    "3000x1000", "1000x3000", "1024x3072", "8x1", "", "large", "AUTO", "1024", "1024x",
    "x1024", "1024X1024", "1024×1024", "1024 x 1024", "1024x1024x3", "0x0", "0x1024", "-1x-1",
    "1e3x1e3", "100000x100000", "1024x1024\n", "1٢x1٢", "7:7", "16:10", "1:4", "0:1",
]  # fmt: skip


@pytest.mark.parametrize(("size", "ratio"), RATIOS.items())
def test_a_size_is_drawn_in_the_nearest_aspect_ratio(size: str, ratio: str | None) -> None:
    assert aspect_ratio_of_size(size, MODEL) == ratio


@pytest.mark.parametrize("size", REFUSED)
def test_a_size_that_is_malformed_or_far_from_all_ratios_is_refused(size: str) -> None:
    error = error_of(aspect_ratio_of_size, size, MODEL)
    assert (error.kind, error.param) == (ErrorKind.INVALID_SIZE, "size")
    assert "21:9" in error.message


@pytest.mark.parametrize(("size", "ratio"), [("3000x1000", "21:9"), ("1x99999", "9:16"), ("1000x1000", "1:1")])
def test_the_nearest_ratio_of_any_shape(size: str, ratio: str) -> None:
    assert aspect_ratio_of_size(size, MODEL, any_shape=True) == ratio


@pytest.mark.parametrize("size", ["large", "7:7", "0x1"])
def test_a_malformed_size_is_refused_with_any_shape(size: str) -> None:
    with pytest.raises(ApiError):
        aspect_ratio_of_size(size, MODEL, any_shape=True)


@pytest.mark.parametrize(
    ("size", "ratio"), [("1024x4096", "1:4"), ("4096x512", "8:1"), ("3500x1000", "4:1"), ("2048x1024", "16:9")]
)
def test_a_model_with_more_ratios_accepts_more_sizes(size: str, ratio: str) -> None:
    assert aspect_ratio_of_size(size, THREE_ONE) == ratio


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_the_pixels_of_every_ratio_lead_back_to_it(model: ImageModel) -> None:
    for ratio, (width, height) in model.pixels.items():
        assert aspect_ratio_of_size(f"{width}x{height}", model) == ratio
        assert aspect_ratio_of_size(ratio, model) == ratio


@given(st.integers(1, 99999), st.integers(1, 99999))
def test_no_ratio_is_nearer_than_the_nearest(width: int, height: int) -> None:
    ratio, far = nearest_aspect_ratio((width, height), PIXELS_2_5)
    distances = {name: abs(log(width / height) - log(w / h)) for name, (w, h) in PIXELS_2_5.items()}
    assert distances[ratio] == pytest.approx(min(distances.values()), abs=1e-8)
    assert far == pytest.approx(distances[ratio], abs=1e-8)
    if far <= TOLERANCE:
        assert aspect_ratio_of_size(f"{width}x{height}", MODEL) == ratio


TIERS = [
    ("auto", None, None),
    ("16:9", "16:9", None),
    ("256x256", "1:1", "512"),
    ("512x512", "1:1", "512"),
    ("700x700", "1:1", "512"),
    ("750x750", "1:1", "1K"),
    ("1024x1024", "1:1", "1K"),
    ("1024x512", "1:1", "512"),  # as far from the one as from the other
    ("2048x1024", "1:1", "1K"),
    ("4096x2048", "1:1", "2K"),
    ("1536x1024", "3:2", "1K"),
    ("2048x2048", "1:1", "2K"),
    ("3840x2160", "16:9", "2K"),  # 8.3 megapixels; 2K has 4.2 and 4K has 16.9
    ("4096x2304", "16:9", "4K"),
    ("2560x1440", "16:9", "2K"),
    ("99999x99999", "1:1", "4K"),
    ("1024x1024", None, "1K"),
]


@pytest.mark.parametrize(("size", "ratio", "tier"), TIERS)
def test_a_size_has_the_tier_of_the_nearest_pixel_count(size: str, ratio: str | None, tier: str | None) -> None:
    assert nearest_image_size(size, THREE_ONE, ratio) == tier


@pytest.mark.parametrize("model", MODELS_WITH_TIERS, ids=lambda model: model.name)
def test_the_pixels_of_every_tier_lead_back_to_it(model: ImageModel) -> None:
    for tier, pixels in model.tiers.items():
        for ratio, (width, height) in pixels.items():
            assert nearest_image_size(f"{width}x{height}", model, ratio) == tier


def test_a_model_without_tiers_has_no_tier() -> None:
    assert nearest_image_size("4096x4096", MODEL, "1:1") is None


@pytest.mark.parametrize(("text", "pixels"), [("1x1", (1, 1)), ("99999x1", (99999, 1)), ("16:9", None), ("01x1", None)])
def test_pixels(text: str, pixels: tuple[int, int] | None) -> None:
    assert parse_pixels(text) == pixels
