"""Bytes that are held until they are needed: in memory as the pieces they came in, above a limit in a file."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO

from compat.base64_stream import encoded_length
from compat.images import Chunk, encoded
from proxy.limits import KIB

LONGEST_PIECE = 48 * KIB  # of a piece from the file: base64 and its bytes stay in groups of four and three

log = logging.getLogger("twinlens")


class SpoolMemory:
    """How many bytes all spools of one worker hold in memory."""

    def __init__(self, limit: int):
        """`limit` is in bytes; what comes above it goes to a temporary file."""
        self.limit = limit
        self.used = 0


class Spool:
    """Pieces of bytes in the order in which they were appended. It may be read while it still grows, several times.

    A whole picture, which has a place of its own, may stand among them, and counts as long as its base64.
    """

    def __init__(self, memory: SpoolMemory):
        self.memory = memory
        self.pieces: list[Chunk | tuple[int, int]] = []  # held in memory, or as offset and length in the file
        self.length = 0
        self.in_memory = 0
        self.file: IO[bytes] | None = None
        self.file_length = 0

    def append(self, piece: Chunk) -> None:
        """Adds a piece. Where the disk is full it stays in memory: what was paid for is not lost to a full disk."""
        if not isinstance(piece, bytes):
            self.length += encoded_length(piece.length)
            self.pieces.append(piece)
            return
        length, memory = len(piece), self.memory
        self.length += length
        if memory.used + length > memory.limit:
            try:
                self.pieces.append(self.write(piece))
                return
            except OSError as error:
                log.warning("an answer cannot be spooled to disk: %s", error.strerror)
        memory.used += length
        self.in_memory += length
        self.pieces.append(piece)

    def write(self, piece: bytes) -> tuple[int, int]:
        """Appends the piece to the file and returns its place there. Raises OSError."""
        if self.file is None:
            self.file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # closed with the spool
        offset, view = self.file_length, memoryview(piece)
        while view:
            written = os.pwrite(self.file.fileno(), view, offset + len(piece) - len(view))
            view = view[written:]
        self.file_length += len(piece)
        return offset, len(piece)

    def read(self) -> Iterator[bytes]:
        """All that is there."""
        for piece in self.pieces:
            yield from self.bytes_of(piece)

    def bytes_of(self, piece: Chunk | tuple[int, int]) -> Iterable[bytes]:
        """The bytes of one of the pieces; a large one from the file comes in several."""
        return self.read_file(*piece) if isinstance(piece, tuple) else encoded(piece)

    def read_file(self, offset: int, length: int) -> Iterator[bytes]:
        assert self.file
        while length:
            wanted = min(length, LONGEST_PIECE)
            data = os.pread(self.file.fileno(), wanted, offset)
            if len(data) < wanted:
                raise EOFError("a spooled answer is shorter than it was")
            yield data
            offset, length = offset + len(data), length - len(data)

    def drain(self) -> Iterator[bytes]:
        """The same once: each piece is let go of as it is taken."""
        for index, piece in enumerate(self.pieces):
            self.pieces[index] = b""
            if isinstance(piece, bytes):
                self.memory.used -= len(piece)
                self.in_memory -= len(piece)
            yield from self.bytes_of(piece)
        self.close()

    def close(self) -> None:
        """Lets go of everything."""
        self.memory.used -= self.in_memory
        self.in_memory = 0
        self.pieces = []
        if self.file:
            self.file.close()
            self.file = None

    def __del__(self) -> None:
        self.close()
