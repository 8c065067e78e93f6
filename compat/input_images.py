"""Pictures as callers send them: base64, data URLs, web addresses, bytes."""

from __future__ import annotations

import re
from urllib.parse import unquote

from compat.base64_stream import MalformedBase64, decode_whole, encode, padding, standard_alphabet
from compat.errors import ApiError, ErrorKind
from compat.formats import BY_ENDING, FORMATS, format_of
from compat.images import InputImage

SUPPORTED = f"Supported are {', '.join(known.mime_type for known in FORMATS)}."

MOST_IMAGES = 16  # OpenAI's limit of input pictures on one edit
LARGEST_PICTURE = 50 * 1024 * 1024  # bytes; OpenAI's limit of one input picture
DATA_URL = re.compile(r"data:[^,]{0,200},", re.ASCII | re.IGNORECASE)
ADDRESS = re.compile(r"(?:https?|gs)://", re.ASCII | re.IGNORECASE)
BLANK = re.compile(r"[ \t]")
LINE_ENDS = re.compile(r"[\r\n]+")


def read_input_image(picture: str | bytes, param: str) -> InputImage:
    """A picture as its bytes, or as a string: an address, a data URL, or bare base64 in either alphabet.

    Bytes that are not a picture may be such a string too. An http(s) or gs:// address is passed on and never opened
    here. Raises INVALID_IMAGE for `param`.
    """
    if isinstance(picture, bytes):
        if format_of(picture) or not picture.isascii():
            return from_bytes(picture, param)
        picture = picture.decode("ascii")
    text = picture.strip("\r\n")
    start = text.lstrip(" \t")
    if scheme := ADDRESS.match(start):
        uri = scheme[0].lower() + start[scheme.end() :].rstrip(" \t")
        return InputImage(mime_type_of_address(uri), uri=uri, place=param)
    if start[:5].lower() == "data:":
        head = DATA_URL.match(start)
        if not head or not head[0].lower().endswith(";base64,"):
            raise unreadable(param, "a data URL must have the form data:image/png;base64,...")
        text = start[head.end() :]
        if "%" in text:  # base64 in a URL may be percent-encoded (RFC 2397, section 3)
            text = unquote(text)
    return from_base64(text, param)


def from_base64(text: str, param: str) -> InputImage:
    """A picture as base64. All of it is checked, so that nothing unreadable is paid for."""
    try:
        data = standard_alphabet(in_one_line(text).rstrip("=").encode("ascii"))
        data += padding(len(data))
        picture = decode_whole(data)
    except (UnicodeEncodeError, MalformedBase64) as error:
        reason = f" ({error})" if isinstance(error, SpaceInBase64) else ""
        raise unreadable(param, f"it is neither a picture nor valid base64{reason}. {SUPPORTED}") from None
    return InputImage(known_mime_type(picture, param), data=data, place=param)


class SpaceInBase64(MalformedBase64):
    """A space may stand for a `+`, which decoding of a URL or an urlencoded form makes of it."""


def in_one_line(text: str) -> str:
    """Base64 without its line ends, and without blanks before and after its lines.

    Where there are blanks, all lines must have one length, and the last one its padding: otherwise a blank may have
    been a `+`. Raises SpaceInBase64.
    """
    if not BLANK.search(text):
        return LINE_ENDS.sub("", text)
    lines = [line for line in (line.strip(" \t") for line in LINE_ENDS.split(text)) if line]
    whole = "".join(lines)
    lengths = {len(line) for line in lines[:-1]}
    if BLANK.search(whole) or len(lengths) > 1 or len(whole) % 4 or (lengths and len(lines[-1]) > min(lengths)):
        raise SpaceInBase64("it has a space, where '+' was lost")
    return whole


def from_bytes(picture: bytes, param: str) -> InputImage:
    """A picture as its bytes."""
    return InputImage(known_mime_type(picture, param), data=encode(picture), place=param)


def known_mime_type(picture: bytes, param: str) -> str:
    """The type by the picture's first bytes: the type that a client declares is often wrong."""
    if len(picture) > LARGEST_PICTURE:
        raise unreadable(param, f"it is larger than {LARGEST_PICTURE} bytes")
    found = format_of(picture)
    if not found:
        raise unreadable(param, f"it is not a picture. {SUPPORTED}")
    return found.mime_type


def mime_type_of_address(address: str) -> str:
    """The type that an address's ending suggests. Gemini requires one, and looks at the bytes itself."""
    ending = address.split("?")[0].split("#")[0].rsplit(".", 1)[-1].lower()
    found = BY_ENDING.get(ending)
    return found.mime_type if found else "image/png"


def unreadable(param: str, reason: str) -> ApiError:
    return ApiError(ErrorKind.INVALID_IMAGE, f"Invalid image in '{param}': {reason}", param=param)
