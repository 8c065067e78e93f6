"""The sea and the light on it."""

from __future__ import annotations

from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from sandbox.drawing import canvas
from sandbox.drawing.canvas import Size, gradient, scale, shape, short_side
from sandbox.drawing.creatures import birds, cat_on_ledge, sailing_boat
from sandbox.drawing.palettes import WHITE, Palette, mix
from sandbox.drawing.scenes.wish import Wish
from sandbox.drawing.sky import sky, sun_place


def sea(size: Size, palette: Palette, r: Random, wish: Wish) -> Image.Image:
    """A low sun over the water, its path to us, islands and a boat."""
    width, height = size
    horizon = height * r.uniform(0.52, 0.58)
    short = short_side(size)
    radius = short * r.uniform(0.055, 0.075)
    sun = (sun_place(size, r, 0, 0)[0], horizon - radius * r.uniform(0.9, 2.6))
    image = sky(size, palette, r, horizon, sun, radius)
    for i in range(3):
        side = r.uniform(0.0, 1.0)
        line = canvas.rough_line(r, width, horizon + short * 0.01, short * 0.05 * (1 + i * 0.4), 0.45)
        lifted = [(x, y + abs(x / width - side) * short * 0.35) for x, y in line]
        shape(
            image,
            [*lifted, (width, horizon + short), (0, horizon + short)],
            mix(palette.haze, palette.near, 0.22 + i * 0.16),
        )
    _water(image, palette, r, horizon)
    glitter(image, palette, r, horizon, sun[0], 0.95)
    boat_x = sun[0] + width * (0.20 if sun[0] < width / 2 else -0.22)
    boat = short * r.uniform(0.12, 0.16)
    foot = (boat_x, horizon + height * 0.075)
    for i in range(14):
        y = foot[1] + (i + 0.5) * boat * 0.045
        half = boat * (0.34 - 0.018 * i) * r.uniform(0.6, 1.0)
        shape(
            image,
            [
                (foot[0] - half, y),
                (foot[0] + half, y),
                (foot[0] + half * 0.8, y + boat * 0.016),
                (foot[0] - half * 0.8, y + boat * 0.016),
            ],
            palette.near,
            0.42,
        )
    sailing_boat(image, foot, boat, palette.near, mix(palette.light, palette.accents[0], 0.18))
    birds(image, r, (width - sun[0], horizon * 0.42), short * 0.022, mix(palette.near, palette.sky[1], 0.3))
    _waves(image, palette, r, horizon)
    if wish.cat:
        cat_on_ledge(image, palette, r, sun)
    return image


def _water(image: Image.Image, palette: Palette, r: Random, horizon: float) -> None:
    top = round(horizon)
    far = mix(palette.sky[-1], palette.sky[1], 0.30)
    middle = mix(palette.sky[1], palette.near, 0.20)
    near = mix(palette.sky[0], palette.near, 0.55)
    depth = image.height - top
    water = gradient((image.width, depth), (far, mix(far, middle, 0.7), middle, near))
    swell = canvas.noise(r, (image.width // 4, depth // 4 + 1), (5, 26), 3).resize((image.width, depth), canvas.SMOOTH)
    light = swell.point([round(110 * max(0.0, (i - 128) / 127) ** 1.2) for i in range(256)])
    dark = swell.point([round(120 * max(0.0, (118 - i) / 118) ** 1.2) for i in range(256)])
    water.paste(mix(palette.sky[-2], palette.light, 0.2), (0, 0), light)
    water.paste(near, (0, 0), ImageChops.multiply(dark, canvas.fade(dark.size, 60, 255)))
    image.paste(water, (0, top))


def _waves(image: Image.Image, palette: Palette, r: Random, horizon: float) -> None:
    unit = scale(image)
    crest = mix(palette.light, palette.sky[-2], 0.35)
    for i in range(7):
        near = (i + 1) / 7
        y = horizon + (image.height - horizon) * near**1.4 * 0.97
        knots = [(image.width * k / 7, y + r.uniform(-1, 1) * unit * 7 * near) for k in range(-1, 9)]
        line = canvas.smooth_line(knots, 8)
        cut = r.randint(0, len(line) // 2)
        piece = line[cut : cut + r.randint(16, 34)]
        if len(piece) > 4:
            shape(image, canvas.stroke(piece, (0.2, unit * 3.2 * near, unit * 1.4 * near, 0.2)), crest, 0.5, 0.6 * unit)


def glitter(image: Image.Image, palette: Palette, r: Random, horizon: float, x: float, strength: float) -> None:
    """The light's path on the water."""
    depth = image.height - horizon
    unit = scale(image)
    mask = Image.new("L", image.size)
    pen = ImageDraw.Draw(mask)
    rows = round(150 * max(1.0, depth / image.height * 2))
    for i in range(rows):
        near = (i / rows) ** 1.6
        y = horizon + depth * near * 0.98
        spread = image.width * (0.012 + 0.085 * near)
        for _ in range(4):
            half = unit * (2 + 26 * near) * r.uniform(0.4, 1.2)
            at = x + r.gauss(0, 1) * spread
            thick = max(0.6, unit * (0.5 + 1.7 * near))
            level = round(255 * strength * r.uniform(0.35, 1.0) * (1 - 0.45 * near))
            pen.ellipse((at - half, y - thick, at + half, y + thick), fill=level)
    image.paste(mix(palette.light, WHITE, 0.2), (0, 0), mask.filter(ImageFilter.GaussianBlur(0.8 * unit)))
