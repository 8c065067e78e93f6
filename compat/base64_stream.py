"""Base64, whole or in pieces that are cut anywhere."""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Iterator

import pybase64

URL_SAFE = bytes.maketrans(b"-_", b"+/")


class MalformedBase64(ValueError):
    """The characters are not standard base64."""


def standard_alphabet(data: bytes) -> bytes:
    """The same base64 with + and / where the URL-safe alphabet has - and _; the same object if it has none."""
    if b"-" in data or b"_" in data:
        return data.translate(URL_SAFE)
    return data


def padding(length: int) -> bytes:
    """The padding that a base64 string of this many characters lacks."""
    return b"=" * (-length % 4)


def encoded_length(length: int) -> int:
    """The number of characters that so many bytes become."""
    return (length + 2) // 3 * 4


class Decoder:
    """Decodes one standard base64 string that comes in pieces, copying only what is split between two of them."""

    def __init__(self) -> None:
        self.rest = b""  # characters of a group of four that is not complete
        self.length = 0  # characters so far
        self.padded = 0  # of them padding

    def feed(self, piece: bytes) -> list[bytes]:
        """The bytes that are complete with this piece, in parts. Raises MalformedBase64, and is then unchanged."""
        bare = piece.rstrip(b"=")
        length = len(bare)
        padded = self.padded + len(piece) - length
        if padded and (padded > 2 or (self.padded and bare)):
            raise MalformedBase64("the padding of the base64 is not at its end")
        start = min(-len(self.rest) % 4, length)
        end = length - (length - start) % 4
        split, rest = self.rest + bare[:start], bare[end:]
        if len(split) % 4:
            split, rest = b"", split
        decoded = [decode_bare(split)] if split else []
        if start < end:
            decoded.append(decode_bare(memoryview(bare)[start:end]))
        if not rest.isalnum():
            decode_bare(rest.ljust(4, b"A"))
        if padded and len(rest) + padded == 4:
            decoded.append(decode_whole(rest + b"=" * padded))
            rest = b""
        self.rest, self.padded, self.length = rest, padded, self.length + len(piece)
        return decoded

    def finish(self) -> bytes:
        """The bytes that are complete with the padding that the pieces lack. Raises MalformedBase64."""
        missing = padding(self.length)
        if self.padded + len(missing) > 2:
            raise MalformedBase64("the base64 ends within a group of four")
        return decode_whole(self.rest.ljust(4, b"=")) if missing else b""


def decode_bare(characters: bytes | memoryview) -> bytes:
    """Decodes complete groups of four characters without padding. Raises MalformedBase64."""
    decoded = decode_whole(characters)
    if len(decoded) * 4 != len(characters) * 3:
        raise MalformedBase64("the padding of the base64 is not at its end")
    return decoded


def decode_whole(characters: bytes | memoryview | str) -> bytes:
    """Decodes standard base64. Raises MalformedBase64."""
    try:
        return pybase64.b64decode(characters, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedBase64("the characters are not base64") from None


def encode(data: bytes | memoryview) -> bytes:
    """The bytes as standard, padded base64."""
    return pybase64.b64encode(data)


def encode_pieces(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same of bytes that come in pieces, cut anywhere."""
    rest = b""
    for piece in pieces:
        piece = rest + piece if rest else piece
        whole = len(piece) - len(piece) % 3
        if whole:
            yield encode(memoryview(piece)[:whole])
        rest = piece[whole:]
    if rest:
        yield encode(rest)
