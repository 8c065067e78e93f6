"""Whether the server sends its calls to the replaying upstream."""

from __future__ import annotations

import secrets

import requests

from contract.suite.server import Server

SECONDS = 30


def is_behind(server: Server, only: str | None) -> bool:
    """Ask for one picture on each API, and return whether the upstream was called."""
    assert server.upstream is not None
    mark = secrets.token_hex(6)
    if only != "gemini":
        body = {"model": server.model, "prompt": f"a first picture {mark}"}
        post(f"{server.openai_url}/images/generations", body, server.headers("bearer"))
    if only != "openai":
        path = f"{server.gemini_root}/{server.gemini_version}/models/{server.model}:generateContent"
        contents = [{"role": "user", "parts": [{"text": f"a first picture {mark}"}]}]
        post(path, {"contents": contents}, server.headers("x-goog-api-key"))
    return bool(server.upstream.calls_with(mark))


def post(url: str, body: object, headers: dict[str, str]) -> None:
    """Send a request and ignore its answer."""
    try:
        requests.post(url, json=body, headers=headers, timeout=SECONDS)
    except requests.RequestException:
        return
