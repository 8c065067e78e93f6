"""Jobs on OpenAI's surface: an extra, which OpenAI's own API does not have."""

from __future__ import annotations

import time
from typing import Any

import requests

from contract.suite.row import HTTP, OPENAI, row
from contract.suite.trial import NotReported, Trial, body_of

GROUP = "Extra: jobs"
OPERATION = "images/generations"
PREFER = {"Prefer": "respond-async"}
SECONDS = 60


def accepted(trial: Trial, **arguments: Any) -> requests.Response:
    """The answer that accepts a job. Raises NotReported where the server has none."""
    body = {"model": trial.model, "prompt": trial.prompt(), **arguments.pop("json", {})}
    headers = {**PREFER, **arguments.pop("headers", {})}
    answer = trial.http("POST", "/v1/images/generations", json=body, headers=headers)
    if answer.ok and "preference-applied" not in answer.headers:
        raise NotReported("the server knows no jobs")
    return answer


def ended(trial: Trial, path: str) -> dict[str, Any]:
    """The job at a path when it is over."""
    until = time.monotonic() + SECONDS
    while True:
        job = dict(body_of(trial.http("GET", path, headers={"Prefer": "wait=10"})))
        if job.get("status") not in ("queued", "in_progress") or time.monotonic() > until:
            return job


@row(
    GROUP,
    OPENAI,
    HTTP,
    "`Prefer: respond-async` is answered at once, and the picture is fetched later",
    operation=OPERATION,
)
def fetched_later(trial: Trial) -> None:
    answer = accepted(trial)
    trial.equal("status 202", 202, answer.status_code)
    trial.equal("`Preference-Applied`", "respond-async", answer.headers.get("preference-applied"))
    job = ended(trial, answer.headers.get("location", ""))
    trial.equal("it is completed", "completed", job.get("status"))
    result = job.get("result") or {}
    trial.equal("its result has one picture", 1, len(result.get("data", [])))
    trial.upstream_calls(1)


@row(GROUP, OPENAI, HTTP, "a job with the same `Idempotency-Key` is the same job", operation=OPERATION)
def same_job(trial: Trial) -> None:
    headers = {"Idempotency-Key": trial.mark.replace(" ", "-")}
    first, again = (accepted(trial, headers=headers) for _ in range(2))
    trial.equal("the same place", first.headers.get("location"), again.headers.get("location"))
    trial.equal("it is completed", "completed", ended(trial, again.headers.get("location", "")).get("status"))
    trial.upstream_calls(1)


@row(GROUP, OPENAI, HTTP, "a bad request is refused at once, not as a job", operation=OPERATION)
def refused_at_once(trial: Trial) -> None:
    answer = trial.http(
        "POST", "/v1/images/generations", json={"model": trial.model, "prompt": "a cat", "n": 11}, headers=PREFER
    )
    trial.equal("status 400", 400, answer.status_code)
    trial.upstream_calls(0)


@row(GROUP, OPENAI, HTTP, "there is no job of an unknown id", operation=OPERATION)
def unknown(trial: Trial) -> None:
    answer = trial.http("GET", "/v1/images/jobs/imgjob_unknown")
    trial.equal("status 404", 404, answer.status_code)
