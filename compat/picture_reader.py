"""One picture of an answer, read from its base64 as it passes through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from compat.base64_stream import Decoder, MalformedBase64, standard_alphabet
from compat.formats import NotAPicture, PictureHeader, read_header
from compat.images import Event, ImageData, ImageStart


class PictureReader:
    """One picture's base64: held until its header is known, then passed on piece by piece."""

    def __init__(self, as_bytes: bool = False) -> None:
        """`as_bytes` gives pieces that are decoded, instead of base64 that is only looked at."""
        self.as_bytes = as_bytes
        self.decoder = Decoder()
        self.header: PictureHeader | None = None
        self.held: list[bytes] = []
        self.decoded: list[bytes] = []  # of what is held, or of the next piece
        self.held_length = 0
        self.is_checked = False  # whether the next piece is
        self.wanted = 64  # characters before the header is looked for again; a long manifest may come before it

    def read(self, data: bytes) -> Iterable[Event]:
        """The events of the next piece. Raises NotAPicture."""
        if not self.is_checked and not self.is_base64(data):
            data = standard_alphabet(data)
            if not self.is_base64(data):
                raise NotAPicture("the picture is not base64")
        self.is_checked = False
        return self.events((data,)) if self.header else self.hold(data)

    def is_base64(self, data: bytes) -> bool:
        """Whether the whole next piece is base64. It is not looked at again when it is read."""
        try:
            decoded = self.decoder.feed(data)
        except MalformedBase64:
            return False
        if self.as_bytes or not self.header:
            self.decoded += decoded
        self.is_checked = True
        return True

    def events(self, pieces: Sequence[bytes]) -> list[ImageData]:
        """Pieces of base64, or what was decoded of them."""
        decoded, self.decoded = self.decoded, []
        return [ImageData(None, part) for part in decoded] if self.as_bytes else [ImageData(piece) for piece in pieces]

    def hold(self, data: bytes) -> Iterator[Event]:
        self.held.append(data)
        self.held_length += len(data)
        if self.held_length >= self.wanted:
            yield from self.look()
            self.wanted = self.held_length * 2

    def look(self) -> Iterator[Event]:
        """The start of the picture, if its header can be read."""
        self.header = read_header(b"".join(self.decoded))
        if self.header:
            yield ImageStart(self.header.format.mime_type, self.header.width, self.header.height)
            yield from self.events(self.held)
            self.held = []

    def end(self) -> Iterator[Event]:
        """The events of the picture's end. Raises NotAPicture."""
        try:
            missing, content = self.decoder.finish()
        except MalformedBase64:
            raise NotAPicture("the picture is not base64") from None
        if not self.header and self.held:
            yield from self.look()
        if not self.header:
            raise NotAPicture("the picture ends within its header")
        if missing:
            yield ImageData(None, content) if self.as_bytes else ImageData(missing)
