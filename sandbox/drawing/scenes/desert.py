"""Dunes and balloons."""

from __future__ import annotations

from random import Random

from PIL import Image

from sandbox.drawing import canvas
from sandbox.drawing.canvas import Point, Size, ground, mist, scale, shape, short_side
from sandbox.drawing.creatures import balloon, lit_cat
from sandbox.drawing.palettes import WHITE, Color, Palette, mix
from sandbox.drawing.scenes.wish import Wish
from sandbox.drawing.sky import sky, sun_place


def desert(size: Size, palette: Palette, r: Random, wish: Wish) -> Image.Image:
    """Dunes in low light, balloons above them."""
    width, height = size
    short = short_side(size)
    horizon = height * 0.60
    sun = sun_place(size, r, 0.34, 0.42)
    image = sky(size, palette, r, horizon, sun, short * 0.05)
    sand = mix(mix(palette.sky[-1], (236, 184, 122), 0.5), palette.accents[0], 0.10)
    for i in range(5):
        share = i / 4
        lit = mix(mix(palette.haze, sand, 0.35 + 0.5 * share), palette.near, 0.10 * share)
        dark = mix(lit, mix(palette.near, palette.sky[0], 0.45), 0.34 + 0.26 * share)
        base = horizon + (height - horizon) * (0.04 + 0.62 * share**1.2)
        _dune(image, r, base, short * (0.10 + 0.22 * share), lit, dark, -1 if sun[0] > width / 2 else 1)
        mist(image, horizon - short * 0.10, base + short * 0.10, palette.haze, 0.34 * (1 - share))
    for i in range(5):
        away = (0.30, 0.52, 0.62, 0.80, 1.0)[i]
        x = width * ((0.12, 0.46, 0.60, 0.88)[i] + r.uniform(-0.05, 0.05) if i < 4 else 0.28)
        x = x if sun[0] > width / 2 else width - x
        y = height * r.uniform(0.12, 0.42) if i < 4 else height * 0.30
        pair = [palette.accents[i % 4], mix(palette.accents[(i + 1) % 4], WHITE, 0.3)]
        faded = [mix(c, palette.haze, 0.55 * (1 - away)) for c in pair]
        balloon(image, (x, y), short * 0.115 * away, faded, mix(palette.near, palette.haze, 0.45 * (1 - away)))
    if wish.cat:
        lit_cat(image, (width * 0.5, height * 0.94), short * 0.30, palette.near, palette.light, sun[0] > width / 2)
    return image


def _dune(image: Image.Image, r: Random, base: float, rise: float, lit: Color, dark: Color, way: int) -> None:
    """A dune: its slope lit, each crest winding down between light and a shadow on the `way` side (-1 or 1)."""
    line = canvas.rolling_line(r, image.width, base, rise, r.choice((3, 4)))
    ground(image, line, lit)
    heights = [y for _, y in line]
    for top in range(1, len(line) - 1):
        if heights[top] < heights[top - 1] and heights[top] <= heights[top + 1]:
            foot = top
            while 0 <= foot + way < len(line) and heights[foot + way] >= heights[foot]:
                foot += way
            _dune_shadow(image, line[top : foot + 1] if way > 0 else line[foot : top + 1][::-1], rise, dark)


def _dune_shadow(image: Image.Image, side: list[Point], rise: float, dark: Color) -> None:
    if len(side) < 4:
        return
    (x, y), (end, low) = side[0], side[-1]
    run, fall = end - x, max(low - y, rise * 0.15)
    crest = [
        (x, y),
        (x + run * 0.13, y + fall * 0.45),
        (x - run * 0.03, y + fall * 1.0),
        (x + run * 0.16, y + fall * 1.7),
        (x + run * 0.10, y + fall * 2.6),
    ]
    hem = [crest[-1], (x + run * 0.45, y + fall * 1.95), (x + run * 0.75, y + fall * 1.35), (end, low)]
    outline = [*side, *canvas.smooth_line(hem[::-1], 8), *canvas.smooth_line(crest[::-1], 8)]
    shape(image, outline, dark, 0.85, 0.7 * scale(image))
