"""proxy/upstream/connections.py: how a request is sent, an answer's head is read, and a connection is used again."""

import http.client
import random
import socket
import time
from collections.abc import Iterator

import pytest
from urllib3.exceptions import HTTPError, ProtocolError

from proxy.upstream.connections import SMALL, Connection, Pool

HEADERS = {"host": "here.test", "content-length": "0", "x-b": "c"}


@pytest.fixture
def pair() -> Iterator[tuple[Connection, socket.socket]]:
    """A connection and its other side."""
    listener = socket.create_server(("127.0.0.1", 0))
    connection = Connection("127.0.0.1", listener.getsockname()[1], timeout=5)
    connection.connect()
    theirs, _ = listener.accept()
    with listener, theirs:
        yield connection, theirs
        connection.close()


@pytest.mark.parametrize(("length", "writes"), [(0, 1), (100, 1), (SMALL, 2)])
def test_a_small_request_is_one_write(length: int, writes: int):
    sent: list[bytes] = []

    class Watched:
        def settimeout(self, _: float) -> None:
            pass

        def sendall(self, data: bytes) -> None:
            sent.append(data)

    connection = Connection("here.test")
    connection.sock = Watched()  # type: ignore[assignment]
    connection.request("POST", "/a", body=b"x" * length, headers=HEADERS)
    head, _, body = b"".join(sent).partition(b"\r\n\r\n")
    assert (len(sent), body) == (writes, b"x" * length)
    assert head == b"POST /a HTTP/1.1\r\nhost: here.test\r\ncontent-length: 0\r\nx-b: c"


@pytest.mark.parametrize("body", [b"ab", (b"a", b"", memoryview(b"b"))])
def test_a_body_may_come_in_pieces(pair, body):
    connection, theirs = pair
    connection.request("POST", "/a", body=body, headers=HEADERS)
    assert theirs.recv(1000).endswith(b"\r\n\r\nab")


@pytest.mark.parametrize("value", ["a\r\nx-c: d", "a\nb", "a\rb", "a\r\n\r\nGET / HTTP/1.1"])
def test_a_header_cannot_become_two(pair, value: str):
    connection, theirs = pair
    with pytest.raises(ValueError, match="more than one line"):
        connection.request("POST", "/a", body=b"", headers={**HEADERS, "x-b": value})
    theirs.setblocking(False)
    with pytest.raises(BlockingIOError):
        theirs.recv(1)


PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nX-Two: 1\r\nx-two:\t2 \r\nContent-Length: 3\r\n\r\nabc"
HEADS = {
    "plain": PLAIN,
    "no reason": b"HTTP/1.1 429\r\nContent-Length: 3\r\n\r\nabc",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "chunked and a length": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    ),
    "bytes beyond ASCII": b"HTTP/1.1 200 OK\r\nX-A: \xe9\r\nContent-Length: 3\r\n\r\nabc",
    "folded": b"HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 3\r\n\r\nabc",
    "bare line feeds": b"HTTP/1.1 200 OK\nX-A: b\nContent-Length: 3\n\nabc",
    "old": b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "closing": b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 3\r\n\r\nabc",
    "continued": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "empty": b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n",
    "an odd length": b"HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\nConnection: close\r\n\r\nabc",
    "a length beyond ASCII": b"HTTP/1.1 200 OK\r\nContent-Length: \xb3\r\nConnection: close\r\n\r\nabc",
    "a hundred and one headers": b"HTTP/1.1 200 OK\r\n%sContent-Length: 3\r\n\r\nabc" % (b"X-A: b\r\n" * 100),
    "a bad status": b"HTTP/1.1 abc\r\n\r\n",
    "no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "a space before the colon": b"HTTP/1.1 200 OK\r\nX-A : b\r\nContent-Length: 3\r\n\r\nabc",
}


def outcome(*pieces: bytes) -> object:
    """The result of an answer that comes in pieces, after which the connection is closed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = Connection("127.0.0.1", listener.getsockname()[1], timeout=5)
        connection.request("POST", "/a", body=b"", headers=HEADERS)
        theirs, _ = listener.accept()
        with theirs:
            for piece in pieces:
                theirs.sendall(piece)
            theirs.shutdown(socket.SHUT_WR)
            try:
                answer = connection.getresponse()
                headers = sorted((name.lower(), value) for name, value in answer.headers.items())
                return answer.status, answer.reason or "", headers, answer.read(), connection.sock is None
            except (http.client.HTTPException, HTTPError, ValueError) as error:
                return type(error)
            finally:
                connection.close()


@pytest.mark.parametrize("name", HEADS)
def test_a_head_is_read_as_http_client_reads_it(name: str, monkeypatch: pytest.MonkeyPatch):
    ours = outcome(HEADS[name])
    monkeypatch.setattr("proxy.upstream.connections.Answer", http.client.HTTPResponse)
    assert ours == outcome(HEADS[name])


@pytest.mark.parametrize("cut", range(len(PLAIN) - 3))
def test_a_head_that_comes_in_two_pieces_is_the_same(cut: int):
    assert outcome(PLAIN[:cut], PLAIN[cut:]) == outcome(PLAIN)


def test_a_plain_head_is_not_parsed_as_an_email(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("http.client.parse_headers", None)
    assert outcome(PLAIN)[3] == b"abc"  # type: ignore[index]


def test_a_connection_is_used_again_while_nothing_comes(pair):
    connection, _ = pair
    assert connection.is_connected


@pytest.mark.parametrize("left", [b"x", b""], ids=["something came", "it was closed"])
def test_a_connection_is_not_used_again(pair, left: bytes):
    connection, theirs = pair
    if left:
        theirs.sendall(left)
    else:
        theirs.close()
    time.sleep(0.05)
    assert not connection.is_connected


def read_whole(body: bytes, declared: int, size: int) -> tuple[bytes, int]:
    """What is read of a body with a declared length, and how many connections were given back."""
    pool = Pool("here.test")
    ours, theirs = socket.socketpair()
    connection = pool.ConnectionCls("here.test", timeout=5)
    connection.sock, connection.method = ours, "POST"
    pool.pool.get()  # the place that it is given back to
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % declared + body)
        theirs.shutdown(socket.SHUT_WR)
        answer = connection.getresponse()
        answer.belong_to(pool, connection)
        pieces = list(iter(lambda: answer.read1(size), b""))
    assert all(len(piece) <= size for piece in pieces)
    return b"".join(pieces), sum(one is connection for one in pool.pool.queue)


@pytest.mark.parametrize("size", [1, 3, 4, 70_000])
@pytest.mark.parametrize("length", [1, 4, 5, 20_000])
def test_a_body_is_read_to_its_end_and_its_connection_given_back(length: int, size: int):
    body = random.Random(length).randbytes(length)
    assert read_whole(body, length, size) == (body, 1)


@pytest.mark.parametrize("size", [1, 3, 70_000])
@pytest.mark.parametrize("missing", [1, 2, 100])
def test_a_body_that_is_shorter_than_declared_is_broken(missing: int, size: int):
    with pytest.raises(ProtocolError, match="IncompleteRead"):
        read_whole(b"abcdefgh", 8 + missing, size)
