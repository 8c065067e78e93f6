"""A garden in flower."""

from __future__ import annotations

from math import cos, pi, sin
from random import Random

from PIL import Image, ImageDraw

from sandbox.drawing import canvas
from sandbox.drawing.canvas import Size, ground, mist, scale, short_side
from sandbox.drawing.palettes import BLACK, WHITE, Color, Palette, mix
from sandbox.drawing.scenery import sky, sun_place
from sandbox.drawing.subjects import Subject


def garden(size: Size, subject: Subject, r: Random) -> Image.Image:
    """Flowers from the hills at the horizon to the viewer."""
    width, height = size
    palette, short, horizon = subject.palette, short_side(size), height * 0.42
    sun = sun_place(size, r, 0.16, 0.24)
    image = sky(size, subject, r, horizon, sun, short * 0.05)
    green = mix(mix(palette.accents[3], (98, 158, 70), 0.72), palette.near, 0.35 if palette.night else 0.0)
    for i in range(3):
        line = canvas.rolling_line(r, width, horizon + short * 0.03 * i, short * (0.15 - 0.03 * i), 3 + i)
        ground(image, line, mix(mix(palette.haze, palette.sky[1], 0.3), green, 0.25 + 0.28 * i))
        mist(image, horizon - short * 0.06, horizon + short * 0.10, palette.haze, 0.35 - 0.08 * i)
    _meadow(image, palette, round(horizon + short * 0.04), green)
    _flowers(image, palette, r, horizon + short * 0.05, green)
    canvas.glow(image, sun, short * 0.8, palette.light, 0.35)
    return image


def _meadow(image: Image.Image, palette: Palette, top: int, green: Color) -> None:
    """Grass, pale far away and dark near by."""
    size = (image.width, image.height - top)
    far, near = mix(green, palette.haze, 0.42), mix(green, palette.near, 0.52)
    soft = canvas.fade(size, 255, 255)
    soft.paste(canvas.fade((size[0], 14), 0, 255), (0, 0))
    image.paste(canvas.gradient(size, (far, mix(far, near, 0.45), mix(green, palette.near, 0.3), near)), (0, top), soft)


def _flowers(image: Image.Image, palette: Palette, r: Random, top: float, green: Color) -> None:
    """Blossoms, small and many far away, large and few near by."""
    pink = palette.accents[0]
    tints = [pink, mix(pink, WHITE, 0.5), palette.accents[1], palette.accents[2], mix(pink, (150, 80, 200), 0.5)]
    sprites = [_blossom(r, tint, petals) for tint in tints for petals in (5, 9, 14)]
    pen, unit = ImageDraw.Draw(image), scale(image)
    for share, across in sorted((r.random(), r.random()) for _ in range(640)):
        reach = unit * (3.6 + 62 * share**2.0) * r.uniform(0.75, 1.25)
        if r.random() < (share - 0.30) * 1.15:
            continue
        x, y = image.width * (across * 1.1 - 0.05), top + (image.height - top) * share * 1.02
        if reach > unit * 7:
            foot = (x + r.uniform(-0.3, 0.3) * reach, y + reach * 2.2)
            pen.line([(x, y), foot], fill=mix(green, palette.near, 0.35), width=max(1, round(reach * 0.13)))
        side = max(3, round(reach * 1.5))
        size = (side, max(3, round(side * r.uniform(0.72, 1.0))))
        sprite = r.choice(sprites).resize(size, canvas.BILINEAR, reducing_gap=2.0)
        image.paste(sprite, (round(x - size[0] / 2), round(y - size[1] / 2)), sprite)


def _blossom(r: Random, tint: Color, petals: int) -> Image.Image:
    """One flower, 96 pixels wide, on nothing."""
    flower = Image.new("RGBA", (192, 192), (*tint, 0))
    pen = ImageDraw.Draw(flower)
    turn, steps = r.uniform(0, pi), [pi * i / 8 for i in range(16)]
    petal = [((1 - cos(t)) / 2, sin(t) * (1.5 - 0.5 * cos(t)) / petals) for t in steps]
    for ring, (length, tone) in enumerate(((92, mix(tint, BLACK, 0.16)), (83, tint), (51, mix(tint, WHITE, 0.28)))):
        for i in range(petals):
            along, across = (f(turn + pi * (2 * i + ring % 2) / petals) * length for f in (cos, sin))
            pen.polygon([(96 + a * along - b * across, 96 + a * across + b * along) for a, b in petal], (*tone, 255))
    heart = mix((250, 206, 84), tint, 0.12)
    for reach, tone in ((21, mix(heart, BLACK, 0.25)), (17, heart)):
        pen.ellipse((96 - reach, 95 - reach, 96 + reach, 95 + reach), fill=(*tone, 255))
    return flower.reduce(2)
