"""A city at night."""

from __future__ import annotations

from math import cos, pi, sin
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from sandbox.drawing import canvas
from sandbox.drawing.canvas import Point, Size, glow, mist, scale, shape, short_side
from sandbox.drawing.creatures import lit_cat
from sandbox.drawing.palettes import BLACK, WHITE, Color, Palette, mix
from sandbox.drawing.scenes.wish import Wish
from sandbox.drawing.sky import sky, sun_place


def city(size: Size, palette: Palette, r: Random, wish: Wish) -> Image.Image:
    """Towers at night, lit windows, neon over a wet street."""
    width, height = size
    street = height * 0.74
    short = short_side(size)
    moon = sun_place(size, r, 0.13, 0.22)
    image = sky(size, palette, r, street, moon, short * 0.055)
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
        lit_cat(image, foot, tall, mix(palette.near, BLACK, 0.4), palette.accents[0], r.random() < 0.5, walking=True)
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
    short = short_side(image.size)
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
