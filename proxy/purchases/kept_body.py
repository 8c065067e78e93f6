"""The body of an answer as it is kept: a picture as its bytes, a quarter less than its base64, all else as it is sent.

The first line is JSON: how many bytes of text, of a picture, of text, and so on in turn follow.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from compat.base64_stream import encode_pieces
from proxy.limits import KIB
from proxy.pictures.spool import Spool

LONGEST_LINE = 4 * KIB  # of lengths: an answer has ten pictures at most


class BrokenBody(ValueError):
    """What was kept is not a body, or not all of it."""


def write_kept(body: Spool) -> Iterator[bytes]:
    """The body as it is kept."""
    lengths = [0]
    parts: list[Iterable[bytes]] = []
    for piece in body.pieces:
        if isinstance(piece, bytes | tuple):
            parts.append(body.bytes_of(piece))
            lengths[-1] += len(piece) if isinstance(piece, bytes) else piece[1]
        else:
            parts.append(piece.content())
            lengths += [piece.length, 0]
    yield json.dumps(lengths).encode() + b"\n"
    for part in parts:
        yield from part


def read_kept(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The body as it was sent, from what `write_kept` wrote. Raises BrokenBody, also while it is read."""
    reader = Reader(iter(chunks))
    lengths = reader.read_lengths()
    return (piece for index, length in enumerate(lengths) for piece in reader.read_part(length, index % 2 == 1))


class Reader:
    """Reads chunks that are cut anywhere."""

    def __init__(self, chunks: Iterator[bytes]):
        self.chunks = chunks
        self.rest = b""  # of the chunk that is being read

    def read_lengths(self) -> list[int]:
        """The first line."""
        line, found, self.rest = next(self.chunks, b"").partition(b"\n")
        while not found and len(line) < LONGEST_LINE:
            more, found, self.rest = self.next_chunk().partition(b"\n")
            line += more
        try:
            lengths = json.loads(line)
        except ValueError:
            lengths = None
        if not isinstance(lengths, list) or not all(isinstance(one, int) and one >= 0 for one in lengths):
            raise BrokenBody("a kept answer does not begin with its lengths")
        return lengths

    def read_part(self, length: int, is_picture: bool) -> Iterator[bytes]:
        """So many bytes as they are sent."""
        return encode_pieces(self.take(length)) if is_picture else self.take(length)

    def take(self, length: int) -> Iterator[bytes]:
        while length:
            chunk = self.rest or self.next_chunk()
            taken, self.rest = chunk[:length], chunk[length:]
            length -= len(taken)
            yield taken

    def next_chunk(self) -> bytes:
        try:
            return next(self.chunks)
        except StopIteration:
            raise BrokenBody("a kept answer is shorter than it was") from None
