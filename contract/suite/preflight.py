"""What is checked before the rows run: one request for a picture on each API, so that a wrong key or model is one
sentence and not hundreds of failed rows."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import requests

from contract.scrubbing import without_key
from contract.suite.server import Server

SECONDS = 120
LONGEST = 300  # characters of an error that are shown


class CannotTest(Exception):
    """Nearly all rows would fail for one reason."""


@dataclass(frozen=True)
class FirstAnswer:
    """The answer to the first request on one API."""

    status: int
    message: str


def check(server: Server, only: str | None) -> None:
    """Ask for one picture on each API. Raises CannotTest if none is drawn, or the upstream is not called."""
    mark = secrets.token_hex(6)
    answers = [ask(server, *request) for request in first_requests(server, only, f"a first picture {mark}")]
    if answers and all(answer.status >= 300 for answer in answers):
        raise CannotTest(explanation(server, answers))
    if answers and server.upstream and not server.upstream.calls_with(mark):
        raise CannotTest(
            f"the server does not call the replaying upstream: set its upstream to {server.upstream.url} "
            "(GEMINI_BASE_URL of Twinlens, api_base of LiteLLM)"
        )


def explanation(server: Server, answers: Sequence[FirstAnswer]) -> str:
    """Why no picture was drawn, in a sentence with the server's own words."""
    for answer in answers:
        if answer.status in (401, 403) or "api key" in answer.message.lower():
            return f"the server refuses the key: {answer.status}, {answer.message}"
    for answer in answers:
        if answer.status in (400, 404) and server.model in answer.message:
            listed = ", ".join(models_of(server)[:12])
            words = f"the server has no model {server.model}: {answer.status}, {answer.message}"
            return f"{words} (it lists: {listed})" if listed else words
    words = f"the server draws no picture: {answers[0].status}, {answers[0].message}"
    return f"{words} (its upstream must be {server.upstream.url})" if server.upstream else words


def first_requests(server: Server, only: str | None, prompt: str) -> list[tuple[str, object, str]]:
    """URL, body and credential of a request on each API that is tested and offered; on chats if they alone are."""
    found: list[tuple[str, object, str]] = []
    if only in (None, "openai") and not server.lacks("images/generations"):
        body: dict[str, object] = {"model": server.model, "prompt": prompt}
        found.append((f"{server.openai_url}/images/generations", body, "bearer"))
    if only == "chat" and not server.lacks("chat/completions"):
        body = {"model": server.model, "messages": [{"role": "user", "content": prompt}]}
        found.append((f"{server.openai_url}/chat/completions", body, "bearer"))
    if only in (None, "gemini") and not server.lacks("generateContent"):
        url = f"{server.gemini_root}/{server.gemini_version}/models/{server.model}:generateContent"
        found.append((url, {"contents": [{"role": "user", "parts": [{"text": prompt}]}]}, "x-goog-api-key"))
    return found


def ask(server: Server, url: str, body: object, credential: str) -> FirstAnswer:
    """The status and the error message of an answer; status 599 if there is none."""
    try:
        answer = requests.post(url, json=body, headers=server.headers(credential), timeout=SECONDS)
    except requests.RequestException as error:
        return FirstAnswer(599, type(error).__name__)
    return FirstAnswer(answer.status_code, without_key(message_of(answer.text), server.key))


def message_of(text: str) -> str:
    """The message of an error in either API's form, or the text itself; on one line."""
    try:
        body = json.loads(text)
        text = body["error"]["message"]
    except (ValueError, LookupError, TypeError):
        pass
    shown = " ".join(str(text).split())
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"


def models_of(server: Server) -> list[str]:
    """The ids of the models that the server lists."""
    try:
        answer = requests.get(f"{server.openai_url}/models", headers=server.headers("bearer"), timeout=SECONDS)
        return [str(model["id"]) for model in answer.json()["data"]]
    except (requests.RequestException, ValueError, LookupError, TypeError):
        return []
