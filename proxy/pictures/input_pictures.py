"""Input pictures as a model can read them: PNG instead of other formats, and a mask that fits its picture.

A picture that needs nothing of this goes up as it came.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from typing import Any

from PIL import Image, ImageChops, ImageOps

from compat.base64_stream import decode_whole, encode
from compat.conversation import with_pictures
from compat.errors import ApiError, ErrorKind
from compat.formats import BY_MIME_TYPE, BY_NAME, FORMATS, PictureFormat
from compat.images import ImageRequest, InputImage
from compat.input_images import unreadable
from proxy.limits import MOST_INPUT_PIXELS, OVERLOADED_RETRY_SECONDS
from proxy.pictures import reencoding

PNG = BY_NAME["png"]
PILLOW_FORMATS = tuple(known.name.upper() for known in FORMATS if known.read_size or known.becomes_png)
UPRIGHT = 1  # the EXIF orientation of a picture that is displayed as it is stored
ORIENTATION = 0x0112
WHITE = 128  # the darkest shade of a mask that counts as white
LARGEST_DIFFERENCE = 48  # from black, from white, and between the colours of a shade of grey
MOST_SHADES = 0.05  # of a mask's pixels: soft edges, and what JPEG makes of sharp ones


def prepare_inputs(image_request: ImageRequest, run_in_thread: Callable[..., Any]) -> ImageRequest:
    """The request with input pictures that a model can read. Raises INVALID_IMAGE for one that cannot be used."""
    images, mask = image_request.input_images, image_request.mask
    if not mask and not any(image.data and BY_MIME_TYPE[image.mime_type].becomes_png for image in images):
        return image_request
    try:
        images, mask = run_in_thread(prepare, images, mask)
    except TimeoutError:
        raise ApiError(
            ErrorKind.OVERLOADED,
            "The server is busy with other pictures that have to be converted.",
            retry_after=OVERLOADED_RETRY_SECONDS,
        ) from None
    turns = with_pictures(image_request.turns, images)
    return replace(image_request, input_images=images, mask=mask, turns=turns)


def with_inputs_of(image_request: ImageRequest, prepared: ImageRequest) -> ImageRequest:
    """The request with the input pictures of the same order, which were prepared for another model."""
    return replace(image_request, input_images=prepared.input_images, mask=prepared.mask, turns=prepared.turns)


def prepare(
    images: tuple[InputImage, ...], mask: InputImage | None
) -> tuple[tuple[InputImage, ...], InputImage | None]:
    """The pictures in formats that a model reads, and the mask, which is the first picture's."""
    prepared = tuple(as_png(image) for image in images)
    if mask is None or mask.data is None:
        return prepared, mask
    first, size = upright(prepared[0])
    return (first, *prepared[1:]), read_mask(mask, size, images[0].place)


def as_png(image: InputImage) -> InputImage:
    """A picture in a format that Gemini does not read as PNG, of an animation the first frame; others as they are."""
    if image.data is None or not BY_MIME_TYPE[image.mime_type].becomes_png:
        return image
    return written(in_plain_colours(ImageOps.exif_transpose(opened(image))), PNG, image.place)


def upright(image: InputImage) -> tuple[InputImage, tuple[int, int] | None]:
    """A picture as it is displayed, and its size then; the same picture if it is stored so.

    The size is None for an address, and for a format that Pillow does not open.
    """
    known = BY_MIME_TYPE[image.mime_type]
    if image.data is None or known.read_size is None:
        return image, None
    picture = opened(image, decode=False)
    if picture.getexif().get(ORIENTATION, UPRIGHT) == UPRIGHT:
        return image, picture.size
    turned = in_plain_colours(ImageOps.exif_transpose(opened(image)))
    return written(turned, known, image.place), turned.size


def read_mask(mask: InputImage, size: tuple[int, int] | None, image_place: str) -> InputImage:
    """The mask as a PNG that is transparent where the picture may change: as it came, or made of black and white.

    `size` is that of the picture, if it is known. Raises INVALID_IMAGE for a mask of another size, and for one that is
    neither.
    """
    picture = opened(mask)
    turned = ImageOps.exif_transpose(picture)
    if size and turned.size != size:
        width, height = turned.size
        raise unreadable(
            mask.place,
            f"a mask must have the size of the first image ({image_place}) as it is displayed: it has {width}x{height} "
            f"and not {size[0]}x{size[1]} pixels.",
        )
    coloured = in_plain_colours(turned)
    if coloured.mode == "RGBA" and coloured.getchannel("A").getextrema()[0] < 255:  # type: ignore[operator]
        untouched = mask.mime_type == PNG.mime_type and turned.size == picture.size and not picture.getexif()
        return mask if untouched else written(coloured, PNG, mask.place)
    shades = black_and_white(coloured.convert("RGB"))
    if shades is None:
        raise unreadable(
            mask.place, "a mask must be transparent where the picture may change, or white there and black elsewhere."
        )
    coloured.putalpha(ImageChops.invert(shades))
    return written(coloured, PNG, mask.place)


def black_and_white(picture: Image.Image) -> Image.Image | None:
    """Which pixels of a mask are white; None if it has others than black and white ones, or no white one."""
    red, green, blue = picture.split()
    grey = picture.convert("L")
    coloured = ImageChops.lighter(ImageChops.difference(red, green), ImageChops.difference(green, blue))
    most = MOST_SHADES * picture.width * picture.height
    between = sum(grey.histogram()[LARGEST_DIFFERENCE : 256 - LARGEST_DIFFERENCE])
    if between > most or sum(coloured.histogram()[LARGEST_DIFFERENCE:]) > most:
        return None
    shades = grey.point(lambda shade: 255 if shade >= WHITE else 0)
    return shades if shades.getbbox() else None


def opened(image: InputImage, *, decode: bool = True) -> Image.Image:
    """A picture's first frame. Raises INVALID_IMAGE if it cannot be opened or has too many pixels."""
    try:
        picture = Image.open(BytesIO(decode_whole(image.data or b"")), formats=PILLOW_FORMATS)
        too_large = picture.width * picture.height > MOST_INPUT_PIXELS
        if decode and not too_large:
            picture.load()
    except Exception as error:  # Pillow raises whatever its decoders meet
        raise unreadable(image.place, f"it cannot be opened ({type(error).__name__}).") from None
    if too_large:
        raise unreadable(image.place, f"it has more than {MOST_INPUT_PIXELS} pixels.")
    return picture


def in_plain_colours(picture: Image.Image) -> Image.Image:
    """The picture in RGB, or in RGBA if it can be transparent."""
    if picture.mode.startswith("I"):  # 16 bits per pixel, of which Pillow would cut off all above 255
        picture = picture.convert("I").point(lambda shade: shade * (1 / 257)).convert("L")
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")


def written(picture: Image.Image, known: PictureFormat, place: str) -> InputImage:
    """The picture in a format, with the best quality."""
    if known.name == "jpeg":
        picture = picture.convert("RGB")
    data = encode(reencoding.encode(picture, known, None))
    return InputImage(known.mime_type, data, place=place)
