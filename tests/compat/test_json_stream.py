"""compat/json_stream.py: a JSON byte stream whose long strings are taken out."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compat.json_stream import (
    MAX_DEPTH,
    MAX_TEXT,
    MalformedJson,
    Path,
    StringEnd,
    StringStart,
    Take,
    Token,
    Value,
    read_json,
)
from tests.compat.gemini_answers import base64_texts, texts
from tests.compat.spelled_json import spellings
from tests.support.chunks import cut_at, cut_every, cuts_of

MEMORY = 5 * 1024 * 1024  # bytes that reading a string of six times that may need
TAKEN = {"picture": Take.STREAM, "signature": Take.SKIP}
CUT = ("part", 1)


def take(path: Path) -> Take | None:
    return TAKEN.get(str(path[-1])) if path else None


def cut(path: Path) -> bool:
    return path[-1] in CUT


def read(*chunks: bytes, is_plain: Callable[[bytes], bool] | None = None) -> list[Token]:
    """The tokens, with the data of each string in one piece."""
    return joined(read_json(chunks, take, cut, is_plain))


def joined(tokens: Iterator[Token]) -> list[Token]:
    found: list[Token] = []
    for token in tokens:
        if isinstance(token, bytes) and found and isinstance(found[-1], bytes):
            found[-1] += token
        else:
            found.append(token)
    return found


class Oracle:
    """The tokens of a document that `json` has read."""

    def __init__(self, document: Any):
        self.tokens: list[Token] = []
        self.cut_open: list[Any] = []
        copy = type(document)()
        self.cut_open.append(copy)
        self.walk(document, copy, ())
        self.tokens.append(Value((), copy))

    def walk(self, original: Any, copy: Any, path: Path) -> None:
        members = original.items() if isinstance(original, dict) else enumerate(original)
        for key, value in members:
            inner = (*path, key)
            if isinstance(value, dict | list):
                self.put(copy, key, self.container(value, copy, inner))
            elif isinstance(value, str) and take(inner):
                self.put(copy, key, "")
                if take(inner) is Take.STREAM:
                    self.tokens.append(StringStart(inner, deepcopy(self.cut_open[-1])))
                    self.tokens += [value.encode()] * bool(value) + [StringEnd()]
            else:
                self.put(copy, key, value)

    def container(self, value: Any, parent: Any, path: Path) -> Any:
        copy = type(value)()
        self.put(parent, path[-1], copy)
        if not cut(path):
            self.walk(value, copy, path)
            return copy
        self.cut_open.append(copy)
        self.walk(value, copy, path)
        self.cut_open.pop()
        self.tokens.append(Value(path, copy))
        return None

    def put(self, container: Any, key: Any, value: Any) -> None:
        if isinstance(container, dict) or key < len(container):
            container[key] = value
        else:
            container.append(value)


keys = st.one_of(st.sampled_from(["picture", "signature", "part", "", "é"]), st.text(max_size=3))
leaves = st.one_of(
    base64_texts(), texts, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)
)


def only_base64(value: Any) -> Any:
    """The value, with strings that are not ASCII replaced where base64 is expected."""
    if isinstance(value, list):
        return [only_base64(one) for one in value]
    if isinstance(value, dict):
        return {
            key: "" if key in TAKEN and isinstance(one, str) and not one.isascii() else only_base64(one)
            for key, one in value.items()
        }
    return value


values = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=5)),
    max_leaves=12,
)
documents = values.filter(lambda value: isinstance(value, dict | list)).map(only_base64)


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """Up to three documents one after another, and the same in pieces."""
    written = [draw(spellings()).write(document) for document in draw(st.lists(documents, max_size=3))]
    body = draw(st.sampled_from(["", " ", "\r\n\r\n"])).join(["", *written, ""]).encode()
    return body, draw(cuts_of(body))


def documents_in(body: bytes) -> Iterator[Any]:
    text, decoder = body.decode().strip(), json.JSONDecoder()
    while text:
        document, end = decoder.raw_decode(text)
        yield document
        text = text[end:].strip()


def is_plain(chunk: bytes) -> bool:
    return b'"' not in chunk and b"\\" not in chunk


@given(streams(), st.sampled_from([None, is_plain, lambda chunk: is_plain(chunk) and len(chunk) % 2 == 0]))
@settings(max_examples=1000)
def test_tokens_are_what_json_reads_wherever_the_bytes_are_cut(
    stream: tuple[bytes, list[bytes]], is_plain: Callable[[bytes], bool] | None
) -> None:
    body, chunks = stream
    assert read(*chunks, is_plain=is_plain) == [
        token for document in documents_in(body) for token in Oracle(document).tokens
    ]


@given(
    documents.flatmap(lambda document: spellings().map(lambda spelling: spelling.write(document).encode())), st.data()
)
@settings(max_examples=500)
def test_a_document_that_is_cut_off_is_malformed(body: bytes, data: st.DataObject) -> None:
    shortened = body[: data.draw(st.integers(1, len(body) - 1))]
    with pytest.raises(MalformedJson):
        read(*data.draw(cuts_of(shortened)))


EXAMPLES: dict[str, tuple[str, list[Token]]] = {
    "nothing": ("", []),
    "white space only": (" \r\n\t", []),
    "an empty object": ("{}", [Value((), {})]),
    "two documents": ("{} [1]", [Value((), {}), Value((), [1])]),
    "a string that is streamed": (
        '{"picture": "aGk="}',
        [StringStart(("picture",), {"picture": ""}), b"aGk=", StringEnd(), Value((), {"picture": ""})],
    ),
    "a string that is skipped": ('{"signature": "aGk=", "a": 1}', [Value((), {"signature": "", "a": 1})]),
    "an empty string": (
        '{"picture":""}',
        [StringStart(("picture",), {"picture": ""}), StringEnd(), Value((), {"picture": ""})],
    ),
    "escapes in base64": (
        r'{"picture": "\/\u002b\u002F\u003d"}',
        [StringStart(("picture",), {"picture": ""}), b"/+/=", StringEnd(), Value((), {"picture": ""})],
    ),
    "a key with escapes": (
        r'{"\u0070ict\u0075re": "aGk="}',
        [StringStart(("picture",), {"picture": ""}), b"aGk=", StringEnd(), Value((), {"picture": ""})],
    ),
    "an array instead of a string": ('{"picture": [1]}', [Value((), {"picture": [1]})]),
    "a string that looks like JSON": (
        r'{"a": "{\"picture\": \"aGk=\"}"}',
        [Value((), {"a": '{"picture": "aGk="}'})],
    ),
    "a value that is cut out": (
        '{"a": 1, "part": {"b": 2}}',
        [Value(("part",), {"b": 2}), Value((), {"a": 1, "part": None})],
    ),
    "the enclosing value as far as it has been read": (
        '[0, {"a": true, "picture": "", "b": 1}]',
        [
            StringStart((1, "picture"), {"a": True, "picture": ""}),
            StringEnd(),
            Value((1,), {"a": True, "picture": "", "b": 1}),
            Value((), [0, None]),
        ],
    ),
}


@pytest.mark.parametrize(("text", "tokens"), EXAMPLES.values(), ids=EXAMPLES.keys())
def test_examples(text: str, tokens: list[Token]) -> None:
    assert read(text.encode()) == tokens


MALFORMED = [
    b"1", b'"text"', b"null", b"{", b"[1", b"]", b"{]", b"[}", b"[1}", b'{"a": 1]', b'{"a" 1}', b'{"a": }',
    b'{"a": 1,}', b"{,}", b"[1 2]", b"[tru]", b"{1: 2}", b"{} x", b"{},{}", b"<html>", b"[Infinit]", b'["\x01"]',
    b'["\\x"]', b'["\\u12G4"]', b'["\xff\xfe"]', b'{"picture" "aGk="}', b'{"picture": "a\\x"}',
    b'{"picture": "a\\u12"}', b'{"picture": "a\\u12zz and much more"}', b'{"picture": "\\u00e9"}',
    b'{"picture": "aGk="', b'{"picture": "aGk=\\', b'{"signature": "aGk=\\u00',
    b'{"signature": "aGk=\\u00zz and much more"}',
]  # fmt: skip


@pytest.mark.parametrize("body", MALFORMED)
def test_malformed_json_whole_and_byte_by_byte(body: bytes) -> None:
    for chunks in ([body], list(cut_every(body, 1))):
        with pytest.raises(MalformedJson):
            read(*chunks)


@given(st.binary(max_size=60), st.data())
@settings(max_examples=500)
def test_any_bytes_are_read_or_malformed(body: bytes, data: st.DataObject) -> None:
    with suppress(MalformedJson):
        read(*data.draw(cuts_of(b'{"picture": "' + body)))


def test_a_document_nested_too_deeply_is_malformed() -> None:
    assert read(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    with pytest.raises(MalformedJson, match="deeper"):
        read(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))


def test_the_text_that_is_kept_is_limited() -> None:
    with pytest.raises(MalformedJson, match="more than"):
        read(b'["', *[b"a" * 65536] * (MAX_TEXT // 65536 + 1), b'"]')


@pytest.mark.parametrize("key", ["picture", "signature"])
@pytest.mark.parametrize(
    "filler", [b"A" * 65536, rb"\/\u002b" * 8192, rb"AAAAAAA\/" * 8192], ids=["plain", "all escaped", "some escaped"]
)
def test_a_string_of_30_megabytes_needs_little_memory(key: str, filler: bytes) -> None:
    count = 30 * 1024 * 1024 // len(filler)

    def chunks() -> Iterator[bytes]:
        yield b'{"part": {"%s": "' % key.encode()
        for _ in range(count):
            yield filler
        yield b'"}}'

    tracemalloc.start()
    try:
        length = sum(len(token) for token in read_json(chunks(), take, cut) if isinstance(token, bytes))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert length == (len(json.loads(b'"%s"' % filler)) * count if key == "picture" else 0)
    assert peak < MEMORY


def test_an_escape_is_read_wherever_it_is_cut() -> None:
    body = rb'{"picture": "AA\u002bBB\/CC", "a": "\"\\\u00e9"}'
    expected = [
        StringStart(("picture",), {"picture": ""}),
        b"AA+BB/CC",
        StringEnd(),
        Value((), {"picture": "", "a": '"\\é'}),
    ]
    for place in range(len(body)):
        assert read(*cut_at(body, [place])) == expected
