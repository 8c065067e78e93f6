"""compat/formats.py: the table of formats, everything made of it, and a picture's format and pixels by its bytes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compat.formats import (
    BY_NAME,
    FORMATS,
    OUTPUTS,
    READABLE,
    NotAPicture,
    PictureHeader,
    format_of,
    read_header,
)
from tests.compat.pictures import draw, with_segments

PROJECT = Path(__file__).resolve().parents[2]
PLAYGROUND = PROJECT / "proxy" / "playground"

SIZE = (21, 13)
JPEG = draw("JPEG", *SIZE)
AVIF = draw("AVIF", *SIZE)
HEIC_START = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
PICTURES = {
    "PNG": (draw("PNG", *SIZE), "png"),
    "PNG with alpha": (draw("PNG", *SIZE, "RGBA"), "png"),
    "PNG in grey": (draw("PNG", *SIZE, "L"), "png"),
    "JPEG": (JPEG, "jpeg"),
    "JPEG in grey": (draw("JPEG", *SIZE, "L"), "jpeg"),
    "progressive JPEG": (draw("JPEG", *SIZE, progressive=True), "jpeg"),
    "JPEG with a comment": (draw("JPEG", *SIZE, comment=b"\xff\xc0 a comment"), "jpeg"),
    "JPEG with short segments": (with_segments(JPEG, 0, 1000, 2), "jpeg"),
    "JPEG with fill bytes": (JPEG[:2] + b"\xff\xff\xff" + JPEG[2:], "jpeg"),
    "JPEG with a marker without a length": (JPEG[:2] + b"\xff\x01" + JPEG[2:], "jpeg"),
    "lossy WebP": (draw("WEBP", *SIZE), "webp"),
    "lossless WebP": (draw("WEBP", *SIZE, lossless=True), "webp"),
    "lossy WebP with alpha": (draw("WEBP", *SIZE, "RGBA"), "webp"),
    "lossless WebP with alpha": (draw("WEBP", *SIZE, "RGBA", lossless=True), "webp"),
    "WebP with a profile": (draw("WEBP", *SIZE, icc_profile=b"x" * 50), "webp"),
    "AVIF": (AVIF, "avif"),
    "AVIF with alpha": (draw("AVIF", *SIZE, "RGBA"), "avif"),
    "AVIF with a profile": (draw("AVIF", *SIZE, icc_profile=b"x" * 50), "avif"),
    "GIF": (draw("GIF", *SIZE, "L"), "gif"),
}


# The table


def test_no_two_formats_share_a_name_a_type_or_an_ending() -> None:
    for names in ([one.name for one in FORMATS], [one.mime_type for one in FORMATS]):
        assert len(set(names)) == len(FORMATS)
    endings = [ending for one in FORMATS for ending in one.endings]
    assert len(set(endings)) == len(endings)


def enums_of_formats(value: Any) -> list[list[str | None]]:
    """Every enum of an API document that lists picture formats."""
    if isinstance(value, dict):
        own = [value["enum"]] if "webp" in value.get("enum", ()) else []
        return own + [enum for child in value.values() for enum in enums_of_formats(child)]
    return [enum for child in value for enum in enums_of_formats(child)] if isinstance(value, list) else []


def test_the_enums_of_the_api_document_are_those_of_the_table() -> None:
    """A parameter, which may also be empty or null, has the formats that are encoded; an answer has any it may hold."""
    outputs, readable = [one.name for one in OUTPUTS], [one.name for one in READABLE]
    enums = enums_of_formats(json.loads((PROJECT / "spec" / "openai_images.json").read_text(encoding="utf-8")))
    assert all(enum in ([*outputs, ""], [*outputs, None], readable) for enum in enums), enums
    assert len(enums) == 6


def test_the_lists_of_the_playground_are_those_of_the_table() -> None:
    page = (PLAYGROUND / "page.html").read_text(encoding="utf-8")
    options = re.search(r'<select id="format"[^>]*>.*?</option>(.*?)</select>', page)
    assert options and re.findall(r"<option>(\w+)</option>", options[1]) == [one.name for one in OUTPUTS]
    inputs = [one.mime_type for one in OUTPUTS if not one.becomes_png]  # those that a browser shows as well
    accepted = re.search(r'id="files" accept="([^"]*)"', page)
    assert accepted and accepted[1].split(",") == inputs
    types = re.search(r"const TYPES = (\[.*?\]);", (PLAYGROUND / "inputs.js").read_text(encoding="utf-8"))
    assert types and json.loads(types[1]) == inputs


# Headers


@pytest.mark.parametrize(("picture", "name"), PICTURES.values(), ids=PICTURES.keys())
def test_a_header_is_read_as_soon_as_its_bytes_are_there(picture: bytes, name: str) -> None:
    header = PictureHeader(BY_NAME[name], *SIZE)
    found = [read_header(picture[:length]) for length in range(len(picture) + 1)]
    first = found.index(header)
    assert set(found[:first]) == {None}
    assert set(found[first:]) == {header}


def test_every_readable_format_has_a_picture_here() -> None:
    assert {name for _, name in PICTURES.values()} == {one.name for one in READABLE}


@pytest.mark.parametrize(
    ("picture", "length"),
    [(PICTURES["PNG"][0], 24), (PICTURES["GIF"][0], 10), (PICTURES["lossy WebP"][0], 30)],
    ids=["PNG", "GIF", "WebP"],
)
def test_no_more_bytes_are_needed_than_the_header_has(picture: bytes, length: int) -> None:
    assert read_header(picture[:length])
    assert read_header(picture[: length - 1]) is None


def test_the_size_of_a_jpeg_may_follow_long_segments() -> None:
    picture = with_segments(JPEG, 65532, 65532, 65532)
    assert read_header(picture[: len(picture) - len(JPEG)]) is None
    assert read_header(picture) == PictureHeader(BY_NAME["jpeg"], *SIZE)


def test_the_size_of_an_avif_is_its_largest_one() -> None:
    """A thumbnail's `ispe` before the picture's own, and one of a box that is cut off, do not count."""
    ispe = b"\0\0\0\x14ispe\0\0\0\0"
    assert AVIF.count(ispe) == 1
    small = ispe + b"\0\0\0\x01\0\0\0\x01"
    longer = AVIF.replace(ispe, small + ispe)
    for name in (b"meta", b"iprp", b"ipco"):
        place = longer.index(name)
        length = int.from_bytes(longer[place - 4 : place], "big") + len(small)
        longer = longer[: place - 4] + length.to_bytes(4, "big") + longer[place:]
    assert read_header(longer) == PictureHeader(BY_NAME["avif"], *SIZE)


@pytest.mark.parametrize(
    ("kind", "width", "height", "options"),
    [
        ("PNG", 1, 1, {}),
        ("JPEG", 1, 3000, {}),
        ("WEBP", 16383, 1, {}),
        ("WEBP", 1, 16383, {"lossless": True}),
        ("AVIF", 3000, 1, {"speed": 10}),
        ("GIF", 5000, 2, {"mode": "L"}),
    ],
)
def test_extreme_sizes(kind: str, width: int, height: int, options: dict[str, object]) -> None:
    assert read_header(draw(kind, width, height, **options)) == PictureHeader(BY_NAME[kind.lower()], width, height)


PNG_START = b"\x89PNG\r\n\x1a\n\0\0\0\x0d"
AVIF_START = b"\0\0\0\x10ftypavif\0\0\0\0"
NO_PICTURES = {
    "text": b"I cannot draw this, because it is not allowed.",
    "HTML": b"<!DOCTYPE html><html><body></body></html>",
    "zeros": bytes(100),
    "audio": b"RIFF\x24\x08\0\0WAVEfmt \x10\0\0\0\1\0\2\0",
    "a HEIC, whose header is not read": HEIC_START,
    "a PNG without its header": PNG_START + b"IDAT" + bytes(20),
    "a PNG without pixels": PNG_START + b"IHDR" + bytes(20),
    "a WebP of an unknown kind": b"RIFF\0\0\0\0WEBPVP9 " + bytes(20),
    "a GIF without pixels": b"GIF89a" + bytes(20),
    "an AVIF with a box of no length": AVIF_START + bytes(20),
    "a JPEG without a frame": b"\xff\xd8\xff\xda" + bytes(20),
    "a JPEG that ends at once": b"\xff\xd8\xff\xd9" + bytes(20),
    "a JPEG with a gap between segments": b"\xff\xd8\xff\xe0\0\4\0\0" + bytes(20),
    "a JPEG without pixels": b"\xff\xd8\xff\xc0\0\x0b\x08" + bytes(20),
}


@pytest.mark.parametrize("data", NO_PICTURES.values(), ids=NO_PICTURES.keys())
def test_other_bytes_are_not_a_picture(data: bytes) -> None:
    with pytest.raises(NotAPicture):
        read_header(data)


META = b"\0\0\0\x28meta\0\0\0\0\0\0\0\x1ciprp\0\0\0\x14ipco\0\0\0\x0cispe\0\0\0\0"
STARTS = [b"", PNG_START, b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP", b"GIF89a", AVIF_START, AVIF_START + META]


@given(st.sampled_from(STARTS), st.binary(max_size=80))
@settings(max_examples=500)
def test_any_bytes_are_a_header_or_the_start_of_one_or_not_a_picture(start: bytes, rest: bytes) -> None:
    try:
        header = read_header(start + rest)
    except NotAPicture:
        return
    assert header is None or (header.width > 0 and header.height > 0)


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (HEIC_START, "heic"),
        (b"\0\0\0\x18ftypmif1", "heif"),
        (b"\0\0\0\x18ftypisom", None),
        (b"GIF88a", None),
        (b"", None),
        *((picture[:16], name) for picture, name in PICTURES.values()),
    ],
)
def test_16_bytes_show_the_format(start: bytes, name: str | None) -> None:
    assert format_of(start) == (BY_NAME[name] if name else None)
