"""One picture of an answer, read from its base64 while it passes."""

from __future__ import annotations

from collections.abc import Iterator

from compat.base64_stream import MalformedBase64, decode_whole, is_base64, padding, standard_alphabet
from compat.images import Event, ImageData, ImageStart
from compat.picture_header import NotAPicture, PictureHeader, read_header


class PictureReader:
    """One picture's base64 as it passes: held until its header is known, then handed on piece by piece."""

    def __init__(self) -> None:
        self.header: PictureHeader | None = None
        self.held: list[bytes] = []
        self.held_length = 0
        self.wanted = 64  # characters; a JPEG may hide its size behind a long manifest
        self.length = 0
        self.padded = 0  # characters of padding

    def read(self, data: bytes) -> Iterator[Event]:
        bare = data.rstrip(b"=")
        if not is_base64(bare):
            data = standard_alphabet(data)
            bare = data.rstrip(b"=")
            if not is_base64(bare):
                raise NotAPicture("a picture that is not base64")
        if self.padded and bare:
            raise NotAPicture("a picture that is not base64")
        self.padded += len(data) - len(bare)
        self.length += len(data)
        if self.header:
            yield ImageData(data)
            return
        self.held.append(data)
        self.held_length += len(data)
        if self.held_length >= self.wanted:
            yield from self.look()
            self.wanted = self.held_length * 2

    def look(self) -> Iterator[Event]:
        """The start of the picture, if what is held tells its header."""
        start = b"".join(self.held)
        whole = len(start) - len(start) % 4
        self.header = read_header(decoded_prefix(start[:whole]))
        if self.header:
            yield ImageStart(self.header.mime_type, self.header.width, self.header.height)
            yield from map(ImageData, self.held)
            self.held = []

    def end(self) -> Iterator[Event]:
        if not self.header and self.held:
            yield from self.look()
        if not self.header:
            raise NotAPicture("a picture that ends before its header does")
        missing = padding(self.length)
        if self.padded + len(missing) > 2:
            raise NotAPicture("a picture that is not base64")
        if missing:
            yield ImageData(missing)


def decoded_prefix(characters: bytes) -> bytes:
    """The bytes that the start of a base64 string stands for."""
    try:
        return decode_whole(characters)
    except MalformedBase64:
        raise NotAPicture("a picture that is not base64") from None
