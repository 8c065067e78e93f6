"""Mountains behind a lake."""

from __future__ import annotations

from random import Random

from PIL import Image

from sandbox.drawing import canvas
from sandbox.drawing.canvas import Point, Size, fill, ground, jagged_line, mist, scale, short_side
from sandbox.drawing.palettes import WHITE, Color, Palette, mix
from sandbox.drawing.scenery import glitter, pine, sky, sun_place
from sandbox.drawing.subjects import Subject


def mountains(size: Size, subject: Subject, r: Random) -> Image.Image:
    """Snowy peaks, wooded hills, and a lake that mirrors them."""
    width, height = size
    palette = subject.palette
    horizon = height * r.uniform(0.60, 0.66)
    sun = sun_place(size, r, 0.14, 0.28)
    image = sky(size, subject, r, horizon, sun, short_side(size) * r.uniform(0.035, 0.05))
    span = min(height * 0.40, width * 0.40)
    _peaks(image, palette, r, horizon, span, 0.55 if subject.snow else 0.34)
    mist(image, horizon - span * 0.45, horizon, palette.haze, 0.6)
    for i in range(3):
        share = (i + 1) / 3
        line = canvas.rolling_line(r, width, horizon - span * 0.16 * (1 - share), span * 0.22, 3 + i)
        tone = mix(mix(palette.haze, palette.sky[1], 0.45), palette.near, 0.20 + 0.5 * share)
        _trees(image, line, span * (0.05 + 0.05 * share), tone, r)
        ground(image, line, tone)
        mist(image, horizon - span * 0.16, horizon, palette.haze, 0.3 * (1 - share * 0.7))
    canvas.mirror(image, horizon, mix(palette.sky[1], palette.near, 0.35), 0.26, r)
    mist(image, horizon - 16 * scale(image), horizon + scale(image), palette.haze, 0.55)
    glitter(image, subject, r, horizon, sun[0], 0.35)
    mist(image, horizon, height, mix(palette.near, palette.sky[0], 0.3), 0.5)
    bank = canvas.rolling_line(r, width, height * 0.955, height * 0.05, 4)
    _trees(image, bank, min(height, width) * 0.30, palette.near, r, side=r.choice((-1, 1)))
    ground(image, bank, palette.near)
    return image


def _peaks(image: Image.Image, palette: Palette, r: Random, base: float, span: float, snow_depth: float) -> None:
    """A range of peaks, the lower ones in front: rock in the colour of distance, snow above, one side in the light."""
    rock = mix(mix(palette.haze, palette.sky[0], 0.42), palette.near, 0.16)
    snow = mix(mix(palette.light, palette.haze, 0.18), WHITE, 0.25)
    shaded = (mix(rock, palette.near, 0.2), mix(snow, palette.sky[0], 0.42))
    step, rough = span * 0.55, span * 0.022
    places = [(i + r.uniform(-0.2, 0.2)) * step for i in range(-1, round(image.width / step) + 2)]
    for top in sorted(((x, base - span * r.uniform(0.55, 1.15)) for x in places), key=lambda one: one[1]):
        half = (base - top[1]) * r.uniform(0.75, 1.0)
        spine = jagged_line(r, top, (top[0] + half * r.uniform(-0.15, 0.2), base), rough * 1.8)
        snowline = top[1] + (base - top[1]) * snow_depth
        for side, (stone, cover) in ((1, shaded), (-1, (rock, snow))):
            edge = jagged_line(r, (top[0] + side * half, base), top, rough)
            fill(image, stone, [*edge, *spine])
            white, inner = ([point for point in line if point[1] < snowline] for line in (edge, spine))
            fill(image, cover, [*white, *inner, *jagged_line(r, inner[-1], white[0], span * 0.06, 6)[1:]])


def _trees(image: Image.Image, line: list[Point], tall: float, color: Color, r: Random, side: float = 0.0) -> None:
    """Pines along a hill's line; with a `side` (-1 or 1) only there, and smaller towards the middle."""
    trees: list[list[Point]] = []
    x = 0.0
    while x < image.width:
        share = side * (x / image.width * 2 - 1) - 0.2 if side else 1.0
        if share > 0.1:
            y = min(line, key=lambda point: abs(point[0] - x))[1]
            trees.append(pine((x, y + tall * 0.3), tall * (share + 0.1) * r.uniform(0.6, 1.25), r))
        x += tall * r.uniform(0.16, 0.42) * (0.5 if side else 1.0)
    fill(image, color, *trees)
