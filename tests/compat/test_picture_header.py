"""compat/picture_header.py: type and pixels by the first bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compat.picture_header import NotAPicture, PictureHeader, png_has_alpha, read_header, sniff_mime_type
from tests.compat.pictures import MIME_TYPES, draw, with_segments

JPEG = draw("JPEG", 21, 13)
PICTURES = {
    "PNG": (draw("PNG", 21, 13), "PNG"),
    "PNG with alpha": (draw("PNG", 21, 13, "RGBA"), "PNG"),
    "PNG in grey": (draw("PNG", 21, 13, "L"), "PNG"),
    "JPEG": (JPEG, "JPEG"),
    "JPEG in grey": (draw("JPEG", 21, 13, "L"), "JPEG"),
    "progressive JPEG": (draw("JPEG", 21, 13, progressive=True), "JPEG"),
    "JPEG with a comment": (draw("JPEG", 21, 13, comment=b"\xff\xc0 a comment"), "JPEG"),
    "JPEG with short segments": (with_segments(JPEG, 0, 1000, 2), "JPEG"),
    "JPEG with filling bytes": (JPEG[:2] + b"\xff\xff\xff" + JPEG[2:], "JPEG"),
    "JPEG with a marker that has no length": (JPEG[:2] + b"\xff\x01" + JPEG[2:], "JPEG"),
    "lossy WebP": (draw("WEBP", 21, 13), "WEBP"),
    "lossless WebP": (draw("WEBP", 21, 13, lossless=True), "WEBP"),
    "lossy WebP with alpha": (draw("WEBP", 21, 13, "RGBA"), "WEBP"),
    "lossless WebP with alpha": (draw("WEBP", 21, 13, "RGBA", lossless=True), "WEBP"),
    "WebP with a profile": (draw("WEBP", 21, 13, icc_profile=b"x" * 50), "WEBP"),
    "GIF": (draw("GIF", 21, 13, "L"), "GIF"),
}
EXPECTED = (21, 13)


@pytest.mark.parametrize(("picture", "kind"), PICTURES.values(), ids=PICTURES.keys())
def test_a_header_is_unknown_and_then_right_wherever_the_picture_is_cut(picture: bytes, kind: str) -> None:
    header = PictureHeader(MIME_TYPES[kind], *EXPECTED)
    found = [read_header(picture[:length]) for length in range(len(picture) + 1)]
    first = found.index(header)
    assert set(found[:first]) == {None}
    assert set(found[first:]) == {header}


@pytest.mark.parametrize(
    ("picture", "length"),
    [(PICTURES["PNG"][0], 24), (PICTURES["GIF"][0], 10), (PICTURES["lossy WebP"][0], 30)],
    ids=["PNG", "GIF", "WebP"],
)
def test_no_more_bytes_are_asked_for_than_the_header_has(picture: bytes, length: int) -> None:
    assert read_header(picture[:length])
    assert read_header(picture[: length - 1]) is None


def test_a_jpeg_may_hide_its_size_behind_long_segments() -> None:
    picture = with_segments(JPEG, 65532, 65532, 65532)
    hidden = len(picture) - len(JPEG)
    assert read_header(picture[:hidden]) is None
    assert read_header(picture) == PictureHeader("image/jpeg", *EXPECTED)


@pytest.mark.parametrize(
    ("kind", "width", "height", "options"),
    [
        ("PNG", 1, 1, {}),
        ("JPEG", 1, 3000, {}),
        ("WEBP", 16383, 1, {}),
        ("WEBP", 1, 16383, {"lossless": True}),
        ("GIF", 5000, 2, {"mode": "L"}),
    ],
)
def test_extreme_sizes(kind: str, width: int, height: int, options: dict[str, object]) -> None:
    assert read_header(draw(kind, width, height, **options)) == PictureHeader(MIME_TYPES[kind], width, height)


PNG_START = b"\x89PNG\r\n\x1a\n\0\0\0\x0d"
NO_PICTURES = {
    "words": b"I cannot draw this, because it is not allowed.",
    "HTML": b"<!DOCTYPE html><html><body></body></html>",
    "zeros": bytes(100),
    "a sound": b"RIFF\x24\x08\0\0WAVEfmt \x10\0\0\0\1\0\2\0",
    "a HEIC, which is no answer": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "a PNG without its header": PNG_START + b"IDAT" + bytes(20),
    "a PNG without pixels": PNG_START + b"IHDR" + bytes(20),
    "a WebP of an unknown kind": b"RIFF\0\0\0\0WEBPVP9 " + bytes(20),
    "a GIF without pixels": b"GIF89a" + bytes(20),
    "a JPEG without a frame": b"\xff\xd8\xff\xda" + bytes(20),
    "a JPEG that ends at once": b"\xff\xd8\xff\xd9" + bytes(20),
    "a JPEG that loses its way": b"\xff\xd8\xff\xe0\0\4\0\0" + bytes(20),
    "a JPEG without pixels": b"\xff\xd8\xff\xc0\0\x0b\x08" + bytes(20),
}


@pytest.mark.parametrize("data", NO_PICTURES.values(), ids=NO_PICTURES.keys())
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(NotAPicture):
        read_header(data)


@given(st.sampled_from([b"", PNG_START, b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP", b"GIF89a"]), st.binary(max_size=80))
@settings(max_examples=500)
def test_any_bytes_are_a_header_or_the_start_of_one_or_no_picture(start: bytes, rest: bytes) -> None:
    try:
        header = read_header(start + rest)
    except NotAPicture:
        return
    assert header is None or (header.width > 0 and header.height > 0)


@pytest.mark.parametrize(
    ("start", "mime_type"),
    [
        (b"\0\0\0\x18ftypheic", "image/heic"),
        (b"\0\0\0\x18ftypmif1", "image/heif"),
        (b"\0\0\0\x18ftypavif", "image/avif"),
        (b"\0\0\0\x18ftypisom", None),
        (b"GIF88a", None),
        (b"", None),
        *((picture[:16], MIME_TYPES[kind]) for picture, kind in PICTURES.values()),
    ],
)
def test_the_type_is_known_by_16_bytes(start: bytes, mime_type: str | None) -> None:
    assert sniff_mime_type(start) == mime_type


@pytest.mark.parametrize(
    ("picture", "alpha"),
    [
        (draw("PNG", 3, 3, "RGBA"), True),
        (draw("PNG", 3, 3, "LA"), True),
        (draw("PNG", 3, 3, "L", transparency=0), True),
        (draw("PNG", 3, 3), False),
        (draw("PNG", 3, 3, "L"), False),
        (draw("PNG", 3, 3)[:40], False),
    ],
    ids=["RGBA", "grey with alpha", "one transparent colour", "RGB", "grey", "cut off"],
)
def test_a_png_that_can_be_transparent_is_known(picture: bytes, alpha: bool) -> None:
    assert png_has_alpha(picture) is alpha
