"""Pictures that are sent and pictures that come back: their format, pixels and bytes."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from functools import cache, lru_cache
from math import log

from PIL import Image, UnidentifiedImageError

CLOSE = 0.12  # the largest difference, as a logarithm, between a requested shape and the one that came


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
        """Whether its aspect ratio is close to width over height."""
        return bool(self.width) and abs(log(self.width / self.height * height / width)) <= close

    def __str__(self) -> str:
        if not self.format:
            return f"not a picture, {len(self.content)} bytes"
        return f"{self.format} {self.pixels}, {len(self.content)} bytes"


@lru_cache(maxsize=16)  # a row reads the same picture several times
def read_picture(content: bytes) -> Picture:
    """Open a picture as a viewer does; what cannot be opened has no format."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            return Picture(content, (image.format or "").lower(), image.width, image.height)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return Picture(content, "")


def from_base64(text: str) -> Picture:
    """A picture in base64: standard alphabet, padded, without a `data:` prefix."""
    try:
        return read_picture(base64.b64decode(text, validate=True))
    except ValueError:
        return Picture(text.encode(), "")


@cache
def sample_picture(width: int = 96, height: int = 64, colour: str = "tomato", file_type: str = "PNG") -> bytes:
    """A small picture to send."""
    image = Image.new("RGB", (width, height), "ivory")
    image.paste(colour, (width // 4, height // 4, width * 3 // 4, height * 3 // 4))
    return encoded(image, file_type)


@cache
def sample_mask(width: int = 96, height: int = 64) -> bytes:
    """A mask in OpenAI's form: a PNG of the same size whose transparent middle is to be redrawn."""
    image = Image.new("RGBA", (width, height), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (width // 4, height // 4, width * 3 // 4, height * 3 // 4))
    return encoded(image, "PNG")


def encoded(image: Image.Image, file_type: str) -> bytes:
    """The picture as a file."""
    buffer = io.BytesIO()
    image.save(buffer, file_type)
    return buffer.getvalue()


def data_url(content: bytes, mime_type: str = "image/png") -> str:
    """A picture as a data URL."""
    return f"data:{mime_type};base64,{base64.b64encode(content).decode()}"
