"""The sky: its light, what shines in it, what falls from it."""

from __future__ import annotations

from math import cos, pi, sin
from random import Random

from PIL import Image, ImageDraw

from sandbox.drawing import canvas
from sandbox.drawing.canvas import Point, Size, disc, glow, gradient, scale
from sandbox.drawing.palettes import WHITE, Color, Palette, mix


def sky(size: Size, palette: Palette, r: Random, horizon: float, sun: Point, radius: float) -> Image.Image:
    """The sky with its light, stars at night and clouds; below the horizon its last colour goes on."""
    image = Image.new("RGB", size, palette.sky[-1])
    image.paste(gradient((size[0], max(2, round(horizon))), palette.sky), (0, 0))
    unit = scale(image)
    if palette.night:
        canvas.stars(image, r, horizon)
    glow(image, sun, radius * 7.5, mix(palette.light, palette.sky[-1], 0.45), 0.75, 2.2)
    canvas.clouds(
        image, r, horizon, mix(palette.light, palette.sky[-2], 0.35), 0.30 if palette.night else 0.62, (2.2, 7)
    )
    glow(image, sun, radius * 2.6, palette.light, 0.9, 2.4)
    disc(image, sun, radius, mix(palette.light, WHITE, 0.35), 1.0, 0.7 * unit)
    if palette.night:
        _craters(image, sun, radius, mix(palette.light, palette.sky[2], 0.35), r)
    return image


def _craters(image: Image.Image, center: Point, radius: float, color: Color, r: Random) -> None:
    for _ in range(9):
        angle, far = r.uniform(0, 2 * pi), radius * r.uniform(0.1, 0.62)
        spot = (center[0] + cos(angle) * far, center[1] + sin(angle) * far)
        disc(image, spot, radius * r.uniform(0.07, 0.24), color, 0.35, radius * 0.06)


def sun_place(size: Size, r: Random, low: float, high: float) -> Point:
    """A place for the sun or the moon, off the middle, between two heights."""
    side = r.choice((0.30, 0.36, 0.64, 0.70))
    return size[0] * (side + r.uniform(-0.03, 0.03)), size[1] * r.uniform(low, high)


def snowfall(image: Image.Image, r: Random) -> None:
    """Flakes, near and far."""
    unit = scale(image)
    pen = ImageDraw.Draw(image, "RGBA")
    for _ in range(260):
        reach = unit * r.uniform(0.8, 3.4)
        x, y = r.uniform(0, image.width), r.uniform(0, image.height)
        pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=(255, 255, 255, r.randint(60, 190)))
