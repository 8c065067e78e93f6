"""Whether the replaying upstream really stands behind the server."""

from __future__ import annotations

import secrets

import requests

from contract.suite.server import Server

SECONDS = 30


def is_behind(server: Server, only: str | None) -> bool:
    """Ask for one picture on each API, and see whether the upstream hears of it."""
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
    """Send it; what comes back does not matter here."""
    try:
        requests.post(url, json=body, headers=headers, timeout=SECONDS)
    except requests.RequestException:
        return
