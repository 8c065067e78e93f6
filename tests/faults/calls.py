"""Calls without any SDK, on both surfaces."""

from typing import Any

import requests

from tests.support.proxy_server import ProxyServer

MODEL = "gemini-2.5-flash-image"
GENERATIONS = "/v1/images/generations"
EDITS = "/v1/images/edits"
GENERATE_CONTENT = f"/v1beta/models/{MODEL}:generateContent"
CUT = (requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)


def generate(server: ProxyServer, key: str, **parameters: Any) -> requests.Response:
    """A generation."""
    headers = {"Authorization": f"Bearer {key}"}
    return requests.post(server.url + GENERATIONS, json={"prompt": "a cat", **parameters}, headers=headers, timeout=20)


def edit(server: ProxyServer, key: str, files: Any, **parameters: Any) -> requests.Response:
    """An edit, as a form."""
    headers = {"Authorization": f"Bearer {key}"}
    data = {"prompt": "blue", **parameters}
    return requests.post(server.url + EDITS, data=data, files=files, headers=headers, timeout=20)


def generate_content(server: ProxyServer, key: str, body: Any = None) -> requests.Response:
    """A call of Google's surface."""
    body = body or {"contents": [{"parts": [{"text": "a cat"}]}]}
    return requests.post(server.url + GENERATE_CONTENT, json=body, headers={"x-goog-api-key": key}, timeout=20)


def code(answer: requests.Response) -> tuple[int, str | None]:
    """Status and code of an OpenAI error."""
    error = answer.json()["error"]
    assert error["message"]
    return answer.status_code, error["code"]
