"""Second thoughts about a finished picture: the same in another light, a part of it only, not finished yet."""

from __future__ import annotations

from random import Random

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from sandbox.drawing import canvas

FIRST_CELLS = 6  # how many cells the shorter side of an unfinished picture has at first


def in_another_light(image: Image.Image, r: Random) -> Image.Image:
    """The same picture, its colours, contrast and brightness a little different."""
    image = ImageEnhance.Color(image).enhance(r.choice((r.uniform(0.45, 0.75), r.uniform(1.25, 1.6))))
    image = ImageEnhance.Contrast(image).enhance(r.uniform(0.88, 1.14))
    return ImageEnhance.Brightness(image).enhance(r.uniform(0.9, 1.1))


def variation_of(image: Image.Image, size: tuple[int, int], r: Random) -> Image.Image:
    """A picture like the given one: seen from a step nearer, perhaps mirrored, in another light and other colours."""
    near = r.uniform(0.72, 0.9)
    width, height = max(1, round(image.width * near)), max(1, round(image.height * near))
    left, top = r.randint(0, image.width - width), r.randint(0, image.height - height)
    seen = ImageOps.fit(image.crop((left, top, left + width, top + height)), size, Image.Resampling.BICUBIC)
    if r.random() < 0.5:
        seen = ImageOps.mirror(seen)
    hue, saturation, value = seen.convert("HSV").split()
    turned = r.choice((-1, 1)) * r.randint(10, 30)
    seen = Image.merge("HSV", (hue.point([(i + turned) % 256 for i in range(256)]), saturation, value)).convert("RGB")
    return canvas.grain(in_another_light(seen, r), r)


def where_transparent(before: Image.Image, after: Image.Image, mask: Image.Image) -> Image.Image:
    """The new picture where the mask (any size, with alpha) is transparent; the old one, untouched, where it is not."""
    alpha = mask.convert("RGBA").getchannel("A")
    if alpha.size != before.size:
        alpha = alpha.resize(before.size, Image.Resampling.BILINEAR)
    return Image.composite(before, after, alpha)


def unfinished(image: Image.Image, step: int) -> Image.Image:
    """The picture as it may look on its way: step 0 knows the colours only, each later one sees twice as much."""
    share = min(1.0, FIRST_CELLS * 2**step / min(image.size))
    small = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    return image.resize(small, Image.Resampling.BOX).resize(image.size, Image.Resampling.BILINEAR)


def cut_out(image: Image.Image) -> Image.Image:
    """The middle of the picture on a transparent ground, with a soft rim."""
    mask = Image.new("L", image.size)
    margin = min(image.size) * 0.06
    ImageDraw.Draw(mask).ellipse((margin, margin, image.width - 1 - margin, image.height - 1 - margin), fill=255)
    cut = image.convert("RGBA")
    cut.putalpha(mask.filter(ImageFilter.GaussianBlur(margin / 4)))
    return cut
