"""`Idempotency-Key`: a request that is sent again is not bought again.

Neither API promises it, so a server that ignores the header does not fail these rows: it does not offer them.
Source: draft-ietf-httpapi-idempotency-key-header-07, sections 2.1, 2.6 and 2.7.
"""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from contract.suite.row import GEMINI, HTTP, OPENAI, row
from contract.suite.trial import NotReported, Trial, body_of

GROUP = "Idempotency keys"
IGNORED = "the server draws again for the same Idempotency-Key"
OPENAI_OPERATION, GEMINI_OPERATION, GEMINI_STREAM = "images/generations", "generateContent", "streamGenerateContent"


def ask(trial: Trial, key: str, words: str = "a red kite", stream: bool = False) -> requests.Response:
    """A request for a picture with a key, on the row's API."""
    headers = {"Idempotency-Key": key}
    if trial.row.api == OPENAI:
        body: dict[str, Any] = {"model": trial.model, "prompt": trial.prompt(words)}
        body |= {"stream": True} if stream else {"response_format": "b64_json"}
        return trial.http("POST", "/v1/images/generations", json=body, headers=headers)
    contents = [{"role": "user", "parts": [{"text": trial.prompt(words)}]}]
    method = f"{GEMINI_STREAM}?alt=sse" if stream else GEMINI_OPERATION
    return trial.post_method(method, json={"contents": contents}, headers=headers)


def new_key() -> str:
    """A key that was never used."""
    return f"contract-{secrets.token_hex(12)}"


def asked_twice(trial: Trial, stream: bool = False) -> None:
    """Ask twice with a key, and claim that the second answer is the first. Raises NotReported if it was drawn again."""
    key = new_key()
    first = ask(trial, key, stream=stream)
    again = ask(trial, key, stream=stream)
    trial.equal("status 200", 200, first.status_code)
    is_replayed = again.headers.get("idempotent-replayed") == "true"
    if not is_replayed and (first.content != again.content or len(trial.upstream_calls()) > 1):
        raise NotReported(IGNORED)
    trial.equal("the same status", first.status_code, again.status_code)
    trial.claim("the same body, byte for byte", first.content == again.content, f"{len(again.content)} bytes")
    kind = again.headers.get("content-type")
    trial.equal("the same content type", first.headers.get("content-type"), kind)
    trial.claim("it says `idempotent-replayed: true`", is_replayed, again.headers.get("idempotent-replayed"))
    trial.upstream_calls(1)


REPLAYED = "a request that is sent again with its `Idempotency-Key` gets the same answer, and nothing is drawn"
STREAMED = "a stream that is asked for again with its `Idempotency-Key` is the same stream"
REFUSED = "an `Idempotency-Key` that was used for another request is refused"
JOINED = "two requests at once with one `Idempotency-Key` get one picture"


@row(GROUP, OPENAI, HTTP, REPLAYED, operation=OPENAI_OPERATION)
def replayed(trial: Trial) -> None:
    asked_twice(trial)


@row(GROUP, GEMINI, HTTP, REPLAYED, operation=GEMINI_OPERATION)
def replayed_by_google(trial: Trial) -> None:
    asked_twice(trial)


@row(GROUP, OPENAI, HTTP, STREAMED, operation=OPENAI_OPERATION)
def replayed_stream(trial: Trial) -> None:
    asked_twice(trial, stream=True)


@row(GROUP, GEMINI, HTTP, STREAMED, operation=GEMINI_STREAM)
def replayed_stream_by_google(trial: Trial) -> None:
    asked_twice(trial, stream=True)


def other_request(trial: Trial) -> tuple[int, dict[str, Any]]:
    """Status and error of another request with a used key. Raises NotReported if it is answered like any other."""
    key = new_key()
    trial.equal("status 200", 200, ask(trial, key).status_code)
    answer = ask(trial, key, "a blue boat")
    if answer.ok:
        raise NotReported(IGNORED)
    body = body_of(answer)
    trial.upstream_calls(1)
    return answer.status_code, body["error"] if isinstance(body, dict) else {}


@row(GROUP, OPENAI, HTTP, REFUSED, operation=OPENAI_OPERATION)
def refused(trial: Trial) -> None:
    status, error = other_request(trial)
    trial.equal("status 422", 422, status)
    trial.equal("`code`", "idempotency_key_reused", error.get("code"))


@row(GROUP, GEMINI, HTTP, REFUSED, operation=GEMINI_OPERATION)
def refused_by_google(trial: Trial) -> None:
    status, error = other_request(trial)
    trial.equal("status 400", 400, status)
    trial.equal("`status`", "INVALID_ARGUMENT", error.get("status"))


def asked_at_once(trial: Trial) -> None:
    """Two requests at once with a key. Raises NotReported if each gets its own picture."""
    key = new_key()
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: ask(trial, key), range(2))
    if first.ok and second.ok and (first.content != second.content or len(trial.upstream_calls()) > 1):
        raise NotReported(IGNORED)
    trial.equal("both have status 200", [200, 200], [first.status_code, second.status_code])
    trial.claim("both have the same body", first.content == second.content)
    trial.upstream_calls(1)


@row(GROUP, OPENAI, HTTP, JOINED, operation=OPENAI_OPERATION)
def joined(trial: Trial) -> None:
    asked_at_once(trial)


@row(GROUP, GEMINI, HTTP, JOINED, operation=GEMINI_OPERATION)
def joined_by_google(trial: Trial) -> None:
    asked_at_once(trial)
