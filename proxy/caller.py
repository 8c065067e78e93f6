"""Who asks: which API a request belongs to, the key it brings, and how its connection is broken off."""

from __future__ import annotations

import json
import re
import socket
import struct
from collections.abc import Callable, Mapping

from werkzeug.datastructures import Headers

OPENAI_PATHS = ("/v1/images", "/v1beta/openai")
GOOGLE_PATHS = ("/v1beta",)
CUSTOM_METHOD = re.compile(r":[A-Za-z]+/?")  # of Google's paths: models/x:generateContent
SHORTEST_KEY = 6  # characters
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


def is_googles(path: str, headers: Headers, query: Callable[[], Mapping[str, str]]) -> bool:
    """Whether a request, and so its error, belongs to Google's API; otherwise it belongs to OpenAI's.

    The query is parsed only where the path does not tell.
    """
    if is_below(path, OPENAI_PATHS):
        return False
    if is_below(path, GOOGLE_PATHS) or CUSTOM_METHOD.search(path.rpartition("/")[2] or path):
        return True
    return "x-goog-api-key" in headers or "key" in query()


def is_below(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def openai_key(headers: Headers) -> str | None:
    """The key of an OpenAI request."""
    return bearer(headers)


def google_key(headers: Headers, query: Mapping[str, str]) -> str | None:
    """The key of a Gemini request: x-goog-api-key wins over ?key=, and that over a Bearer token."""
    return headers.get("x-goog-api-key") or query.get("key") or bearer(headers)


def bearer(headers: Headers) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def patience(headers: Headers) -> float | None:
    """Seconds that an OpenAI SDK says it will wait: Python's read timeout, or Node's timeout of one request."""
    for name in ("x-stainless-read-timeout", "x-stainless-timeout"):
        try:
            seconds = float(headers.get(name, ""))
        except ValueError:
            continue
        if 0 < seconds < float("inf"):
            return seconds
    return None


def without_key(text: str, key: str | None) -> str:
    """The text with `[key]` where it repeats the key, plainly or as JSON writes it.

    What is too short to be a key is not looked for: it would be found in every other word.
    """
    if key is None or len(key) < SHORTEST_KEY:
        return text
    return text.replace(key, "[key]").replace(json.dumps(key)[1:-1], "[key]")


def reset_when_closed(connection: socket.socket) -> None:
    """A caller cannot take a reset for the end of his answer, and what he has not taken is thrown away."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
