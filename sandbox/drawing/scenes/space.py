"""Space, without an air between."""

from __future__ import annotations

from random import Random

from PIL import Image, ImageChops

from sandbox.drawing import canvas
from sandbox.drawing.canvas import Size, glow, gradient, short_side
from sandbox.drawing.creatures import cat_on_ledge
from sandbox.drawing.palettes import BLACK, Color, Palette, mix
from sandbox.drawing.planets import planet, ringed_planet
from sandbox.drawing.scenes.wish import Wish


def space(size: Size, palette: Palette, r: Random, wish: Wish) -> Image.Image:
    """A ringed world, a moon, a nebula and more stars than one can count."""
    width, height = size
    short = short_side(size)
    dark = mix(palette.sky[0], (3, 4, 14), 0.72)
    image = gradient(size, (dark, mix(dark, palette.sky[1], 0.25), mix(dark, BLACK, 0.4)))
    for i in range(3):
        tint = (palette.sky[2], palette.accents[0], palette.accents[3])[i]
        _nebula(image, r, tint, 0.75 - 0.15 * i)
    canvas.stars(image, r, height, 2.4)
    place = (width * r.choice((0.47, 0.53)), height * r.uniform(0.48, 0.55))
    radius = short * r.uniform(0.18, 0.205)
    lit = (-0.55, -0.45)
    glow(image, (place[0] - radius * 0.2, place[1] - radius * 0.2), radius * 1.7, palette.sky[-1], 0.55, 2.2)
    tints = [palette.sky[-1], palette.accents[0], palette.sky[2], palette.accents[1]]
    ringed_planet(image, place, radius, tints, palette, r, lit)
    other = (width * (0.80 if place[0] < width / 2 else 0.12), height * r.uniform(0.13, 0.2))
    small = planet(short * 0.055, [palette.haze, mix(palette.haze, palette.near, 0.4)], r, lit)
    image.paste(small.convert("RGB"), (round(other[0]), round(other[1])), small.getchannel("A"))
    if wish.cat:
        cat_on_ledge(image, palette, r, place)
    return image


def _nebula(image: Image.Image, r: Random, tint: Color, strength: float) -> None:
    small = (max(2, image.width // 6), max(2, image.height // 6))
    aspect = image.width / image.height
    cloud = canvas.noise(r, small, (2.6 * aspect**0.5, 2.6 / aspect**0.5), 5)
    curve = [round(255 * strength * min(1.0, max(0.0, (i - 118) / 100)) ** 1.7) for i in range(256)]
    light = Image.composite(Image.new("RGB", small, tint), Image.new("RGB", small), cloud.point(curve))
    image.paste(ImageChops.screen(image, light.resize(image.size, canvas.SMOOTH)))
