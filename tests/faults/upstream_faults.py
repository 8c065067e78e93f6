"""What an upstream can do wrong, each time anew: an answer in JSON or in events, as it was asked for, and its break."""

import gzip
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache

from tests.support import pictures
from tests.support.raw_upstream import JSON, SSE, RawAnswer, RawRequest, Script, chunk, http_answer, http_head

PICTURE = pictures.heavy_png(side=300)  # long enough to be seen flowing
NO_PICTURE = b"this is no picture at all" * 99
ANSWER = pictures.drawn(pictures.picture_part(PICTURE))
HTML = b"<!DOCTYPE html><html><body><h1>Bad Gateway</h1></body></html>"
MOST_ANSWER_BYTES = 4_000_000  # what the proxy of these tests is set to


def answered(body: object, content_type: str | None = None) -> Script:
    """All of it, well framed, on a connection that is kept."""

    def answer(request: RawRequest) -> RawAnswer:
        data, usual = written(body, request)
        return http_answer(data, content_type=content_type or usual)

    return answer


def broken(make: Callable[[bytes, str], RawAnswer]) -> Script:
    """What is made of a good answer and its content type."""
    return lambda request: make(*written(ANSWER, request))


def written(body: object, request: RawRequest) -> tuple[bytes, str]:
    """A body as Google writes it for this request; bytes are left as they are. Its content type too."""
    events = ":streamGenerateContent" in request.target
    if not isinstance(body, bytes):
        body = pictures.as_events(body) if events else pictures.as_google_writes(body)
    return body, SSE if events else JSON


def beginning(body: bytes, content_type: str) -> list[bytes]:
    """The headers and the first half of the body, so that a picture has begun."""
    return [http_head(200, content_type), chunk(body[: len(body) // 2])]


def slowly(pieces: Iterable[bytes], pause: float) -> RawAnswer:
    """Pieces with pauses between them."""

    def send() -> Iterator[bytes]:
        for piece in pieces:
            yield piece
            time.sleep(pause)

    return RawAnswer(send())


def with_length(length: int, body: bytes, content_type: str) -> RawAnswer:
    """A body under a Content-Length, then the end of the connection."""
    told = f"Content-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close"
    return RawAnswer([f"HTTP/1.1 200 OK\r\n{told}\r\n\r\n".encode(), body], close=True)


def in_gzip(data: bytes, content_type: str) -> RawAnswer:
    """A body that says it is compressed."""
    return http_answer(data, content_type=content_type, headers=[("Content-Encoding", "gzip")])


@cache
def packed(body: bytes) -> bytes:
    """The body in gzip, which takes too long to be done for each answer."""
    return gzip.compress(body, 1)


def endless(body: bytes, content_type: str) -> RawAnswer:
    """A picture that does not end before the limit."""
    piece = chunk(b"A" * 256 * 1024)
    return RawAnswer([*beginning(body, content_type), *[piece] * (MOST_ANSWER_BYTES // len(piece) + 1)], hold=True)


def dripping(pieces: list[bytes], last: bytes) -> RawAnswer:
    """Quick at first, and then byte by byte, for ever."""
    return slowly([*pieces, *[last] * 60], 0.05)


FAULTS: dict[str, Script] = {
    "reset before the answer": RawAnswer((), reset=True),
    "reset after the headers": broken(lambda _, kind: RawAnswer([http_head(200, kind)], reset=True)),
    "reset in the picture": broken(lambda body, kind: RawAnswer(beginning(body, kind), reset=True)),
    "stall": RawAnswer((), hold=True),
    "stall in the picture": broken(lambda body, kind: RawAnswer(beginning(body, kind), hold=True)),
    "slow drip of headers": lambda _: dripping([b"HTTP/1.1 200 OK\r\nX-Slow: "], b"a"),
    "slow drip of the picture": broken(lambda body, kind: dripping(beginning(body, kind), chunk(b"A"))),
    "short Content-Length, no byte": broken(lambda body, kind: with_length(len(body), b"", kind)),
    "short Content-Length in the picture": broken(
        lambda body, kind: with_length(len(body), body[: len(body) // 2], kind)
    ),
    "broken chunk": broken(lambda _, kind: RawAnswer([http_head(200, kind), b"zz\r\nxx\r\n"])),
    "broken chunk in the picture": broken(lambda body, kind: RawAnswer([*beginning(body, kind), b"zz\r\nxx\r\n"])),
    "gzip that is none": broken(lambda _, kind: in_gzip(b"this is not gzip at all" * 9, kind)),
    "half of a gzip": broken(lambda body, kind: in_gzip(packed(body)[: len(body) // 2], kind)),
    "truncated JSON": broken(lambda body, kind: http_answer(body[:60], content_type=kind)),
    "JSON truncated in the picture": broken(lambda body, kind: http_answer(body[: len(body) // 2], content_type=kind)),
    "HTML with 502": http_answer(HTML, 502, "text/html"),
    "HTML with 200": http_answer(HTML, 200, "text/html"),
    "nothing with 200": broken(lambda _, kind: http_answer(b"", content_type=kind)),
    "nothing with 200 and a length": broken(lambda _, kind: with_length(0, b"", kind)),
    "wrong content type": answered(ANSWER, "text/html"),
    "a picture that is none": answered(pictures.drawn(pictures.picture_part(NO_PICTURE))),
    "larger than the limit": broken(endless),
}
