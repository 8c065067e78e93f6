"""proxy/pictures/reencoding.py: pictures in the format and the size that a request asks for."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from compat.errors import ApiError, ErrorKind
from compat.formats import BY_NAME, OUTPUTS, READABLE, PictureFormat, read_header
from compat.images import Event, Finish, ImageData, ImageEnd, ImageStart, OutputOptions
from proxy.pictures.reencoding import reencode_pictures
from tests.compat.pictures import content_in, draw

PNG = draw("PNG", 40, 30)


def run(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def events_of(picture: bytes) -> list[Event]:
    header = read_header(picture)
    assert header
    start = ImageStart(header.format.mime_type, header.width, header.height)
    return [start, ImageData(picture), ImageEnd(), Finish()]


def reencoded(picture: bytes, options: OutputOptions) -> tuple[ImageStart, bytes]:
    """What the events say of the one picture, and its bytes."""
    start, *data, end, finish = reencode_pictures(iter(events_of(picture)), options, run)
    assert isinstance(start, ImageStart)
    assert (end, finish) == (ImageEnd(), Finish())
    return start, content_in(data)


@pytest.mark.parametrize("output", OUTPUTS, ids=lambda one: one.name)
@pytest.mark.parametrize("given", READABLE, ids=lambda one: one.name)
def test_every_readable_format_becomes_every_output_format(given: PictureFormat, output: PictureFormat) -> None:
    start, data = reencoded(draw(given.name.upper(), 40, 30), OutputOptions(output, quality=50))
    assert start == ImageStart(output.mime_type, 40, 30)
    header = read_header(data)
    assert header and (header.format, header.width, header.height) == (output, 40, 30)
    with Image.open(BytesIO(data)) as image:
        image.load()
        assert (image.format, image.size) == (output.name.upper(), (40, 30))


@pytest.mark.parametrize("output", [one for one in OUTPUTS if one.has_quality], ids=lambda one: one.name)
def test_a_lower_quality_makes_fewer_bytes(output: PictureFormat) -> None:
    sizes = [len(reencoded(PNG, OutputOptions(output, quality))[1]) for quality in (0, 50, 100)]
    assert sizes == sorted(set(sizes))
    assert len(reencoded(PNG, OutputOptions(output))[1]) == sizes[-1]


@pytest.mark.parametrize("resize", ["cover", "contain"])
@pytest.mark.parametrize("name", ["jpeg", None])
def test_a_picture_gets_exact_pixels(resize: str, name: str | None) -> None:
    output = BY_NAME[name] if name else None
    start, data = reencoded(PNG, OutputOptions(output, pixels=(50, 20), resize=resize))
    assert start == ImageStart(output.mime_type if output else "image/png", 50, 20)
    with Image.open(BytesIO(data)) as image:
        assert image.size == (50, 20)
        corner = image.convert("RGB").getpixel((0, 0))
    assert (corner == (255, 255, 255)) is (resize == "contain")


@pytest.mark.parametrize(
    "options",
    [
        OutputOptions(),
        OutputOptions(BY_NAME["png"]),
        OutputOptions(BY_NAME["png"], quality=10),
        OutputOptions(quality=10),
        OutputOptions(pixels=(40, 30), resize="cover"),
    ],
)
def test_a_picture_that_is_as_asked_passes_unchanged(options: OutputOptions) -> None:
    assert list(reencode_pictures(iter(events_of(PNG)), options, run)) == events_of(PNG)


def test_a_picture_that_cannot_be_opened_is_broken() -> None:
    events = iter(events_of(PNG[:200]))
    with pytest.raises(ApiError, match="cannot be opened") as caught:
        list(reencode_pictures(events, OutputOptions(BY_NAME["jpeg"]), run))
    assert caught.value.kind is ErrorKind.UPSTREAM_BROKEN
