"""compat/event_stream.py: the frame of server-sent events."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compat.event_stream import read_data, without_done, write_event
from tests.compat.gemini_answers import framed_events, texts
from tests.support.chunks import cut_every, cuts_of

STREAMS = {
    "nothing": (b"", b""),
    "one event": (b'data: {"a": 1}\n\n', b' {"a": 1}\n'),
    "carriage returns": (b'data: {"a": 1}\r\n\r\ndata: {"b": 2}\r\n\r\n', b' {"a": 1}\r\n {"b": 2}\r\n'),
    "no space after the colon": (b"data:{}\n\n", b"{}\n"),
    "an event without its last line end": (b"data: {}", b" {}"),
    "data in two lines": (b'data: {"a":\ndata: 1}\n\n', b' {"a":\n 1}\n'),
    "names, ids, delays and comments": (b": hello\nevent: x\nid: 1\nretry: 5\ndata: {}\n\n", b" {}\n"),
    "a comment with data": (b": data: {}\ndata: []\n\n", b" []\n"),
    "a field whose name begins with data": (b"database: {}\ndata: []\n\n", b" []\n"),
    "a field without a colon": (b"data\ndata: []\n\n", b" []\n"),
    "a very long comment": (b":" + b"x" * 5000 + b"\ndata: []\n\n", b" []\n"),
    "a very long field without a colon": (b"x" * 5000 + b"\ndata: []\n\n", b" []\n"),
    "empty lines first": (b"\r\n\r\ndata: []\n\n", b" []\n"),
    "plain JSON": (b'{\n  "error": {}\n}\n', b'{\n  "error": {}\n}\n'),
    "a plain JSON array after white space": (b'\n [{"error": {}}]', b'\n [{"error": {}}]'),
}


@pytest.mark.parametrize(("stream", "data"), STREAMS.values(), ids=STREAMS.keys())
def test_the_data_of_a_stream_whole_and_byte_by_byte(stream: bytes, data: bytes) -> None:
    assert b"".join(read_data([stream])) == data
    assert b"".join(read_data(cut_every(stream, 1))) == data


@given(st.lists(texts, max_size=3), st.data())
@settings(max_examples=300)
def test_the_data_of_any_stream_cut_anywhere(messages: list[str], data: st.DataObject) -> None:
    stream = data.draw(framed_events([json.dumps([message]) for message in messages]))
    passed = b"".join(read_data(data.draw(cuts_of(stream))))
    assert [json.loads(line) for line in passed.split(b"\n") if line] == [[message] for message in messages]


def test_a_long_line_passes_chunk_by_chunk() -> None:
    chunk = b"A" * 65536
    pieces = list(read_data([b'data: {"a": "', *[chunk] * 100, b'"}\n\n']))
    assert max(map(len, pieces)) == len(chunk)


@given(texts)
def test_an_event_is_one_line_of_ascii(text: str) -> None:
    written = write_event("image_edit.completed", {"text": text})
    assert written.isascii()
    name, line, *rest = written.split(b"\n")
    assert (name, rest) == (b"event: image_edit.completed", [b"", b""])
    assert json.loads(line.removeprefix(b"data: ")) == {"text": text}


DONE_LINES = {
    "none": (b"{}\n{}\n", b"{}\n{}\n"),
    "last": (b"{}\n [DONE]\r\n", b"{}\n"),
    "last, without its line end": (b"{}\n[DONE]", b"{}\n"),
    "in between": (b"[DONE]\n{}\n", b"{}\n"),
    "an array": (b'[{"a": 1}]\n[]', b'[{"a": 1}]\n[]'),
    "nearly": (b"[DONE\n[DONE]]\n [D", b"[DONE\n[DONE]]\n [D"),
    "within a text": (b'{"a": "[DONE]"}\n', b'{"a": "[DONE]"}\n'),
    "a line of spaces": (b" " * 200 + b"\n{}", b" " * 200 + b"\n{}"),
}


@pytest.mark.parametrize(("data", "rest"), DONE_LINES.values(), ids=DONE_LINES.keys())
@pytest.mark.parametrize("length", [1, 3, 1000])
def test_the_line_done_is_dropped(data: bytes, rest: bytes, length: int) -> None:
    assert b"".join(without_done(cut_every(data, length))) == rest


def test_a_long_line_is_not_copied() -> None:
    chunk = b"A" * 65536
    assert list(without_done([b'"', chunk, chunk]))[1] is chunk
