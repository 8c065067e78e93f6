"""Every situation of the contract fixtures through OpenAI's SDK. A new file is a new row."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import openai

from contract.replay import pictures_of
from contract.suite.row import OPENAI, OPENAI_ASYNC, OPENAI_SDK, row
from contract.suite.situations import GENERATE as GENERATE_FOLDER
from contract.suite.situations import Situation, situations
from contract.suite.trial import CannotContinue, Trial

OPERATION = "images/generations"
GENERATE = "images.generate"


@dataclass(frozen=True)
class Refusal:
    """What OpenAI's SDK raises for a kind of error. Where OpenAI has no status or code of its own, any will do."""

    exception: type[openai.APIStatusError]
    status: int | None
    code: str | None = None


REFUSALS = {  # the kinds that `expect` of a fixture names
    "INVALID_KEY": Refusal(openai.AuthenticationError, 401, "invalid_api_key"),
    "PERMISSION_DENIED": Refusal(openai.PermissionDeniedError, 403),
    "LOCATION_NOT_SUPPORTED": Refusal(openai.PermissionDeniedError, 403, "unsupported_country_region_territory"),
    "INVALID_ARGUMENT": Refusal(openai.BadRequestError, 400),
    "MODEL_NOT_FOUND": Refusal(openai.NotFoundError, 404, "model_not_found"),
    "CONTENT_BLOCKED": Refusal(openai.BadRequestError, 400, "moderation_blocked"),
    "NO_IMAGE": Refusal(openai.BadRequestError, 400),
    "QUOTA_EXHAUSTED": Refusal(openai.RateLimitError, 429, "insufficient_quota"),
    "RATE_LIMITED": Refusal(openai.RateLimitError, 429, "rate_limit_exceeded"),
    "UPSTREAM_REJECTED": Refusal(openai.APIStatusError, None),
    "UPSTREAM_INTERNAL": Refusal(openai.InternalServerError, 500),
    "UPSTREAM_UNAVAILABLE": Refusal(openai.InternalServerError, 503),
    "UPSTREAM_TIMEOUT": Refusal(openai.InternalServerError, 504),
    "UPSTREAM_BROKEN": Refusal(openai.InternalServerError, None),
}
CODES = {refusal.code for refusal in REFUSALS.values() if refusal.code}
GROUPS = {
    "CONTENT_BLOCKED": "Refusals",
    "NO_IMAGE": "Answers without a picture",
    "UPSTREAM_BROKEN": "Broken answers",
}
DRAFT_MARKED_LATE = re.compile(r'"inlineData": \{[^{}]*\},\s*"thought": true')
PICTURES, ERRORS = "Forms of an answer", "Errors of the upstream"


def sentence_of(situation: Situation) -> str:
    """What happens upstream, and what a caller gets."""
    expect = situation.expect
    if "error" not in expect:
        count = len(expect["pictures"])
        outcome = "the picture arrives" if count == 1 else f"{count} pictures arrive"
    else:
        refusal = REFUSALS.get(expect["error"])
        name = refusal.exception.__name__ if refusal else expect["error"]
        outcome = f"raises {name}" + (f" with code {refusal.code}" if refusal and refusal.code else "")
    return f"{situation.sentence}: {outcome}"


def group_of(situation: Situation) -> str:
    """The group of the report that a situation belongs to."""
    error = situation.expect.get("error")
    return PICTURES if error is None else GROUPS.get(error, ERRORS)


def tried(trial: Trial, name: str) -> None:
    """Ask for the situation, and compare what the SDK returns or raises with the fixture."""
    situation = Situation(GENERATE_FOLDER, name)
    if "error" in situation.expect:
        refused(trial, situation)
    else:
        delivered(trial, situation)


def refused(trial: Trial, situation: Situation) -> None:
    """Claims the class, status, code and message of an error, and that the message does not repeat the key."""
    kind = situation.expect["error"]
    if kind not in REFUSALS:
        raise CannotContinue(f"the suite does not know the error kind {kind}")
    expected = REFUSALS[kind]
    error = trial.raises(expected.exception, GENERATE, model=trial.model, prompt=trial.prompt(situation=situation.name))
    status = situation.status if kind == "UPSTREAM_REJECTED" else expected.status
    if status:
        trial.equal(f"status {status}", status, status_of(error))
    code = getattr(error, "code", None)
    if expected.code:
        trial.equal(f"code {expected.code}", expected.code, code)
    else:
        trial.claim("no code of another kind of error", code not in CODES, code)
    trial.claim("a message that is not empty", len(str(getattr(error, "message", ""))) > len("error"))
    if "[[key]]" in situation.text:
        trial.claim("the message does not repeat the key", trial.server.key not in str(error))
    for reason in reasons_in(situation):
        trial.claim(f"the message says {reason}", reason in str(error), error)
    trial.upstream_calls(
        None if situation.status == HTTPStatus.NOT_FOUND else 1
    )  # for a 404 another model may be asked


def status_of(error: Exception) -> int | None:
    """The HTTP status of an error, or None."""
    return getattr(error, "status_code", None)


def reasons_in(situation: Situation) -> list[str]:
    """Google's reasons for refusing a picture."""
    body = situation.fixture["response"].get("body")
    if situation.expect["error"] != "CONTENT_BLOCKED" or not isinstance(body, dict):
        return []
    block = body.get("promptFeedback", {}).get("blockReason")
    return [block] if block else [one["finishReason"] for one in body.get("candidates", []) if "finishReason" in one]


def delivered(trial: Trial, situation: Situation) -> None:
    """Claims type, pixels and bytes of every picture, and the usage.

    A draft that is marked as one only after its data is not asked for as base64: a server that streams has sent it.
    """
    options = {} if DRAFT_MARKED_LATE.search(situation.text) else {"response_format": "b64_json"}
    answer = trial.ask(GENERATE, model=trial.model, prompt=trial.prompt(situation=situation.name), **options)
    expected = situation.expect["pictures"]
    pictures = trial.pictures(answer, count=len(expected))
    for picture, wanted in zip(pictures, expected, strict=False):
        trial.equal("the right type", wanted["mime_type"], f"image/{picture.format}")
        trial.equal("the right pixels", f"{wanted['width']}x{wanted['height']}", picture.pixels)
    sent = [picture.content for picture in pictures] == pictures_of(situation)
    trial.claim("the same bytes as the upstream's", sent)
    if usage := situation.expect.get("usage"):
        trial.equal("the right usage", usage, usage_of(answer))
    trial.upstream_calls(1)


def usage_of(answer: Any) -> dict[str, int]:
    """OpenAI's usage with the names of the fixtures."""
    usage = answer.usage.model_dump() if answer.usage else {}
    given, made = usage.get("input_tokens_details") or {}, usage.get("output_tokens_details") or {}
    return {
        "input_text_tokens": given.get("text_tokens", 0),
        "input_image_tokens": given.get("image_tokens", 0),
        "output_text_tokens": made.get("text_tokens", 0),
        "output_image_tokens": made.get("image_tokens", 0),
    }


def register() -> None:
    """One row for each file; the synchronous and the asynchronous client take turns."""
    for index, situation in enumerate(situations(GENERATE_FOLDER)):
        row(
            group_of(situation),
            OPENAI,
            (OPENAI_SDK, OPENAI_ASYNC)[index % 2],
            sentence_of(situation).replace("{", "{{").replace("}", "}}"),
            operation=OPERATION,
            each=[{"name": situation.name}],
            situations=True,
        )(tried)


register()
