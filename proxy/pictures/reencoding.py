"""Pictures in another format, or with exactly the pixels that were asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from typing import Any

from PIL import Image, ImageOps

from compat.formats import BY_MIME_TYPE, READABLE, PictureFormat
from compat.images import Event, ImageData, ImageEnd, ImageStart, OutputOptions
from proxy.limits import MOST_PIXELS
from proxy.pictures.replacing import broken_picture, replace_pictures

BEST_QUALITY = 100
ENCODER_OPTIONS = {
    "png": {"compress_level": 4},  # half the time of the default 6, for a few percent more bytes
    "avif": {"speed": 8},  # a quarter of the time of the default 6, for 2 percent more bytes
}
BORDER = (255, 255, 255)  # around a picture that is fitted into another shape
PILLOW_FORMATS = tuple(known.name.upper() for known in READABLE)


def reencode_pictures(
    events: Iterator[Event], options: OutputOptions, run_in_thread: Callable[..., Any]
) -> Iterator[Event]:
    """The events with every picture as the options ask; one that already is so passes unchanged.

    Decoding and encoding run in a thread. A picture that cannot be opened is an UPSTREAM_BROKEN.
    """

    def replace(start: ImageStart, data: Iterator[bytes]) -> Iterable[Event]:
        return (*run_in_thread(reencode, start, list(data), options), ImageEnd())

    if not (options.pixels or options.format):
        return events
    return replace_pictures(events, lambda start: must_reencode(start, options), replace)


def must_reencode(start: ImageStart, options: OutputOptions) -> bool:
    """Whether a picture differs from what the options ask."""
    if options.pixels and options.pixels != (start.width, start.height):
        return True
    if not options.format:
        return False
    compressed = options.quality is not None and options.quality < BEST_QUALITY
    return start.mime_type != options.format.mime_type or (compressed and options.format.has_quality)


def reencode(start: ImageStart, chunks: list[bytes], options: OutputOptions) -> tuple[ImageStart, ImageData]:
    """The start and the whole of a picture as the options ask. Raises UPSTREAM_BROKEN if it cannot be opened."""
    if start.width * start.height > MOST_PIXELS:
        raise broken_picture(f"it has more than {MOST_PIXELS} pixels")
    try:
        with Image.open(BytesIO(b"".join(chunks)), formats=PILLOW_FORMATS) as image:
            picture = fit(image.convert("RGB"), options)
    except Exception as error:  # Pillow raises whatever its decoders meet
        raise broken_picture(f"it cannot be opened ({type(error).__name__})") from None
    output = options.format or BY_MIME_TYPE[start.mime_type]
    data = encode(picture, output, options.quality)
    return ImageStart(output.mime_type, *picture.size), ImageData(data)


def fit(image: Image.Image, options: OutputOptions) -> Image.Image:
    """The picture with exactly the pixels of the options: cut to cover them, or whole with a border."""
    if not options.pixels or image.size == options.pixels:
        return image
    if options.resize == "contain":
        return ImageOps.pad(image, options.pixels, Image.Resampling.LANCZOS, color=BORDER)
    return ImageOps.fit(image, options.pixels, Image.Resampling.LANCZOS)


def encode(image: Image.Image, output: PictureFormat, quality: int | None) -> bytes:
    """The bytes of the picture in a format; `quality` is 0 to 100, None for the best."""
    encoder_options = ENCODER_OPTIONS.get(output.name, {})
    if output.has_quality:
        encoder_options = {**encoder_options, "quality": max(1, BEST_QUALITY if quality is None else quality)}
    file = BytesIO()
    image.save(file, output.name.upper(), **encoder_options)
    return file.getvalue()
