"""proxy/connections.py: how a request leaves, and how the head of an answer is read."""

import socket
from http.client import HTTPException
from io import BytesIO

import pytest

from proxy.connections import MOST_HEADERS, SMALL, OneWrite, parse_any_headers, parse_headers


@pytest.mark.parametrize(("length", "writes"), [(0, 1), (100, 1), (SMALL, 2)])
def test_a_small_request_leaves_in_one_write(length: int, writes: int, monkeypatch: pytest.MonkeyPatch):
    ours, theirs = socket.socketpair()
    sent: list[bytes] = []
    connection = OneWrite("here.test")
    monkeypatch.setattr("http.client.HTTPConnection.send", lambda _, data: sent.append(data))
    with ours, theirs:
        connection.sock = ours
        connection.request("POST", "/a", body=b"x" * length, headers={"x-b": "c"})
    head, _, body = b"".join(sent).partition(b"\r\n\r\n")
    assert (len(sent), body) == (writes, b"x" * length)
    assert head.startswith(b"POST /a HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"Content-Type: application/json\r\nContent-Length: 12\r\n",
        b"a:b\r\na: \t c \r\nA:\r\n",
        b"a: b: c\nd: \xe9\r\n",
        b"a: folded\r\n  here\r\nb: c\r\n",
        b"no colon\r\na: b\r\n",
        b"a : b\r\nc: d\r\n",
        b": b\r\nc: d\r\n",
        b"a: b\rc: d\r\n",
        b"a: b\x0bc\x85d\r\n",
    ],
)
def test_headers_are_read_as_http_client_reads_them(head: bytes):
    file = BytesIO(head + b"\r\nbody")
    assert parse_headers(file).items() == parse_any_headers(BytesIO(head + b"\r\n")).items()
    assert file.read() == b"body"


@pytest.mark.parametrize("head", [b"a: b\r\n" * (MOST_HEADERS + 1), b"a: " + b"b" * 70_000 + b"\r\n"])
def test_endless_headers_are_refused(head: bytes):
    with pytest.raises(HTTPException):
        parse_headers(BytesIO(head))
