"""The body of a request to a server of the same API: unchanged, except that `model` is the server's own name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

Pieces = tuple[bytes | memoryview, ...]

TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]:,]', re.DOTALL)
MODEL_PART = re.compile(rb'\r\ncontent-disposition:[^\r\n]*;\s*name="?model"?\s*(?:;[^\r\n]*)?\r\n', re.IGNORECASE)


def json_with_model(body: bytes, name: str) -> Pieces:
    """The pieces of a valid JSON object, in which `model` becomes `name`."""
    body = body.decode(json.detect_encoding(body)).encode()
    places = list(values_of_model(body))
    if places:
        begin, end = places[-1]  # JSON readers take the last value of a repeated name
        view = memoryview(body)
        return view[:begin], json.dumps(name).encode(), view[end:]
    brace = body.index(b"{") + 1
    comma = b"" if body[brace:].lstrip().startswith(b"}") else b","
    return body[:brace], b'"model":' + json.dumps(name).encode() + comma, memoryview(body)[brace:]


def values_of_model(body: bytes) -> Iterator[tuple[int, int]]:
    """Where the values of the object's own member `model` begin and end."""
    depth, key, is_key, begin = 0, b"", False, 0
    for token in TOKEN.finditer(body):
        first = token[0][:1]
        if depth == 1 and begin and first in b",}":
            yield begin, token.start()
            begin = 0
        if first in b"{[":
            depth += 1
        elif first in b"}]":
            depth -= 1
        elif depth == 1 and first == b'"' and is_key:
            key = token[0]
        elif depth == 1 and first == b":" and json.loads(key) == "model":
            begin = token.end()
        is_key = depth == 1 and first in b"{,"


def form_with_model(body: bytes, boundary: bytes, name: str) -> Pieces:
    """The pieces of a valid multipart form, in which `model` becomes `name`."""
    delimiter, value = b"\r\n--" + boundary, name.encode()
    view, passed, found = memoryview(body), 0, False
    pieces: list[bytes | memoryview] = []
    start = 0 if body.startswith(delimiter[2:]) else body.find(delimiter)
    while start >= 0:
        headers_end = body.find(b"\r\n\r\n", start)
        if headers_end < 0:
            break
        end = body.find(delimiter, headers_end + 2)
        if end >= 0 and MODEL_PART.search(body, start, headers_end + 2):
            pieces += [view[passed : headers_end + 4], value]
            passed, found = end, True
        start = end
    if not found:
        part = b'--%b\r\nContent-Disposition: form-data; name="model"\r\n\r\n%b\r\n' % (boundary, value)
        pieces.append(part)
    return (*pieces, view[passed:])
