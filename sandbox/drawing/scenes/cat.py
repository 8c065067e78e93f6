"""A cat on a roof."""

from __future__ import annotations

from random import Random

from PIL import Image, ImageDraw

from sandbox.drawing import canvas
from sandbox.drawing.canvas import Point, Size, ground, mist, scale, shape, short_side
from sandbox.drawing.creatures import birds, lit_cat
from sandbox.drawing.palettes import Color, Palette, mix
from sandbox.drawing.planets import planet_in_sky
from sandbox.drawing.scenes.wish import Wish
from sandbox.drawing.sky import sky


def cat(size: Size, palette: Palette, r: Random, wish: Wish) -> Image.Image:
    """A cat before a huge moon, roofs below."""
    width, height = size
    short = short_side(size)
    roof = height * 0.80
    side = r.choice((-1, 1))
    moon = (width * (0.5 + 0.06 * side), height * 0.46)
    radius = short * 0.27
    image = sky(size, palette, r, height * 0.92, moon, radius)
    if wish.dream:
        planet_in_sky(image, palette, r, (width * (0.5 - 0.36 * side), height * 0.18), short * 0.08)
    canvas.clouds(image, r, height * 0.9, mix(palette.sky[-1], palette.light, 0.3), 0.40, (1.6, 9))
    for i in range(2):
        _roofs(image, palette, r, height * (0.80 + 0.06 * i), mix(palette.haze, palette.near, 0.35 + 0.3 * i), short)
    mist(image, height * 0.70, height * 0.92, palette.haze, 0.45)
    crown = [(-2, roof + height * 0.10), (width * (0.5 + 0.10 * side), roof), (width + 2, roof + height * 0.10)]
    ground(image, crown, palette.near)
    _tiles(image, palette, crown)
    foot = (width * (0.5 + 0.10 * side), roof + height * 0.012)
    lit_cat(image, foot, short * 0.44, palette.near, mix(palette.light, palette.sky[-1], 0.25), side < 0)
    birds(image, r, (width * (0.5 - 0.3 * side), height * 0.2), short * 0.02, mix(palette.near, palette.sky[1], 0.3))
    return image


def _roofs(image: Image.Image, palette: Palette, r: Random, base: float, tone: Color, short: float) -> None:
    x = -short * 0.1
    pen = ImageDraw.Draw(image)
    while x < image.width:
        wide, tall = short * r.uniform(0.12, 0.22), short * r.uniform(0.04, 0.11)
        house = [(x, image.height), (x, base), (x + wide / 2, base - tall), (x + wide, base), (x + wide, image.height)]
        shape(image, house, tone)
        pen.rectangle((x + wide * 0.7, base - tall * 0.95, x + wide * 0.78, base - tall * 0.2), fill=tone)
        for k in range(2):
            if r.random() < 0.7:
                left, top = x + wide * (0.22 + 0.34 * k), base + short * 0.018
                pen.rectangle((left, top, left + wide * 0.13, top + wide * 0.17), fill=mix(tone, (255, 205, 120), 0.85))
        x += wide * r.uniform(0.9, 1.1)


def _tiles(image: Image.Image, palette: Palette, crown: list[Point]) -> None:
    unit = scale(image)
    edge = mix(palette.near, palette.light, 0.30)
    shape(image, canvas.stroke(crown, (unit * 3, unit * 3)), edge, 0.8)
    for i in range(1, 9):
        lower = [(x, y + i * unit * 19) for x, y in crown]
        shape(image, canvas.stroke(lower, (unit * 1.6, unit * 1.6)), edge, 0.22)
