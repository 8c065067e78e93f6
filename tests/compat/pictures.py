"""Small pictures of every format, drawn with Pillow, and their events. The same call always gives the same bytes."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Iterator
from io import BytesIO
from random import Random
from typing import Any

from PIL import Image

from compat.errors import ApiError
from compat.formats import read_header
from compat.images import Event, ImageData, ImageEnd, ImageStart


def draw(kind: str, width: int, height: int, mode: str = "RGB", **options: Any) -> bytes:
    """A picture of noise, so that its base64 has every character."""
    pixels = Random(f"{kind} {width}x{height}").randbytes(width * height * len(mode))
    stream = BytesIO()
    Image.frombytes(mode, (width, height), pixels).save(stream, kind, **options)
    return stream.getvalue()


def with_segments(jpeg: bytes, *lengths: int) -> bytes:
    """A JPEG with application segments of these lengths before everything else, as C2PA manifests are stored."""
    segments = [b"\xff\xeb" + struct.pack(">H", length + 2) + b"\xff\xd9" * (length // 2) for length in lengths]
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def base64_of(picture: bytes) -> str:
    """The picture in standard, padded base64."""
    return base64.b64encode(picture).decode()


def events_of(picture: bytes, draft: bool = False) -> list[Event]:
    """The events of a picture, its data in one piece."""
    header = read_header(picture)
    assert header
    start = ImageStart(header.format.mime_type, header.width, header.height)
    return [start, ImageData(picture), ImageEnd(draft)]


def without_drafts(events: Iterable[Event]) -> list[Event]:
    """The events of the results."""
    found: list[Event] = []
    for event in events:
        found.append(event)
        if event == ImageEnd(draft=True):
            while not isinstance(found.pop(), ImageStart):
                pass
    return found


def picture(start: ImageStart, *data: bytes, draft: bool = False) -> list[Event]:
    """The events of a picture with this base64, in pieces of whole groups."""
    return [start, *map(ImageData, map(base64.b64decode, data)), ImageEnd(draft)]


class Held:
    """A whole picture that is not encoded yet, in pieces."""

    def __init__(self, *pieces: bytes):
        self.pieces = pieces

    @property
    def length(self) -> int:
        return sum(map(len, self.pieces))

    def content(self) -> Iterator[bytes]:
        return iter(self.pieces)


def raising(events: list[Event], error: ApiError) -> Iterator[Event]:
    """The events, and then the error."""
    yield from events
    raise error


def content_of(event: ImageData) -> bytes:
    """The bytes of a piece."""
    assert isinstance(event.content, bytes)
    return event.content


def content_in(events: Iterable[Event]) -> bytes:
    """The bytes of all pictures."""
    return b"".join(content_of(event) for event in events if isinstance(event, ImageData))


def joined(events: Iterable[Event]) -> list[Event]:
    """The events, with the data of each picture in one piece."""
    found: list[Event] = []
    for event in events:
        if isinstance(event, ImageData) and found and isinstance(found[-1], ImageData):
            found[-1] = ImageData(content_of(found[-1]) + content_of(event))
        else:
            found.append(event)
    return found
