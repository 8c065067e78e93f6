"""What is done to a given picture: the prompt chooses, a painterly regrade where it names nothing known."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from sandbox.drawing import canvas
from sandbox.drawing.palettes import PALETTES, color

Change = Callable[[Image.Image, Random], Image.Image]


def _toned(shadow: str, middle: str, light: str, share: float) -> Change:
    """A regrade: the picture's own lights and shades in three colours, mixed with what it was."""

    def change(image: Image.Image, _r: Random) -> Image.Image:
        gray = ImageOps.autocontrast(image.convert("L"), cutoff=1)
        graded = ImageOps.colorize(gray, color(shadow), color(light), mid=color(middle))
        return Image.blend(image, graded, share)

    return change


def _gray(image: Image.Image, _r: Random) -> Image.Image:
    return ImageOps.autocontrast(image.convert("L"), cutoff=1).convert("RGB")


def _night(image: Image.Image, r: Random) -> Image.Image:
    dark = ImageEnhance.Brightness(_toned("02040f", "16305c", "a9c4ea", 0.78)(image, r)).enhance(0.72)
    canvas.stars(dark, r, dark.height * 0.45, 0.8)
    short = min(dark.size)
    moon = (dark.width * 0.8, dark.height * 0.16)
    canvas.glow(dark, moon, short * 0.32, (190, 210, 255), 0.7, 2.4)
    canvas.disc(dark, moon, short * 0.045, (244, 246, 255), 1.0, 0.8)
    return dark


def _snow(image: Image.Image, r: Random) -> Image.Image:
    cold = _toned("1b2c47", "8fa9c4", "ffffff", 0.6)(image, r)
    pen = ImageDraw.Draw(cold, "RGBA")
    unit = canvas.scale(cold)
    for _ in range(420):
        reach = unit * r.uniform(0.8, 4.2)
        x, y = r.uniform(0, cold.width), r.uniform(0, cold.height)
        pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=(255, 255, 255, r.randint(70, 220)))
    return cold


def watercolor(image: Image.Image, r: Random) -> Image.Image:
    """Clear washes with darker rims where the colour dried, on rough white paper."""
    small = _halved(image)
    washes = small.filter(ImageFilter.MedianFilter(5)).filter(ImageFilter.SMOOTH_MORE)
    washes = ImageEnhance.Color(ImageOps.autocontrast(washes, cutoff=1)).enhance(1.35)
    rims = ImageOps.invert(washes.convert("L").filter(ImageFilter.FIND_EDGES)).filter(ImageFilter.GaussianBlur(0.7))
    rims = rims.point([max(120, min(255, i * 3 // 2 - 115)) for i in range(256)])
    washes = ImageChops.multiply(washes, Image.merge("RGB", (rims, rims, rims)))
    pale = Image.blend(washes, Image.new("RGB", small.size, (255, 252, 244)), 0.26)
    bloom = canvas.noise(r, small.size, (4, 4), 5)
    pale.paste((255, 253, 248), (0, 0), bloom.point([max(0, min(28, i - 142)) for i in range(256)]))
    pooled = bloom.point([255 - max(0, min(16, 112 - i)) for i in range(256)])
    pale = ImageChops.multiply(pale, Image.merge("RGB", (pooled, pooled, pooled)))
    return _paper_edge(_paper(pale.resize(image.size, canvas.SMOOTH), r), r)


def _paper(image: Image.Image, r: Random) -> Image.Image:
    tile = Image.frombytes("L", (256, 256), r.randbytes(65536)).filter(ImageFilter.GaussianBlur(0.9))
    tile = tile.filter(ImageFilter.EMBOSS).point([min(255, max(232, 247 + (i - 128) // 5)) for i in range(256)])
    sheet = Image.new("L", image.size)
    for x in range(0, image.width, 256):
        for y in range(0, image.height, 256):
            sheet.paste(tile, (x, y))
    return ImageChops.multiply(image, Image.merge("RGB", (sheet, sheet, sheet)))


def _paper_edge(image: Image.Image, r: Random) -> Image.Image:
    """The paint ends a little before the paper does, unevenly."""
    small = (max(8, image.width // 4), max(8, image.height // 4))
    margin = max(2, round(min(small) * 0.03))
    mask = Image.new("L", small)
    ImageDraw.Draw(mask).rectangle((margin, margin, small[0] - margin, small[1] - margin), fill=255)
    rough = canvas.noise(r, small, (26 * small[0] / min(small), 26 * small[1] / min(small)), 3)
    mixed = Image.blend(mask.filter(ImageFilter.GaussianBlur(margin * 0.7)), rough, 0.22)
    sharp = mixed.point([min(255, max(0, (i - 96) * 6)) for i in range(256)]).resize(image.size, canvas.SMOOTH)
    return Image.composite(image, _paper(Image.new("RGB", image.size, (252, 249, 242)), r), sharp)


def _pencil(image: Image.Image, r: Random) -> Image.Image:
    """Lines where the picture is darker than its surroundings, a light shading below, on paper."""
    gray = ImageOps.autocontrast(image.convert("L"), cutoff=1).filter(ImageFilter.GaussianBlur(0.8))
    around = gray.filter(ImageFilter.BoxBlur(5 * canvas.scale(image)))
    lines = ImageOps.invert(ImageChops.subtract(around, gray, 0.22))
    shading = (
        ImageOps.posterize(gray, 2)
        .filter(ImageFilter.GaussianBlur(1.5))
        .point([205 + i * 50 // 255 for i in range(256)])
    )
    drawn = ImageChops.multiply(lines, shading)
    return _paper(ImageOps.colorize(drawn, (52, 50, 60), (253, 250, 242)), r)


def _poster(image: Image.Image, r: Random) -> Image.Image:
    flat = ImageOps.posterize(_halved(image).filter(ImageFilter.MedianFilter(5)), 3).resize(image.size, canvas.SMOOTH)
    palette = PALETTES[r.choice(("sunset", "coral", "lavender", "mint"))]
    graded = ImageOps.colorize(
        ImageOps.autocontrast(flat.convert("L")), palette.near, palette.light, mid=palette.sky[2]
    )
    return Image.blend(flat, graded, 0.6)


def _painted(image: Image.Image, r: Random) -> Image.Image:
    """The default: brush strokes, and the light of another hour."""
    palette = PALETTES[r.choice(("dawn", "sunset", "golden", "lavender", "rose", "coral"))]
    brushed = _halved(image).filter(ImageFilter.ModeFilter(5)).filter(ImageFilter.SMOOTH_MORE)
    brushed = brushed.filter(ImageFilter.UnsharpMask(3, 130, 2)).resize(image.size, canvas.SMOOTH)
    brushed = Image.blend(brushed, image, 0.25)
    gray = ImageOps.autocontrast(brushed.convert("L"), cutoff=1)
    graded = ImageOps.colorize(gray, palette.near, palette.light, mid=palette.sky[2])
    mixed = Image.blend(ImageEnhance.Color(brushed).enhance(1.3), graded, 0.46)
    return canvas.vignette(mixed, 0.35)


def _halved(image: Image.Image) -> Image.Image:
    """Half the size, which is enough for brushes and four times as quick."""
    return image.reduce(2) if min(image.size) > 64 else image


CHANGES: tuple[tuple[tuple[str, ...], Change], ...] = (
    (("watercolor", "watercolour", "수채"), watercolor),
    (("pencil", "sketch", "drawing", "스케치", "연필"), _pencil),
    (("black and white", "grayscale", "greyscale", "monochrome", "흑백", "회색"), _gray),
    (("sepia", "vintage", "old photo", "세피아", "빈티지", "옛날"), _toned("24140a", "a3764a", "fff0d2", 0.92)),
    (("snow", "winter", "겨울", "눈 "), _snow),
    (("night", "moon", "밤", "야경"), _night),
    (("sunset", "dusk", "노을", "석양"), _toned("1d1034", "d1553f", "ffe3a6", 0.66)),
    (("poster", "pop art", "cartoon", "comic", "포스터", "만화", "팝아트"), _poster),
    (("blue", "파란", "파랑", "푸른", "블루"), _toned("05112e", "2f6fc0", "eaf5ff", 0.74)),
    (("green", "초록", "녹색", "그린"), _toned("06180f", "3f9159", "f3ffe6", 0.70)),
    (("red", "빨간", "빨강", "붉은", "레드"), _toned("1f0508", "c23a3a", "fff0e6", 0.70)),
    (("pink", "분홍", "핑크"), _toned("2b0f26", "d86a98", "fff0f3", 0.70)),
    (("violet", "purple", "보라", "퍼플"), _toned("140a2e", "7a4fc0", "f7efff", 0.72)),
    (("yellow", "gold", "노란", "노랑", "금색"), _toned("241503", "cf9a2a", "fff9dc", 0.70)),
    (("orange", "주황", "오렌지"), _toned("220d05", "dd7a2c", "fff2df", 0.70)),
    (("neon", "cyberpunk", "네온", "사이버펑크"), _toned("0a0528", "d0218f", "8ff6ff", 0.74)),
    (("warm", "따뜻"), _toned("23120a", "cf8d58", "fff4df", 0.5)),
    (("cool", "cold", "차가"), _toned("07162a", "6a97bd", "f2fbff", 0.5)),
)


def change_for(prompt: str) -> Change:
    """What a prompt asks to do with a picture."""
    text = f"{prompt.lower()} "
    return next((change for words, change in CHANGES if any(word in text for word in words)), _painted)


def changed(pictures: Sequence[Image.Image], prompt: str, size: tuple[int, int]) -> Image.Image:
    """The pictures composed into one of the given size, then changed as the prompt asks."""
    r = Random(hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).digest())
    composed = _composed(pictures, size, r)
    return canvas.grain(change_for(prompt)(composed, r), r, 1)


def changed_within(mask: Image.Image, before: Image.Image, after: Image.Image) -> Image.Image:
    """The picture as it was before, and as it is after where the mask is light."""
    return Image.composite(after, _fitted(before, after.size), _fitted_mask(mask, after.size))


def _composed(pictures: Sequence[Image.Image], size: tuple[int, int], r: Random) -> Image.Image:
    if len(pictures) == 1:
        return _fitted(pictures[0], size)
    return _collage(pictures, size, r)


def _fitted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture in the size, nothing squeezed: what does not fit is cut when little, framed softly when much."""
    if _has_about_the_shape(picture, size):
        return ImageOps.fit(picture, size, Image.Resampling.BICUBIC)
    ground = ImageOps.fit(picture, (max(2, size[0] // 8), max(2, size[1] // 8)), Image.Resampling.BILINEAR)
    ground = ground.filter(ImageFilter.GaussianBlur(size[0] / 160)).resize(size, canvas.SMOOTH)
    whole = ImageOps.contain(picture, size, Image.Resampling.BICUBIC)
    ground.paste(whole, ((size[0] - whole.width) // 2, (size[1] - whole.height) // 2))
    return ground


def _fitted_mask(mask: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The mask as its picture is fitted; what frames the picture stays as it is."""
    if _has_about_the_shape(mask, size):
        return ImageOps.fit(mask, size, Image.Resampling.BILINEAR)
    return ImageOps.pad(mask, size, Image.Resampling.BILINEAR, color=0)


def _has_about_the_shape(picture: Image.Image, size: tuple[int, int]) -> bool:
    shape, wanted = picture.width / picture.height, size[0] / size[1]
    return max(shape, wanted) / min(shape, wanted) < 1.25


def _collage(pictures: Sequence[Image.Image], size: tuple[int, int], r: Random) -> Image.Image:
    """Side by side (or one above the other), their borders flowing into each other."""
    wide = size[0] >= size[1]
    count = len(pictures)
    along = size[0] if wide else size[1]
    overlap = along // (count * 5)
    sheet = Image.new("RGB", size)
    for i, picture in enumerate(pictures):
        start, end = i * along // count, (i + 1) * along // count + overlap
        extent = (
            (end - start + (overlap if i else 0), size[1]) if wide else (size[0], end - start + (overlap if i else 0))
        )
        piece = ImageOps.fit(picture, extent, Image.Resampling.BICUBIC)
        at = start - (overlap if i else 0)
        mask = Image.new("L", extent, 255)
        if i:
            ramp = (
                canvas.fade((extent[1], overlap * 2), 0, 255) if wide else canvas.fade((extent[0], overlap * 2), 0, 255)
            )
            mask.paste(ramp.transpose(Image.Transpose.ROTATE_90) if wide else ramp, (0, 0))
        sheet.paste(piece, (at, 0) if wide else (0, at), mask)
    return sheet
