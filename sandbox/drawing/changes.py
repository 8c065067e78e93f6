"""What is done to given pictures: they are composed into one, and the prompt names the style."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from PIL import Image, ImageFilter, ImageOps

from sandbox.drawing import canvas
from sandbox.drawing.canvas import BICUBIC, BILINEAR, Size
from sandbox.drawing.styles import Style, night, painted, pencil, poster, snow, toned, watercolor

STYLES: tuple[tuple[str, Style], ...] = (  # the words that ask for a style; the first that is found wins
    ("watercolor,watercolour,수채", watercolor),
    ("pencil,sketch,drawing,스케치,연필", pencil),
    ("black and white,grayscale,greyscale,monochrome,흑백,회색", toned("#000000", "#808080", "#ffffff", 1.0)),
    ("sepia,vintage,old photo,세피아,빈티지,옛날", toned("#24140a", "#a3764a", "#fff0d2", 0.92)),
    ("snow,winter,겨울,눈 ", snow),
    ("night,moon,밤,야경", night),
    ("sunset,dusk,노을,석양", toned("#1d1034", "#d1553f", "#ffe3a6", 0.66)),
    ("poster,pop art,cartoon,comic,포스터,만화,팝아트", poster),
    ("blue,파란,파랑,푸른,블루", toned("#05112e", "#2f6fc0", "#eaf5ff", 0.74)),
    ("green,초록,녹색,그린", toned("#06180f", "#3f9159", "#f3ffe6", 0.70)),
    ("red,빨간,빨강,붉은,레드", toned("#1f0508", "#c23a3a", "#fff0e6", 0.70)),
    ("pink,분홍,핑크", toned("#2b0f26", "#d86a98", "#fff0f3", 0.70)),
    ("violet,purple,보라,퍼플", toned("#140a2e", "#7a4fc0", "#f7efff", 0.72)),
    ("yellow,gold,노란,노랑,금색", toned("#241503", "#cf9a2a", "#fff9dc", 0.70)),
    ("orange,주황,오렌지", toned("#220d05", "#dd7a2c", "#fff2df", 0.70)),
    ("neon,cyberpunk,네온,사이버펑크", toned("#0a0528", "#d0218f", "#8ff6ff", 0.74)),
    ("warm,따뜻", toned("#23120a", "#cf8d58", "#fff4df", 0.5)),
    ("cool,cold,차가", toned("#07162a", "#6a97bd", "#f2fbff", 0.5)),
)


def changed(pictures: Sequence[Image.Image], prompt: str, size: Size, r: Random) -> Image.Image:
    """The pictures composed into one of the given size, in the style that the prompt names, or painted."""
    text = f"{prompt.lower()} "
    style = next((style for words, style in STYLES if any(word in text for word in words.split(","))), painted)
    composed = _fitted(pictures[0], size) if len(pictures) == 1 else _side_by_side(pictures, size)
    return canvas.grain(style(composed, r), r, 1)


def changed_where(mask: Image.Image, before: Image.Image, after: Image.Image) -> Image.Image:
    """The picture as it was before, and as it is after where the mask is light. What frames it stays as it was."""
    size = after.size
    if _has_about_the_shape(mask, size):
        mask = ImageOps.fit(mask, size, BILINEAR)
    else:
        mask = ImageOps.pad(mask, size, BILINEAR, color=0)
    return Image.composite(after, _fitted(before, size), mask)


def _fitted(picture: Image.Image, size: Size) -> Image.Image:
    """The picture in the size, never squeezed: what does not fit is cut when little, framed softly when much."""
    if _has_about_the_shape(picture, size):
        return ImageOps.fit(picture, size, BICUBIC)
    frame = ImageOps.fit(picture, (max(2, size[0] // 8), max(2, size[1] // 8)), BILINEAR)
    frame = frame.filter(ImageFilter.GaussianBlur(size[0] / 160)).resize(size, BICUBIC)
    whole = ImageOps.contain(picture, size, BICUBIC)
    frame.paste(whole, ((size[0] - whole.width) // 2, (size[1] - whole.height) // 2))
    return frame


def _has_about_the_shape(picture: Image.Image, size: Size) -> bool:
    shape, wanted = picture.width / picture.height, size[0] / size[1]
    return max(shape, wanted) / min(shape, wanted) < 1.25


def _side_by_side(pictures: Sequence[Image.Image], size: Size) -> Image.Image:
    """The pictures in a row, or in a column where the size is tall, each flowing into the next."""
    if size[0] < size[1]:
        turned = [picture.transpose(Image.Transpose.ROTATE_90) for picture in pictures]
        return _side_by_side(turned, size[::-1]).transpose(Image.Transpose.ROTATE_270)
    width = size[0] / len(pictures)
    overlap = round(width / 5)
    sheet = Image.new("RGB", size)
    for i, picture in enumerate(pictures):
        left = max(0, round(i * width) - overlap)
        extent = (max(1, round((i + 1) * width) - left), size[1])
        mask = Image.new("L", extent, 255)
        if i and overlap:
            mask.paste(canvas.fade((extent[1], overlap), 0, 255).transpose(Image.Transpose.ROTATE_90), (0, 0))
        sheet.paste(ImageOps.fit(picture, extent, BICUBIC), (left, 0), mask)
    return sheet
