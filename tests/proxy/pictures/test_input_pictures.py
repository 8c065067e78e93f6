"""proxy/pictures/input_pictures.py: input pictures in formats that a model reads, and masks that fit them."""

from __future__ import annotations

import base64
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFile

from compat.errors import ApiError, ErrorKind
from compat.images import ImageRequest, InputImage
from compat.input_images import from_bytes
from proxy.pictures import input_pictures
from proxy.pictures.input_pictures import prepare_inputs
from tests.compat.pictures import draw

SIZE = (60, 40)
RED, BLUE = (255, 0, 0), (0, 0, 255)
ROTATED = 6  # the EXIF orientation of a picture whose right side was up
ADDRESS = InputImage("image/png", uri="https://example.com/a.png")


def run(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def photo(kind: str = "JPEG", orientation: int = 1) -> bytes:
    """A picture whose left third is red, and the rest blue."""
    picture = Image.new("RGB", SIZE, BLUE)
    ImageDraw.Draw(picture).rectangle((0, 0, SIZE[0] // 3 - 1, SIZE[1]), RED)
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(picture, kind, exif=exif, **({"quality": 95} if kind == "JPEG" else {}))


def black_and_white(size: tuple[int, int] = SIZE, kind: str = "PNG", mode: str = "RGB", **options: Any) -> bytes:
    """A mask whose left half is white, and the rest black."""
    picture = Image.new("L", size, "black")
    ImageDraw.Draw(picture).rectangle((0, 0, size[0] // 2 - 1, size[1]), 255)
    if mode == "I;16":
        picture = Image.frombytes(mode, size, bytes(shade for shade in picture.tobytes() for _ in range(2)))
    return saved(picture.convert(mode), kind, **options)


def prepared(*images: bytes, mask: bytes | None = None) -> ImageRequest:
    given = tuple(from_bytes(image, f"image[{index}]") for index, image in enumerate(images))
    return prepare_inputs(ImageRequest("x", given, mask and from_bytes(mask, "mask")), run)


def opened(image: InputImage | None) -> Image.Image:
    assert image and image.data
    picture = Image.open(BytesIO(base64.b64decode(image.data)))
    picture.load()
    assert picture.get_format_mimetype() == image.mime_type
    return picture


def refusal(*images: bytes, mask: bytes | None = None) -> ApiError:
    with pytest.raises(ApiError) as caught:
        prepared(*images, mask=mask)
    assert caught.value.kind is ErrorKind.INVALID_IMAGE
    return caught.value


# Formats


@pytest.mark.parametrize(
    "picture",
    [photo("JPEG", ROTATED), draw("PNG", 9, 7), draw("WEBP", 9, 7), b"\0\0\0\x18ftypheic" + bytes(20)],
    ids=["a rotated JPEG", "PNG", "WebP", "HEIC"],
)
def test_without_a_mask_a_picture_goes_up_as_it_came(picture: bytes) -> None:
    [image] = prepared(picture).input_images
    assert base64.b64decode(image.data or "") == picture


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF"])
def test_other_formats_become_png(kind: str) -> None:
    original = Image.open(BytesIO(draw(kind, 9, 7, "L"))).convert("RGB")
    image = prepared(draw("PNG", 2, 2), draw(kind, 9, 7, "L")).input_images[1]
    assert image.mime_type == "image/png"
    assert opened(image).tobytes() == original.tobytes()


def test_an_avif_becomes_png() -> None:
    assert opened(prepared(draw("AVIF", 9, 7)).input_images[0]).size == (9, 7)


def test_of_an_animation_the_first_frame_is_sent() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE)]
    gif = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert opened(prepared(gif).input_images[0]).getpixel((0, 0)) == RED


def test_a_transparent_gif_stays_transparent() -> None:
    picture = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    assert opened(prepared(saved(picture, "GIF")).input_images[0]).convert("RGBA").getpixel((0, 0))[3] == 0  # type: ignore[index]


def test_sixteen_bits_become_eight() -> None:
    picture = Image.new("I;16", (8, 8), 0x8080)
    assert opened(prepared(saved(picture, "TIFF")).input_images[0]).getpixel((0, 0)) == (128, 128, 128)


@pytest.mark.parametrize("picture", [draw("GIF", 9, 7, "L")[:30], b"BM" + bytes(40), b"II*\0" + bytes(40)])
def test_a_damaged_picture_is_refused_and_named(picture: bytes) -> None:
    assert refusal(draw("PNG", 2, 2), picture).param == "image[1]"


def test_a_picture_with_too_many_pixels_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = draw("GIF", 9, 7, "L")
    monkeypatch.setattr(input_pictures, "MOST_INPUT_PIXELS", 62)
    monkeypatch.setattr(ImageFile.ImageFile, "load", None)
    assert "more than 62 pixels" in refusal(picture).message


def test_when_no_thread_is_free_in_time_nothing_is_bought() -> None:
    def busy(*_: Any) -> Any:
        raise TimeoutError

    with pytest.raises(ApiError) as caught:
        prepare_inputs(ImageRequest("x", (from_bytes(draw("GIF", 2, 2, "L"), "image"),)), busy)
    assert (caught.value.kind, caught.value.may_repeat) == (ErrorKind.OVERLOADED, True)


# Masks


def test_a_transparent_mask_and_its_picture_go_up_as_they_came() -> None:
    mask, picture = draw("PNG", *SIZE, "RGBA"), photo()
    request = prepared(picture, mask=mask)
    assert (request.input_images[0], request.mask) == (from_bytes(picture, "image"), from_bytes(mask, "mask"))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
def test_a_rotated_photo_is_turned_upright_when_it_has_a_mask(kind: str) -> None:
    request = prepared(photo(kind, ROTATED), draw("PNG", 9, 7), mask=black_and_white((40, 60)))
    photo_up, other = (opened(image) for image in request.input_images)
    assert (photo_up.size, photo_up.getexif().get(0x0112, 1)) == ((40, 60), 1)
    red, _, blue = photo_up.convert("RGB").getpixel((20, 5))  # type: ignore[misc]
    assert red > 200 > 50 > blue
    assert other.size == (9, 7)
    assert opened(request.mask).size == (40, 60)


def test_a_rotated_mask_is_turned_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = ROTATED
    mask = opened(prepared(photo("JPEG", ROTATED), mask=black_and_white(exif=exif)).mask)
    assert mask.size == (40, 60)
    assert mask.getpixel((20, 5))[3] == 0  # type: ignore[index]
    assert mask.getpixel((20, 55))[3] == 255  # type: ignore[index]


@pytest.mark.parametrize(
    "mask",
    [
        black_and_white(mode="RGB"),
        black_and_white(mode="L"),
        black_and_white(mode="1"),
        black_and_white(mode="P"),
        black_and_white(mode="RGBA"),
        black_and_white(mode="LA"),
        black_and_white(mode="I;16"),
        black_and_white(kind="JPEG", quality=60),
        black_and_white(kind="GIF", mode="P"),
        black_and_white(kind="BMP"),
        black_and_white(kind="WEBP"),
    ],
    ids=[
        "RGB",
        "grey",
        "1 bit",
        "palette",
        "opaque alpha",
        "grey with opaque alpha",
        "16",
        "JPEG",
        "GIF",
        "BMP",
        "WebP",
    ],
)
def test_in_a_mask_of_black_and_white_the_white_changes(mask: bytes) -> None:
    made = opened(prepared(photo(), mask=mask).mask)
    assert (made.format, made.mode, made.size) == ("PNG", "RGBA", SIZE)
    assert made.getpixel((5, 20))[3] == 0  # type: ignore[index]
    assert made.getpixel((55, 20))[3] == 255  # type: ignore[index]


def test_a_transparent_mask_of_another_format_becomes_png() -> None:
    made = opened(prepared(photo(), mask=saved(Image.new("RGBA", SIZE, (0, 0, 0, 0)), "WEBP", lossless=True)).mask)
    assert made.getchannel("A").getextrema() == (0, 0)


@pytest.mark.parametrize(
    "mask",
    [
        draw("PNG", *SIZE),
        draw("JPEG", *SIZE),
        saved(Image.new("RGB", SIZE, RED), "PNG"),
        saved(Image.new("RGB", SIZE, BLUE), "PNG"),
        saved(Image.new("L", SIZE, 128), "PNG"),
        saved(Image.new("L", SIZE, 0), "PNG"),
        saved(Image.new("RGBA", SIZE, "black"), "PNG"),
        draw("PNG", 40, 60, "RGBA"),
        black_and_white((40, 60)),
        draw("PNG", *SIZE, "RGBA")[:60],
        b"\0\0\0\x18ftypheic" + bytes(20),
    ],
    ids=["noise", "photo", "red", "blue", "grey", "black", "opaque", "size", "size without alpha", "cut", "HEIC"],
)
def test_a_mask_that_says_nothing_or_does_not_fit_is_refused(mask: bytes) -> None:
    assert refusal(photo(), mask=mask).param == "mask"


def test_a_mask_is_compared_with_the_picture_as_it_is_displayed() -> None:
    message = refusal(photo("JPEG", ROTATED), mask=draw("PNG", *SIZE, "RGBA")).message
    assert "60x40 and not 40x60" in message


@pytest.mark.parametrize("image", [ADDRESS, from_bytes(b"\0\0\0\x18ftypheic" + bytes(20), "image")])
def test_a_picture_whose_size_is_not_known_takes_any_mask(image: InputImage) -> None:
    request = prepare_inputs(ImageRequest("x", (image,), from_bytes(black_and_white(), "mask")), run)
    assert request.input_images == (image,)
    assert opened(request.mask).mode == "RGBA"


def test_a_mask_at_an_address_goes_up_as_it_came() -> None:
    request = ImageRequest("x", (from_bytes(photo("JPEG", ROTATED), "image"),), ADDRESS)
    assert prepare_inputs(request, run) == request
