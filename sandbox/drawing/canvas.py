"""Brushes: gradients, glows, clouds, ridges, soft shapes and grain, all repeatable from a seeded random source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import ceil, hypot, sqrt
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from sandbox.drawing.palettes import Color, mix

Point = tuple[float, float]
Size = tuple[int, int]
SMOOTH = Image.Resampling.BICUBIC
FINE = 2  # shapes are drawn this much larger, then reduced


def gradient(size: Size, stops: Sequence[Color]) -> Image.Image:
    """A vertical gradient through the stops, top to bottom."""
    strip = Image.new("RGB", (1, 128))
    for y in range(128):
        place = y / 127 * (len(stops) - 1)
        at = min(int(place), len(stops) - 2)
        strip.putpixel((0, y), mix(stops[at], stops[at + 1], place - at))
    return strip.resize(size, SMOOTH)


def fade(size: Size, start: int, end: int) -> Image.Image:
    """A mask that goes evenly from one strength at its top to another at its bottom."""
    strip = Image.new("L", (1, 2))
    strip.putpixel((0, 0), start)
    strip.putpixel((0, 1), end)
    return strip.resize(size, Image.Resampling.BILINEAR)


def round_light(diameter: int, strength: float, falloff: float = 2.0) -> Image.Image:
    """A mask that is strongest in its middle and nothing at its rim."""
    curve = [round(255 * strength * max(0.0, 1 - i / 180) ** falloff) for i in range(256)]
    spot = Image.radial_gradient("L").point(curve)
    return spot.resize((max(2, diameter), max(2, diameter)), Image.Resampling.BILINEAR)


def glow(image: Image.Image, center: Point, radius: float, color: Color, strength: float, falloff: float = 2.0) -> None:
    """Add light around a place, as a lamp does in mist."""
    mask = round_light(round(radius * 2), strength, falloff)
    corner = (round(center[0] - radius), round(center[1] - radius))
    box = _visible(image.size, corner, mask.size)
    if box is None:
        return
    mask = mask.crop((box[0] - corner[0], box[1] - corner[1], box[2] - corner[0], box[3] - corner[1]))
    light = Image.composite(Image.new("RGB", mask.size, color), Image.new("RGB", mask.size), mask)
    image.paste(ImageChops.screen(image.crop(box), light), box[:2])


def _visible(size: Size, corner: tuple[int, int], extent: Size) -> tuple[int, int, int, int] | None:
    left, top = max(0, corner[0]), max(0, corner[1])
    right, bottom = min(size[0], corner[0] + extent[0]), min(size[1], corner[1] + extent[1])
    return (left, top, right, bottom) if left < right and top < bottom else None


def stain(
    image: Image.Image,
    box: tuple[float, float, float, float],
    draw: Callable[[ImageDraw.ImageDraw], None],
    color: Color,
    strength: float = 1.0,
    blur: float = 0.0,
) -> Image.Image:
    """Paint a shape in one colour with soft edges; `draw` fills it with 255 in coordinates FINE times the picture's.

    The box (left, top, right, bottom, in the picture's pixels) is all that is touched. Returns the shape's mask.
    """
    left, top = max(0, int(box[0])), max(0, int(box[1]))
    right, bottom = min(image.width, ceil(box[2])), min(image.height, ceil(box[3]))
    if left >= right or top >= bottom:
        return Image.new("L", (1, 1))
    mask = Image.new("L", ((right - left) * FINE, (bottom - top) * FINE))
    draw(_Shifted(mask, left * FINE, top * FINE))
    mask = mask.reduce(FINE)
    if blur:
        mask = mask.filter(ImageFilter.GaussianBlur(blur))
    if strength < 1:
        mask = mask.point([round(i * strength) for i in range(256)])
    image.paste(color, (left, top, right, bottom), mask)
    return mask


class _Shifted(ImageDraw.ImageDraw):
    """A pen whose coordinates are those of the whole picture, on a part of it."""

    def __init__(self, mask: Image.Image, left: int, top: int) -> None:
        super().__init__(mask)
        self.left, self.top = left, top


def shape(image: Image.Image, points: Sequence[Point], color: Color, strength: float = 1.0, blur: float = 0.0) -> None:
    """A filled outline with soft edges."""
    margin = blur * 3 + 1
    xs, ys = [p[0] for p in points], [p[1] for p in points]

    def draw(pen: ImageDraw.ImageDraw) -> None:
        assert isinstance(pen, _Shifted)
        pen.polygon([(x * FINE - pen.left, y * FINE - pen.top) for x, y in points], fill=255)

    stain(image, (min(xs) - margin, min(ys) - margin, max(xs) + margin, max(ys) + margin), draw, color, strength, blur)


def disc(
    image: Image.Image, center: Point, radius: float, color: Color, strength: float = 1.0, blur: float = 0.0
) -> None:
    """A filled circle with a soft edge."""
    x, y = center
    reach = radius + blur * 3 + 1

    def draw(pen: ImageDraw.ImageDraw) -> None:
        assert isinstance(pen, _Shifted)
        left, top = (x - radius) * FINE - pen.left, (y - radius) * FINE - pen.top
        pen.ellipse((left, top, left + 2 * radius * FINE, top + 2 * radius * FINE), fill=255)

    stain(image, (x - reach, y - reach, x + reach, y + reach), draw, color, strength, blur)


def smooth_line(points: Sequence[Point], steps: int = 10, closed: bool = False) -> list[Point]:
    """A curve through all the points (Catmull-Rom)."""
    count = len(points)
    found: list[Point] = []
    for i in range(count if closed else count - 1):
        a, b, c, d = (_at(points, i + k, closed) for k in (-1, 0, 1, 2))
        for step in range(steps):
            t = step / steps
            found.append((_spline(a[0], b[0], c[0], d[0], t), _spline(a[1], b[1], c[1], d[1], t)))
    if not closed:
        found.append(points[-1])
    return found


def _at(points: Sequence[Point], i: int, closed: bool) -> Point:
    return points[i % len(points)] if closed else points[min(max(i, 0), len(points) - 1)]


def _spline(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t**3)


def stroke(points: Sequence[Point], widths: Sequence[float]) -> list[Point]:
    """The outline of a line whose width changes along its way."""
    left: list[Point] = []
    right: list[Point] = []
    last = len(points) - 1
    for i, (x, y) in enumerate(points):
        before, after = points[max(i - 1, 0)], points[min(i + 1, last)]
        dx, dy = after[0] - before[0], after[1] - before[1]
        length = hypot(dx, dy) or 1.0
        place = i / last * (len(widths) - 1)
        at = min(int(place), len(widths) - 2)
        half = (widths[at] + (widths[at + 1] - widths[at]) * (place - at)) / 2
        left.append((x - dy / length * half, y + dx / length * half))
        right.append((x + dy / length * half, y - dx / length * half))
    return left + right[::-1]


def rough_line(r: Random, width: int, base: float, height: float, roughness: float, steps: int = 7) -> list[Point]:
    """A mountain's line from left to right by midpoint displacement; `height` is how far it may rise or fall."""
    heights = [r.uniform(-0.5, 0.5), r.uniform(-0.5, 0.5)]
    spread = 1.0
    for _ in range(steps):
        finer: list[float] = []
        for one, other in pairwise(heights):
            finer += [one, (one + other) / 2 + r.uniform(-0.5, 0.5) * spread]
        heights = [*finer, heights[-1]]
        spread *= roughness
    count = len(heights) - 1
    return [(i / count * (width + 2) - 1, base - h * height) for i, h in enumerate(heights)]


def rolling_line(r: Random, width: int, base: float, height: float, hills: int) -> list[Point]:
    """A hill's line from left to right, soft and slow."""
    knots = [
        ((i - 0.5) / hills * width, base - r.uniform(-0.5, 0.5) * height * (1 if i % 2 else -0.4))
        for i in range(hills + 2)
    ]
    return smooth_line(knots, 16)


def ground(image: Image.Image, line: Sequence[Point], color: Color) -> None:
    """Everything below a line."""
    width, height = image.size
    shape(image, [(-2, height + 2), (-2, line[0][1]), *line, (width + 2, line[-1][1]), (width + 2, height + 2)], color)


def mist(image: Image.Image, top: float, bottom: float, color: Color, strength: float) -> None:
    """A veil that thickens towards its bottom, then stays."""
    top, bottom = max(0, round(top)), min(image.height, round(bottom))
    if top < bottom:
        image.paste(color, (0, top, image.width, bottom), fade((image.width, bottom - top), 0, round(255 * strength)))


def noise(r: Random, size: Size, cells: tuple[float, float], octaves: int = 3) -> Image.Image:
    """Soft noise: a mask whose features are about 1/cells of the picture wide and high."""
    layer: Image.Image | None = None
    for octave in range(octaves):
        columns, rows = (max(2, round(c * 2**octave)) for c in cells)
        finer = Image.frombytes("L", (columns, rows), r.randbytes(columns * rows)).resize(size, SMOOTH)
        layer = finer if layer is None else Image.blend(layer, finer, 0.40 * 0.62 ** (octave - 1))
    assert layer is not None
    return layer


def clouds(
    image: Image.Image, r: Random, bottom: float, color: Color, strength: float, cells: tuple[float, float]
) -> None:
    """Clouds over the upper part of the picture, gone towards `bottom`."""
    size = (image.width, max(2, round(bottom)))
    small = (max(2, size[0] // 4), max(2, size[1] // 4))
    ramp = [round(255 * strength * min(1.0, max(0.0, (i - 120) / 90)) ** 1.3) for i in range(256)]
    mask = ImageChops.multiply(noise(r, small, cells, 4).point(ramp), fade(small, 255, 40))
    image.paste(color, (0, 0, *size), mask.resize(size, SMOOTH))


def stars(image: Image.Image, r: Random, bottom: float, density: float = 1.0) -> None:
    """A clear night: many faint stars, some bright ones."""
    pen = ImageDraw.Draw(image)
    count = round(image.width * bottom / 5200 * density)
    unit = scale(image)
    for _ in range(count):
        x, y = r.uniform(0, image.width), bottom * r.random() ** 1.35
        bright = r.random() ** 3
        back = image.getpixel((min(int(x), image.width - 1), min(int(y), image.height - 1)))
        assert isinstance(back, tuple)
        tint = mix((255, 240, 220), (210, 228, 255), r.random())
        reach = unit * (0.5 + bright * 1.3)
        pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=mix(_rgb(back), tint, 0.35 + 0.65 * bright))
        if bright > 0.72:
            glow(image, (x, y), unit * 13 * bright, tint, 0.55, 3)


def _rgb(pixel: Sequence[int | float]) -> Color:
    return int(pixel[0]), int(pixel[1]), int(pixel[2])


def scale(image: Image.Image) -> float:
    """How large one point is here: 1.0 in a picture of a million pixels."""
    return float((image.width * image.height / 1_048_576) ** 0.5)


def mirror(image: Image.Image, horizon: float, tint: Color, share: float, r: Random, ripple: float = 1.0) -> None:
    """Still water below the horizon: what stands above it upside down, broken by ripples towards the viewer."""
    top = round(horizon)
    depth = image.height - top
    if depth < 4:
        return
    above = image.crop((0, max(0, top - round(depth * 1.25)), image.width, top))
    flipped = above.transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize((image.width, depth), Image.Resampling.BILINEAR)
    flipped = flipped.filter(ImageFilter.BoxBlur(1.2 * scale(image)))
    water = Image.blend(flipped, Image.new("RGB", flipped.size, tint), share)
    _ripples(water, r, ripple)
    image.paste(water, (0, top))


def _ripples(water: Image.Image, r: Random, amount: float) -> None:
    y = 0.0
    while y < water.height:
        near = y / water.height
        band = max(1, round(1 + near * 5))
        shift = round(r.gauss(0, 1) * (0.5 + near * 7) * amount)
        row = water.crop((0, int(y), water.width, min(water.height, int(y) + band)))
        water.paste(ImageChops.offset(row, shift, 0), (0, int(y)))
        y += band


def grain(image: Image.Image, r: Random, amount: int = 2) -> Image.Image:
    """Film grain, which also keeps gradients from showing steps."""
    table = [128 + round((i / 255 - 0.5) * 2 * amount) for i in range(256)]
    tile = (min(image.width, 512), min(image.height, 512))
    speck = Image.frombytes("L", tile, r.randbytes(tile[0] * tile[1])).point(table)
    sheet = Image.new("L", image.size)
    for x in range(0, image.width, tile[0]):
        for y in range(0, image.height, tile[1]):
            sheet.paste(speck, (x, y))
    return ImageChops.add(image, Image.merge("RGB", (sheet, sheet, sheet)), 1, -128)


def vignette(image: Image.Image, strength: float) -> Image.Image:
    """Darker towards the corners, so that the eye stays inside."""
    curve = [255 - round(255 * strength * max(0.0, (i - 90) / 165) ** 1.8) for i in range(256)]
    mask = Image.radial_gradient("L").point(curve).resize(image.size, Image.Resampling.BILINEAR)
    return ImageChops.multiply(image, Image.merge("RGB", (mask, mask, mask)))


def shapes(
    image: Image.Image, outlines: list[list[Point]], box: tuple[float, float, float, float], color: Color
) -> None:
    """Several outlines in one colour, drawn at once within a box."""

    def draw(pen: ImageDraw.ImageDraw) -> None:
        left, top = max(0, int(box[0])) * FINE, max(0, int(box[1])) * FINE
        for outline in outlines:
            pen.polygon([(x * FINE - left, y * FINE - top) for x, y in outline], fill=255)

    stain(image, box, draw, color)


def short_side(size: Size) -> float:
    """The measure of large things in a picture of any shape."""
    return min(size[0], size[1] * 1.15, sqrt(size[0] * size[1]))
