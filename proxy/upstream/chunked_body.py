"""The bytes of a chunked body without its framing (RFC 9112, section 7.1), however it is cut."""

from __future__ import annotations

import re

from proxy.limits import LONGEST_CHUNK_FRAME

SIZE = rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n"
FIRST, NEXT = re.compile(SIZE), re.compile(rb"\r\n" + SIZE)  # what precedes a chunk's bytes
TRAILERS = re.compile(rb"(?:[^\r\n]+\r\n)*\r\n")
START_OF_SIZE = re.compile(rb"(?:\r\n?)?(?:[0-9A-Fa-f]{1,15}[ \t]*(?:;[^\r\n]*)?\r?)?")
START_OF_TRAILERS = re.compile(rb"(?:[^\r\n]+\r\n)*(?:[^\r\n]+)?\r?")


class MalformedChunks(ValueError):
    """The bytes are not a chunked body."""


class ChunkedBody:
    """Parses what it is fed until the body has `ended`; `overrun` if more than the body came.

    The body is complete once it `has_last_chunk`, the one of size 0; trailers may follow (RFC 9112, section 8).
    """

    def __init__(self) -> None:
        self.ended = False
        self.has_last_chunk = False
        self.overrun = False
        self.left = 0  # bytes of the current chunk that have yet to come
        self.frame = FIRST
        self.held = b""  # the start of a frame

    def feed(self, data: bytes) -> bytes:
        """The body's bytes among these, in one piece; empty if all are framing. Raises MalformedChunks."""
        if len(data) <= self.left:
            self.left -= len(data)
            return data
        data, self.held = self.held + data, b""
        view, position = memoryview(data), 0
        pieces: list[memoryview] = []
        while position < len(data) and not self.ended:
            if self.left:
                pieces.append(view[position : position + self.left])
                position += len(pieces[-1])
                self.left -= len(pieces[-1])
            elif (end := self.end_of_frame(data, position)) is None:
                break
            else:
                position = end
        self.overrun = self.ended and position < len(data)
        return b"".join(pieces)

    def end_of_frame(self, data: bytes, position: int) -> int | None:
        """Where the frame that begins here ends; None if it is incomplete, and is held."""
        size = self.frame.match(data, position)
        if not size:
            self.hold(data, position, position, START_OF_SIZE)
            return None
        self.left = int(size[1], 16)
        if self.left:
            self.frame = NEXT
            return size.end()
        self.has_last_chunk = True
        trailers = TRAILERS.match(data, size.end())
        if not trailers:
            self.hold(data, position, size.end(), START_OF_TRAILERS)
            return None
        self.ended = True
        return trailers.end()

    def hold(self, data: bytes, position: int, unread: int, start: re.Pattern[bytes]) -> None:
        """Keeps the incomplete frame that begins here. Raises MalformedChunks if it cannot become one."""
        if len(data) - position > LONGEST_CHUNK_FRAME or not start.fullmatch(data, unread):
            raise MalformedChunks("a chunk without its size")
        self.held = data[position:]
