"""What the first bytes of a picture tell: its type and its pixels."""

from __future__ import annotations

import struct
from dataclasses import dataclass

LONGEST_SIGNATURE = 16  # bytes after which a picture that is none of ours is known for it

# ISO base media brands of the still pictures Gemini accepts as input.
HEIF_BRANDS = {
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"heif": "image/heif",
    b"mif1": "image/heif",
    b"msf1": "image/heif",
    b"avif": "image/avif",
}

JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15: markers with the picture's size
JPEG_BARE_MARKERS = frozenset(range(0xD0, 0xD9)) | {0x01}  # markers without a length


class NotAPicture(ValueError):
    """The bytes are no picture of a known type."""


@dataclass(frozen=True)
class PictureHeader:
    """A picture's MIME type and its size in pixels."""

    mime_type: str
    width: int
    height: int


def sniff_mime_type(data: bytes) -> str | None:
    """The MIME type of a picture by its first 16 bytes; None if it is no picture we know."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "image/gif"
    if data[4:8] == b"ftyp":
        return HEIF_BRANDS.get(data[8:12])
    return None


def read_header(data: bytes) -> PictureHeader | None:
    """The header of a PNG, JPEG, WebP or GIF picture; None as long as more bytes are needed. Raises NotAPicture."""
    mime_type = sniff_mime_type(data)
    if mime_type not in SIZE_READERS:
        if len(data) < LONGEST_SIGNATURE:
            return None
        raise NotAPicture("no PNG, JPEG, WebP or GIF picture")
    size = SIZE_READERS[mime_type](data)
    if size is None:
        return None
    if 0 in size:
        raise NotAPicture("a picture without pixels")
    return PictureHeader(mime_type, *size)


def png_size(data: bytes) -> tuple[int, int] | None:
    if len(data) < 24:
        return None
    if data[12:16] != b"IHDR":
        raise NotAPicture("a PNG that does not begin with its header")
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def png_has_alpha(data: bytes) -> bool:
    """Whether a PNG can be transparent: by its colour type, or by a tRNS chunk before its pixels."""
    if data[25:26] in (b"\x04", b"\x06"):
        return True
    position = 8
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind in (b"tRNS", b"IDAT"):
            return bool(kind == b"tRNS")
        position += 12 + length
    return False


def gif_size(data: bytes) -> tuple[int, int] | None:
    if len(data) < 10:
        return None
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Walks from segment to segment: a C2PA manifest of many kilobytes may come before the frame header."""
    position = 2
    while position + 9 <= len(data):
        if data[position] != 0xFF:
            raise NotAPicture("a JPEG whose segments do not follow one another")
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
        elif marker in JPEG_BARE_MARKERS:
            position += 2
        elif marker in JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, position + 5)
            return width, height
        elif marker in (0xD9, 0xDA):
            raise NotAPicture("a JPEG without a frame header")
        else:
            (length,) = struct.unpack_from(">H", data, position + 2)
            position += 2 + max(length, 2)
    return None


def webp_size(data: bytes) -> tuple[int, int] | None:
    if len(data) < 30:
        return None
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise NotAPicture("a WebP of an unknown kind")


SIZE_READERS = {"image/png": png_size, "image/jpeg": jpeg_size, "image/webp": webp_size, "image/gif": gif_size}
