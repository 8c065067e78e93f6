"""How an upstream's answer can break, and how a call may end then: one row for each fault."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from bench.pictures import google_answer

SLOW = 1.0  # seconds until an answer begins
TOO_LONG = 8.0  # seconds; the proxy waits for 5
SHORT = 2000  # bytes by which a Content-Length is too small
NO_PICTURE = b"<html>this is not a picture</html>" * 1000


class End(StrEnum):
    """How a call can end."""

    PICTURES = "pictures"
    UNCHANGED = "unchanged"  # passed through, byte for byte
    BROKEN = "an error: the upstream broke"
    LATE = "an error: the upstream is too late"
    QUOTA = "an error: quota"
    REFUSED = "an error: refused"
    CUT = "cut off"  # in the body
    DROPPED = "dropped"  # before a status


class Delivery(StrEnum):
    """When an answer is sent, which decides whether a fault can still become an error."""

    HELD = "held"  # when it is complete
    STREAMED = "streamed"  # from the start of the picture
    PASSTHROUGH = "passthrough"  # as it arrives


@dataclass(frozen=True)
class Reply:
    """An answer of the upstream."""

    body: bytes
    status: str = "200 OK"
    content_type: str = "application/json"
    header: str = ""  # an additional one
    chunked: bool = False
    unpromised: int = 0  # bytes at the end that Content-Length does not count

    @property
    def promised(self) -> bytes:
        """The body up to the Content-Length."""
        return self.body[: len(self.body) - self.unpromised]

    def head(self, framing: str = "") -> bytes:
        """Status and headers."""
        framing = framing or f"Content-Length: {len(self.promised)}"
        lines = [f"HTTP/1.1 {self.status}", f"Content-Type: {self.content_type}", framing, self.header]
        return ("\r\n".join(filter(None, lines)) + "\r\n\r\n").encode()


class Breaks(OSError):
    """The upstream closes the connection."""


class Resets(Breaks):
    """The upstream resets the connection."""


# What an answer says


def as_drawn(reply: Reply) -> Reply:
    return reply


def quota(_: Reply) -> Reply:
    body = b'{"error": {"code": 429, "message": "Resource has been exhausted.", "status": "RESOURCE_EXHAUSTED"}}'
    return Reply(body, "429 Too Many Requests")


def html(_: Reply) -> Reply:
    return Reply(b"<html><body>502</body></html>", "502 Bad Gateway", "text/html")


def refusal(_: Reply) -> Reply:
    return Reply(b'{"candidates": [{"content": {"role": "model"}, "finishReason": "IMAGE_SAFETY", "index": 0}]}')


def empty(_: Reply) -> Reply:
    return Reply(b"")


def mislabelled(reply: Reply) -> Reply:
    return replace(reply, content_type="text/html")


def truncated(reply: Reply) -> Reply:
    return replace(reply, body=reply.body[: len(reply.body) // 2])


def short_length(reply: Reply) -> Reply:
    return replace(reply, chunked=False, unpromised=SHORT)


def broken_gzip(reply: Reply) -> Reply:
    packed = gzip.compress(reply.body, 1, mtime=0)  # the same bytes at any time
    return replace(reply, body=packed[: len(packed) // 2], header="Content-Encoding: gzip")


def not_a_picture(_: Reply) -> Reply:
    return Reply(google_answer(NO_PICTURE))


# How an answer is sent


def at_once(reply: Reply) -> Iterator[bytes]:
    if reply.chunked:
        yield reply.head("Transfer-Encoding: chunked") + chunk(reply.body) + chunk(b"")
    else:
        yield reply.head() + reply.body


def slow(reply: Reply) -> Iterator[bytes]:
    time.sleep(SLOW)
    yield from at_once(reply)


def silence(_: Reply) -> Iterator[bytes]:
    time.sleep(TOO_LONG)
    yield b""
    raise Breaks


def reset(_: Reply) -> Iterator[bytes]:
    yield b""
    raise Resets


def reset_after_head(reply: Reply) -> Iterator[bytes]:
    yield reply.head()
    raise Resets


def reset_in_picture(reply: Reply) -> Iterator[bytes]:
    yield half(reply)
    raise Resets


def half(reply: Reply) -> bytes:
    return reply.head() + reply.body[: len(reply.body) // 2]


def cut(reply: Reply) -> Iterator[bytes]:
    yield half(reply)
    raise Breaks


def stall(reply: Reply) -> Iterator[bytes]:
    yield half(reply)
    time.sleep(TOO_LONG)
    raise Breaks


def drip(reply: Reply) -> Iterator[bytes]:
    yield half(reply)
    for at in range(int(TOO_LONG * 10)):
        time.sleep(0.1)
        middle = len(reply.body) // 2 + at
        yield reply.body[middle : middle + 1]
    raise Breaks


def broken_chunk(reply: Reply) -> Iterator[bytes]:
    yield reply.head("Transfer-Encoding: chunked") + chunk(reply.body[: len(reply.body) // 2]) + b"zz\r\n"
    raise Breaks


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@dataclass(frozen=True)
class Fault:
    """How a call may end for each delivery, and how the answer is made and sent."""

    held: frozenset[End]
    streamed: frozenset[End]
    passthrough: frozenset[End]
    say: Callable[[Reply], Reply] = as_drawn
    send: Callable[[Reply], Iterator[bytes]] = at_once

    def ends(self, delivery: Delivery) -> frozenset[End]:
        """How a call that it affects may end."""
        ends: frozenset[End] = getattr(self, delivery.value)
        return ends


def fault(
    held: End,
    streamed: End | tuple[End, ...],
    passthrough: End,
    say: Callable[[Reply], Reply] = as_drawn,
    send: Callable[[Reply], Iterator[bytes]] = at_once,
) -> Fault:
    streamed_ends = frozenset(streamed if isinstance(streamed, tuple) else (streamed,))
    return Fault(frozenset((held,)), streamed_ends, frozenset((passthrough,)), say, send)


NONE = "none"
FAULTS = {  # held, streamed, passthrough
    NONE: fault(End.PICTURES, End.PICTURES, End.UNCHANGED),
    "slow": fault(End.PICTURES, End.PICTURES, End.UNCHANGED, send=slow),
    "mislabelled": fault(End.PICTURES, End.PICTURES, End.UNCHANGED, mislabelled),
    "quota": fault(End.QUOTA, End.QUOTA, End.UNCHANGED, quota),
    "html": fault(End.BROKEN, End.BROKEN, End.UNCHANGED, html),
    "refusal": fault(End.REFUSED, End.REFUSED, End.UNCHANGED, refusal),
    "empty": fault(End.BROKEN, End.BROKEN, End.UNCHANGED, empty),
    "not-a-picture": fault(End.BROKEN, End.BROKEN, End.UNCHANGED, not_a_picture),
    "truncated": fault(End.BROKEN, End.CUT, End.UNCHANGED, truncated),
    "short-length": fault(End.BROKEN, End.CUT, End.UNCHANGED, short_length),
    "broken-gzip": fault(End.BROKEN, (End.BROKEN, End.CUT), End.UNCHANGED, broken_gzip),
    "silence": fault(End.LATE, End.LATE, End.LATE, send=silence),
    "reset": fault(End.BROKEN, End.BROKEN, End.BROKEN, send=reset),
    "reset-after-head": fault(End.BROKEN, End.BROKEN, End.BROKEN, send=reset_after_head),
    "reset-in-picture": fault(End.BROKEN, End.CUT, End.CUT, send=reset_in_picture),
    "cut": fault(End.BROKEN, End.CUT, End.CUT, send=cut),
    "stall": fault(End.LATE, End.CUT, End.CUT, send=stall),
    "drip": fault(End.LATE, End.CUT, End.CUT, send=drip),
    "broken-chunk": fault(End.BROKEN, End.CUT, End.CUT, send=broken_chunk),
}
HARMFUL = tuple(name for name in FAULTS if name != NONE)
