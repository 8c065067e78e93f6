"""proxy/upstream/chunked_body.py: a chunked body, cut anywhere, is read as http.client reads it."""

from __future__ import annotations

import http.client
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.limits import LONGEST_CHUNK_FRAME
from proxy.upstream.chunked_body import ChunkedBody, MalformedChunks
from tests.support.chunks import cuts_of

EXTENSIONS = st.sampled_from([b"", b" ", b";a=b", b' ; a="b c"', b"\t;;"])
TRAILERS = st.lists(st.sampled_from([b"X-A: b\r\n", b"c:\r\n"]), max_size=3).map(b"".join)
BODIES = st.lists(st.binary(min_size=1, max_size=40), max_size=6)


@st.composite
def framed(draw: st.DrawFn, chunks: list[bytes]) -> bytes:
    """A chunked body of these chunks, in one of its many forms."""
    sizes = [draw(st.sampled_from([b"%x", b"%X", b"000%x"])) % len(chunk) for chunk in chunks]
    lines = [size + draw(EXTENSIONS) + b"\r\n" + chunk + b"\r\n" for size, chunk in zip(sizes, chunks, strict=True)]
    return b"".join([*lines, b"0" + draw(EXTENSIONS) + b"\r\n", draw(TRAILERS), b"\r\n"])


def read(pieces: list[bytes]) -> tuple[bytes, ChunkedBody]:
    """The bytes of a body that comes in these pieces, and its reader afterwards."""
    body = ChunkedBody()
    return b"".join([body.feed(piece) for piece in pieces if not body.ended]), body


@given(BODIES, st.data())
def test_the_framing_is_removed_wherever_the_body_is_cut(chunks: list[bytes], data: st.DataObject):
    whole = data.draw(framed(chunks))
    content, body = read(data.draw(cuts_of(whole)))
    assert (content, body.ended, body.overrun) == (b"".join(chunks), True, False)
    assert content == read_by_http_client(whole)


@given(BODIES, st.data())
def test_a_body_that_ends_early_has_not_ended(chunks: list[bytes], data: st.DataObject):
    whole = data.draw(framed(chunks))
    early = whole[: data.draw(st.integers(0, len(whole) - 1))]
    content, body = read(data.draw(cuts_of(early)))
    assert not body.ended
    assert b"".join(chunks).startswith(content)
    assert content == b"".join(chunks) or not body.has_last_chunk


@given(st.binary(max_size=60), st.data())
def test_whatever_http_client_refuses_is_refused_or_has_not_ended(whole: bytes, data: st.DataObject):
    try:
        content, body = read(data.draw(cuts_of(whole)))
    except MalformedChunks:
        return
    if body.ended and not body.overrun:
        assert content == read_by_http_client(whole)


@pytest.mark.parametrize(
    "malformed",
    [
        b"g\r\n",
        b"\r\n1\r\na\r\n",
        b"-1\r\n",
        b"0x1\r\na\r\n",
        b"+1\r\na\r\n",
        b"1_0\r\n",
        b"1\na\n0\n\n",
        b"1\r\nab\r\n0\r\n\r\n",
        b"1\r\na0\r\n\r\n",
        b"1\r\na\n0\r\n\r\n",
        b"1\r\na\r\n\r\n0\r\n\r\n",
        b"1;\n",
        b"1 1\r\n",
        b"0\r\n\n",
        b"0\r\na: b\n\r\n",
        b"1" * 16 + b"\r\n",
        b"1;" + b"a" * LONGEST_CHUNK_FRAME,
        b"0\r\n" + b"a: b\r\n" * LONGEST_CHUNK_FRAME,
    ],
)
def test_malformed_framing_is_refused(malformed: bytes):
    with pytest.raises(MalformedChunks):
        read([malformed])
    with pytest.raises(MalformedChunks):
        read([malformed[i : i + 1] for i in range(len(malformed))])


def test_what_follows_the_end_is_noticed_and_not_read():
    content, body = read([b"1\r\na\r\n0\r\n\r\nHTTP/1.1 200 OK"])
    assert (content, body.ended, body.overrun) == (b"a", True, True)


def test_bytes_within_a_chunk_are_not_copied():
    body = ChunkedBody()
    body.feed(b"ff\r\n")
    piece = b"x" * 200
    assert body.feed(piece) is piece


def read_by_http_client(whole: bytes) -> bytes:
    """The same body as the standard library reads it."""

    class Socket:
        def makefile(self, mode: str) -> io.BufferedReader:
            return io.BufferedReader(io.BytesIO(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + whole))  # type: ignore[arg-type]

    answer = http.client.HTTPResponse(Socket())  # type: ignore[arg-type]
    answer.begin()
    return answer.read()
