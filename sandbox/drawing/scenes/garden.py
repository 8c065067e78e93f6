"""A garden in flower."""

from __future__ import annotations

from math import cos, pi, sin
from random import Random

from PIL import Image, ImageDraw

from sandbox.drawing import canvas
from sandbox.drawing.canvas import Point, Size, disc, glow, gradient, ground, mist, scale, shape, shapes, short_side
from sandbox.drawing.creatures import lit_cat
from sandbox.drawing.palettes import BLACK, WHITE, Color, Palette, mix
from sandbox.drawing.scenes.wish import Wish
from sandbox.drawing.sky import sky, sun_place


def garden(size: Size, palette: Palette, r: Random, wish: Wish) -> Image.Image:
    """Flowers from the horizon to our feet."""
    width, height = size
    short = short_side(size)
    horizon = height * 0.42
    sun = sun_place(size, r, 0.16, 0.24)
    image = sky(size, palette, r, horizon, sun, short * 0.05)
    green = mix(mix(palette.accents[3], (98, 158, 70), 0.72), palette.haze, 0.06)
    for i in range(3):
        line = canvas.rolling_line(r, width, horizon + short * 0.03 * i, short * (0.15 - 0.03 * i), 3 + i)
        ground(image, line, mix(mix(palette.haze, palette.sky[1], 0.3), green, 0.25 + 0.28 * i))
        mist(image, horizon - short * 0.06, horizon + short * 0.10, palette.haze, 0.35 - 0.08 * i)
    _round_trees(image, palette, r, horizon + short * 0.045, green, short)
    _meadow(image, palette, green, horizon + short * 0.04, r)
    _flowers(image, palette, r, horizon + short * 0.05, green)
    glow(image, sun, short * 0.8, palette.light, 0.35, 2)
    if wish.cat:
        tall = short * 0.34
        lit_cat(
            image,
            (width * 0.64, height * 0.90),
            tall,
            mix(palette.near, BLACK, 0.2),
            mix(palette.light, WHITE, 0.3),
            sun[0] > width * 0.64,
        )
        _flowers(image, palette, r, height * 0.60, green, nearest_only=True)
    _blossom_branch(image, palette, r, left=sun[0] > width / 2)
    return image


def _round_trees(image: Image.Image, palette: Palette, r: Random, base: float, green: Color, short: float) -> None:
    """Trees in bloom on the hills: clusters of soft discs, lit from above."""
    for _ in range(6):
        x = image.width * r.random()
        tall = short * r.uniform(0.08, 0.17)
        tint = r.choice((palette.accents[0], mix(palette.accents[0], WHITE, 0.45), mix(green, palette.near, 0.2)))
        shape(
            image,
            canvas.stroke([(x, base), (x, base - tall * 0.7)], (tall * 0.09, tall * 0.05)),
            mix(palette.near, (92, 62, 50), 0.5),
        )
        for shade in (0.30, 0.0, -0.28):
            for _ in range(9):
                at = (x + r.gauss(0, 0.20) * tall, base - tall * (0.72 + 0.22 * -shade) + r.gauss(0, 0.13) * tall)
                tone = mix(tint, palette.near, shade) if shade > 0 else mix(tint, WHITE, -shade)
                disc(image, at, tall * r.uniform(0.10, 0.19), tone, 0.85, 1.2)


def _meadow(image: Image.Image, palette: Palette, green: Color, top: float, r: Random) -> None:
    far, near = mix(green, palette.haze, 0.42), mix(green, palette.near, 0.52)
    top = round(top)
    field = gradient(
        (image.width, image.height - top), (far, mix(far, near, 0.45), mix(green, palette.near, 0.3), near)
    )
    soft = canvas.fade((image.width, image.height - top), 255, 255)
    soft.paste(canvas.fade((image.width, 14), 0, 255), (0, 0))
    image.paste(field, (0, top), soft)
    unit = scale(image)
    blades: list[list[Point]] = []
    for _ in range(620):
        share = r.random() ** 0.6
        x, y = r.uniform(0, image.width), top + (image.height - top) * share + 8
        tall = unit * (6 + 48 * share**1.6) * r.uniform(0.6, 1.2)
        lean = r.uniform(-0.35, 0.35) * tall
        blades.append([(x - unit * (0.4 + share), y), (x + lean, y - tall), (x + unit * (0.4 + share), y)])
    half = len(blades) // 2
    shapes(image, blades[:half], (0, top, image.width, image.height), mix(near, palette.near, 0.25))
    shapes(image, blades[half:], (0, top, image.width, image.height), mix(green, palette.light, 0.18))


def _flowers(
    image: Image.Image, palette: Palette, r: Random, top: float, green: Color, nearest_only: bool = False
) -> None:
    """Blossoms, small and many far away, large and few near."""
    tints = [
        palette.accents[0],
        mix(palette.accents[0], WHITE, 0.5),
        palette.accents[1],
        palette.accents[2],
        mix(palette.accents[0], (150, 80, 200), 0.5),
    ]
    sprites = [_blossom(r, tint, kind) for tint in tints for kind in (0, 1, 2)]
    unit = scale(image)
    height = image.height - top
    places = sorted((r.random() ** 0.95, r.random()) for _ in range(640))
    if nearest_only:
        places = [(0.76 + 0.24 * share, across) for share, across in places[::8]]
    pen = ImageDraw.Draw(image)
    stem = mix(green, palette.near, 0.35)
    for share, across in places:
        reach = unit * (3.6 + 62 * share**2.0) * r.uniform(0.75, 1.25)
        if not nearest_only and r.random() < (share - 0.30) * 1.15:
            continue
        x, y = image.width * (across * 1.1 - 0.05), top + height * share * 1.02
        if reach > unit * 7:
            bend = r.uniform(-0.3, 0.3) * reach
            pen.line([(x, y), (x + bend, y + reach * 2.2)], fill=stem, width=max(1, round(reach * 0.13)))
        side = max(3, round(reach * 1.5))
        sprite = r.choice(sprites).resize(
            (side, max(3, round(side * r.uniform(0.72, 1.0)))), Image.Resampling.BILINEAR, reducing_gap=2.0
        )
        image.paste(sprite.convert("RGB"), (round(x - side / 2), round(y - side / 2)), sprite.getchannel("A"))


def _blossom(r: Random, tint: Color, kind: int) -> Image.Image:
    """One flower, 96 pixels wide, on nothing."""
    side = 192
    flower = Image.new("RGBA", (side, side), (*tint, 0))
    pen = ImageDraw.Draw(flower)
    middle = side / 2
    petals = (5, 9, 14)[kind]
    turn = r.uniform(0, pi)
    for ring, tone in ((1.0, mix(tint, BLACK, 0.16)), (0.90, tint), (0.55, mix(tint, WHITE, 0.28))):
        for i in range(petals):
            angle = turn + 2 * pi * i / petals + (pi / petals if ring == 0.90 else 0)
            pen.polygon(_petal(middle, angle, middle * 0.96 * ring, 2.5 / petals), fill=(*tone, 255))
    heart = mix((250, 206, 84), tint, 0.12)
    pen.ellipse((middle * 0.78, middle * 0.78, middle * 1.22, middle * 1.22), fill=(*mix(heart, BLACK, 0.25), 255))
    pen.ellipse((middle * 0.82, middle * 0.79, middle * 1.16, middle * 1.13), fill=(*heart, 255))
    return flower.reduce(2)


def _petal(middle: float, angle: float, length: float, breadth: float) -> list[Point]:
    outline = [(0.0, 0.0), (0.4, breadth * 0.55), (0.75, breadth * 0.72), (0.97, breadth * 0.34), (1.0, 0.0)]
    whole = outline + [(along, -across) for along, across in outline[::-1]]
    turned = [
        (middle + length * (a * cos(angle) - b * sin(angle)), middle + length * (a * sin(angle) + b * cos(angle)))
        for a, b in whole
    ]
    return canvas.smooth_line(turned, 3, closed=True)


def _blossom_branch(image: Image.Image, palette: Palette, r: Random, left: bool) -> None:
    """A branch in bloom that hangs into the picture, out of focus."""
    short = short_side(image.size)
    edge = 0 if left else image.width
    way = 1 if left else -1
    knots = [
        (edge - way * 5, short * 0.02),
        (edge + way * short * 0.12, short * 0.09),
        (edge + way * short * 0.26, short * 0.10),
        (edge + way * short * 0.40, short * 0.17),
    ]
    line = canvas.smooth_line(knots, 8)
    shape(
        image,
        canvas.stroke(line, (short * 0.022, short * 0.012, short * 0.004)),
        mix(palette.near, (84, 56, 48), 0.5),
        0.95,
        0.8,
    )
    sprites = [_blossom(r, mix(palette.accents[0], WHITE, light), 0) for light in (0.35, 0.55, 0.72)]
    for _ in range(42):
        x, y = r.choice(line)
        side = round(short * r.uniform(0.022, 0.06))
        sprite = r.choice(sprites).resize((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
        at = (round(x + r.gauss(0, 0.022) * short - side / 2), round(y + r.gauss(0, 0.020) * short - side / 2))
        image.paste(sprite.convert("RGB"), at, sprite.getchannel("A"))
