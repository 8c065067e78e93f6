"""proxy/connections.py: how a request leaves."""

import socket

import pytest

from proxy.connections import SMALL, OneWrite


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
