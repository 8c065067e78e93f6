"""What can go wrong with an answer of the upstream: one table, for the tests and for the soak of the bench.

A fault first changes what is said, and then how it is sent. It is given a good answer, in JSON or in events.
"""

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, repeat

from tests.support.pictures import base64_of, plain_png
from tests.support.upstream import (
    JSON,
    NO_ANSWER,
    NO_ANSWER_BUT_A_RESET,
    SILENCE,
    SSE,
    Answer,
    Wire,
    chunk,
    hang_up,
    paced,
    reset,
    wait,
)

SLOW_SECONDS = 1.0  # until an answer begins
DRIP_SECONDS = 0.05  # between two bytes
MOST_DRIPS = 200  # by then the other side has hung up
UNCOUNTED = 2000  # bytes of the body beyond its Content-Length
LARGE = 4_000_000  # bytes, and more than a proxy may accept that is to notice
NOT_A_PICTURE = b"this is not a picture at all" * 99
HTML = b"<!DOCTYPE html><html><body><h1>Bad Gateway</h1></body></html>"


# What is said


def unchanged(answer: Answer) -> Answer:
    return answer


def quota(_: Answer) -> Answer:
    body = b'{"error": {"code": 429, "message": "Resource has been exhausted.", "status": "RESOURCE_EXHAUSTED"}}'
    return Answer(body, 429, chunked=False)


def refusal(answer: Answer) -> Answer:
    return said(b'{"candidates": [{"content": {"role": "model"}, "finishReason": "IMAGE_SAFETY", "index": 0}]}', answer)


def not_a_picture(answer: Answer) -> Answer:
    data = base64_of(NOT_A_PICTURE).encode()
    part = b'{"inlineData": {"mimeType": "image/png", "data": "%b"}}' % data
    body = b'{"candidates": [{"content": {"parts": [%b], "role": "model"}, "finishReason": "STOP", "index": 0}]}' % part
    return said(body, answer)


def said(body: bytes, answer: Answer) -> Answer:
    """The same kind of answer with another body."""
    return replace(answer, body=b"data: " + body + b"\r\n\r\n" if answer.content_type == SSE else body)


def another_body(body: bytes, status: int = 200, content_type: str = "") -> Callable[[Answer], Answer]:
    return lambda answer: replace(answer, body=body, status=status, content_type=content_type or answer.content_type)


def mislabelled(answer: Answer) -> Answer:
    return replace(answer, content_type="text/html")


def broken_json(answer: Answer) -> Answer:
    return replace(answer, body=answer.raw_body[:60])


def truncated(answer: Answer) -> Answer:
    return replace(answer, body=first_half(answer))


def short_length(answer: Answer) -> Answer:
    return replace(answer, chunked=False, length=len(answer.raw_body) - UNCOUNTED)


def no_gzip(answer: Answer) -> Answer:
    return replace(answer, body=b"this is not gzip at all" * 9, headers=[("Content-Encoding", "gzip")])


def broken_gzip(answer: Answer) -> Answer:
    packed = gzip.compress(answer.raw_body, 1, mtime=0)  # the same whenever it is made
    return replace(answer, body=packed[: len(packed) // 2], headers=[("Content-Encoding", "gzip")])


# How it is sent


def first_half(answer: Answer) -> bytes:
    """Half of the body, in which a picture has begun."""
    return answer.raw_body[: len(answer.raw_body) // 2]


def cut(answer: Answer, **how: object) -> Wire:
    """An answer that ends in the middle of its body."""
    return replace(answer, cut_after=len(first_half(answer)), **how).wire()


def slow(answer: Answer) -> Wire:
    return replace(answer, delay=SLOW_SECONDS).wire()


def reset_after_head(answer: Answer) -> Wire:
    return replace(answer, cut_after=0, then=reset).wire()


def no_body(answer: Answer) -> Wire:
    return replace(answer, chunked=False, cut_after=0).wire()


def in_chunks(answer: Answer, *more: bytes) -> Iterator[bytes]:
    """The beginning of an answer, and something that follows."""
    return chain((replace(answer, chunked=True).head(), chunk(first_half(answer))), more)


def broken_first_chunk(answer: Answer) -> Wire:
    return Wire((replace(answer, chunked=True).head(), b"zz\r\nxx\r\n"))


def broken_chunk(answer: Answer) -> Wire:
    return Wire(in_chunks(answer, b"zz\r\nxx\r\n"))


def drip(answer: Answer) -> Wire:
    return Wire(chain(in_chunks(answer), drips(chunk(b"A"))), hang_up)


def drip_of_headers(_: Answer) -> Wire:
    return Wire(chain((b"HTTP/1.1 200 OK\r\nX-Slow: ",), drips(b"a")), hang_up)


def drips(piece: bytes) -> Iterator[bytes]:
    return paced(repeat(piece, MOST_DRIPS), DRIP_SECONDS)


def too_large(answer: Answer) -> Wire:
    piece = chunk(b"A" * 256 * 1024)
    return Wire(chain(in_chunks(answer), repeat(piece, LARGE // len(piece) + 1)), wait)


@dataclass(frozen=True)
class Fault:
    """What is said instead of an answer, and how that is sent."""

    say: Callable[[Answer], Answer] = unchanged
    send: Callable[[Answer], Wire] = Answer.wire

    def befall(self, answer: Answer) -> Wire:
        """What a good answer becomes."""
        return self.send(self.say(answer))


NONE = "none"
FAULTS = {
    NONE: Fault(),
    "slow": Fault(send=slow),
    "mislabelled": Fault(mislabelled),
    "quota": Fault(quota),
    "html": Fault(another_body(HTML, 502, "text/html")),
    "html-with-200": Fault(another_body(HTML, 200, "text/html")),
    "unknown-status": Fault(another_body(b'{"error": {"code": 529, "message": "Overloaded."}}', 529)),
    "refusal": Fault(refusal),
    "empty": Fault(another_body(b"")),
    "empty-with-length": Fault(lambda answer: replace(answer, body=b"", chunked=False)),
    "not-a-picture": Fault(not_a_picture),
    "bare-picture": Fault(another_body(plain_png(), content_type="image/png")),
    "events-as-json": Fault(lambda answer: replace(answer, body=b"data: " + answer.raw_body, content_type=JSON)),
    "list-of-numbers": Fault(another_body(b"[1, 2, 3]", content_type="application/json")),
    "broken-json": Fault(broken_json),
    "truncated": Fault(truncated),
    "short-length": Fault(short_length),
    "no-gzip": Fault(no_gzip),
    "broken-gzip": Fault(broken_gzip),
    "too-large": Fault(send=too_large),
    "silence": Fault(send=lambda _: SILENCE),
    "closed": Fault(send=lambda _: NO_ANSWER),
    "reset": Fault(send=lambda _: NO_ANSWER_BUT_A_RESET),
    "reset-after-head": Fault(send=reset_after_head),
    "reset-in-picture": Fault(send=lambda answer: cut(answer, chunked=False, then=reset)),
    "reset-between-chunks": Fault(send=lambda answer: cut(answer, chunked=True, then=reset)),
    "no-body": Fault(send=no_body),
    "cut": Fault(send=lambda answer: cut(answer, chunked=False)),
    "cut-between-chunks": Fault(send=lambda answer: cut(answer, chunked=True)),
    "stall": Fault(send=lambda answer: cut(answer, then=wait)),
    "drip": Fault(send=drip),
    "drip-of-headers": Fault(send=drip_of_headers),
    "broken-first-chunk": Fault(send=broken_first_chunk),
    "broken-chunk": Fault(send=broken_chunk),
}
