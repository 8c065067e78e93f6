"""Brushes: gradients, light, clouds, soft shapes, water and grain, all repeatable from a seeded random source."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, cos, hypot, pi, sin, sqrt
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from sandbox.drawing.palettes import Color

Point = tuple[float, float]
Size = tuple[int, int]
BILINEAR, BICUBIC = Image.Resampling.BILINEAR, Image.Resampling.BICUBIC
FINE = 2  # shapes are drawn this much larger, then reduced


def scale(image: Image.Image) -> float:
    """The size of one point: 1.0 in a picture of a million pixels."""
    return float((image.width * image.height / 1_048_576) ** 0.5)


def short_side(size: Size) -> float:
    """The measure of large things in a picture of any shape, in pixels."""
    return min(size[0], size[1] * 1.15, sqrt(size[0] * size[1]))


def gradient(size: Size, stops: Sequence[Color]) -> Image.Image:
    """A vertical gradient through the colours, top to bottom."""
    strip = Image.new("RGB", (1, len(stops)))
    strip.putdata(list(stops))
    return strip.resize(size, BICUBIC, box=(0, 0.5, 1, len(stops) - 0.5))


def fade(size: Size, top: int, bottom: int) -> Image.Image:
    """A mask that changes evenly from one strength (0 to 255) at its top to another at its bottom."""
    return gradient(size, [(top,) * 3, (bottom,) * 3]).getchannel("R")


def round_light(diameter: float, strength: float, falloff: float) -> Image.Image:
    """A mask that is strongest in its middle and 0 at its rim."""
    curve = [round(255 * strength * max(0.0, 1 - i / 180) ** falloff) for i in range(256)]
    side = max(2, round(diameter))
    return Image.radial_gradient("L").point(curve).resize((side, side), BILINEAR)


def glow(image: Image.Image, center: Point, radius: float, color: Color, strength: float, falloff: float = 2.2) -> None:
    """Adds light around a place, as a lamp does in mist."""
    mask = round_light(radius * 2, strength, falloff)
    left, top = round(center[0] - radius), round(center[1] - radius)
    box = (max(0, left), max(0, top), min(image.width, left + mask.width), min(image.height, top + mask.height))
    if box[0] < box[2] and box[1] < box[3]:
        mask = mask.crop((box[0] - left, box[1] - top, box[2] - left, box[3] - top))
        light = Image.composite(Image.new("RGB", mask.size, color), Image.new("RGB", mask.size), mask)
        image.paste(ImageChops.screen(image.crop(box), light), box[:2])


def fill(
    image: Image.Image, color: Color, *outlines: Sequence[Point], strength: float = 1.0, blur: float = 0.0
) -> None:
    """Fills outlines with a colour. Their edges are smooth, and soft over about `blur` pixels."""
    points = [point for outline in outlines for point in outline]
    if not points:
        return
    margin = blur * 3 + 1
    left, top = (max(0, int(min(p[axis] for p in points) - margin)) for axis in (0, 1))
    right, bottom = (min(image.size[axis], ceil(max(p[axis] for p in points) + margin)) for axis in (0, 1))
    if left >= right or top >= bottom:
        return
    mask = Image.new("L", ((right - left) * FINE, (bottom - top) * FINE))
    pen = ImageDraw.Draw(mask)
    for outline in outlines:
        pen.polygon([((x - left) * FINE, (y - top) * FINE) for x, y in outline], fill=round(255 * strength))
    mask = mask.reduce(FINE)
    image.paste(color, (left, top, right, bottom), mask.filter(ImageFilter.GaussianBlur(blur)) if blur else mask)


def ellipse(center: Point, across: float, up: float, steps: int = 60) -> list[Point]:
    """The outline of an ellipse, from its two radii."""
    angles = [2 * pi * i / steps for i in range(steps)]
    return [(center[0] + across * cos(angle), center[1] + up * sin(angle)) for angle in angles]


def smooth_line(points: Sequence[Point], steps: int = 8, closed: bool = False) -> list[Point]:
    """A curve through all the points (Catmull-Rom)."""
    last = len(points) - 1
    line: list[Point] = []
    for i in range(len(points) if closed else last):
        near = [points[k % len(points)] if closed else points[min(max(k, 0), last)] for k in range(i - 1, i + 3)]
        for step in range(steps):
            t = step / steps
            weights = ((2 - t) * t - 1) * t, (3 * t - 5) * t * t + 2, ((4 - 3 * t) * t + 1) * t, (t - 1) * t * t
            x, y = (sum(w * p[axis] for w, p in zip(weights, near, strict=True)) / 2 for axis in (0, 1))
            line.append((x, y))
    return line if closed else [*line, points[-1]]


def stroke(points: Sequence[Point], widths: Sequence[float]) -> list[Point]:
    """The outline of a line whose width changes along its way."""
    left: list[Point] = []
    right: list[Point] = []
    last = len(points) - 1
    for i, (x, y) in enumerate(points):
        before, after = points[max(i - 1, 0)], points[min(i + 1, last)]
        dx, dy = after[0] - before[0], after[1] - before[1]
        place = i / last * (len(widths) - 1)
        at = min(int(place), len(widths) - 2)
        half = (widths[at] + (widths[at + 1] - widths[at]) * (place - at)) / 2 / (hypot(dx, dy) or 1.0)
        left.append((x - dy * half, y + dx * half))
        right.append((x + dy * half, y - dx * half))
    return left + right[::-1]


def jagged_line(r: Random, start: Point, end: Point, roughness: float, steps: int = 14) -> list[Point]:
    """A line between two points whose points stray by up to `roughness` pixels."""
    line = []
    for i in range(steps + 1):
        t, stray = i / steps, roughness if 0 < i < steps else 0.0
        x, y = (start[axis] + (end[axis] - start[axis]) * t + r.uniform(-1, 1) * stray for axis in (0, 1))
        line.append((x, y))
    return line


def rolling_line(r: Random, width: int, base: float, height: float, hills: int) -> list[Point]:
    """The line of soft hills from left to right."""
    knots = [
        ((i - 0.5) / hills * width, base - r.uniform(-0.5, 0.5) * height * (1 if i % 2 else -0.4))
        for i in range(hills + 2)
    ]
    return smooth_line(knots, 16)


def ground(image: Image.Image, line: Sequence[Point], color: Color) -> None:
    """Fills everything below a line."""
    right, bottom = image.width + 2, image.height + 2
    fill(image, color, [(-2, bottom), (-2, line[0][1]), *line, (right, line[-1][1]), (right, bottom)])


def mist(image: Image.Image, top: float, bottom: float, color: Color, strength: float) -> None:
    """A veil that thickens towards its bottom and ends there."""
    top, bottom = max(0, round(top)), min(image.height, round(bottom))
    if top < bottom:
        image.paste(color, (0, top, image.width, bottom), fade((image.width, bottom - top), 0, round(255 * strength)))


def noise(r: Random, size: Size, cells: tuple[float, float], octaves: int = 3) -> Image.Image:
    """Soft noise: a mask whose features are about 1/cells of the picture wide and high."""
    layer = Image.new("L", size)
    for octave in range(octaves):
        columns, rows = (max(2, round(cell * 2**octave)) for cell in cells)
        finer = Image.frombytes("L", (columns, rows), r.randbytes(columns * rows)).resize(size, BICUBIC)
        layer = Image.blend(layer, finer, 0.40 * 0.62 ** (octave - 1)) if octave else finer
    return layer


def clouds(image: Image.Image, r: Random, bottom: float, color: Color, strength: float) -> None:
    """Clouds over the upper part of the picture, fainter towards `bottom`."""
    size = (image.width, max(2, round(bottom)))
    small = (max(2, size[0] // 4), max(2, size[1] // 4))
    ramp = [round(255 * strength * min(1.0, max(0.0, (i - 120) / 90)) ** 1.3) for i in range(256)]
    mask = ImageChops.multiply(noise(r, small, (2.2, 7), 4).point(ramp), fade(small, 255, 40))
    image.paste(color, (0, 0, *size), mask.resize(size, BICUBIC))


def dots(image: Image.Image, r: Random, count: int, bottom: float, reach: tuple[float, float]) -> None:
    """White dots such as stars or flakes: `reach` is the least and the greatest radius in points."""
    pen = ImageDraw.Draw(image, "RGBA")
    for _ in range(count):
        x, y, size = r.uniform(0, image.width), bottom * r.random(), r.random() ** 2
        radius = scale(image) * (reach[0] + (reach[1] - reach[0]) * size)
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(255, 255, 255, 70 + round(165 * size)))


def mirror(image: Image.Image, horizon: float, tint: Color, share: float, r: Random) -> None:
    """Still water below the horizon: what stands above it upside down, broken by ripples towards the viewer."""
    top = round(horizon)
    depth = image.height - top
    if depth < 4 or top < 1:
        return
    above = image.crop((0, max(0, top - round(depth * 1.25)), image.width, top))
    flipped = above.transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize((image.width, depth), BILINEAR)
    flipped = flipped.filter(ImageFilter.BoxBlur(1.2 * scale(image)))
    water = Image.blend(flipped, Image.new("RGB", flipped.size, tint), share)
    y = 0
    while y < depth:
        near = y / depth
        bottom = min(depth, y + round(1 + near * 5))
        row = water.crop((0, y, water.width, bottom))
        water.paste(ImageChops.offset(row, round(r.gauss(0, 1) * (0.5 + near * 7)), 0), (0, y))
        y = bottom
    image.paste(water, (0, top))


def tiled(tile: Image.Image, size: Size) -> Image.Image:
    """A small texture repeated over a size, in three equal channels."""
    sheet = Image.new("L", size)
    for x in range(0, size[0], tile.width):
        for y in range(0, size[1], tile.height):
            sheet.paste(tile, (x, y))
    return Image.merge("RGB", (sheet, sheet, sheet))


def grain(image: Image.Image, r: Random, amount: int = 2) -> Image.Image:
    """Film grain, which also keeps gradients from showing steps."""
    table = [128 + round((i / 255 - 0.5) * 2 * amount) for i in range(256)]
    speck = Image.frombytes("L", (512, 512), r.randbytes(512 * 512)).point(table)
    return ImageChops.add(image, tiled(speck, image.size), 1, -128)


def vignette(image: Image.Image, strength: float) -> Image.Image:
    """Darker towards the corners, so that the eye stays inside."""
    curve = [255 - round(255 * strength * max(0.0, (i - 90) / 165) ** 1.8) for i in range(256)]
    mask = Image.radial_gradient("L").point(curve).resize(image.size, BILINEAR)
    return ImageChops.multiply(image, Image.merge("RGB", (mask, mask, mask)))
