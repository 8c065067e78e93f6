"""Base64, whole and in pieces cut anywhere."""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Iterator

import pybase64

URL_SAFE = bytes.maketrans(b"-_", b"+/")


class MalformedBase64(ValueError):
    """The characters are not base64."""


def standard_alphabet(data: bytes) -> bytes:
    """The same base64 with + and / where the URL-safe alphabet has - and _; the same object if it has none."""
    if b"-" in data or b"_" in data:
        return data.translate(URL_SAFE)
    return data


def padding(length: int) -> bytes:
    """What a base64 string of this many characters lacks at its end."""
    return b"=" * (-length % 4)


def decode(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes that pieces of padded, standard base64 stand for. Raises MalformedBase64."""
    rest = b""
    for chunk in chunks:
        if rest:
            chunk = rest + chunk
        whole = len(chunk) - len(chunk) % 4
        rest = chunk[whole:]
        if whole:
            yield decode_whole(memoryview(chunk)[:whole])
    if rest:
        raise MalformedBase64("the base64 ends within a group of four")


def decode_whole(characters: bytes | memoryview | str) -> bytes:
    """The bytes that one whole piece of standard base64 stands for. Raises MalformedBase64."""
    try:
        return pybase64.b64decode(characters, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedBase64("the characters are not base64") from None


def is_base64(characters: bytes) -> bool:
    """Whether all characters are of the standard alphabet, wherever the piece was cut. Padding is not."""
    whole = len(characters) - len(characters) % 4
    try:
        decoded = decode_whole(memoryview(characters)[:whole])
        decode_whole(characters[whole:].ljust(4, b"A"))
    except MalformedBase64:
        return False
    return len(decoded) * 4 == whole * 3  # fewer bytes come of padding in the midst


def encode(data: bytes) -> bytes:
    """Standard, padded base64 of the bytes."""
    return pybase64.b64encode(data)
