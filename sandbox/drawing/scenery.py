"""What several scenes have in common: a sky, trees, light on water, a cat."""

from __future__ import annotations

from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from sandbox.drawing import canvas
from sandbox.drawing.canvas import Point, Size, ellipse, fill, glow, ground, scale, smooth_line, stroke
from sandbox.drawing.palettes import WHITE, Palette, mix
from sandbox.drawing.subjects import Subject

CAT_BODY = (
    (0.0, 0.0), (0.24, 0.0), (0.335, 0.07), (0.335, 0.20), (0.285, 0.36), (0.21, 0.50), (0.155, 0.60), (0.13, 0.70),
    (-0.13, 0.70), (-0.155, 0.60), (-0.21, 0.50), (-0.285, 0.36), (-0.335, 0.20), (-0.335, 0.07), (-0.24, 0.0),
)  # fmt: skip
CAT_TAIL = ((0.24, 0.05), (0.46, 0.03), (0.60, 0.12), (0.58, 0.27), (0.50, 0.33))
CAT_EAR = ((0.192, 0.77), (0.20, 0.88), (0.178, 1.02), (0.115, 0.955), (0.05, 0.89))


def sun_place(size: Size, r: Random, low: float, high: float) -> Point:
    """A place for the sun or the moon, off the middle, between two heights (0 is the top, 1 the bottom)."""
    return size[0] * (r.choice((0.30, 0.36, 0.64, 0.70)) + r.uniform(-0.03, 0.03)), size[1] * r.uniform(low, high)


def sky(size: Size, subject: Subject, r: Random, horizon: float, sun: Point, radius: float) -> Image.Image:
    """The sky with its light, clouds, and stars at night; below the horizon its last colour goes on."""
    palette = subject.palette
    image = Image.new("RGB", size, palette.sky[-1])
    image.paste(canvas.gradient((size[0], max(2, round(horizon))), palette.sky), (0, 0))
    if palette.night:
        canvas.dots(image, r, round(size[0] * horizon / 4000), horizon, (0.4, 2.0))
    if subject.planet:
        _planet(image, palette, r, (size[0] - sun[0], horizon * 0.42), canvas.short_side(size) * 0.19)
    glow(image, sun, radius * 7.5, mix(palette.light, palette.sky[-1], 0.45), 0.75)
    cloud = mix(palette.light, palette.sky[-2], 0.35)
    canvas.clouds(image, r, horizon, cloud, 0.30 if palette.night else 0.62)
    glow(image, sun, radius * 2.6, palette.light, 0.9)
    fill(image, mix(palette.light, WHITE, 0.35), ellipse(sun, radius, radius), blur=0.7 * scale(image))
    return image


def _planet(image: Image.Image, palette: Palette, r: Random, center: Point, radius: float) -> None:
    """A pale world with bands, fainter towards its lower edge."""
    side = max(4, round(radius * 2))
    tints = [mix(accent, palette.sky[1], 0.35) for accent in palette.accents[:3]]
    bands = canvas.gradient((side, side), [mix(r.choice(tints), r.choice(tints), r.random()) for _ in range(16)])
    bands = bands.rotate(-17, canvas.BICUBIC, fillcolor=tints[0])
    disc = Image.new("L", (side * 2, side * 2))
    ImageDraw.Draw(disc).ellipse((1, 1, side * 2 - 2, side * 2 - 2), fill=255)
    mask = ImageChops.multiply(disc.reduce(2), canvas.fade((side, side), 220, 70))
    image.paste(bands, (round(center[0] - radius), round(center[1] - radius)), mask)


def pine(foot: Point, height: float, r: Random) -> list[Point]:
    """A pine's outline, its branches a little ragged."""
    x, y = foot
    tiers = 6 if height < 60 else 9
    right: list[Point] = [(x, y - height)]
    left: list[Point] = []
    for tier in range(1, tiers + 1):
        share = tier / tiers
        reach, level = height * 0.21 * share**0.9, y - height * (1 - share * 0.93)
        for side, edge in ((1, right), (-1, left)):
            tip = reach * r.uniform(0.82, 1.12)
            edge += [(x + side * tip, level), (x + side * reach * 0.45, level - height * 0.018)]
    trunk = height * 0.02
    return [*right, (x + trunk, y + 4), (x - trunk, y + 4), *left[::-1]]


def glitter(image: Image.Image, subject: Subject, r: Random, horizon: float, x: float, strength: float) -> None:
    """The light's path on the water."""
    depth, unit = image.height - horizon, scale(image)
    mask = Image.new("L", image.size)
    pen = ImageDraw.Draw(mask)
    rows = round(150 * max(1.0, depth / image.height * 2))
    for i in range(rows):
        near = (i / rows) ** 1.6
        y, thick = horizon + depth * near * 0.98, max(0.6, unit * (0.5 + 1.7 * near))
        for _ in range(4):
            half = unit * (2 + 26 * near) * r.uniform(0.4, 1.2)
            at = x + r.gauss(0, 1) * image.width * (0.012 + 0.085 * near)
            level = round(255 * strength * r.uniform(0.35, 1.0) * (1 - 0.45 * near))
            pen.ellipse((at - half, y - thick, at + half, y + thick), fill=level)
    light = mix(subject.palette.light, WHITE, 0.2)
    image.paste(light, (0, 0), mask.filter(ImageFilter.GaussianBlur(0.8 * unit)))


def add_cat(image: Image.Image, subject: Subject, r: Random) -> None:
    """A cat that sits at the lower edge with its back to the viewer, a line of light along one side."""
    width, height = image.size
    palette = subject.palette
    side = r.choice((-1, 1))
    tall = canvas.short_side(image.size) * 0.42
    foot = (width * (0.5 + 0.17 * side), height * 0.94)
    ground(image, [(-2, height), (foot[0] - tall, foot[1]), (foot[0] + tall, foot[1]), (width, height)], palette.near)
    rim = mix(palette.light, palette.accents[0], 0.5 if palette.night else 0.1)
    outlines = [
        smooth_line(CAT_BODY, closed=True),
        stroke(smooth_line(CAT_TAIL), (0.11, 0.10, 0.085, 0.06)),
        ellipse(CAT_TAIL[-1], 0.03, 0.03),
        ellipse((0.0, 0.76), 0.195, 0.16),
        CAT_EAR,
        [(-x, y) for x, y in CAT_EAR],
    ]
    for color, shift in ((rim, tall * 0.008), (palette.near, 0.0)):
        left, base = foot[0] - side * shift, foot[1] - shift
        fill(image, color, *([(left + x * side * tall, base - y * tall) for x, y in one] for one in outlines))
