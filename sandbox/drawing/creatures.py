"""Silhouettes: cats that sit and walk, pines, birds, boats, balloons."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi, sin
from random import Random

from PIL import Image

from sandbox.drawing.canvas import Point, disc, shape, short_side, smooth_line, stroke
from sandbox.drawing.palettes import Color, Palette, mix

SITTING_BODY = (
    (0.0, 0.0), (0.24, 0.0), (0.335, 0.07), (0.335, 0.20), (0.285, 0.36), (0.21, 0.50), (0.155, 0.60), (0.13, 0.70),
    (-0.13, 0.70), (-0.155, 0.60), (-0.21, 0.50), (-0.285, 0.36), (-0.335, 0.20), (-0.335, 0.07), (-0.24, 0.0),
)  # fmt: skip
SITTING_TAIL = ((0.24, 0.05), (0.46, 0.03), (0.60, 0.12), (0.58, 0.27), (0.50, 0.33))
WALKING_BODY = (
    (0.24, 0.60), (0.34, 0.67), (0.55, 0.665), (0.80, 0.645), (1.0, 0.68), (1.14, 0.79), (1.27, 0.80), (1.24, 0.68),
    (1.17, 0.55), (1.07, 0.43), (0.85, 0.40), (0.60, 0.42), (0.42, 0.40), (0.28, 0.44),
)  # fmt: skip
WALKING_LEGS = (
    ((0.34, 0.55), (0.40, 0.33), (0.27, 0.19), (0.25, 0.04), (0.31, 0.02)),
    ((0.40, 0.50), (0.50, 0.31), (0.44, 0.16), (0.50, 0.03), (0.56, 0.02)),
    ((1.06, 0.58), (1.02, 0.34), (1.00, 0.18), (0.97, 0.03), (1.03, 0.02)),
    ((1.10, 0.58), (1.15, 0.36), (1.22, 0.21), (1.25, 0.06), (1.31, 0.05)),
)
WALKING_TAIL = ((0.28, 0.60), (0.10, 0.60), (-0.04, 0.74), (-0.06, 0.95), (0.05, 1.06))


def _placed(points: Sequence[Point], foot: Point, size: float, flip: bool = False) -> list[Point]:
    """Points of a drawing whose y goes up, on the picture: `foot` is where it stands, `size` its height."""
    side = -size if flip else size
    return [(foot[0] + x * side, foot[1] - y * size) for x, y in points]


def _ellipse(center: Point, across: float, up: float, steps: int = 40) -> list[Point]:
    return [
        (center[0] + across * cos(2 * pi * i / steps), center[1] + up * sin(2 * pi * i / steps)) for i in range(steps)
    ]


def sitting_cat(image: Image.Image, foot: Point, size: float, color: Color, flip: bool = False) -> None:
    """A cat that sits with its back to us and looks into the distance."""
    shape(image, _placed(smooth_line(SITTING_BODY, 8, closed=True), foot, size, flip), color)
    shape(image, _placed(stroke(smooth_line(SITTING_TAIL, 10), (0.11, 0.10, 0.085, 0.06)), foot, size, flip), color)
    disc(image, _placed([(0.50, 0.33)], foot, size, flip)[0], size * 0.03, color)
    shape(image, _placed(_ellipse((0.0, 0.76), 0.195, 0.16), foot, size, flip), color)
    for side in (-1, 1):
        ear = (
            (side * 0.192, 0.77),
            (side * 0.20, 0.88),
            (side * 0.178, 1.02),
            (side * 0.115, 0.955),
            (side * 0.05, 0.89),
        )
        shape(image, _placed(ear, foot, size, flip), color)


def _centered(points: Sequence[Point]) -> list[Point]:
    return [(x - 0.62, y) for x, y in points]


def walking_cat(image: Image.Image, foot: Point, size: float, color: Color, flip: bool = False) -> None:
    """A cat that walks past, its tail up."""
    shape(image, _placed(_centered(smooth_line(WALKING_BODY, 8, closed=True)), foot, size, flip), color)
    for i, leg in enumerate(WALKING_LEGS):
        thigh = 0.21 if i < 2 else 0.15
        outline = stroke(smooth_line(leg, 8), (thigh, 0.135, 0.075, 0.07, 0.055))
        shape(image, _placed(_centered(outline), foot, size, flip), color)
    shape(
        image,
        _placed(_centered(stroke(smooth_line(WALKING_TAIL, 10), (0.10, 0.085, 0.075, 0.05))), foot, size, flip),
        color,
    )
    shape(image, _placed(_centered(_ellipse((1.27, 0.84), 0.135, 0.118)), foot, size, flip), color)
    shape(image, _placed(_centered(_ellipse((1.37, 0.805), 0.055, 0.05)), foot, size, flip), color)
    for ear in (((1.155, 0.88), (1.165, 1.04), (1.27, 0.94)), ((1.255, 0.93), (1.325, 1.05), (1.365, 0.90))):
        shape(image, _placed(_centered(ear), foot, size, flip), color)


def pine(foot: Point, height: float, r: Random) -> list[Point]:
    """A pine's outline, its branches a little ragged."""
    x, y = foot
    tiers = 6 if height < 60 else 9
    right: list[Point] = [(x, y - height)]
    left: list[Point] = []
    for tier in range(1, tiers + 1):
        share = tier / tiers
        reach = height * 0.21 * share**0.9 * r.uniform(0.82, 1.12)
        level = y - height * (1 - share * 0.93)
        right += [(x + reach, level), (x + reach * 0.45, level - height * 0.018)]
        left += [(x - reach * r.uniform(0.85, 1.1), level), (x - reach * 0.45, level - height * 0.018)]
    trunk = height * 0.02
    return [
        *right,
        (x + trunk, y - height * 0.06),
        (x + trunk, y + 4),
        (x - trunk, y + 4),
        (x - trunk, y - height * 0.06),
        *left[::-1],
    ]


def birds(image: Image.Image, r: Random, center: Point, span: float, color: Color) -> None:
    """A few birds far away."""
    for _ in range(r.randint(3, 6)):
        x, y = center[0] + r.uniform(-1, 1) * span * 5, center[1] + r.uniform(-1, 1) * span * 2
        wing = span * r.uniform(0.5, 1.0)
        lift = wing * r.uniform(0.25, 0.5)
        line = smooth_line(
            [
                (x - wing, y - lift * 0.6),
                (x - wing * 0.5, y - lift),
                (x, y),
                (x + wing * 0.5, y - lift),
                (x + wing, y - lift * 0.5),
            ],
            5,
        )
        shape(image, stroke(line, (0.4, wing * 0.13, wing * 0.2, wing * 0.13, 0.4)), color, 0.8)


def sailing_boat(image: Image.Image, foot: Point, size: float, hull: Color, sail: Color) -> None:
    """A small boat with two sails."""
    main = [(0.02, 0.14), (0.04, 1.0), (0.20, 0.66), (0.30, 0.36), (0.34, 0.15)]
    jib = [(-0.03, 0.16), (-0.01, 0.86), (-0.16, 0.48), (-0.27, 0.16)]
    shape(image, _placed(main, foot, size), sail)
    shape(image, _placed(jib, foot, size), mix(sail, hull, 0.25))
    body = [(-0.36, 0.10), (0.40, 0.11), (0.30, 0.0), (-0.26, 0.0)]
    shape(image, _placed(body, foot, size), hull)


def balloon(image: Image.Image, center: Point, radius: float, colors: Sequence[Color], shade: Color) -> None:
    """A hot-air balloon with stripes, lit from the left."""
    x, y = center
    stripes = 7
    for i in range(stripes):
        outer, inner = (cos(pi * i / stripes), cos(pi * (i + 1) / stripes))
        tone = mix(colors[i % len(colors)], shade, 0.08 + 0.42 * (1 - (outer + inner + 2) / 4))
        edge = [(x - _girth(k / 16) * outer * radius, y + (k / 16 * 2.3 - 1) * radius) for k in range(17)]
        back = [(x - _girth(k / 16) * inner * radius, y + (k / 16 * 2.3 - 1) * radius) for k in range(16, -1, -1)]
        shape(image, edge + back, tone)
    low = y + radius * 1.3
    for side in (-1, 1):
        rope = [(x + side * radius * 0.16, low - radius * 0.03), (x + side * radius * 0.10, low + radius * 0.34)]
        shape(image, stroke(rope, (radius * 0.025, radius * 0.025)), mix(shade, (0, 0, 0), 0.3), 0.8)
    basket = [(-0.12, 0.32), (0.12, 0.32), (0.10, 0.50), (-0.10, 0.50)]
    shape(image, [(x + dx * radius, low + dy * radius) for dx, dy in basket], mix(shade, (60, 34, 20), 0.6))


def _girth(place: float) -> float:
    """Half the width of a balloon from its top (0) to its mouth (1), in radii."""
    if place < 0.45:
        return float(sin(pi * place / 0.9) ** 0.62)
    return max(0.17, float(cos(pi * (place - 0.45) / 1.22) ** 0.9))


def lit_cat(
    image: Image.Image, foot: Point, tall: float, dark: Color, rim: Color, from_right: bool, walking: bool = False
) -> None:
    """A cat with a thin line of light on one side."""
    draw = walking_cat if walking else sitting_cat
    shift = tall * (0.008 if from_right else -0.008)
    draw(image, (foot[0] + shift, foot[1] - tall * 0.008), tall, rim, from_right)
    draw(image, foot, tall, dark, from_right)


def cat_on_ledge(image: Image.Image, palette: Palette, r: Random, light: Point) -> None:
    """A cat that looks at the picture from its lower edge."""
    width, height = image.size
    ledge = height * 0.93
    shape(image, [(-2, ledge), (width + 2, ledge), (width + 2, height + 2), (-2, height + 2)], palette.near)
    tall = short_side(image.size) * 0.40
    x = width * (0.68 if light[0] < width / 2 else 0.32)
    lit_cat(image, (x, ledge + 2), tall, palette.near, mix(palette.light, palette.sky[-1], 0.3), light[0] > x)
