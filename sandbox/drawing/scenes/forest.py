"""A forest in the fog."""

from __future__ import annotations

from math import cos, pi, sin
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from sandbox.drawing import canvas
from sandbox.drawing.canvas import Point, Size, ground, mist, shapes, short_side
from sandbox.drawing.creatures import lit_cat, pine
from sandbox.drawing.palettes import BLACK, Color, Palette, mix
from sandbox.drawing.scenes.wish import Wish
from sandbox.drawing.sky import sky, snowfall, sun_place


def forest(size: Size, palette: Palette, r: Random, wish: Wish) -> Image.Image:
    """Pines in the morning fog, light between them."""
    width, height = size
    short = short_side(size)
    sun = sun_place(size, r, 0.24, 0.34)
    image = sky(size, palette, r, height * 0.8, sun, short * 0.05)
    for i in range(6):
        share = i / 5
        base = height * (0.52 + 0.42 * share)
        tall = min(height * 0.6, width * 0.8) * (0.20 + 0.62 * share**1.2)
        tone = mix(mix(palette.haze, palette.sky[1], 0.40), palette.near, 0.10 + 0.86 * share)
        line = canvas.rolling_line(r, width, base, height * 0.05, 4)
        _pines_beside_path(image, r, line, tall, tone, share)
        ground(image, line, tone)
        if i < 5:
            mist(image, base - tall * 0.6, base + height * 0.10, palette.haze, 0.55 * (1 - share * 0.8))
            if i == 2:
                _rays(image, palette, r, sun)
    if wish.cat:
        lit_cat(
            image,
            (width * 0.5, height * 0.95),
            short * 0.26,
            mix(palette.near, BLACK, 0.3),
            mix(palette.light, palette.haze, 0.3),
            sun[0] > width / 2,
        )
    if wish.snow:
        snowfall(image, r)
    return image


def _pines_beside_path(
    image: Image.Image, r: Random, line: list[Point], tall: float, tone: Color, share: float
) -> None:
    trees: list[list[Point]] = []
    x = -tall * 0.1
    while x < image.width + tall * 0.1:
        from_middle = abs(x / image.width - 0.5) * 2
        nearest = min(line, key=lambda p: abs(p[0] - x))
        if from_middle > share * 0.62 or r.random() < 0.10 * (1 - share):
            trees.append(pine((x, nearest[1] + tall * 0.04), tall * r.uniform(0.62, 1.15), r))
        x += tall * r.uniform(0.13, 0.32)
    shapes(image, trees, (0, 0, image.width, image.height), tone)


def _rays(image: Image.Image, palette: Palette, r: Random, sun: Point) -> None:
    small = (max(2, image.width // 4), max(2, image.height // 4))
    mask = Image.new("L", small)
    pen = ImageDraw.Draw(mask)
    x, y = sun[0] / 4, sun[1] / 4
    far = (small[0] ** 2 + small[1] ** 2) ** 0.5
    for _ in range(13):
        angle, half = r.uniform(0.12, pi - 0.12), r.uniform(0.008, 0.035)
        ends = [(x + far * cos(angle + d), y + far * sin(angle + d)) for d in (-half, half)]
        pen.polygon([(x, y), *ends], fill=r.randint(50, 120))
    reach = Image.new("L", small)
    reach.paste(canvas.round_light(round(far * 1.7), 1.0, 1.3), (round(x - far * 0.85), round(y - far * 0.85)))
    soft = ImageChops.multiply(mask.filter(ImageFilter.GaussianBlur(small[0] * 0.008)), reach)
    image.paste(palette.light, (0, 0), soft.resize(image.size, canvas.SMOOTH))
