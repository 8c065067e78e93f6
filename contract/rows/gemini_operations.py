"""Jobs on Google's surface, as long-running operations: an extra, since Google's generateContent starts none."""

from __future__ import annotations

import time
from typing import Any

from google.genai import types

from contract.suite.pictures import from_base64
from contract.suite.row import GEMINI, GOOGLE_SDK, HTTP, row
from contract.suite.trial import NotReported, Trial, body_of

GROUP = "Extra: jobs"
OPERATION = "generateContent"
PREFER = {"Prefer": "respond-async"}
SECONDS = 60


def started(trial: Trial) -> str:
    """The name of a new operation. Raises NotReported where the server has none."""
    contents = [{"parts": [{"text": trial.prompt()}], "role": "user"}]
    answer = trial.post_method(OPERATION, json={"contents": contents}, headers=PREFER)
    if answer.ok and "preference-applied" not in answer.headers:
        raise NotReported("the server knows no jobs")
    trial.equal("status 200", 200, answer.status_code)
    return str(body_of(answer).get("name"))


@row(GROUP, GEMINI, GOOGLE_SDK, "`operations.get` polls a job, and a GET has its picture", operation=OPERATION)
def polled(trial: Trial) -> None:
    operation = types.GenerateVideosOperation.model_validate({"name": started(trial)})
    until = time.monotonic() + SECONDS
    while not operation.done and time.monotonic() < until:
        operation = trial.ask("operations.get", operation=operation)
        time.sleep(0.1)
    trial.claim("it is done", operation.done)
    trial.claim("it has no error", operation.error is None, operation.error)
    done = body_of(trial.http("GET", f"/{trial.server.gemini_version}/{operation.name}", "x-goog-api-key"))
    trial.checked([from_base64(part["data"]) for part in inline_data(done)], 1)
    trial.upstream_calls(1)


def inline_data(operation: dict[str, Any]) -> list[dict[str, Any]]:
    """What an operation's `response` has as `inlineData`, drafts aside; the SDK has no type for such a response."""
    candidates = operation.get("response", {}).get("candidates", [])
    parts = candidates[0].get("content", {}).get("parts", []) if candidates else []
    return [part["inlineData"] for part in parts if "inlineData" in part and not part.get("thought")]


@row(GROUP, GEMINI, HTTP, "there is no operation of an unknown id", operation=OPERATION)
def unknown(trial: Trial) -> None:
    path = f"/{trial.server.gemini_version}/models/{trial.model}/operations/unknown"
    trial.equal("status 404", 404, trial.http("GET", path, "x-goog-api-key").status_code)
