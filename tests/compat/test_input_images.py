"""compat/input_images.py: pictures as callers send them."""

from __future__ import annotations

import base64
from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compat import input_images
from compat.errors import ApiError, ErrorKind
from compat.images import InputImage
from compat.input_images import from_bytes, read_input_image
from tests.compat.errors import error_of
from tests.compat.pictures import base64_of, draw

PNG = draw("PNG", 9, 7) + b"\n"  # a length that base64 must pad
STANDARD = base64_of(PNG)
URL_SAFE = base64.urlsafe_b64encode(PNG).decode()
assert "+" in STANDARD and "/" in STANDARD and STANDARD.endswith("=")

WITH_PLUS = STANDARD[:75] + "++" + STANDARD[77:]  # at the end of a line, and at the start of the next

SPELLINGS = {
    "percent-encoded data URL": f"data:image/png;base64,{quote(STANDARD, safe='')}",
    "data URL in capitals": f"DATA:image/png;BASE64,{STANDARD}",
    "with indented lines": "".join(f"    {STANDARD[start : start + 76]}\r\n" for start in range(0, len(STANDARD), 76)),
    "standard": STANDARD,
    "URL-safe": URL_SAFE,
    "without padding": STANDARD.rstrip("="),
    "URL-safe without padding": URL_SAFE.rstrip("="),
    "with line ends": "\r\n".join(STANDARD[start : start + 76] for start in range(0, len(STANDARD), 76)) + "\n",
    "with white space around": f"  {STANDARD}\n",
    "data URL": f"data:image/png;base64,{STANDARD}",
    "data URL with a wrong type": f"data:image/jpeg;base64,{STANDARD}",
    "data URL without a type": f"data:;base64,{STANDARD}",
    "data URL with a parameter": f"data:image/png;name=a.png;base64,{URL_SAFE.rstrip('=')}",
}


@pytest.mark.parametrize("text", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_a_picture_in_base64_becomes_standard_padded_base64(text: str) -> None:
    assert read_input_image(text, "image") == InputImage("image/png", data=STANDARD.encode())


ADDRESSES = {
    "https://example.com/a.png": "image/png",
    "https://example.com/a.JPG?size=1#x": "image/jpeg",
    "http://example.com/a.jpeg": "image/jpeg",
    "gs://bucket/a.webp": "image/webp",
    "https://example.com/a.heic": "image/heic",
    "https://example.com/a.heif": "image/heif",
    "https://example.com/a.tif?x=b.png": "image/tiff",
    "https://example.com/a.bmp": "image/bmp",
    "https://example.com/a.avif": "image/avif",
    "https://example.com/a.gif": "image/gif",
    "https://example.com/a.jfif": "image/jpeg",
    "https://example.com/picture": "image/png",
    "https://example.com": "image/png",
    " https://example.com/a.webp\n": "image/webp",
}


@pytest.mark.parametrize(("address", "mime_type"), ADDRESSES.items())
def test_an_address_has_the_type_of_its_ending(address: str, mime_type: str) -> None:
    assert read_input_image(address, "image") == InputImage(mime_type, uri=address.strip())


@pytest.mark.parametrize("address", ["HTTPS://example.com/A.png", "Http://example.com/A.png", "GS://bucket/A.png"])
def test_the_scheme_of_an_address_may_be_in_capitals(address: str) -> None:
    scheme, _, rest = address.partition(":")
    assert read_input_image(address, "image") == InputImage("image/png", uri=f"{scheme.lower()}:{rest}")


def test_bytes_that_are_a_picture_as_text_are_that_picture() -> None:
    for text in (STANDARD, f"data:image/png;base64,{STANDARD}", "https://example.com/a.png"):
        assert read_input_image(text.encode(), "image") == read_input_image(text, "image")


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "AVIF"])
def test_formats_that_become_png_are_pictures(kind: str) -> None:
    picture = draw(kind, 2, 2)
    assert read_input_image(picture, "image").mime_type == read_input_image(base64_of(picture), "image").mime_type
    assert read_input_image(picture, "image").mime_type == f"image/{kind.lower()}"


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        *((kind.lower(), draw(kind, 2, 2)) for kind in ("PNG", "JPEG", "WEBP")),
        ("heic", b"\0\0\0\x18ftypheic" + bytes(20)),
        ("heif", b"\0\0\0\x18ftypmif1" + bytes(20)),
    ],
)
def test_the_type_comes_from_the_bytes(name: str, picture: bytes) -> None:
    image = from_bytes(picture, "image")
    assert image == read_input_image(base64_of(picture), "image")
    assert image.mime_type == f"image/{name}"
    assert base64.b64decode(image.data or b"") == picture


REFUSED = {
    "nothing": "",
    "words": "a cat",
    "words in base64": base64_of(b"a cat that is no picture"),
    "a data URL of another kind": "data:image/svg+xml,%3Csvg/%3E",
    "a `+` that became a space": STANDARD.replace("+", " ", 1),
    "all of them": STANDARD.replace("+", " "),
    "one in a data URL": f"data:image/png;base64,{STANDARD.replace('+', ' ', 1)}",
    "one at the end of a line": f"{WITH_PLUS[:75]} \n{WITH_PLUS[76:]}",
    "one at the start of a line": f"{WITH_PLUS[:76]}\n {WITH_PLUS[77:]}",
    "one at the end": f"{STANDARD[:79]} ",
    "a data URL without base64": "data:image/png,abc",
    "a data URL without a comma": "data:image/png;base64",
    "a data URL of nothing": "data:image/png;base64,",
    "padding in the middle": STANDARD[:40] + "==" + STANDARD[40:],
    "one character too many": STANDARD.rstrip("=")[: len(STANDARD) // 4 * 4 - 4] + "A",
    "a letter of another alphabet": "é" + STANDARD,
    "half of a surrogate pair": "\ud83d",
    "a file's address": "file:///etc/passwd",
    "a local path": "/etc/passwd",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_a_string_that_is_not_a_picture_is_refused(text: str) -> None:
    error = error_of(read_input_image, text, "image[3]")
    assert (error.kind, error.param) == (ErrorKind.INVALID_IMAGE, "image[3]")
    assert "'image[3]'" in error.message


@pytest.mark.parametrize("picture", [b"", b"a cat", b"\xffa cat", draw("ICO", 2, 2)])
def test_bytes_that_are_not_a_picture_are_refused(picture: bytes) -> None:
    error = error_of(from_bytes, picture, "mask")
    assert (error.kind, error.param) == (ErrorKind.INVALID_IMAGE, "mask")


def test_a_picture_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_images, "LARGEST_PICTURE", len(PNG) - 1)
    with pytest.raises(ApiError, match="larger than"):
        from_bytes(PNG, "image")


@given(st.text(max_size=40), st.sampled_from(["", "data:", "data:image/png;base64,", "https://", STANDARD]))
@settings(max_examples=300)
def test_any_text_is_a_picture_or_refused(text: str, start: str) -> None:
    with suppress(ApiError):
        image = read_input_image(start + text, "image")
        assert (image.data is None) != (image.uri is None)
