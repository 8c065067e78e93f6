"""Picture formats: one row each, and what the first bytes of a picture say."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Pixels = tuple[int, int]  # width, height

SIGNATURE_LENGTH = 16  # bytes; a picture whose format they do not show has none of ours


class NotAPicture(ValueError):
    """The bytes are not a picture of a known format."""


@dataclass(frozen=True)
class PictureFormat:
    """One format, and what can be done with it."""

    name: str  # as in `output_format`
    mime_type: str
    endings: tuple[str, ...]  # of file names; we write the first one
    signature: re.Pattern[bytes]  # what its first bytes match
    read_size: Callable[[bytes], Pixels | None] | None = None  # None: its header is not read
    becomes_png: bool = False  # whether an input picture is turned into PNG, as Gemini's documentation does not list it
    is_output: bool = False  # whether the proxy encodes pictures in it
    has_quality: bool = False  # whether its encoder has a quality


@dataclass(frozen=True)
class PictureHeader:
    """A picture's format and its size in pixels."""

    format: PictureFormat
    width: int
    height: int


def format_of(data: bytes) -> PictureFormat | None:
    """The format of a picture by its first 16 bytes; None if they show no known one."""
    return next((known for known in FORMATS if known.signature.match(data)), None)


def read_header(data: bytes) -> PictureHeader | None:
    """The header of a picture, None as long as more bytes are needed. Raises NotAPicture."""
    found = format_of(data)
    if not found or not found.read_size:
        if len(data) < SIGNATURE_LENGTH:
            return None
        raise NotAPicture(f"the data is not a picture ({', '.join(known.name for known in READABLE)})")
    size = found.read_size(data)
    if size is None:
        return None
    if 0 in size:
        raise NotAPicture("the picture has no pixels")
    return PictureHeader(found, *size)


# Size readers: width and height by a picture's first bytes, None as long as more are needed. They raise NotAPicture.


def png_size(data: bytes) -> Pixels | None:
    if len(data) < 24:
        return None
    if data[12:16] != b"IHDR":
        raise NotAPicture("the PNG does not begin with its header")
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15: markers with the picture's size
JPEG_BARE_MARKERS = frozenset(range(0xD0, 0xD9)) | {0x01}  # markers without a length


def jpeg_size(data: bytes) -> Pixels | None:
    """Walks from segment to segment: a C2PA manifest of many kilobytes may come before the frame header."""
    position = 2
    while position + 9 <= len(data):
        if data[position] != 0xFF:
            raise NotAPicture("a segment of the JPEG does not begin where the one before it ends")
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
        elif marker in JPEG_BARE_MARKERS:
            position += 2
        elif marker in JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, position + 5)
            return width, height
        elif marker in (0xD9, 0xDA):
            raise NotAPicture("the JPEG has no frame header")
        else:
            (length,) = struct.unpack_from(">H", data, position + 2)
            position += 2 + max(length, 2)
    return None


def webp_size(data: bytes) -> Pixels | None:
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
    raise NotAPicture("the WebP is of an unknown kind")


def gif_size(data: bytes) -> Pixels | None:
    if len(data) < 10:
        return None
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def avif_size(data: bytes) -> Pixels | None:
    """The largest `ispe` box: tiles, thumbnails and alpha planes are no larger (ISO/IEC 23008-12, 6.5.3)."""
    start, end = 0, len(data)
    for name, fields in ((b"meta", 4), (b"iprp", 0), (b"ipco", 0)):  # boxes within one another, and their own fields
        found = next((box for box in boxes(data, start, end) if box[0] == name), None)
        if not found:
            return None
        start, end = found[1] + fields, found[2]
    if end > len(data):
        return None
    places = [begin + 4 for kind, begin, _ in boxes(data, start, end) if kind == b"ispe" and begin + 12 <= end]
    sizes = [struct.unpack_from(">II", data, place) for place in places]
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The ISO base media boxes between two places: the type of each, and where its content begins and ends."""
    while start + 8 <= min(end, len(data)):
        length, kind = struct.unpack_from(">I4s", data, start)
        if length < 8:
            raise NotAPicture("a box of the AVIF has a length that is not supported")
        yield kind, start + 8, start + length
        start += length


def box_brands(*brands: str) -> re.Pattern[bytes]:
    """The signature of ISO base media files of some major brands."""
    return re.compile(rb".{4}ftyp(?:%b)" % "|".join(brands).encode(), re.DOTALL)


FORMATS = (
    PictureFormat("png", "image/png", ("png",), re.compile(rb"\x89PNG\r\n\x1a\n"), png_size, is_output=True),
    PictureFormat(
        "jpeg",
        "image/jpeg",
        ("jpeg", "jpg", "jpe", "jfif"),
        re.compile(rb"\xff\xd8\xff"),
        jpeg_size,
        is_output=True,
        has_quality=True,
    ),
    PictureFormat(
        "webp",
        "image/webp",
        ("webp",),
        re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
        webp_size,
        is_output=True,
        has_quality=True,
    ),
    PictureFormat(
        "avif",
        "image/avif",
        ("avif",),
        box_brands("avif", "avis"),
        avif_size,
        becomes_png=True,
        is_output=True,
        has_quality=True,
    ),
    PictureFormat("gif", "image/gif", ("gif",), re.compile(rb"GIF8[79]a"), gif_size, becomes_png=True),
    PictureFormat("bmp", "image/bmp", ("bmp",), re.compile(rb"BM.{4}\0{4}", re.DOTALL), becomes_png=True),
    PictureFormat("tiff", "image/tiff", ("tiff", "tif"), re.compile(rb"II\*\0|MM\0\*"), becomes_png=True),
    PictureFormat("heic", "image/heic", ("heic",), box_brands("heic", "heix")),
    PictureFormat("heif", "image/heif", ("heif",), box_brands("heif", "mif1", "msf1")),
)
BY_NAME = {known.name: known for known in FORMATS}
BY_MIME_TYPE = {known.mime_type: known for known in FORMATS}
BY_ENDING = {ending: known for known in FORMATS for ending in known.endings}
READABLE = tuple(known for known in FORMATS if known.read_size)  # upstream pictures of these formats are accepted
OUTPUTS = tuple(known for known in FORMATS if known.is_output)
