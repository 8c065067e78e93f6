"""proxy/server/response.py: an answer leaves whole, in few writes, and not for a caller that does not read it."""

import socket
import struct
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from gunicorn.config import Config

from compat.images import Lead
from proxy.server.response import GatheringResponse


class Narrow:
    """A connection that takes a few bytes per sendmsg, and everything per sendall."""

    def __init__(self, width: int | None):
        self.width = width
        self.received = b""

    def sendmsg(self, pieces: tuple[bytes, ...], _: tuple[()] = (), flags: int = 0) -> int:
        if self.width is None and flags & socket.MSG_DONTWAIT:
            raise BlockingIOError
        received = b"".join(pieces)[: self.width]
        self.received += received
        return len(received)

    def sendall(self, data: bytes) -> None:
        self.received += data


def response_on(connection: Any, method: str = "GET") -> GatheringResponse:
    """An answer that gunicorn is about to write."""
    request = SimpleNamespace(method=method, version=(1, 1), should_close=lambda: False)
    return GatheringResponse(request, connection, Config())


@pytest.mark.parametrize("width", [None, *range(11)])
def test_pieces_that_are_sent_together_arrive_whole_and_in_order(width: int | None):
    connection = Narrow(width)
    response = response_on(connection)
    response.head = b"head"
    response.send(b"5\r\n", b"", b"x", b"\r\n")
    assert connection.received == b"head5\r\nx\r\n"


class TakesNothing:
    """A connection whose other side reads nothing for a while."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.options: list[Any] = []

    def sendmsg(self, pieces: tuple[bytes, ...], _: tuple[()] = (), flags: int = 0) -> int:
        if flags & socket.MSG_DONTWAIT:
            raise BlockingIOError
        gevent.sleep(self.seconds)
        return sum(map(len, pieces))

    def setsockopt(self, *option: Any) -> None:
        self.options.append(option)


@pytest.mark.parametrize(("seconds", "end"), [(0.05, "sent"), (5, "TooSlow")])
def test_a_caller_that_reads_nothing_gets_a_reset_in_time(seconds: float, end: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("proxy.limits.BODY_SECONDS", 0.1)
    connection = TakesNothing(seconds)

    def write() -> str:
        response = response_on(connection)
        response.start_response("200 OK", [])
        try:
            response.write(b"a piece")
        except ConnectionResetError as error:
            return type(error).__name__
        return "sent"

    assert gevent.spawn(write).get(timeout=1) == end
    is_reset = [(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))]
    assert connection.options == (is_reset if end == "TooSlow" else [])


@pytest.mark.parametrize("width", [None, 7, 100_000])
@pytest.mark.parametrize(
    ("method", "status", "headers", "pieces", "body"),
    [
        ("GET", "200 OK", [], [b"ab", b"", b"c"], b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"),
        ("GET", "200 OK", [("Content-Length", "3")], [b"ab", b"cd"], b"abc"),
        ("GET", "200 OK", [("Content-Length", "0")], [b"ab"], b""),
        ("HEAD", "200 OK", [("Content-Length", "2")], [b"ab"], b""),
        ("GET", "204 No Content", [], [b"ab"], b""),
        ("GET", "200 OK", [], [], b"0\r\n\r\n"),
    ],
)
def test_an_answer_has_one_head_and_the_body_it_may_have(
    width: int | None, method: str, status: str, headers: list[tuple[str, str]], pieces: list[bytes], body: bytes
):
    connection = Narrow(width)
    response = response_on(connection, method)
    response.start_response(status, headers)
    for piece in pieces:
        response.write(piece)
    response.close()
    head, _, rest = connection.received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status.encode())
    assert rest == body


class Counting(Narrow):
    """A connection that takes everything at once."""

    def __init__(self) -> None:
        super().__init__(1_000_000)
        self.writes: list[bytes] = []

    def sendmsg(self, pieces: tuple[bytes, ...], _: tuple[()] = (), flags: int = 0) -> int:
        self.writes.append(b"".join(pieces))
        return super().sendmsg(pieces, _, flags)


@pytest.mark.parametrize("last", [b"end", Lead(b"end")])
def test_a_lead_is_sent_with_the_next_piece(last: bytes):
    connection = Counting()
    response = response_on(connection)
    response.start_response("200 OK", [("Content-Length", "10")])
    for piece in (Lead(b"ab"), b"cd", Lead(b"e"), Lead(b"f"), b"g", last):
        response.write(piece)
    response.close()
    assert [write.rpartition(b"\r\n")[2] for write in connection.writes] == [b"abcd", b"efg", b"end"]
