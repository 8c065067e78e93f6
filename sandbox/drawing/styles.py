"""A finished picture (RGB) once more: in another style, in another light, half finished, cut out."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from sandbox.drawing import canvas
from sandbox.drawing.palettes import PALETTES, Color

Style = Callable[[Image.Image, Random], Image.Image]
FIRST_CELLS = 6  # how many cells the shorter side of an unfinished picture has at first


def toned(shadow: str | Color, middle: str | Color, light: str | Color, share: float) -> Style:
    """A style: the picture's own lights and shades in three colours, mixed with what it was."""

    def style(image: Image.Image, _r: Random) -> Image.Image:
        tones = ImageOps.autocontrast(image.convert("L"), cutoff=1)
        return Image.blend(image, ImageOps.colorize(tones, shadow, light, mid=middle), share)

    return style


def in_palette(r: Random, names: str, share: float) -> Style:
    """A style: the picture in the colours of one of the palettes."""
    palette = PALETTES[r.choice(names.split())]
    return toned(palette.near, palette.sky[2], palette.light, share)


def night(image: Image.Image, r: Random) -> Image.Image:
    """Dark and blue, with a moon and stars."""
    dark = ImageEnhance.Brightness(toned("#02040f", "#16305c", "#a9c4ea", 0.78)(image, r)).enhance(0.72)
    canvas.dots(dark, r, dark.width * dark.height // 9000, dark.height * 0.45, (0.4, 2.0))
    moon, short = (dark.width * 0.8, dark.height * 0.16), min(dark.size)
    canvas.glow(dark, moon, short * 0.32, (190, 210, 255), 0.7)
    canvas.fill(dark, (244, 246, 255), canvas.ellipse(moon, short * 0.045, short * 0.045), blur=0.8)
    return dark


def snow(image: Image.Image, r: Random) -> Image.Image:
    """Cold, with falling snow."""
    cold = toned("#1b2c47", "#8fa9c4", "#ffffff", 0.6)(image, r)
    canvas.dots(cold, r, 420, cold.height, (0.8, 4.2))
    return cold


def watercolor(image: Image.Image, r: Random) -> Image.Image:
    """Clear washes with darker rims where the colour dried, on rough white paper."""
    washes = _halved(image).filter(ImageFilter.MedianFilter(5)).filter(ImageFilter.SMOOTH_MORE)
    washes = ImageEnhance.Color(ImageOps.autocontrast(washes, cutoff=1)).enhance(1.35)
    rims = ImageOps.invert(washes.convert("L").filter(ImageFilter.FIND_EDGES)).filter(ImageFilter.GaussianBlur(0.7))
    rims = rims.point([max(120, min(255, i * 3 // 2 - 115)) for i in range(256)])
    rims = ImageOps.expand(ImageOps.crop(rims, 1), 1, 255)  # the filter finds an edge all around the picture
    washes = ImageChops.multiply(washes, Image.merge("RGB", (rims, rims, rims)))
    pale = Image.blend(washes, Image.new("RGB", washes.size, (255, 252, 244)), 0.26)
    blooms = canvas.noise(r, pale.size, (4, 4), 5).point([max(0, min(40, i - 136)) for i in range(256)])
    pale.paste((255, 253, 248), (0, 0), blooms)
    return _on_paper(pale.resize(image.size, canvas.BICUBIC), r)


def _on_paper(image: Image.Image, r: Random) -> Image.Image:
    tile = Image.frombytes("L", (256, 256), r.randbytes(65536)).filter(ImageFilter.GaussianBlur(0.9))
    tile = tile.filter(ImageFilter.EMBOSS).point([min(255, max(232, 247 + (i - 128) // 5)) for i in range(256)])
    return ImageChops.multiply(image, canvas.tiled(tile, image.size))


def pencil(image: Image.Image, r: Random) -> Image.Image:
    """Lines where the picture is darker than its surroundings, a light shading below, on paper."""
    soft = ImageOps.autocontrast(image.convert("L"), cutoff=1).filter(ImageFilter.GaussianBlur(0.8))
    around = soft.filter(ImageFilter.BoxBlur(5 * canvas.scale(image)))
    lines = ImageOps.invert(ImageChops.subtract(around, soft, 0.22))
    shading = ImageOps.posterize(soft, 2).filter(ImageFilter.GaussianBlur(1.5))
    shading = shading.point([205 + i * 50 // 255 for i in range(256)])
    drawn = ImageChops.multiply(lines, shading)
    return _on_paper(ImageOps.colorize(drawn, (52, 50, 60), (253, 250, 242)), r)


def poster(image: Image.Image, r: Random) -> Image.Image:
    """Few flat colours."""
    flat = ImageOps.posterize(_halved(image).filter(ImageFilter.MedianFilter(5)), 3).resize(image.size, canvas.BICUBIC)
    return in_palette(r, "sunset rose lavender mint", 0.6)(flat, r)


def painted(image: Image.Image, r: Random) -> Image.Image:
    """Brush strokes, and the light of another hour."""
    brushed = _halved(image).filter(ImageFilter.ModeFilter(5)).filter(ImageFilter.SMOOTH_MORE)
    brushed = brushed.filter(ImageFilter.UnsharpMask(3, 130, 2)).resize(image.size, canvas.BICUBIC)
    brushed = Image.blend(brushed, image, 0.25)
    bright = ImageEnhance.Color(brushed).enhance(1.3)
    return canvas.vignette(in_palette(r, "dawn sunset golden lavender rose", 0.46)(bright, r), 0.35)


def _halved(image: Image.Image) -> Image.Image:
    """Half the size, which is enough for brushes and four times as quick."""
    return image.reduce(2) if min(image.size) > 64 else image


def in_another_light(image: Image.Image, r: Random) -> Image.Image:
    """The same picture, its colours, contrast and brightness a little different."""
    image = ImageEnhance.Color(image).enhance(r.choice((r.uniform(0.45, 0.75), r.uniform(1.25, 1.6))))
    image = ImageEnhance.Contrast(image).enhance(r.uniform(0.88, 1.14))
    return ImageEnhance.Brightness(image).enhance(r.uniform(0.9, 1.1))


def variation_of(image: Image.Image, size: canvas.Size, r: Random) -> Image.Image:
    """A picture like the given one (RGB): a little nearer, perhaps mirrored, in other colours."""
    near = r.uniform(0.72, 0.9)
    width, height = max(1, round(image.width * near)), max(1, round(image.height * near))
    left, top = r.randint(0, image.width - width), r.randint(0, image.height - height)
    found = ImageOps.fit(image.crop((left, top, left + width, top + height)), size, canvas.BICUBIC)
    if r.random() < 0.5:
        found = ImageOps.mirror(found)
    turn = r.choice((-1, 1)) * r.randint(10, 30)
    hue, saturation, value = found.convert("HSV").split()
    found = Image.merge("HSV", (hue.point([(i + turn) % 256 for i in range(256)]), saturation, value)).convert("RGB")
    return canvas.grain(in_another_light(found, r), r)


def unfinished(image: Image.Image, step: int) -> Image.Image:
    """The picture as it looks on its way: step 0 shows only its colours, each further step twice as much detail."""
    share = min(1.0, FIRST_CELLS * 2**step / min(image.size))
    small = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    return image.resize(small, Image.Resampling.BOX).resize(image.size, canvas.BILINEAR)


def cut_out(image: Image.Image) -> Image.Image:
    """The middle of the picture on a transparent ground, with a soft rim."""
    mask = Image.new("L", image.size)
    margin = min(image.size) * 0.06
    ImageDraw.Draw(mask).ellipse((margin, margin, image.width - 1 - margin, image.height - 1 - margin), fill=255)
    cut = image.convert("RGBA")
    cut.putalpha(mask.filter(ImageFilter.GaussianBlur(margin / 4)))
    return cut
