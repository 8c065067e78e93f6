"""Server-sent events as they pass through: their data without the framing, for lines of any length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from compat.json_text import dumps

LONGEST_FIELD = 64  # bytes before the colon of a field that is looked at
DONE = b"[DONE]"


def read_data(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The text after `data:` of every line of an event stream, with a newline after each.

    Plain JSON passes unchanged, despite the content type: Google sends errors so, alone (observed 2026-05) or after
    events.
    """
    passing: bool | None = None  # whether the line is data; None while its field is not known
    head = b""
    plain: bool | None = None
    for chunk in chunks:
        if plain is None:
            head += chunk
            start = head.lstrip()
            if not start:
                continue
            plain = start[:1] in b"{["
            chunk, head = head, b""
        if plain:
            yield chunk
            continue
        position = 0
        while position < len(chunk):
            end = chunk.find(b"\n", position)
            stop = end + 1 if end >= 0 else len(chunk)
            piece = chunk[position:stop]
            if passing is None:
                head += piece
                if len(head) < LONGEST_FIELD and b":" not in head and end < 0:
                    position = stop
                    continue
                if head[:1] in (b"{", b"["):
                    plain = True
                    yield head + chunk[stop:]
                    break
                passing = head.startswith(b"data:")
                piece, head = head[len(b"data:") :], b""
            if passing and piece:
                yield piece
            if end >= 0:
                passing = None
            position = stop


def without_done(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The data of events without the line `[DONE]`, with which OpenAI's APIs may end a stream."""
    start = b""  # of a line that may be `[DONE]`
    within = False  # another line
    for chunk in chunks:
        position = 0
        while position < len(chunk):
            end = chunk.find(b"\n", position)
            stop = end + 1 if end >= 0 else len(chunk)
            piece, position = chunk[position:stop], stop
            if not within:
                start += piece
                line = start.strip()
                if end < 0 and DONE.startswith(line) and len(start) < LONGEST_FIELD:
                    continue
                piece, start = b"" if line == DONE else start, b""
            within = end < 0
            if piece:
                yield piece
    if start.strip() not in (b"", DONE):
        yield start


def write_event(name: str, data: Any) -> bytes:
    """One event: its name, and its data as one line of JSON."""
    return b"event: " + name.encode() + b"\ndata: " + dumps(data) + b"\n\n"
