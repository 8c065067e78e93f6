"""The sea and the light on it."""

from __future__ import annotations

from random import Random

from PIL import Image, ImageChops

from sandbox.drawing import canvas
from sandbox.drawing.canvas import Point, Size, fill, jagged_line, short_side
from sandbox.drawing.palettes import Color, Palette, mix
from sandbox.drawing.scenery import glitter, sky, sun_place
from sandbox.drawing.subjects import Subject


def sea(size: Size, subject: Subject, r: Random) -> Image.Image:
    """A low sun, its path on the water, islands and a boat."""
    width, height = size
    palette, short = subject.palette, short_side(size)
    horizon = height * r.uniform(0.52, 0.58)
    radius = short * r.uniform(0.055, 0.075)
    sun = (sun_place(size, r, 0, 0)[0], horizon - radius * r.uniform(0.9, 2.6))
    image = sky(size, subject, r, horizon, sun, radius)
    away = 1 if sun[0] < width / 2 else -1  # the side of the picture without the sun
    for i in range(3):
        middle = (width * (0.5 + away * r.uniform(0.2, 0.5)), horizon - short * r.uniform(0.03, 0.09))
        reach = short * r.uniform(0.2, 0.4)
        shore = [(middle[0] + side * reach, horizon + 2) for side in (-1, 1)]
        slopes = (jagged_line(r, *line, short * 0.008) for line in ((shore[0], middle), (middle, shore[1])))
        fill(image, mix(palette.haze, palette.near, 0.12 + i * 0.14), [point for line in slopes for point in line])
    _water(image, palette, r, horizon)
    glitter(image, subject, r, horizon, sun[0], 0.95)
    _boat(image, palette, r, (sun[0] + width * 0.21 * away, horizon + height * 0.075), short * r.uniform(0.12, 0.16))
    return image


def _water(image: Image.Image, palette: Palette, r: Random, horizon: float) -> None:
    """Water that darkens towards the viewer, with a swell."""
    top = round(horizon)
    size = (image.width, image.height - top)
    far, near = mix(palette.sky[-1], palette.sky[1], 0.30), mix(palette.sky[0], palette.near, 0.55)
    water = canvas.gradient(size, (far, mix(far, palette.sky[1], 0.7), mix(palette.sky[1], palette.near, 0.20), near))
    swell = canvas.noise(r, (size[0] // 4 + 1, size[1] // 4 + 1), (5, 26)).resize(size, canvas.BICUBIC)
    light = swell.point([round(110 * max(0.0, (i - 128) / 127) ** 1.2) for i in range(256)])
    dark = swell.point([round(120 * max(0.0, (118 - i) / 118) ** 1.2) for i in range(256)])
    water.paste(mix(palette.sky[-2], palette.light, 0.2), (0, 0), light)
    water.paste(near, (0, 0), ImageChops.multiply(dark, canvas.fade(size, 60, 255)))
    image.paste(water, (0, top))


def _boat(image: Image.Image, palette: Palette, r: Random, foot: Point, tall: float) -> None:
    """A small boat with two sails, and its reflection."""

    def draw(color: Color, *points: Point, strength: float = 1.0) -> None:
        fill(image, color, [(foot[0] + x * tall, foot[1] - y * tall) for x, y in points], strength=strength)

    for i in range(14):
        half, y = (0.34 - 0.018 * i) * r.uniform(0.6, 1.0), -0.045 * (i + 0.5)
        draw(palette.near, (-half, y), (half, y), (half * 0.8, y - 0.016), (-half * 0.8, y - 0.016), strength=0.42)
    sail = mix(palette.light, palette.accents[0], 0.18)
    draw(sail, (0.02, 0.14), (0.04, 1.0), (0.20, 0.66), (0.30, 0.36), (0.34, 0.15))
    draw(mix(sail, palette.near, 0.25), (-0.03, 0.16), (-0.01, 0.86), (-0.16, 0.48), (-0.27, 0.16))
    draw(palette.near, (-0.36, 0.10), (0.40, 0.11), (0.30, 0.0), (-0.26, 0.0))
