"""A caller's mistakes in Google's API: ClientError from the SDK, google.rpc.Status over HTTP."""

from __future__ import annotations

from typing import Any

import requests
from google.genai import errors

from contract.suite.row import BOTH_GOOGLE, GEMINI, HTTP, row
from contract.suite.trial import Trial, body_of

GROUP = "Mistakes"
OPERATION = "generateContent"
GENERATE = "models.generate_content"


def claim_google_error(trial: Trial, answer: requests.Response, statuses: tuple[int, ...], name: str) -> None:
    """Claims an error in Google's form."""
    trial.any_of(f"status {' or '.join(map(str, statuses))}", statuses, answer.status_code)
    body = body_of(answer)
    error = body.get("error") if isinstance(body, dict) else None
    trial.claim("a JSON body with an `error` object", isinstance(error, dict), answer.text[:200])
    if isinstance(error, dict):
        trial.equal("its `code` is the status", answer.status_code, error.get("code"))
        trial.equal(f"its `status` is {name}", name, error.get("status"))
        trial.claim("its `message` is not empty", error.get("message"))


@row(GROUP, GEMINI, BOTH_GOOGLE, "a model that is not served raises ClientError", operation=OPERATION)
def unknown_model(trial: Trial) -> None:
    error = trial.raises(errors.ClientError, GENERATE, model="no-such-model-image", contents=trial.prompt())
    trial.equal("code 404", 404, getattr(error, "code", None))
    trial.equal("status NOT_FOUND", "NOT_FOUND", getattr(error, "status", None))


WRONG: list[dict[str, Any]] = [
    {"words": "a body without contents", "body": {"generationConfig": {}}},
    {"words": "contents that are a number", "body": {"contents": 5}},
    {"words": "a text that is a number", "body": {"contents": [{"role": "user", "parts": [{"text": {"a": 1}}]}]}},
    {"words": "a JSON list", "body": [1, 2]},
]


@row(GROUP, GEMINI, HTTP, "{words} is a 400 in Google's form", operation=OPERATION, each=WRONG)
def wrong_body(trial: Trial, words: str, body: Any) -> None:
    claim_google_error(trial, trial.post_method(OPERATION, json=body), (400,), "INVALID_ARGUMENT")


@row(GROUP, GEMINI, HTTP, "a body that is not JSON is a 400 in Google's form", operation=OPERATION)
def not_json(trial: Trial) -> None:
    answer = trial.post_method(OPERATION, data="{", headers={"Content-Type": "application/json"})
    claim_google_error(trial, answer, (400,), "INVALID_ARGUMENT")


@row(GROUP, GEMINI, HTTP, "a call without a key is refused in Google's form", operation=OPERATION)
def no_key(trial: Trial) -> None:
    body = {"contents": [{"parts": [{"text": trial.prompt()}]}]}
    claim_google_error(trial, trial.post_method(OPERATION, None, json=body), (403,), "PERMISSION_DENIED")


@row(GROUP, GEMINI, HTTP, "an unknown method is a 404 in Google's form", operation=OPERATION)
def unknown_method(trial: Trial) -> None:
    claim_google_error(trial, trial.post_method("paintContent", json={}), (404,), "NOT_FOUND")
