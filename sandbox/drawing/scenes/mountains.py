"""Ridges behind ridges, with or without a lake."""

from __future__ import annotations

from itertools import pairwise
from math import pi, sin
from random import Random

from PIL import Image

from sandbox.drawing import canvas
from sandbox.drawing.canvas import Point, Size, ground, mist, scale, shape, shapes, short_side
from sandbox.drawing.creatures import pine
from sandbox.drawing.palettes import WHITE, Color, Palette, mix
from sandbox.drawing.planets import planet_in_sky
from sandbox.drawing.scenes.sea import glitter
from sandbox.drawing.scenes.wish import Wish
from sandbox.drawing.sky import sky, snowfall, sun_place


def mountains(size: Size, palette: Palette, r: Random, wish: Wish) -> Image.Image:
    """Ridges behind ridges, snow on the highest, a lake or pines in front."""
    width, height = size
    lake = r.random() < 0.62
    horizon = height * (0.60 if lake else 0.72)
    sun = sun_place(size, r, 0.16, 0.30)
    image = sky(size, palette, r, horizon, sun, short_side(size) * r.uniform(0.035, 0.05))
    if wish.dream:
        other = (width - sun[0]) * 0.98, height * 0.24
        planet_in_sky(image, palette, r, other, short_side(size) * 0.19)
    span = min(height * 0.34, width * 0.36)
    _snowy_ridge(image, palette, r, horizon - span * 0.44, span, wish.snow)
    mist(image, horizon - span * 0.55, horizon, palette.haze, 0.62)
    if wish.dream:
        _floating_rock(
            image, palette, r, (width * 0.5 + (width * 0.5 - sun[0]) * 0.10, height * 0.22), short_side(size) * 0.085
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
        snowfall(image, r)
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
    shapes(image, trees, (0, top, image.width, max(y for _, y in line) + tall), color)


def _lake(image: Image.Image, palette: Palette, r: Random, horizon: float, sun: Point) -> None:
    canvas.mirror(image, horizon, mix(palette.sky[1], palette.near, 0.35), 0.26, r)
    unit = scale(image)
    mist(image, horizon - 16 * unit, horizon + unit, palette.haze, 0.55)
    mist_below = canvas.fade((image.width, round(20 * unit)), 120, 0)
    image.paste(palette.haze, (0, round(horizon), image.width, round(horizon) + mist_below.height), mist_below)
    glitter(image, palette, r, horizon, sun[0], 0.35)
    depth = image.height - horizon
    shade = canvas.fade((image.width, round(depth)), 0, 120)
    image.paste(
        mix(palette.near, palette.sky[0], 0.3), (0, image.height - shade.height, image.width, image.height), shade
    )


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
    shapes(image, trees, (0, height * 0.4, width, height), palette.near)
    ground(image, bank, palette.near)
