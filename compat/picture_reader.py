"""One picture of an answer, decoded from its base64 as it comes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from compat.base64_stream import Decoder, MalformedBase64, standard_alphabet
from compat.formats import NotAPicture, PictureHeader, read_header
from compat.images import Event, ImageData, ImageStart


class PictureReader:
    """One picture: held until its header is known, then passed on piece by piece."""

    def __init__(self) -> None:
        self.decoder = Decoder()
        self.header: PictureHeader | None = None
        self.decoded: list[bytes] = []  # of the next piece, or all as long as there is no header
        self.length = 0  # of the base64 without a header
        self.is_checked = False  # whether the next piece is
        self.wanted = 64  # characters before the header is looked for again; a long manifest may come before it

    def read(self, data: bytes) -> Iterable[Event]:
        """The events of the next piece. Raises NotAPicture."""
        if not self.is_checked and not self.is_base64(data):
            data = standard_alphabet(data)
            if not self.is_base64(data):
                raise NotAPicture("the picture is not base64")
        self.is_checked = False
        return self.pieces() if self.header else self.hold(len(data))

    def is_base64(self, data: bytes) -> bool:
        """Whether the whole next piece is base64. It is not looked at again when it is read."""
        try:
            self.decoded += self.decoder.feed(data)
        except MalformedBase64:
            return False
        self.is_checked = True
        return True

    def pieces(self) -> list[ImageData]:
        """What was decoded since the last time."""
        decoded, self.decoded = self.decoded, []
        return [ImageData(content) for content in decoded if content]

    def hold(self, length: int) -> Iterator[Event]:
        self.length += length
        if self.length >= self.wanted:
            yield from self.look()
            self.wanted = self.length * 2

    def look(self) -> Iterator[Event]:
        """The start of the picture, if its header can be read."""
        self.header = read_header(b"".join(self.decoded))
        if self.header:
            yield ImageStart(self.header.format.mime_type, self.header.width, self.header.height)
            yield from self.pieces()

    def end(self) -> Iterator[Event]:
        """The events of the picture's end. Raises NotAPicture."""
        try:
            self.decoded.append(self.decoder.finish())
        except MalformedBase64:
            raise NotAPicture("the picture is not base64") from None
        if not self.header and self.length:
            yield from self.look()
        if not self.header:
            raise NotAPicture("the picture ends within its header")
        yield from self.pieces()
