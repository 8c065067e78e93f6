"""What an upstream can do wrong, each time anew: an answer in JSON or in events, as it was asked for, and its break."""

import gzip
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache

from tests.support import pictures
from tests.support.upstream import (
    JSON,
    NO_ANSWER_BUT_A_RESET,
    SILENCE,
    SSE,
    Answer,
    Call,
    Script,
    Wire,
    chunk,
    hang_up,
    reset,
    wait,
)

PICTURE = pictures.heavy_png(side=300)  # long enough to be seen flowing
NO_PICTURE = b"this is no picture at all" * 99
ANSWER = pictures.drawn(pictures.picture_part(PICTURE))
HTML = b"<!DOCTYPE html><html><body><h1>Bad Gateway</h1></body></html>"
MOST_ANSWER_BYTES = 4_000_000  # what the proxy of these tests is set to


def answered(body: object, content_type: str | None = None) -> Script:
    """All of it, well framed, on a connection that is kept."""

    def answer(request: Call) -> Wire:
        data, usual = written(body, request)
        return Answer(data, content_type=content_type or usual)

    return answer


def broken(make: Callable[[bytes, str], Wire]) -> Script:
    """What is made of a good answer and its content type."""
    return lambda request: make(*written(ANSWER, request))


def written(body: object, request: Call) -> tuple[bytes, str]:
    """A body as Google writes it for this request; bytes are left as they are. Its content type too."""
    events = ":streamGenerateContent" in request.target
    if not isinstance(body, bytes):
        body = pictures.as_events(body) if events else pictures.as_google_writes(body)
    return body, SSE if events else JSON


def beginning(body: bytes, content_type: str) -> list[bytes]:
    """The headers and the first half of the body, so that a picture has begun."""
    return [Answer(content_type=content_type).head(), chunk(body[: len(body) // 2])]


def slowly(pieces: Iterable[bytes], pause: float) -> Wire:
    """Pieces with pauses between them."""

    def send() -> Iterator[bytes]:
        for piece in pieces:
            yield piece
            time.sleep(pause)

    return Wire(send())


def with_length(length: int, body: bytes, content_type: str) -> Wire:
    """A body under a Content-Length, then the end of the connection."""
    told = f"Content-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close"
    return Wire([f"HTTP/1.1 200 OK\r\n{told}\r\n\r\n".encode(), body], then=hang_up)


def in_gzip(data: bytes, content_type: str) -> Wire:
    """A body that says it is compressed."""
    return Answer(data, content_type=content_type, headers=[("Content-Encoding", "gzip")])


@cache
def packed(body: bytes) -> bytes:
    """The body in gzip, which takes too long to be done for each answer."""
    return gzip.compress(body, 1)


def endless(body: bytes, content_type: str) -> Wire:
    """A picture that does not end before the limit."""
    piece = chunk(b"A" * 256 * 1024)
    return Wire([*beginning(body, content_type), *[piece] * (MOST_ANSWER_BYTES // len(piece) + 1)], then=wait)


def dripping(pieces: list[bytes], last: bytes) -> Wire:
    """Quick at first, and then byte by byte, for ever."""
    return slowly([*pieces, *[last] * 60], 0.05)


FAULTS: dict[str, Script] = {
    "reset before the answer": NO_ANSWER_BUT_A_RESET,
    "reset after the headers": broken(lambda _, kind: Wire([Answer(content_type=kind).head()], then=reset)),
    "reset in the picture": broken(lambda body, kind: Wire(beginning(body, kind), then=reset)),
    "stall": SILENCE,
    "stall in the picture": broken(lambda body, kind: Wire(beginning(body, kind), then=wait)),
    "slow drip of headers": lambda _: dripping([b"HTTP/1.1 200 OK\r\nX-Slow: "], b"a"),
    "slow drip of the picture": broken(lambda body, kind: dripping(beginning(body, kind), chunk(b"A"))),
    "short Content-Length, no byte": broken(lambda body, kind: with_length(len(body), b"", kind)),
    "short Content-Length in the picture": broken(
        lambda body, kind: with_length(len(body), body[: len(body) // 2], kind)
    ),
    "broken chunk": broken(lambda _, kind: Wire([Answer(content_type=kind).head(), b"zz\r\nxx\r\n"])),
    "broken chunk in the picture": broken(lambda body, kind: Wire([*beginning(body, kind), b"zz\r\nxx\r\n"])),
    "gzip that is none": broken(lambda _, kind: in_gzip(b"this is not gzip at all" * 9, kind)),
    "half of a gzip": broken(lambda body, kind: in_gzip(packed(body)[: len(body) // 2], kind)),
    "truncated JSON": broken(lambda body, kind: Answer(body[:60], content_type=kind)),
    "JSON truncated in the picture": broken(lambda body, kind: Answer(body[: len(body) // 2], content_type=kind)),
    "HTML with 502": Answer(HTML, 502, "text/html"),
    "HTML with 200": Answer(HTML, 200, "text/html"),
    "nothing with 200": broken(lambda _, kind: Answer(b"", content_type=kind)),
    "nothing with 200 and a length": broken(lambda _, kind: with_length(0, b"", kind)),
    "wrong content type": answered(ANSWER, "text/html"),
    "a picture that is none": answered(pictures.drawn(pictures.picture_part(NO_PICTURE))),
    "larger than the limit": broken(endless),
}
