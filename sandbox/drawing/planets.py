"""Worlds seen from afar."""

from __future__ import annotations

from math import pi, sin
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from sandbox.drawing import canvas
from sandbox.drawing.canvas import Point, Size, gradient
from sandbox.drawing.palettes import WHITE, Color, Palette, mix


def planet_in_sky(image: Image.Image, palette: Palette, r: Random, center: Point, radius: float) -> None:
    """A pale world behind the air, for dreams."""
    world = planet(radius, [mix(c, palette.sky[1], 0.35) for c in palette.accents[:3]], r, lit_from=(-0.4, -0.5))
    mask = world.getchannel("A").point([round(i * 0.72) for i in range(256)])
    veil = canvas.fade(mask.size, 255, 90)
    image.paste(
        world.convert("RGB"), (round(center[0] - radius), round(center[1] - radius)), ImageChops.multiply(mask, veil)
    )


def ringed_planet(
    image: Image.Image, place: Point, radius: float, tints: list[Color], palette: Palette, r: Random, lit: Point
) -> None:
    """A world whose rings pass behind it and before it."""
    ring = _rings(radius, palette, r)
    corner = (round(place[0] - ring.width / 2), round(place[1] - ring.height / 2))
    image.paste(ring.convert("RGB"), corner, ring.getchannel("A"))
    globe = planet(radius, tints, r, lit)
    image.paste(globe.convert("RGB"), (round(place[0] - radius), round(place[1] - radius)), globe.getchannel("A"))
    front = ring.getchannel("A")
    hidden = Image.new("L", front.size)
    ImageDraw.Draw(hidden).polygon(_below_tilt(front.size), fill=255)
    image.paste(ring.convert("RGB"), corner, ImageChops.multiply(front, hidden))


RING_TILT = 0.30  # radians


def _below_tilt(size: Size) -> list[Point]:
    width, height = size
    rise = width / 2 * sin(RING_TILT)
    return [(0, height / 2 + rise), (width, height / 2 - rise), (width, height), (0, height)]


def _rings(radius: float, palette: Palette, r: Random) -> Image.Image:
    side = round(radius * 4.6)
    flat = Image.new("L", (side, side))
    pen = ImageDraw.Draw(flat)
    reach = 2.2
    while reach > 1.32:
        level = 0 if 1.74 < reach < 1.80 else r.randint(70, 225)
        half = radius * reach
        pen.ellipse((side / 2 - half, side / 2 - half, side / 2 + half, side / 2 + half), fill=level)
        reach -= r.uniform(0.012, 0.05)
    half = radius * 1.32
    pen.ellipse((side / 2 - half, side / 2 - half, side / 2 + half, side / 2 + half), fill=0)
    squeezed = Image.new("L", (side, side))
    thin = flat.resize((side, round(side * 0.26)), Image.Resampling.BICUBIC, reducing_gap=3.0)
    squeezed.paste(thin, (0, (side - thin.height) // 2))
    turned = squeezed.rotate(RING_TILT * 180 / pi, Image.Resampling.BICUBIC)
    tint = gradient(
        (side, side), (mix(palette.light, palette.accents[1], 0.35), mix(palette.sky[-1], palette.near, 0.25))
    )
    tint.putalpha(turned.point([round(i * 0.86) for i in range(256)]))
    return tint


def planet(radius: float, tints: list[Color], r: Random, lit_from: Point) -> Image.Image:
    """A world with bands, lit from one side, on nothing."""
    side = max(4, round(radius * 2))
    bands = Image.new("RGB", (1, 26))
    for y in range(26):
        bands.putpixel(
            (0, y), mix(tints[0], mix(r.choice(tints), r.choice(tints), r.random()), 0.62 * r.random() ** 0.7)
        )
    texture = bands.resize((side, side), canvas.SMOOTH)
    swirl = canvas.noise(r, (side, side), (2.4, 11), 3).point([round(max(0, i - 120) * 0.9) for i in range(256)])
    texture.paste(mix(tints[0], WHITE, 0.35), (0, 0), swirl)
    texture = texture.rotate(-17, Image.Resampling.BILINEAR).crop(
        (side // 8, side // 8, side - side // 8, side - side // 8)
    )
    texture = texture.resize((side, side), Image.Resampling.BICUBIC)
    light = canvas.round_light(round(side * 2.0), 1.0, 1.25).point([min(255, round(i * 1.75)) for i in range(256)])
    at = (
        round(side / 2 + lit_from[0] * side / 2 - light.width / 2),
        round(side / 2 + lit_from[1] * side / 2 - light.height / 2),
    )
    shade = Image.new("L", (side, side), 8)
    shade.paste(light, at)
    shade = shade.filter(ImageFilter.GaussianBlur(side * 0.01))
    globe = ImageChops.multiply(texture, Image.merge("RGB", (shade, shade, shade)))
    outline = Image.new("L", (side * 2, side * 2))
    ImageDraw.Draw(outline).ellipse((1, 1, side * 2 - 2, side * 2 - 2), fill=255)
    globe.putalpha(outline.reduce(2))
    return globe
