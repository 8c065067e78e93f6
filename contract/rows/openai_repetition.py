"""How often an SDK retries: never where it would pay twice, and not before the given delay."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import openai
import requests

from contract.suite.row import BOTH_OPENAI, HTTP, OPENAI, OPENAI_SDK, row
from contract.suite.trial import CannotContinue, Trial

GROUP = "Retries"
OPERATION = "images/generations"
GENERATE = "images.generate"
SDKS_OWN_RETRIES = 2
LONGEST_WAIT = 60
ONCE: list[dict[str, Any]] = [
    {"situation": "refused_image_safety", "words": "a refused picture"},
    {"situation": "refused_prompt_prohibited_content", "words": "a refused prompt"},
    {"situation": "text_only", "words": "an answer with text only"},
    {"situation": "quota_per_day", "words": "a used-up quota of the day"},
    {"situation": "html_502", "words": "a broken answer, which may have been billed"},
    {"situation": "deadline_expired", "words": "a deadline that expired after minutes"},
    {"situation": "deadline_exceeded", "words": "no answer in time"},
    {"situation": "api_key_invalid", "words": "a wrong key"},
]
AGAIN: list[dict[str, Any]] = [
    {"situation": "overloaded", "words": "an overloaded model"},
    {"situation": "internal", "words": "an internal error"},
]


@row(GROUP, OPENAI, BOTH_OPENAI, "{words} is not retried", operation=OPERATION, each=ONCE, situations=True)
def asked_once(trial: Trial, situation: str, words: str) -> None:
    trial.retries = SDKS_OWN_RETRIES
    with suppress(openai.APIError, CannotContinue):  # which error it is, other rows check
        trial.refused(GENERATE, model=trial.model, prompt=trial.prompt(situation=situation))
    trial.equal("the SDK sent one request", 1, trial.attempts)
    trial.upstream_calls(1)


@row(GROUP, OPENAI, BOTH_OPENAI, "{words} is retried", operation=OPERATION, each=AGAIN, situations=True)
def asked_again(trial: Trial, situation: str, words: str) -> None:
    trial.retries = 1
    trial.raises(openai.InternalServerError, GENERATE, model=trial.model, prompt=trial.prompt(situation=situation))
    trial.equal("the SDK sent two requests", 2, trial.attempts)


@row(
    GROUP,
    OPENAI,
    OPENAI_SDK,
    "after a rate limit the SDK waits as long as the upstream says",
    operation=OPERATION,
    situations=True,
)
def waits(trial: Trial) -> None:
    trial.retries = 1
    prompt = trial.prompt(situation="quota_requests_per_minute")
    trial.raises(openai.RateLimitError, GENERATE, model=trial.model, prompt=prompt)
    trial.equal("the SDK sent two requests", 2, trial.attempts)
    trial.claim("it waited 7 seconds, as Google's RetryInfo says", 7 <= trial.waited < 12, f"{trial.waited:.1f} s")


def rate_limited(trial: Trial, situation: str) -> requests.Response:
    """The answer to a situation that is a rate limit; claims status 429."""
    answer = trial.post_generation(prompt=trial.prompt(situation=situation))
    trial.note(f"retry-after: {answer.headers.get('retry-after')}")
    trial.equal("status 429", 429, answer.status_code)
    return answer


@row(
    GROUP,
    OPENAI,
    HTTP,
    "`Retry-After` is rounded up, so that no retry is too early",
    operation=OPERATION,
    situations=True,
)
def rounded_up(trial: Trial) -> None:
    answer = rate_limited(trial, "quota_per_minute")
    trial.equal("48.94 seconds become 49", "49", answer.headers.get("retry-after"))


@row(
    GROUP,
    OPENAI,
    HTTP,
    "`Retry-After` is at most a minute: some SDKs ignore longer ones, others sleep",
    operation=OPERATION,
    situations=True,
)
def never_too_long(trial: Trial) -> None:
    delay = rate_limited(trial, "quota_long_wait").headers.get("retry-after", "")
    trial.claim(f"at most {LONGEST_WAIT}", delay.isdigit() and int(delay) <= LONGEST_WAIT, delay or "none")
