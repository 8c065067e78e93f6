"""Pictures that are sent, and pictures that come back: their format, pixels and bytes."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from functools import cache
from math import log

from PIL import Image, UnidentifiedImageError

CLOSE = 0.12  # how far, as a logarithm, a shape may be from the one that was asked for


@dataclass(frozen=True)
class Picture:
    """A picture that came back. One that cannot be opened has no pixels."""

    content: bytes
    format: str  # png, jpeg, webp; "" if it is no picture
    width: int = 0
    height: int = 0

    @property
    def pixels(self) -> str:
        """Width and height as OpenAI's `size` writes them."""
        return f"{self.width}x{self.height}"

    def has_shape(self, width: float, height: float, close: float = CLOSE) -> bool:
        """Whether it is about as wide for its height as the other."""
        return bool(self.width) and abs(log(self.width / self.height * height / width)) <= close

    def __str__(self) -> str:
        if not self.format:
            return f"no picture, {len(self.content)} bytes"
        return f"{self.format} {self.pixels}, {len(self.content)} bytes"


def read_picture(content: bytes) -> Picture:
    """Open a picture as any viewer would."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            return Picture(content, (image.format or "").lower(), image.width, image.height)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return Picture(content, "")


def from_base64(text: str) -> Picture:
    """A picture in base64, which must be bare: standard alphabet, padded, no `data:` before it."""
    try:
        return read_picture(base64.b64decode(text, validate=True))
    except ValueError:
        return Picture(text.encode(), "")


@cache
def drawn(width: int = 96, height: int = 64, colour: str = "tomato", file_type: str = "PNG") -> bytes:
    """A small picture of our own to send."""
    image = Image.new("RGB", (width, height), "ivory")
    image.paste(colour, (width // 4, height // 4, width * 3 // 4, height * 3 // 4))
    return encoded(image, file_type)


@cache
def mask(width: int = 96, height: int = 64) -> bytes:
    """A mask as OpenAI wants it: a PNG of the same size whose transparent middle is to be drawn anew."""
    image = Image.new("RGBA", (width, height), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (width // 4, height // 4, width * 3 // 4, height * 3 // 4))
    return encoded(image, "PNG")


def encoded(image: Image.Image, file_type: str) -> bytes:
    """The bytes of a picture's file."""
    buffer = io.BytesIO()
    image.save(buffer, file_type)
    return buffer.getvalue()


def data_url(content: bytes, mime_type: str = "image/png") -> str:
    """A picture as browsers write it."""
    return f"data:{mime_type};base64,{base64.b64encode(content).decode()}"
