"""A city at night."""

from __future__ import annotations

from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from sandbox.drawing import canvas
from sandbox.drawing.canvas import BILINEAR, Size, glow, mist, scale, short_side
from sandbox.drawing.palettes import BLACK, WHITE, Color, Palette, mix
from sandbox.drawing.scenery import sky, sun_place
from sandbox.drawing.subjects import Subject

Box = tuple[float, float, float, float]  # left, top, width, height


def city(size: Size, subject: Subject, r: Random) -> Image.Image:
    """Towers with lit windows, neon signs, and a wet street that mirrors them."""
    width, height = size
    palette, short, street = subject.palette, short_side(size), height * 0.74
    image = sky(size, subject, r, street, sun_place(size, r, 0.13, 0.22), short * 0.055)
    glow(image, (width / 2, street), max(width, short) * 0.75, palette.sky[-1], 0.85, 1.6)
    for i in range(4):
        share = i / 3
        tone = mix(mix(palette.sky[-2], palette.sky[1], 0.45), palette.near, 0.25 + 0.68 * share)
        _towers(image, palette, r, street, tone, share)
        mist(image, street - short * 0.45, street, mix(palette.haze, palette.sky[-1], 0.3), 0.40 * (1 - share))
    _signs(image, palette, r, street)
    canvas.mirror(image, street, mix(palette.near, palette.sky[1], 0.4), 0.28, r)
    _wet_street(image, palette, street)
    return image


def _towers(image: Image.Image, palette: Palette, r: Random, street: float, tone: Color, share: float) -> None:
    """One row of buildings; nearer rows are darker, taller at the sides and leave the middle open."""
    broad = min(image.size) * (0.05 + 0.06 * share)
    lamps = [mix(accent, WHITE, 0.25) for accent in palette.accents[:3]] + [(255, 214, 150)] * 3
    pen = ImageDraw.Draw(image)
    x = -broad * r.random()
    while x < image.width:
        wide = broad * r.uniform(0.7, 1.5)
        aside = abs((x + wide / 2) / image.width - 0.5) * 2
        tall = street * (0.20 + 0.20 * r.random() + 0.30 * share * aside + 0.16 * (1 - share) * r.random())
        if share < 0.9 or aside >= 0.38:
            top, middle = street - tall, x + wide / 2
            pen.rectangle((x, top, x + wide, street + 1), fill=tone)
            pen.rectangle((x + wide * 0.86, top, x + wide, street + 1), fill=mix(tone, BLACK, 0.25))
            if r.random() < 0.4:
                pen.rectangle((middle - 1, top - wide * 0.55, middle + 1, top), fill=tone)
            elif r.random() < 0.4:
                pen.polygon([(x, top), (x + wide, top), (x + wide, top - wide * 0.3)], fill=tone)
            _windows(pen, r, (x, top, wide, tall), tone, lamps, scale(image) * (7 + 6 * share))
        x += wide * r.uniform(0.95, 1.2)


def _windows(pen: ImageDraw.ImageDraw, r: Random, box: Box, tone: Color, lamps: list[Color], step: float) -> None:
    x, top, wide, tall = box
    lit_share, usual = r.uniform(0.18, 0.5), r.choice(lamps)
    for row in range(int((tall - step) / (step * 1.25))):
        for column in range(int((wide * 0.84 - step * 0.46) / step)):
            left, upper = x + step * (column + 0.5), top + step * (0.8 + row * 1.25)
            lamp = usual if r.random() < 0.8 else r.choice(lamps)
            tint = mix(tone, lamp, r.uniform(0.45, 0.95)) if r.random() < lit_share else mix(tone, BLACK, 0.22)
            pen.rectangle((left, upper, left + step * 0.46, upper + step * 0.62), fill=tint)


def _signs(image: Image.Image, palette: Palette, r: Random, street: float) -> None:
    """Neon signs at both sides, and the light that they throw."""
    short = short_side(image.size)
    light = Image.new("RGB", image.size)
    pen = ImageDraw.Draw(light)
    for i in range(12):
        wide, tall = short * r.uniform(0.018, 0.034), short * r.uniform(0.07, 0.17)
        if i % 4 == 0:
            wide, tall = tall * 1.1, wide * 1.2
        x = (image.width - wide) * abs(i % 2 - r.uniform(0.02, 0.30))
        y = street * (0.36 + 0.5 * (i // 2 + r.random() * 0.5) / 6)
        tint = mix(palette.accents[i * 3 // 2 % 4], WHITE, 0.22)
        _sign(pen, r, (x, y, wide, tall), tint, max(2, round(short * 0.0042)))
    for reduced, blur, times in ((4, 0.007, 2), (8, 0.012, 3)):
        soft = light.reduce(reduced).filter(ImageFilter.GaussianBlur(short * blur)).resize(image.size, BILINEAR)
        image.paste(ImageChops.screen(image, soft.point([min(255, i * times) for i in range(256)] * 3)))
    image.paste(ImageChops.screen(image, light.filter(ImageFilter.GaussianBlur(0.7))))


def _sign(pen: ImageDraw.ImageDraw, r: Random, box: Box, tint: Color, line: int) -> None:
    """A frame with a row of signs that mean nothing."""
    x, y, wide, tall = box
    pen.rectangle((x - line, y - line, x + wide + line, y + tall + line), fill=BLACK)
    pen.rounded_rectangle((x, y, x + wide, y + tall), radius=min(wide, tall) * 0.3, outline=tint, width=line)
    marks, reach = max(2, int(max(wide, tall) / min(wide, tall))), min(wide, tall) * 0.24
    for i in range(marks):
        along = (i + 0.5) / marks
        cx, cy = (x + wide / 2, y + tall * along) if tall > wide else (x + wide * along, y + tall / 2)
        pen.regular_polygon((cx, cy, reach), r.choice((3, 4, 8)), r.choice((0, 45)), outline=tint, width=line // 2 + 1)


def _wet_street(image: Image.Image, palette: Palette, street: float) -> None:
    """Reflections that run downwards, and darkness towards the viewer."""
    road = image.crop((0, round(street) + 2, image.width, image.height))
    if road.height < 4:
        return
    long = road.resize((road.width, max(2, road.height // 26)), Image.Resampling.BOX).resize(road.size, canvas.BICUBIC)
    road = Image.blend(road, long, 0.68)
    road.paste(palette.near, (0, 0), canvas.fade(road.size, 10, 190))
    image.paste(road, (0, round(street) + 2))
