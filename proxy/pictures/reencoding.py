"""Pictures in another format, or with exactly the pixels that were asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from typing import Any

from PIL import Image, ImageOps

from compat.base64_stream import encode as encode_base64
from compat.image_models import Pixels
from compat.images import Event, ImageData, ImageEnd, ImageStart
from compat.openai_images.request import OpenAIRequest
from proxy.limits import MOST_PIXELS
from proxy.pictures.replacing import broken_picture, replace_pictures

PNG_LEVEL = 4  # of compression: half the time of the usual 6 for a few percent more bytes
BORDER = (255, 255, 255)  # beside a picture that was made to fit into another shape


class Reencoder:
    """What one request wants of its pictures."""

    def __init__(self, asked: OpenAIRequest, run_in_thread: Callable[..., Any]):
        self.format = asked.output_format
        self.quality = asked.output_compression
        self.resize = asked.resize
        self.pixels = asked.pixels
        self.run_in_thread = run_in_thread

    def changes(self, start: ImageStart) -> bool:
        """Whether a picture has to be made anew; otherwise it may flow."""
        if self.pixels and self.pixels != (start.width, start.height):
            return True
        if self.format and start.mime_type != f"image/{self.format}":
            return True
        return self.quality is not None and self.quality < 100 and self.format in ("jpeg", "webp")

    def read(self, events: Iterator[Event]) -> Iterator[Event]:
        """The events, with every picture as it is wanted."""
        if not (self.pixels or self.format):
            return events
        return replace_pictures(events, self.changes, self.remake)

    def remake(self, start: ImageStart, data: Iterator[bytes]) -> Iterable[Event]:
        """The picture made anew, in a thread. Raises UPSTREAM_BROKEN for one that cannot be opened."""
        return (*self.run_in_thread(self.convert, start, list(data)), ImageEnd())

    def convert(self, start: ImageStart, chunks: list[bytes]) -> tuple[ImageStart, ImageData]:
        """The start and the whole of a picture made anew."""
        if start.width * start.height > MOST_PIXELS:
            raise broken_picture(f"it has more than {MOST_PIXELS} pixels")
        try:
            with Image.open(BytesIO(b"".join(chunks)), formats=("PNG", "JPEG", "WEBP", "GIF")) as image:
                whole = fit(image.convert("RGB"), self.pixels, self.resize)
        except Exception as error:  # Pillow raises whatever its decoders meet
            raise broken_picture(f"it cannot be opened ({type(error).__name__})") from None
        mime_type, data = encode(whole, self.format or start.mime_type.removeprefix("image/"), self.quality)
        return ImageStart(mime_type, *whole.size), ImageData(encode_base64(data), (data,))


def fit(image: Image.Image, pixels: Pixels | None, resize: str | None) -> Image.Image:
    """The picture with exactly these pixels: cut to cover them, or whole with a border."""
    if not pixels or image.size == pixels:
        return image
    if resize == "contain":
        return ImageOps.pad(image, pixels, Image.Resampling.LANCZOS, color=BORDER)
    return ImageOps.fit(image, pixels, Image.Resampling.LANCZOS)


def encode(image: Image.Image, output_format: str, quality: int | None) -> tuple[str, bytes]:
    """The bytes of the picture in a format, and its MIME type. `quality` is OpenAI's output_compression, 0 to 100."""
    file = BytesIO()
    if output_format == "png":
        image.save(file, "PNG", compress_level=PNG_LEVEL)
    else:
        image.save(file, output_format.upper(), quality=100 if quality is None else max(1, quality))
    return f"image/{output_format}", file.getvalue()
