"""Every situation of the contract fixtures on Google's surface. A new file is a new row.

The SDK must return or raise for the server what it returns or raises for the upstream.
"""

from __future__ import annotations

import hashlib
import json
from http import HTTPStatus
from typing import Any

import requests
from google.genai import errors

from contract.suite.clients import SECONDS
from contract.suite.row import GEMINI, GOOGLE_ASYNC, GOOGLE_SDK, row
from contract.suite.situations import COUNT, GENERATE, STREAM, Situation, situations
from contract.suite.trial import Trial, body_of, method_of

CALLS = {  # folder -> the SDK's method, the operation, and the group of the rows
    GENERATE: ("models.generate_content", "generateContent", "Situations"),
    STREAM: ("models.generate_content_stream", "streamGenerateContent", "Situations of a stream"),
    COUNT: ("models.count_tokens", "countTokens", "Situations of counting"),
}
KEY_IN_ERRORS = "[key]"  # what a server puts where the upstream repeats the caller's key


def outcome(trial: Trial, client: Any, path: str, prompt: str, model: str) -> dict[str, Any]:
    """The result of a call as data: the answers, or the exception with its members."""
    try:
        answer = trial.run(lambda: method_of(trial.sync_or_async(client), path)(model=model, contents=prompt))
    except errors.APIError as error:
        return {"raised": type(error).__name__, "code": error.code, **members_of(error)}
    except Exception as error:
        return {"raised": "an error of the transfer or of parsing", "kind": kind_of(error)}
    answers = answer if isinstance(answer, list) else [answer]
    return {"answers": [plain(one) for one in answers]}


def members_of(error: errors.APIError) -> dict[str, Any]:
    """The members of an error; only its message if its body is not in Google's form."""
    if not isinstance(error.details, dict) or "error" not in error.details:
        return {"message": error.message}
    return {"status": error.status, "message": error.message, "details": error.details}


def kind_of(error: Exception) -> str:
    """The class of an error; for errors of the transport, which differ by how the transfer broke, one word."""
    package = type(error).__module__.split(".")[0]
    return "transport" if package in ("httpx", "httpx2", "aiohttp") else type(error).__name__


def plain(answer: Any) -> dict[str, Any]:
    """An answer as data, without its HTTP headers."""
    members: dict[str, Any] = answer.model_dump(mode="json", exclude_none=True, exclude={"sdk_http_response"})
    return members


def fingerprint(found: dict[str, Any]) -> str:
    """A short hash of an outcome."""
    text = json.dumps(found, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def differences(expected: Any, actual: Any, place: str = "") -> list[str]:
    """Where two values differ."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        names = [*expected, *(name for name in actual if name not in expected)]
        found = (differences(expected.get(name), actual.get(name), f"{place}.{name}".lstrip(".")) for name in names)
        return [one for some in found for one in some]
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        found = (
            differences(*pair, f"{place}[{index}]") for index, pair in enumerate(zip(expected, actual, strict=True))
        )
        return [one for some in found for one in some]
    return [] if expected == actual else [f"{place}: {shown(expected)} became {shown(actual)}"]


def shown(value: Any, longest: int = 120) -> str:
    """A value as JSON, cut if it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= longest else f"{text[:longest]}…"


def http_outcome(url: str, key: str, prompt: str) -> dict[str, Any]:
    """The result of a call without the SDK, which would call again as long as answers have a continuation token."""
    body = {"contents": [{"role": "user", "parts": [{"text": prompt}]}]}
    answer = requests.post(url, json=body, headers={"x-goog-api-key": key}, timeout=SECONDS)
    return {"status": answer.status_code, "answers": body_of(answer)}


def both_ways(trial: Trial, situation: Situation) -> tuple[dict[str, Any], dict[str, Any]]:
    """The outcomes of the upstream, asked directly, and of the server."""
    path, operation, _ = CALLS[situation.operation]
    prompt = trial.prompt(situation=situation.name)
    directly = prompt.replace(trial.mark, "asked directly")
    trial.requests.append(f"{path}(model={trial.model!r}, contents={prompt!r})")
    reference = trial.server.reference.url
    if "continuationToken" in situation.text:
        address = trial.method_path(operation)
        return (
            http_outcome(reference + address, KEY_IN_ERRORS, directly),
            http_outcome(trial.server.gemini_root + address, trial.server.key, prompt),
        )
    return (
        outcome(trial, trial.google(reference, KEY_IN_ERRORS), path, directly, trial.model),
        outcome(trial, trial.google(), path, prompt, trial.model),
    )


def tried(trial: Trial, name: str, operation: str) -> None:
    """Ask the server and the upstream for the same situation, and compare the outcomes."""
    situation = Situation(operation, name)
    expected, actual = both_ways(trial, situation)
    trial.note(f"{shown(actual, 600)} ({fingerprint(actual)})")
    both_raise = "raised" in expected and "raised" in actual
    found = [] if situation.cut and both_raise else differences(expected, actual)  # how a transfer breaks may differ
    trial.claim(
        f"the same as from the upstream: {expected.get('raised', 'an answer')}", not found, "; ".join(found[:6])
    )
    trial.upstream_calls(
        None if situation.status == HTTPStatus.NOT_FOUND else 1
    )  # for a 404 another model may be asked


def outcome_of(situation: Situation) -> str:
    """What a caller gets, in a few words."""
    if situation.status >= 500:
        return "raises ServerError"
    if situation.status >= 400:
        return "raises ClientError"
    return "breaks off" if situation.cut else "arrives unchanged"


def register() -> None:
    """One row for each file of each operation; the synchronous and the asynchronous client take turns."""
    for folder, (_, operation, group) in CALLS.items():
        for index, situation in enumerate(situations(folder)):
            sentence = f"{situation.sentence}: {outcome_of(situation)}"
            row(
                group,
                GEMINI,
                (GOOGLE_SDK, GOOGLE_ASYNC)[index % 2],
                sentence.replace("{", "{{").replace("}", "}}"),
                operation=operation,
                each=[{"name": situation.name, "operation": folder}],
                situations=True,
            )(tried)


register()
