"""Pictures as callers send them: base64, data URLs, web addresses, bytes."""

from __future__ import annotations

import re

import pybase64

from compat.base64_stream import MalformedBase64, decode_whole, padding, standard_alphabet
from compat.errors import ApiError, ErrorKind
from compat.formats import (
    BY_ENDING,
    INPUTS,
    NotAPicture,
    PictureHeader,
    format_of,
    png_has_alpha,
    read_header,
)
from compat.images import InputImage

SUPPORTED = f"Supported are {', '.join(known.mime_type for known in INPUTS)}."

MOST_IMAGES = 16  # OpenAI's limit of input pictures on one edit
LARGEST_PICTURE = 50 * 1024 * 1024  # bytes; OpenAI's limit of one input picture
DATA_URL = re.compile(r"data:[^,]{0,200},", re.ASCII)
WHITE_SPACE = re.compile(r"[\r\n\t ]+")


def read_input_image(picture: str | bytes, param: str) -> InputImage:
    """A picture as its bytes, or as a string: an address, a data URL, or bare base64 in either alphabet.

    An http(s) or gs:// address is passed on and never opened here. Raises INVALID_IMAGE for `param`.
    """
    if not isinstance(picture, str):
        return from_bytes(picture, param)
    text = picture.strip()
    if text.startswith(("https://", "http://", "gs://")):
        return InputImage(mime_type_of_address(text), uri=text)
    if text.startswith("data:"):
        head = DATA_URL.match(text)
        if not head or not head[0].endswith(";base64,"):
            raise unreadable(param, "a data URL must have the form data:image/png;base64,...")
        text = text[head.end() :]
    return from_base64(text, param)


def from_base64(text: str, param: str) -> InputImage:
    """A picture as base64. All of it is checked, so that nothing unreadable is paid for."""
    try:
        data = standard_alphabet(WHITE_SPACE.sub("", text).rstrip("=").encode("ascii"))
        data += padding(len(data))
        picture = decode_whole(data)
    except (UnicodeEncodeError, MalformedBase64):
        raise unreadable(param, "it is not valid base64") from None
    return InputImage(known_mime_type(picture, param), data=data.decode("ascii"))


def from_bytes(picture: bytes, param: str) -> InputImage:
    """A picture as its bytes."""
    return InputImage(known_mime_type(picture, param), data=pybase64.b64encode_as_string(picture))


def known_mime_type(picture: bytes, param: str) -> str:
    """The type by the picture's first bytes: the type that a client declares is often wrong."""
    if len(picture) > LARGEST_PICTURE:
        raise unreadable(param, f"it is larger than {LARGEST_PICTURE} bytes")
    found = format_of(picture)
    if not found or not found.is_input:
        raise unreadable(param, f"{'unsupported picture type' if found else 'not a picture'}. {SUPPORTED}")
    return found.mime_type


def check_mask(mask: InputImage, image: InputImage, mask_param: str, image_param: str) -> None:
    """Refuses a mask unless it is a PNG with transparency in the first image's size. Addresses cannot be checked."""
    if mask.data is None:
        return
    picture = decode_whole(mask.data)
    header = header_of(picture, mask_param)
    if mask.mime_type != "image/png" or not png_has_alpha(picture):
        raise unreadable(mask_param, "a mask must be a PNG with an alpha channel.")
    masked = header_of(decode_whole(image.data), image_param) if image.data is not None else None
    if header and masked and (header.width, header.height) != (masked.width, masked.height):
        raise unreadable(
            mask_param,
            f"a mask must have the size of the first image: it has {header.width}x{header.height} and not "
            f"{masked.width}x{masked.height} pixels.",
        )


def header_of(picture: bytes, param: str) -> PictureHeader | None:
    """A picture's header; None for formats whose header is not read."""
    found = format_of(picture)
    if found and not found.read_size:
        return None
    try:
        header = read_header(picture)
    except NotAPicture as error:
        raise unreadable(param, f"{error}.") from None
    if not header:
        raise unreadable(param, "it ends within its header.")
    return header


def mime_type_of_address(address: str) -> str:
    """The type that an address's ending suggests. Gemini requires one, and looks at the bytes itself."""
    ending = address.split("?")[0].split("#")[0].rsplit(".", 1)[-1].lower()
    found = BY_ENDING.get(ending)
    return found.mime_type if found and found.is_input else "image/png"


def unreadable(param: str, reason: str) -> ApiError:
    return ApiError(ErrorKind.INVALID_IMAGE, f"Invalid image in '{param}': {reason}", param=param)
