"""One picture of an answer, read from its base64 as it passes through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from compat.base64_stream import Decoder, MalformedBase64, standard_alphabet
from compat.formats import NotAPicture, PictureHeader, read_header
from compat.images import Event, ImageData, ImageStart


class PictureReader:
    """One picture's base64: held until its header is known, then passed on piece by piece."""

    def __init__(self) -> None:
        self.decoder = Decoder()
        self.header: PictureHeader | None = None
        self.held: list[ImageData] = []
        self.held_length = 0
        self.decoded_ahead: ImageData | None = None
        self.wanted = 64  # characters before the header is looked for again; a long manifest may come before it

    def read(self, data: bytes) -> Iterable[Event]:
        """The events of the next piece. Raises NotAPicture."""
        piece = self.decoded_ahead or self.decoded(data)
        self.decoded_ahead = None
        return (piece,) if self.header else self.hold(piece)

    def is_base64(self, data: bytes) -> bool:
        """Whether the whole next piece is base64. It is then decoded already when it is read."""
        try:
            self.decoded_ahead = ImageData(data, self.decoder.feed(data))
        except MalformedBase64:
            return False
        return True

    def hold(self, piece: ImageData) -> Iterator[Event]:
        self.held.append(piece)
        self.held_length += len(piece.data)
        if self.held_length >= self.wanted:
            yield from self.look()
            self.wanted = self.held_length * 2

    def decoded(self, data: bytes) -> ImageData:
        """The piece in the standard alphabet, with the bytes that are complete with it."""
        try:
            return ImageData(data, self.decoder.feed(data))
        except MalformedBase64:
            data = standard_alphabet(data)
        try:
            return ImageData(data, self.decoder.feed(data))
        except MalformedBase64:
            raise NotAPicture("the picture is not base64") from None

    def look(self) -> Iterator[Event]:
        """The start of the picture, if its header can be read."""
        self.header = read_header(b"".join(part for piece in self.held for part in piece.content or ()))
        if self.header:
            yield ImageStart(self.header.format.mime_type, self.header.width, self.header.height)
            yield from self.held
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
            yield ImageData(missing, (content,))
