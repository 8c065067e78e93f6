"""Small pictures of every kind, drawn with Pillow. The same call always gives the same bytes."""

from __future__ import annotations

import base64
import struct
from io import BytesIO
from random import Random
from typing import Any

from PIL import Image

MIME_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}


def draw(kind: str, width: int, height: int, mode: str = "RGB", **options: Any) -> bytes:
    """A picture full of noise, so that its base64 has every character."""
    pixels = Random(f"{kind} {width}x{height}").randbytes(width * height * len(mode))
    stream = BytesIO()
    Image.frombytes(mode, (width, height), pixels).save(stream, kind, **options)
    return stream.getvalue()


def with_segments(jpeg: bytes, *lengths: int) -> bytes:
    """A JPEG with application segments of so many bytes before everything else, as C2PA manifests are stored."""
    segments = [b"\xff\xeb" + struct.pack(">H", length + 2) + b"\xff\xd9" * (length // 2) for length in lengths]
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def base64_of(picture: bytes) -> str:
    """The picture in standard, padded base64."""
    return base64.b64encode(picture).decode()
