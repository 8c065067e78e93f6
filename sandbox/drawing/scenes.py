"""What can be drawn: each scene takes a canvas size, a palette and a random source of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import cos, pi, sin, sqrt
from random import Random
from types import MappingProxyType

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from sandbox.drawing import canvas
from sandbox.drawing.canvas import Point, Size, disc, glow, gradient, ground, mist, scale, shape
from sandbox.drawing.creatures import balloon, birds, pine, sailing_boat, sitting_cat, walking_cat
from sandbox.drawing.palettes import Color, Palette, mix

WHITE: Color = (255, 255, 255)
BLACK: Color = (0, 0, 0)


@dataclass(frozen=True)
class Wish:
    """What a prompt adds to a scene."""

    cat: bool = False
    dream: bool = False
    snow: bool = False


Scene = Callable[[Size, Palette, Random, Wish], Image.Image]


def _sky(size: Size, palette: Palette, r: Random, horizon: float, sun: Point, radius: float) -> Image.Image:
    """The sky with its light, stars at night and clouds; below the horizon its last colour goes on."""
    image = Image.new("RGB", size, palette.sky[-1])
    image.paste(gradient((size[0], max(2, round(horizon))), palette.sky), (0, 0))
    unit = scale(image)
    if palette.night:
        canvas.stars(image, r, horizon)
    glow(image, sun, radius * 7.5, mix(palette.light, palette.sky[-1], 0.45), 0.75, 2.2)
    canvas.clouds(
        image, r, horizon, mix(palette.light, palette.sky[-2], 0.35), 0.30 if palette.night else 0.62, (2.2, 7)
    )
    glow(image, sun, radius * 2.6, palette.light, 0.9, 2.4)
    disc(image, sun, radius, mix(palette.light, WHITE, 0.35), 1.0, 0.7 * unit)
    if palette.night:
        _craters(image, sun, radius, mix(palette.light, palette.sky[2], 0.35), r)
    return image


def _craters(image: Image.Image, center: Point, radius: float, color: Color, r: Random) -> None:
    for _ in range(9):
        angle, far = r.uniform(0, 2 * pi), radius * r.uniform(0.1, 0.62)
        spot = (center[0] + cos(angle) * far, center[1] + sin(angle) * far)
        disc(image, spot, radius * r.uniform(0.07, 0.24), color, 0.35, radius * 0.06)


def _sun_place(size: Size, r: Random, low: float, high: float) -> Point:
    side = r.choice((0.30, 0.36, 0.64, 0.70))
    return size[0] * (side + r.uniform(-0.03, 0.03)), size[1] * r.uniform(low, high)


def _short(size: Size) -> float:
    return min(size[0], size[1] * 1.15, sqrt(size[0] * size[1]))


def _planet_in_sky(image: Image.Image, palette: Palette, r: Random, center: Point, radius: float) -> None:
    """A pale world behind the air, for dreams."""
    world = _globe(radius, [mix(c, palette.sky[1], 0.35) for c in palette.accents[:3]], r, lit_from=(-0.4, -0.5))
    mask = world.getchannel("A").point([round(i * 0.72) for i in range(256)])
    veil = canvas.fade(mask.size, 255, 90)
    image.paste(
        world.convert("RGB"), (round(center[0] - radius), round(center[1] - radius)), ImageChops.multiply(mask, veil)
    )


def mountains(size: Size, palette: Palette, r: Random, wish: Wish) -> Image.Image:
    """Ridges behind ridges, snow on the highest, a lake or pines in front."""
    width, height = size
    lake = r.random() < 0.62
    horizon = height * (0.60 if lake else 0.72)
    sun = _sun_place(size, r, 0.16, 0.30)
    image = _sky(size, palette, r, horizon, sun, _short(size) * r.uniform(0.035, 0.05))
    if wish.dream:
        other = (width - sun[0]) * 0.98, height * 0.24
        _planet_in_sky(image, palette, r, other, _short(size) * 0.19)
    span = min(height * 0.34, width * 0.36)
    _snowy_ridge(image, palette, r, horizon - span * 0.44, span, wish.snow)
    mist(image, horizon - span * 0.55, horizon, palette.haze, 0.62)
    if wish.dream:
        _floating_rock(
            image, palette, r, (width * 0.5 + (width * 0.5 - sun[0]) * 0.10, height * 0.22), _short(size) * 0.085
        )
    for i in range(4):
        share = (i + 1) / 4
        line = canvas.rough_line(r, width, horizon - span * (0.26 - 0.20 * share), span * (0.46 - 0.22 * share), 0.50)
        tone = mix(mix(palette.haze, palette.sky[1], 0.45), palette.near, 0.18 + 0.62 * share)
        if i >= 2:
            _tree_line(image, line, span * (0.055 + 0.035 * i), tone, r, 1.0 if i == 2 else 0.7)
        ground(image, line, tone)
        mist(
            image, horizon - span * (0.25 - 0.12 * share), horizon + span * 0.1, palette.haze, 0.42 * (1 - share * 0.75)
        )
    if lake:
        _lake(image, palette, r, horizon, sun)
    _foreground_pines(image, palette, r, lake)
    if wish.snow:
        _snowfall(image, r)
    return image


def _floating_rock(image: Image.Image, palette: Palette, r: Random, top: Point, reach: float) -> None:
    x, y = top
    depths = [reach * (1.25 * sin(pi * i / 12) ** 1.3 + r.uniform(0, 0.14)) for i in range(13)]
    under = [(x + reach * (1 - i / 6), y + depth) for i, depth in enumerate(depths)]
    crown = [
        (x - reach, y),
        (x - reach * 0.6, y - reach * 0.10),
        (x, y - reach * 0.15),
        (x + reach * 0.6, y - reach * 0.09),
        (x + reach, y),
    ]
    tone = mix(palette.near, palette.haze, 0.45)
    shape(image, [*crown, *under], tone)
    shape(
        image,
        [(x + reach * 0.1, y), (x + reach, y), *under[1:7], (x + reach * 0.05, y + reach * 0.8)],
        mix(tone, palette.light, 0.16),
        0.8,
    )
    shape(
        image,
        [*canvas.smooth_line(crown, 6), (x + reach * 0.8, y + reach * 0.1), (x - reach * 0.8, y + reach * 0.1)],
        mix(palette.accents[3], tone, 0.35),
    )
    for i in range(5):
        foot = (x + reach * (i - 2) * 0.3, y - reach * 0.07)
        shape(image, pine(foot, reach * r.uniform(0.3, 0.55), r), mix(palette.near, palette.haze, 0.25))


def _snowy_ridge(image: Image.Image, palette: Palette, r: Random, base: float, span: float, deep: bool) -> None:
    """The highest range: rock in the colour of distance, lit snow above, shaded sides."""
    line = _peaks(r, image.width, base, span)
    rock = mix(mix(palette.haze, palette.sky[0], 0.42), palette.near, 0.16)
    snow = mix(mix(palette.light, palette.haze, 0.18), WHITE, 0.25)
    shade = mix(snow, palette.sky[0 if not palette.night else 2], 0.42)
    ground(image, line, rock)
    fall = span * (0.62 if deep else 0.40)
    snowline = [(x, y + fall * (0.55 + 0.45 * r.random()) * (1.5 if i % 2 else 0.6)) for i, (x, y) in enumerate(line)]
    shape(image, [*line, *snowline[::-1]], shade)
    for i in range(1, len(line) - 1):
        if line[i][1] <= line[i - 1][1] and line[i][1] <= line[i + 1][1]:
            _lit_face(image, line, i, span, snow, rock, r)


def _peaks(r: Random, width: int, base: float, span: float) -> list[Point]:
    count = max(3, round(width / span * 1.15))
    knots: list[Point] = []
    for i in range(count + 1):
        x = (i + r.uniform(-0.25, 0.25)) / count * width
        knots.append((x, base - span * r.uniform(0.30, 0.72)))
        knots.append((x + width / count * r.uniform(0.42, 0.58), base - span * r.uniform(-0.05, 0.14)))
    knots.sort()
    knots[0], knots[-1] = (-2, base - span * 0.12), (max(width + 2, knots[-1][0]), base - span * 0.05)
    line: list[Point] = []
    for one, other in pairwise(knots):
        line.append(one)
        for step in range(1, 7):
            t = step / 7
            jag = r.uniform(-1, 1) * span * 0.028
            line.append((one[0] + (other[0] - one[0]) * t, one[1] + (other[1] - one[1]) * t + jag))
    return [*line, knots[-1]]


def _lit_face(
    image: Image.Image, line: list[Point], peak: int, span: float, snow: Color, rock: Color, r: Random
) -> None:
    """The sunny side of one peak: it follows the line to the left and comes back along a ragged spine."""
    end = peak
    while end > 0 and line[end - 1][1] >= line[end][1] - span * 0.02 and peak - end < 7:
        end -= 1
    top, foot = line[peak], line[end]
    drop = max(foot[1] - top[1], span * 0.08)
    spine: list[Point] = []
    for step in range(1, 8):
        t = step / 7
        swing = (0.10 if step % 2 else -0.03) * drop * r.uniform(0.6, 1.4)
        spine.append((top[0] + swing - drop * 0.10 * t, top[1] + drop * 0.95 * t))
    edge = line[end : peak + 1]
    ragged = [(x, y + drop * r.uniform(0.04, 0.20) * (1 - i / len(edge))) for i, (x, y) in enumerate(edge[:-1])]
    shape(image, [*edge, *spine[:5], *ragged[::-1][1:]], snow)
    shape(image, [spine[3], *spine[3:], (spine[-1][0] - drop * 0.3, spine[-1][1])], mix(rock, snow, 0.3), 0.6)


def _tree_line(image: Image.Image, line: list[Point], tall: float, color: Color, r: Random, share: float) -> None:
    """Pines along a ridge, drawn as one shape."""
    top = min(y for _, y in line) - tall * 1.4
    trees: list[list[Point]] = []
    x = 0.0
    while x < image.width:
        place = x / (image.width + 2) * (len(line) - 1)
        y = line[min(int(place), len(line) - 1)][1]
        if r.random() < share:
            trees.append(pine((x, y + tall * 0.2), tall * r.uniform(0.6, 1.25), r))
        x += tall * r.uniform(0.16, 0.42)
    _together(image, trees, (0, top, image.width, max(y for _, y in line) + tall), color)


def _together(
    image: Image.Image, outlines: list[list[Point]], box: tuple[float, float, float, float], color: Color
) -> None:
    def draw(pen: ImageDraw.ImageDraw) -> None:
        left, top = max(0, int(box[0])) * canvas.FINE, max(0, int(box[1])) * canvas.FINE
        for outline in outlines:
            pen.polygon([(x * canvas.FINE - left, y * canvas.FINE - top) for x, y in outline], fill=255)

    canvas.stain(image, box, draw, color)


def _lake(image: Image.Image, palette: Palette, r: Random, horizon: float, sun: Point) -> None:
    canvas.mirror(image, horizon, mix(palette.sky[1], palette.near, 0.35), 0.26, r)
    unit = scale(image)
    mist(image, horizon - 16 * unit, horizon + unit, palette.haze, 0.55)
    mist_below = canvas.fade((image.width, round(20 * unit)), 120, 0)
    image.paste(palette.haze, (0, round(horizon), image.width, round(horizon) + mist_below.height), mist_below)
    _glitter(image, palette, r, horizon, sun[0], 0.35)
    depth = image.height - horizon
    shade = canvas.fade((image.width, round(depth)), 0, 120)
    image.paste(
        mix(palette.near, palette.sky[0], 0.3), (0, image.height - shade.height, image.width, image.height), shade
    )


def _glitter(image: Image.Image, palette: Palette, r: Random, horizon: float, x: float, strength: float) -> None:
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


def _foreground_pines(image: Image.Image, palette: Palette, r: Random, lake: bool) -> None:
    width, height = image.size
    bank = canvas.rolling_line(r, width, height * (0.955 if lake else 0.93), height * 0.05, 4)
    tall = min(height * 0.30, width * 0.34)
    left_side = r.random() < 0.5
    trees: list[list[Point]] = []
    for i in range(9):
        far = (i / 9) ** 1.3 * 0.34 + r.uniform(-0.015, 0.02)
        x = width * (far if left_side else 1 - far)
        trees.append(pine((x, height * 0.975), tall * (1.08 - 0.75 * i / 9) * r.uniform(0.8, 1.1), r))
    for i in range(3):
        x = width * (1 - 0.03 - i * 0.045 if left_side else 0.03 + i * 0.045)
        trees.append(pine((x, height * 0.98), tall * r.uniform(0.28, 0.5), r))
    _together(image, trees, (0, height * 0.4, width, height), palette.near)
    ground(image, bank, palette.near)


def _snowfall(image: Image.Image, r: Random) -> None:
    unit = scale(image)
    pen = ImageDraw.Draw(image, "RGBA")
    for _ in range(260):
        reach = unit * r.uniform(0.8, 3.4)
        x, y = r.uniform(0, image.width), r.uniform(0, image.height)
        pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=(255, 255, 255, r.randint(60, 190)))


def sea(size: Size, palette: Palette, r: Random, wish: Wish) -> Image.Image:
    """A low sun over the water, its path to us, islands and a boat."""
    width, height = size
    horizon = height * r.uniform(0.52, 0.58)
    short = _short(size)
    radius = short * r.uniform(0.055, 0.075)
    sun = (_sun_place(size, r, 0, 0)[0], horizon - radius * r.uniform(0.9, 2.6))
    image = _sky(size, palette, r, horizon, sun, radius)
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
    _glitter(image, palette, r, horizon, sun[0], 0.95)
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
        _cat_on_ledge(image, palette, r, sun)
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


def _cat_on_ledge(image: Image.Image, palette: Palette, r: Random, light: Point) -> None:
    width, height = image.size
    ledge = height * 0.93
    shape(image, [(-2, ledge), (width + 2, ledge), (width + 2, height + 2), (-2, height + 2)], palette.near)
    tall = _short(image.size) * 0.40
    x = width * (0.68 if light[0] < width / 2 else 0.32)
    _lit_cat(image, (x, ledge + 2), tall, palette.near, mix(palette.light, palette.sky[-1], 0.3), light[0] > x)


def _lit_cat(
    image: Image.Image, foot: Point, tall: float, dark: Color, rim: Color, from_right: bool, walking: bool = False
) -> None:
    """A cat with a thin line of light on one side."""
    draw = walking_cat if walking else sitting_cat
    shift = tall * (0.008 if from_right else -0.008)
    draw(image, (foot[0] + shift, foot[1] - tall * 0.008), tall, rim, from_right)
    draw(image, foot, tall, dark, from_right)


def city(size: Size, palette: Palette, r: Random, wish: Wish) -> Image.Image:
    """Towers at night, lit windows, neon over a wet street."""
    width, height = size
    street = height * 0.74
    short = _short(size)
    moon = _sun_place(size, r, 0.13, 0.22)
    image = _sky(size, palette, r, street, moon, short * 0.055)
    glow(image, (width / 2, street), max(width, short) * 0.75, palette.sky[-1], 0.85, 1.6)
    for i in range(4):
        share = i / 3
        tone = mix(mix(palette.sky[-2], palette.sky[1], 0.45), palette.near, 0.25 + 0.68 * share)
        _towers(image, palette, r, street, tone, share)
        mist(image, street - short * 0.45, street, mix(palette.haze, palette.sky[-1], 0.3), 0.40 * (1 - share))
    _signs(image, palette, r, street)
    canvas.mirror(image, street, mix(palette.near, palette.sky[1], 0.4), 0.28, r, 0.8)
    _wet(image, street)
    _street_light(image, palette, r, street)
    if wish.cat:
        tall = short * 0.30
        foot = (width * r.choice((0.40, 0.58)), street + (height - street) * 0.62)
        _cat_shadow(image, foot, tall, palette)
        glow(image, (foot[0], foot[1] - tall * 0.5), tall * 1.3, palette.accents[0], 0.40, 2)
        _lit_cat(image, foot, tall, mix(palette.near, BLACK, 0.4), palette.accents[0], r.random() < 0.5, walking=True)
    return image


def _wet(image: Image.Image, street: float) -> None:
    """Reflections on a wet street run downwards: squeezed flat and drawn long again."""
    box = (0, round(street) + 2, image.width, image.height)
    road = image.crop(box)
    long = road.resize((road.width, max(2, road.height // 26)), Image.Resampling.BOX).resize(road.size, canvas.SMOOTH)
    image.paste(Image.blend(road, long, 0.68), box[:2])


def _cat_shadow(image: Image.Image, foot: Point, tall: float, palette: Palette) -> None:
    outline = [(foot[0] + tall * 0.7 * cos(t * pi / 12), foot[1] + tall * 0.05 * sin(t * pi / 12)) for t in range(24)]
    shape(image, outline, palette.near, 0.7, tall * 0.02)


def _towers(image: Image.Image, palette: Palette, r: Random, street: float, tone: Color, share: float) -> None:
    """One row of buildings; nearer rows are darker, taller at the sides and leave the middle open."""
    width = image.width
    unit = scale(image)
    broad = min(width, image.height) * (0.05 + 0.06 * share)
    warm = [mix(c, WHITE, 0.25) for c in palette.accents[:3]] + [(255, 214, 150)] * 3
    pen = ImageDraw.Draw(image)
    x = -broad * r.random()
    while x < width:
        wide = broad * r.uniform(0.7, 1.5)
        from_middle = abs((x + wide / 2) / width - 0.5) * 2
        tall = street * (0.20 + 0.20 * r.random() + 0.30 * share * from_middle + (0.16 * (1 - share)) * r.random())
        if not (share > 0.9 and from_middle < 0.38):
            top = street - tall
            pen.rectangle((x, top, x + wide, street + 1), fill=tone)
            pen.rectangle((x + wide * 0.86, top, x + wide, street + 1), fill=mix(tone, BLACK, 0.25))
            _roof(pen, r, x, top, wide, tone)
            _windows(pen, r, (x, top, wide, tall), tone, warm, share, unit)
        x += wide * r.uniform(0.95, 1.2)


def _roof(pen: ImageDraw.ImageDraw, r: Random, x: float, top: float, wide: float, tone: Color) -> None:
    kind = r.randrange(4)
    middle = x + wide / 2
    if kind == 0:
        pen.rectangle((middle - 1, top - wide * 0.55, middle + 1, top), fill=tone)
        pen.ellipse((middle - 2, top - wide * 0.55 - 2, middle + 2, top - wide * 0.55 + 2), fill=(255, 84, 84))
    elif kind == 1:
        pen.rectangle((x + wide * 0.2, top - wide * 0.16, x + wide * 0.7, top), fill=tone)
    elif kind == 2:
        pen.polygon([(x, top), (x + wide, top), (x + wide, top - wide * 0.3)], fill=tone)


def _windows(
    pen: ImageDraw.ImageDraw,
    r: Random,
    box: tuple[float, float, float, float],
    tone: Color,
    lamps: list[Color],
    share: float,
    unit: float,
) -> None:
    x, top, wide, tall = box
    step = unit * (7 + 6 * share)
    pane = step * 0.46
    dark = mix(tone, BLACK, 0.22)
    lit_share = r.uniform(0.18, 0.5)
    lamp = r.choice(lamps)
    for row in range(int((tall - step) / (step * 1.25))):
        for column in range(int((wide * 0.84 - pane) / step)):
            left, upper = x + step * (column + 0.5), top + step * (0.8 + row * 1.25)
            lit = r.random() < lit_share
            tint = mix(tone, lamp if r.random() < 0.8 else r.choice(lamps), r.uniform(0.45, 0.95)) if lit else dark
            pen.rectangle((left, upper, left + pane, upper + step * 0.62), fill=tint)


def _signs(image: Image.Image, palette: Palette, r: Random, street: float) -> None:
    """Neon: bars and frames that light the air around them."""
    width = image.width
    short = _short(image.size)
    light = Image.new("RGB", image.size)
    pen = ImageDraw.Draw(light)
    taken: list[tuple[float, float, float, float]] = []
    for i in range(22):
        wide, tall = short * r.uniform(0.018, 0.034), short * r.uniform(0.07, 0.17)
        if r.random() < 0.25:
            wide, tall = tall * 1.1, wide * 1.2
        side = r.uniform(0.02, 0.30)
        x = width * side if i % 2 else width * (1 - side) - wide
        y = street * r.uniform(0.40, 0.80)
        box = (x - wide * 0.5, y - tall * 0.2, x + wide * 1.5, y + tall * 1.2)
        if all(box[0] > t[2] or box[2] < t[0] or box[1] > t[3] or box[3] < t[1] for t in taken):
            taken.append(box)
            _sign(pen, r, (x, y, wide, tall), palette.accents[len(taken) % 4], max(2, round(short * 0.0042)))
    soft = light.reduce(4).filter(ImageFilter.GaussianBlur(short * 0.007)).resize(image.size, Image.Resampling.BILINEAR)
    wash = light.reduce(8).filter(ImageFilter.GaussianBlur(short * 0.012)).resize(image.size, Image.Resampling.BILINEAR)
    lit = ImageChops.add(ImageChops.add(soft, soft), ImageChops.add(wash, ImageChops.add(wash, wash)))
    image.paste(ImageChops.screen(ImageChops.screen(image, lit), light.filter(ImageFilter.GaussianBlur(0.7))))


def _sign(pen: ImageDraw.ImageDraw, r: Random, box: tuple[float, float, float, float], tint: Color, line: int) -> None:
    x, y, wide, tall = box
    bright = mix(tint, WHITE, 0.22)
    pen.rounded_rectangle((x, y, x + wide, y + tall), radius=min(wide, tall) * 0.3, outline=bright, width=line)
    along = max(wide, tall)
    marks = max(2, int(along / min(wide, tall)))
    for i in range(marks):
        at = (i + 0.5) / marks
        cx, cy = (x + wide / 2, y + tall * at) if tall > wide else (x + wide * at, y + tall / 2)
        reach = min(wide, tall) * 0.24
        kind = r.randrange(4)
        if kind == 0:
            pen.ellipse((cx - reach, cy - reach, cx + reach, cy + reach), outline=bright, width=line)
        elif kind == 1:
            pen.line((cx - reach, cy, cx + reach, cy), fill=bright, width=line)
            pen.line((cx, cy - reach, cx, cy + reach), fill=bright, width=line)
        elif kind == 2:
            pen.polygon(
                [(cx - reach, cy + reach), (cx, cy - reach), (cx + reach, cy + reach)], outline=bright, width=line
            )
        else:
            for dy in (-0.7, 0, 0.7):
                pen.line((cx - reach, cy + dy * reach, cx + reach, cy + dy * reach), fill=bright, width=line)


def _street_light(image: Image.Image, palette: Palette, r: Random, street: float) -> None:
    """The kerb, and streaks of colour on wet ground."""
    width, height = image.size
    unit = scale(image)
    streaks = Image.new("RGB", image.size)
    pen = ImageDraw.Draw(streaks)
    for _ in range(26):
        tint = r.choice(palette.accents)
        x, y = r.uniform(0, width), street + (height - street) * r.random() ** 1.5
        half = unit * r.uniform(8, 60)
        pen.ellipse((x - half, y - unit * 1.6, x + half, y + unit * 1.6), fill=mix(BLACK, tint, r.uniform(0.2, 0.6)))
    soft = streaks.reduce(2).filter(ImageFilter.GaussianBlur(1.4 * unit)).resize(image.size, Image.Resampling.BILINEAR)
    image.paste(ImageChops.screen(image, soft))
    depth = round(height - street)
    image.paste(palette.near, (0, height - depth, width, height), canvas.fade((width, depth), 10, 190))


def cat(size: Size, palette: Palette, r: Random, wish: Wish) -> Image.Image:
    """A cat before a huge moon, roofs below."""
    width, height = size
    short = _short(size)
    roof = height * 0.80
    side = r.choice((-1, 1))
    moon = (width * (0.5 + 0.06 * side), height * 0.46)
    radius = short * 0.27
    image = _sky(size, palette, r, height * 0.92, moon, radius)
    if wish.dream:
        _planet_in_sky(image, palette, r, (width * (0.5 - 0.36 * side), height * 0.18), short * 0.08)
    canvas.clouds(image, r, height * 0.9, mix(palette.sky[-1], palette.light, 0.3), 0.40, (1.6, 9))
    for i in range(2):
        _roofs(image, palette, r, height * (0.80 + 0.06 * i), mix(palette.haze, palette.near, 0.35 + 0.3 * i), short)
    mist(image, height * 0.70, height * 0.92, palette.haze, 0.45)
    crown = [(-2, roof + height * 0.10), (width * (0.5 + 0.10 * side), roof), (width + 2, roof + height * 0.10)]
    ground(image, crown, palette.near)
    _tiles(image, palette, crown)
    foot = (width * (0.5 + 0.10 * side), roof + height * 0.012)
    _lit_cat(image, foot, short * 0.44, palette.near, mix(palette.light, palette.sky[-1], 0.25), side < 0)
    birds(image, r, (width * (0.5 - 0.3 * side), height * 0.2), short * 0.02, mix(palette.near, palette.sky[1], 0.3))
    return image


def _roofs(image: Image.Image, palette: Palette, r: Random, base: float, tone: Color, short: float) -> None:
    x = -short * 0.1
    pen = ImageDraw.Draw(image)
    while x < image.width:
        wide, tall = short * r.uniform(0.12, 0.22), short * r.uniform(0.04, 0.11)
        house = [(x, image.height), (x, base), (x + wide / 2, base - tall), (x + wide, base), (x + wide, image.height)]
        shape(image, house, tone)
        pen.rectangle((x + wide * 0.7, base - tall * 0.95, x + wide * 0.78, base - tall * 0.2), fill=tone)
        for k in range(2):
            if r.random() < 0.7:
                left, top = x + wide * (0.22 + 0.34 * k), base + short * 0.018
                pen.rectangle((left, top, left + wide * 0.13, top + wide * 0.17), fill=mix(tone, (255, 205, 120), 0.85))
        x += wide * r.uniform(0.9, 1.1)


def _tiles(image: Image.Image, palette: Palette, crown: list[Point]) -> None:
    unit = scale(image)
    edge = mix(palette.near, palette.light, 0.30)
    shape(image, canvas.stroke(crown, (unit * 3, unit * 3)), edge, 0.8)
    for i in range(1, 9):
        lower = [(x, y + i * unit * 19) for x, y in crown]
        shape(image, canvas.stroke(lower, (unit * 1.6, unit * 1.6)), edge, 0.22)


def garden(size: Size, palette: Palette, r: Random, wish: Wish) -> Image.Image:
    """Flowers from the horizon to our feet."""
    width, height = size
    short = _short(size)
    horizon = height * 0.42
    sun = _sun_place(size, r, 0.16, 0.24)
    image = _sky(size, palette, r, horizon, sun, short * 0.05)
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
        _lit_cat(
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
    _together(image, blades[:half], (0, top, image.width, image.height), mix(near, palette.near, 0.25))
    _together(image, blades[half:], (0, top, image.width, image.height), mix(green, palette.light, 0.18))


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
    short = _short(image.size)
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


def space(size: Size, palette: Palette, r: Random, wish: Wish) -> Image.Image:
    """A ringed world, a moon, a nebula and more stars than one can count."""
    width, height = size
    short = _short(size)
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
    _ringed(image, place, radius, tints, palette, r, lit)
    other = (width * (0.80 if place[0] < width / 2 else 0.12), height * r.uniform(0.13, 0.2))
    small = _globe(short * 0.055, [palette.haze, mix(palette.haze, palette.near, 0.4)], r, lit)
    image.paste(small.convert("RGB"), (round(other[0]), round(other[1])), small.getchannel("A"))
    if wish.cat:
        _cat_on_ledge(image, palette, r, place)
    return image


def _nebula(image: Image.Image, r: Random, tint: Color, strength: float) -> None:
    small = (max(2, image.width // 6), max(2, image.height // 6))
    aspect = image.width / image.height
    cloud = canvas.noise(r, small, (2.6 * aspect**0.5, 2.6 / aspect**0.5), 5)
    curve = [round(255 * strength * min(1.0, max(0.0, (i - 118) / 100)) ** 1.7) for i in range(256)]
    light = Image.composite(Image.new("RGB", small, tint), Image.new("RGB", small), cloud.point(curve))
    image.paste(ImageChops.screen(image, light.resize(image.size, canvas.SMOOTH)))


def _ringed(
    image: Image.Image, place: Point, radius: float, tints: list[Color], palette: Palette, r: Random, lit: Point
) -> None:
    ring = _rings(radius, palette, r)
    corner = (round(place[0] - ring.width / 2), round(place[1] - ring.height / 2))
    image.paste(ring.convert("RGB"), corner, ring.getchannel("A"))
    globe = _globe(radius, tints, r, lit)
    image.paste(globe.convert("RGB"), (round(place[0] - radius), round(place[1] - radius)), globe.getchannel("A"))
    front = ring.getchannel("A")
    hidden = Image.new("L", front.size)
    ImageDraw.Draw(hidden).polygon(_below_tilt(front.size), fill=255)
    image.paste(ring.convert("RGB"), corner, ImageChops.multiply(front, hidden))


def _below_tilt(size: Size) -> list[Point]:
    width, height = size
    rise = width / 2 * sin(RING_TILT)
    return [(0, height / 2 + rise), (width, height / 2 - rise), (width, height), (0, height)]


RING_TILT = 0.30  # radians


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


def _globe(radius: float, tints: list[Color], r: Random, lit_from: Point) -> Image.Image:
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


def forest(size: Size, palette: Palette, r: Random, wish: Wish) -> Image.Image:
    """Pines in the morning fog, light between them."""
    width, height = size
    short = _short(size)
    sun = _sun_place(size, r, 0.24, 0.34)
    image = _sky(size, palette, r, height * 0.8, sun, short * 0.05)
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
        _lit_cat(
            image,
            (width * 0.5, height * 0.95),
            short * 0.26,
            mix(palette.near, BLACK, 0.3),
            mix(palette.light, palette.haze, 0.3),
            sun[0] > width / 2,
        )
    if wish.snow:
        _snowfall(image, r)
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
    _together(image, trees, (0, 0, image.width, image.height), tone)


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


def desert(size: Size, palette: Palette, r: Random, wish: Wish) -> Image.Image:
    """Dunes in low light, balloons above them."""
    width, height = size
    short = _short(size)
    horizon = height * 0.60
    sun = _sun_place(size, r, 0.34, 0.42)
    image = _sky(size, palette, r, horizon, sun, short * 0.05)
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
        _lit_cat(image, (width * 0.5, height * 0.94), short * 0.30, palette.near, palette.light, sun[0] > width / 2)
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


SCENES: Mapping[str, Scene] = MappingProxyType(
    {
        "mountains": mountains,
        "sea": sea,
        "city": city,
        "cat": cat,
        "garden": garden,
        "space": space,
        "forest": forest,
        "desert": desert,
    }
)
