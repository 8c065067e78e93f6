"""Images that come with a request: opened, upright, in plain colours and in a size that is quick to work with."""

from __future__ import annotations

import io

from PIL import Image, ImageOps

from sandbox.drawing import draw_picture

LINKED_SIZE = (1024, 1024)  # of a picture that is only an address
MAX_PIXELS = 60_000_000  # more is a decompression bomb
WORKING_SIDE = 1600  # pixels


class UnreadableImageError(ValueError):
    """Bytes that are no image, or one that is too large."""


def open_image(data: bytes, formats: tuple[str, ...] | None = None) -> Image.Image:
    """The image that bytes hold, decoded. Raises UnreadableImageError. `formats` are Pillow's names, None for all."""
    try:
        image = Image.open(io.BytesIO(data), formats=formats)
        if image.width * image.height > MAX_PIXELS:
            raise UnreadableImageError("too many pixels")
        image.load()
    except Exception as error:  # Pillow's decoders raise many kinds
        raise UnreadableImageError(str(error)) from None
    return image


def linked_image(url: str) -> Image.Image:
    """The image at an address: drawn from the words of the address, since the sandbox uses no network."""
    return draw_picture(url, LINKED_SIZE)


def has_transparency(image: Image.Image) -> bool:
    """Whether pixels of the image may be transparent."""
    return "A" in image.getbands() or "transparency" in image.info


def plain_image(image: Image.Image) -> Image.Image:
    """The image upright, in RGB, on white where it is transparent."""
    image = ImageOps.exif_transpose(image)
    if has_transparency(image):
        layer = image.convert("RGBA")
        image = Image.new("RGBA", layer.size, "white")
        image.alpha_composite(layer)
    return image.convert("RGB")


def working_copy(image: Image.Image) -> Image.Image:
    """The image, no side longer than WORKING_SIDE."""
    copy = image.copy()
    copy.thumbnail((WORKING_SIDE, WORKING_SIDE))
    return copy
