"""What must hold of any multipart form, from the socket to the answer, with an upstream that always draws.

An input is a line with the last word of the path and the Content-Type, and the body:
`edits multipart/form-data; boundary=x`.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import requests
from flask import Flask
from urllib3 import HTTPResponse

from app import create_app
from proxy.routes import EXTENSION
from proxy.settings import Settings
from proxy.upstream.connections import Adapter
from tests.fuzz.limits import time_is_bounded
from tests.support.gemini_answers import DRAWN, as_bytes

KEY = "a-key-that-is-never-repeated"
PATHS = {b"edits": "/v1/images/edits", b"variations": "/v1/images/variations"}
ERROR = {"message", "type", "param", "code"}
ANSWER = as_bytes(DRAWN)
CUT_AFTER = re.compile(rb"[-\r\n]")


class Pieces:
    """A body as a network delivers it: whole, or in pieces, many of which end where a delimiter may be cut."""

    def __init__(self, body: bytes, random: Random | None):
        self.body = body
        self.random = random
        self.position = 0

    def read(self, size: int = -1) -> bytes:
        """Some bytes, not all that were asked for."""
        start = self.position
        self.position = min(len(self.body), start + min(size, self.some()))
        return self.body[start : self.position]

    def some(self) -> int:
        if not self.random:
            return len(self.body)
        found = CUT_AFTER.search(self.body, self.position)
        return found.end() - self.position if found and self.random.random() < 0.8 else self.random.choice((1, 10, 100))


class FormInput:
    """Asks one app again and again."""

    def __init__(self, app: Flask):
        self.app = app
        self.client = app.test_client()
        self.sent: list[bytes] = []  # what went upstream for one request

    def __call__(self, data: bytes) -> None:
        """Raises AssertionError if an input shows a fault."""
        line, _, body = data.partition(b"\n")
        word, _, content_type = line.strip(b"\r").partition(b" ")
        path = PATHS.get(word, PATHS[b"edits"])
        with time_is_bounded(len(body)):
            whole = self.ask(path, content_type, Pieces(body, None), len(body))
            pieces = self.ask(path, content_type, Pieces(body, Random(data)), len(body))
        assert whole == pieces, f"the answer depends on how the body arrives: {whole} or {pieces}"

    def ask(self, path: str, content_type: bytes, body: Pieces, length: int) -> tuple[int, Any, list[bytes]]:
        """Status, error and what went upstream, after a look at the answer."""
        self.sent.clear()
        environ = {
            "CONTENT_TYPE": content_type.decode("latin-1"),
            "CONTENT_LENGTH": str(length),
            "wsgi.input": body,
        }
        response = self.client.post(path, headers={"Authorization": f"Bearer {KEY}"}, environ_overrides=environ)
        answer = response.get_data()
        response.close()
        assert KEY.encode() not in answer, "the key is repeated"
        assert self.app.extensions[EXTENSION].places.taken == 0, "a place is lost"
        assert response.status_code < 500, f"{response.status_code}: {answer[:300]!r}"
        if response.status_code == 200:
            look_at_answer(answer, response.mimetype)
            assert self.sent, "an answer without a call"
            return 200, None, sorted(self.sent)
        assert not self.sent, "a call was made for a request that is refused"
        return response.status_code, look_at_error(answer, response.mimetype), []

    def draw(self, adapter: Adapter, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        """The upstream: it reads the request as strictly as JSON is defined, and draws."""
        body: Any = request.body
        body = body if isinstance(body, bytes) else b"".join(body)
        json.loads(body.decode("utf-8"))
        self.sent.append(body)
        response = requests.Response()
        response.status_code = 200
        response.headers["Content-Type"] = "application/json; charset=UTF-8"
        response.raw = HTTPResponse(BytesIO(ANSWER), headers=response.headers, status=200, preload_content=False)
        return response


def look_at_error(answer: bytes, mimetype: str) -> Any:
    """The error, which is OpenAI's in form."""
    assert mimetype == "application/json", mimetype
    body = json.loads(answer)
    assert body.keys() == {"error"}, body
    error = body["error"]
    assert error.keys() >= ERROR, error
    assert error["message"] and error["type"], error
    return body


def look_at_answer(answer: bytes, mimetype: str) -> None:
    """Pictures, all at once or as events."""
    if mimetype == "application/json":
        body = json.loads(answer)
        assert body["data"], body
        assert all(("url" in one) != ("b64_json" in one) for one in body["data"]), body
        assert not body.get("errors"), body
        return
    assert mimetype == "text/event-stream", mimetype
    events = [json.loads(line.removeprefix(b"data:")) for line in answer.splitlines() if line.startswith(b"data:")]
    assert events
    assert all(event["type"] == "image_edit.completed" for event in events), events


@contextmanager
def form_input(folder: Path) -> Iterator[FormInput]:
    """The check of forms, with a store in the folder, for as long as the block lasts."""
    logging.getLogger("twinlens.access").disabled = True
    environ = {"GEMINI_BASE_URL": "https://gemini.test", "IMAGE_STORE_URL": str(folder), "IMAGE_TTL_SECONDS": "1"}
    check = FormInput(create_app(Settings.from_environ(environ)))
    with patch.object(Adapter, "send", lambda adapter, request, **options: check.draw(adapter, request, **options)):
        yield check
    logging.getLogger("twinlens.access").disabled = False
