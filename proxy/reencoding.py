"""Pictures in another format, or with exactly the pixels that were asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

from PIL import Image, ImageOps

from compat.base64_stream import MalformedBase64, decode
from compat.base64_stream import encode as encode_base64
from compat.errors import ApiError, ErrorKind
from compat.image_models import Pixels
from compat.images import Event, ImageData, ImageEnd, ImageStart
from compat.openai_images.request import OpenAIRequest
from proxy.limits import MOST_PIXELS

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
        """The events, with every picture as it is wanted. Drafts pass as they are."""
        for event in events:
            if not (isinstance(event, ImageStart) and self.changes(event)):
                yield event
                continue
            held, end = hold(events)
            if not end.draft:
                event, held = self.run_in_thread(self.convert, event, held)
            yield event
            yield from map(ImageData, held)
            yield end

    def convert(self, start: ImageStart, chunks: list[bytes]) -> tuple[ImageStart, list[bytes]]:
        """A whole picture made anew. Raises UPSTREAM_BROKEN for one that cannot be opened."""
        if start.width * start.height > MOST_PIXELS:
            raise broken(f"it has more than {MOST_PIXELS} pixels")
        try:
            with Image.open(BytesIO(b"".join(decode(chunks))), formats=("PNG", "JPEG", "WEBP", "GIF")) as image:
                mime_type, data = encode(
                    fit(image.convert("RGB"), self.pixels, self.resize),
                    self.format or start.mime_type.removeprefix("image/"),
                    self.quality,
                )
                size = self.pixels or image.size
        except (MalformedBase64, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise broken(f"it cannot be opened ({type(error).__name__})") from None
        return ImageStart(mime_type, *size), [encode_base64(data)]


def hold(events: Iterator[Event]) -> tuple[list[bytes], ImageEnd]:
    """The base64 of the picture that has begun, and its end."""
    held = []
    for event in events:
        if isinstance(event, ImageData):
            held.append(event.data)
        elif isinstance(event, ImageEnd):
            return held, event
    raise broken("it has no end")


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


def broken(why: str) -> ApiError:
    return ApiError(ErrorKind.UPSTREAM_BROKEN, f"The upstream's picture cannot be used: {why}.", may_repeat=False)
