"""Pixel sizes and aspect ratios."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import log
from operator import itemgetter

from compat.errors import ApiError, ErrorKind
from compat.formats import Pixels
from compat.image_models import ImageModel

TOLERANCE = 0.2  # the largest accepted difference between two shapes: of the logarithms of width over height
PIXEL_SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})", re.ASCII)
TIMES = re.compile(r"\s*[x*\u00d7]\s*")  # between two lengths
AUTO = "auto"


def plain_size(size: str) -> str:
    """A size as OpenAI writes it: `1024 X 1024` and `1024*1024` are `1024x1024`, and nothing is `auto`."""
    return TIMES.sub("x", size.strip().lower()) or AUTO


def parse_pixels(size: str) -> Pixels | None:
    """Width and height of `1024x768`; None for anything else."""
    match = PIXEL_SIZE.fullmatch(size)
    return (int(match[1]), int(match[2])) if match else None


def distance(one: Pixels, other: Pixels) -> float:
    """The difference between the shapes of two sizes; 0 for the same shape. Rounded, so that equal ones stay equal."""
    return round(abs(log(one[0] / one[1] * other[1] / other[0])), 9)


def nearest_aspect_ratio(size: Pixels, known: Mapping[str, Pixels]) -> tuple[str, float]:
    """The aspect ratio whose pixels come closest to a size's shape, and how far it is from it."""
    return min(((ratio, distance(size, pixels)) for ratio, pixels in known.items()), key=itemgetter(1))


def aspect_ratio_of_size(size: str, model: ImageModel, *, any_shape: bool = False) -> str | None:
    """The aspect ratio for a size such as `1280x896` or `4:3`; None for `auto`.

    Raises INVALID_SIZE for anything else, and, unless `any_shape`, for a shape that is far from every ratio.
    """
    if size == AUTO:
        return None
    if size in model.pixels:
        return size
    pixels = parse_pixels(size)
    if pixels:
        ratio, far = nearest_aspect_ratio(pixels, model.pixels)
        if far <= TOLERANCE or any_shape:
            return ratio
    raise ApiError(
        ErrorKind.INVALID_SIZE,
        f"Invalid value: '{size}'. Supported values are: 'auto', an aspect ratio ({', '.join(model.pixels)}), or a "
        "size in pixels such as '1024x1024' whose shape is close to one of them. With 'resize': 'cover' or 'contain' "
        "any size in pixels is supported.",
        param="size",
    )


def nearest_image_size(size: str, model: ImageModel, ratio: str | None) -> str | None:
    """The tier whose pixel count for the ratio is nearest to that of a size, by logarithm; the smaller one on a tie.

    None for a model without tiers, and for a size that is not in pixels.
    """
    pixels = parse_pixels(size)
    if not pixels or not model.tiers:
        return None

    def far(tier: str) -> float:
        drawn = model.tiers[tier].get(ratio or "1:1") or (1, 1)
        return abs(log(pixels[0] * pixels[1] / (drawn[0] * drawn[1])))

    return min(model.tiers, key=far)
